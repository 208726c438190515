package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// people is a small table of customers with levels of all sizes: "north" and "south" are common, others are rare.
func people() string {
	var b strings.Builder
	b.WriteString("id,age,income,region,plan\n")
	for i := range 60 {
		region := []string{"north", "south"}[i%2]
		if i%20 == 7 {
			region = fmt.Sprintf("isle %d", i)
		}
		fmt.Fprintf(&b, "%d,%d,%d,%s,%s\n", i+1, 20+i*7%50, 1000+i*i%977, region, []string{"gold", "basic", "basic"}[i%3])
	}
	return b.String()
}

func TestAWeightIsTheColumnMultipliedByHand(t *testing.T) {
	enter(t)
	var plain, byHand strings.Builder
	for i := range 50 {
		x, y := float64(i*i%37), float64(i%11)
		fmt.Fprintf(&plain, "%d,%v,%v\n", i, x, y)
		fmt.Fprintf(&byHand, "%d,%v,%v\n", i, 3*x, y/4)
	}
	write(t, "plain.csv", "id,x,y\n"+plain.String())
	write(t, "hand.csv", "id,x,y\n"+byHand.String())
	want := fitDone(t, "hand.csv", "-k", "3", "--scale", "none", "-o", "hand.json", "--labels", "hand-labels.csv")
	got := fitDone(t, "plain.csv", "-k", "3", "--scale", "none", "--feature-weight", "y=0.25,x=3", "-o", "m.json", "--labels", "labels.csv")
	if got.Inertia != want.Inertia || text(t, "labels.csv") != text(t, "hand-labels.csv") {
		t.Errorf("got inertia %v and other labels %v, want inertia %v and the same labels", got.Inertia,
			text(t, "labels.csv") != text(t, "hand-labels.csv"), want.Inertia)
	}
	if got.Digest == want.Digest {
		t.Error("a model with weights has the digest of one without")
	}
	// Its way back does not know of weights: as starting centroids of the same data it is at its end already.
	again := fitDone(t, "plain.csv", "-k", "3", "--scale", "none", "--feature-weight", "x=3,y=0.25", "--init", "m.json", "-o", "again.json")
	if again.Digest != got.Digest {
		t.Errorf("started from itself: got digest %s, want %s", again.Digest, got.Digest)
	}
}

func TestAWeightOfOneIsNone(t *testing.T) {
	enter(t)
	write(t, "a.csv", people())
	want := fitDone(t, "a.csv", "-k", "3", "--categorical", "plan", "-o", "m.json").Digest
	for name, flags := range map[string][]string{"weights": {"--feature-weight", "age=1,plan=1.0"}, "a fold of nothing": {"--fold-levels", "1"}} {
		got := fitDone(t, append([]string{"a.csv", "-k", "3", "--categorical", "plan", "-o", "m.json"}, flags...)...).Digest
		if got != want {
			t.Errorf("%s: got digest %s, want that of no flag %s", name, got, want)
		}
	}
}

func TestRareLevelsAreOneSegmentsShareAndStayKnownToAssign(t *testing.T) {
	enter(t)
	write(t, "a.csv", people())
	doc := fitDone(t, "a.csv", "-k", "3", "--categorical", "region,plan", "--fold-levels", "5%", "--feature-weight", "region=2", "-o", "m.json",
		"--labels", "fit.csv")
	if model := text(t, "m.json"); doc.Columns != 7 || !strings.Contains(model, `"region=north","region=other","region=south"`) {
		t.Errorf("got %d columns, want age, income, three regions and two plans: %.1500s", doc.Columns, model)
	}
	got := coterie("assign", "a.csv", "--model", "m.json", "-o", "assign.csv")
	if got.code != 0 || got.stderr != "" || text(t, "assign.csv") != text(t, "fit.csv") {
		t.Errorf("got %+v, want the labels of the fit and nothing left out", got)
	}
	// What nobody had when the model was fitted is no rare level: it is counted, as ever.
	write(t, "new.csv", "id,age,income,region,plan\n1,30,1500,moon,gold\n2,30,1500,isle 7,gold\n3,30,1500,other,gold\n")
	got = coterie("assign", "new.csv", "--model", "m.json", "-o", "new-labels.csv")
	if got.code != 0 || !strings.Contains(got.stderr, "1 values unknown to the model") {
		t.Errorf("got %+v, want one value unknown", got)
	}
	if rows := records(t, "new-labels.csv"); rows[2][1] != rows[3][1] || rows[2][2] != rows[3][2] || rows[1][2] == rows[2][2] {
		t.Errorf("got %v, want a rare region and the region other in one place, and an unknown one elsewhere", rows)
	}
}

func TestWeightsAndFoldsThatMakeNoSenseAreNamedWithTheirValue(t *testing.T) {
	a := map[string]string{"a.csv": people()}
	var cases []badInput
	for _, c := range []struct {
		args string
		say  []string
	}{
		{"--feature-weight age", []string{`--feature-weight: "age" `, "age=2"}},
		{"--feature-weight age=", []string{`--feature-weight: "age=" `, "not a number"}},
		{"--feature-weight age=two", []string{`--feature-weight: "age=two" `, `"two"`}},
		{"--feature-weight age=0", []string{`--feature-weight: "age=0" `, "leave the column out"}},
		{"--feature-weight age=-1", []string{`--feature-weight: "age=-1" `, "between 1e-09 and 1e+09"}},
		{"--feature-weight age=inf", []string{`--feature-weight: "age=inf" `, "between"}},
		{"--feature-weight age=NaN", []string{`--feature-weight: "age=NaN" `, "not a number"}},
		{"--feature-weight age=1e10", []string{`--feature-weight: "age=1e10" `, "between"}},
		{"--feature-weight =2", []string{`--feature-weight: "=2" `, "empty name"}},
		{"--feature-weight age=2,age=3", []string{`--feature-weight: "age=2,age=3" `, `"age" twice`}},
		{"--feature-weight shoe=2", []string{`--feature-weight: "shoe" `, "the features are age, income"}},
		{"--feature-weight plan=2", []string{`--feature-weight: "plan" `, "the features are age, income"}},
		{"--features age --feature-weight income=2", []string{`--feature-weight: "income" `, "the features are age"}},
		{"--fold-levels 5%", []string{`--fold-levels: "5%" without --categorical`}},
		{"--categorical plan --fold-levels 0", []string{`--fold-levels: "0" `, "1%"}},
		{"--categorical plan --fold-levels 0%", []string{`--fold-levels: "0%" `, "between 0% and 100%"}},
		{"--categorical plan --fold-levels 100%", []string{`--fold-levels: "100%" `, "between"}},
		{"--categorical plan --fold-levels few", []string{`--fold-levels: "few" `}},
	} {
		cases = append(cases, badInput{name: c.args, files: a, args: append([]string{"+"}, strings.Fields(c.args)...), code: 2, say: c.say, bare: true})
	}
	runBad(t, append(cases, badInput{name: "all levels are rare", files: a, args: []string{"+", "--categorical", "plan", "--fold-levels", "50"},
		say: []string{"a.csv: ", `"plan"`, "each of its 2 levels is rare"}}))
}

func TestWeightsComeFromTheEnvironmentAndTheFileToo(t *testing.T) {
	enter(t)
	write(t, "a.csv", people())
	base := []string{"fit", "a.csv", "-k", "3", "-o", "m.json", "--categorical", "plan", "--json"}
	want := coterie(append(base, "--feature-weight", "age=2,plan=0.5", "--fold-levels", "3")...)
	digest := func(o outcome) string { return o.stdout[max(0, strings.Index(o.stdout, `"digest"`)):] }
	write(t, "list.yaml", "feature-weight: [age=2, plan=0.5]\nfold-levels: 3\n")
	write(t, "text.yaml", "feature-weight: age=2,plan=0.5\n")
	for name, got := range map[string]outcome{
		"environment": runWith(context.Background(), []string{"COTERIE_FEATURE_WEIGHT=age=2,plan=0.5"}, base...),
		"list":        coterie(append(base, "--config", "list.yaml")...),
		"text":        coterie(append(base, "--config", "text.yaml")...),
		"given twice": coterie(append(base, "--feature-weight", "plan=0.5", "--feature-weight", "age=2")...),
	} {
		if got.code != 0 || digest(got) != digest(want) || digest(want) == "" {
			t.Errorf("%s: got %+v, want the digest of %+v", name, got, want)
		}
	}
}

// schooled is a small table of customers with an education in words.
func schooled(words ...string) string {
	var b strings.Builder
	b.WriteString("id,age,education\n")
	for i := range 60 {
		fmt.Fprintf(&b, "%d,%d,%s\n", i+1, 20+i*7%50, words[i*5/2%len(words)])
	}
	return b.String()
}

const schoolOrder = "education=school<graduate<post, graduate"

// TestAnOrderIsTheColumnOfNumbersMadeByHand holds a column of ordered texts against its twin of numbers.
func TestAnOrderIsTheColumnOfNumbersMadeByHand(t *testing.T) {
	enter(t)
	write(t, "words.csv", schooled("school", "graduate", `"post, graduate"`))
	write(t, "hand.csv", schooled("0", "1", "2"))
	flags := []string{"-k", "3", "--feature-weight", "education=2", "--init"}
	write(t, "s.csv", "age,education\n20,school\n40,graduate\n60,\"post, graduate\"\n")
	write(t, "s-hand.csv", "age,education\n20,0\n40,1\n60,2\n")
	for name, start := range map[string][2]string{"seeded": {"k-means-parallel", "k-means-parallel"}, "from given centroids": {"s.csv", "s-hand.csv"}} {
		want := fitDone(t, append(flags, start[1], "hand.csv", "-o", "hand.json", "--labels", "hand-labels.csv")...)
		got := fitDone(t, append(flags, start[0], "words.csv", "--ordinal", schoolOrder, "-o", "m.json", "--labels", "labels.csv")...)
		if got.Inertia != want.Inertia || got.Columns != 2 || text(t, "labels.csv") != text(t, "hand-labels.csv") || got.Digest == want.Digest {
			t.Errorf("%s: got %+v, want the labels of %+v and a digest of its own", name, got, want)
		}
	}
	if got := coterie("assign", "words.csv", "--model", "m.json", "-o", "assign.csv"); got.code != 0 || text(t, "assign.csv") != text(t, "labels.csv") {
		t.Errorf("got %+v, want the labels of the fit", got)
	}
	a := coterie("lookup", "--model", "m.json", "--values", "age=31,education=graduate", "--json")
	b := coterie("lookup", "--model", "hand.json", "--values", "age=31,education=1", "--json")
	if a.code != 0 || strings.Replace(a.stdout, `"value":"graduate"`, `"value":1`, 1) != b.stdout { // who reads it gave a word
		t.Errorf("lookup: got %+v, want %s", a, b.stdout)
	}
}

func TestOrdersThatMakeNoSenseAreNamed(t *testing.T) {
	a := map[string]string{"a.csv": schooled("school", "graduate", "phd")}
	usage := func(say string, args ...string) badInput {
		return badInput{name: strings.Join(args, " "), files: a, args: append([]string{"+"}, args...), code: 2, say: []string{"--ordinal: ", say}, bare: true}
	}
	runBad(t, []badInput{
		usage("is not an order", "--ordinal", "education"),
		usage("is not an order", "--ordinal", "education=school"),
		usage("empty name", "--ordinal", "=a<b"),
		usage("empty value", "--ordinal", "education=school<<phd"),
		usage("a value of education twice", "--ordinal", "education=school<phd<school"),
		usage(`"education" twice`, "--ordinal", "education=school<phd", "--ordinal", "education=phd<school"),
		usage(`"education" is also in --categorical`, "--ordinal", "education=school<phd", "--categorical", "education"),
		usage(`"education" is not one of the --features`, "--ordinal", "education=school<phd", "--features", "age"),
		{name: "another text", files: a, args: []string{"+", "--ordinal", "education=school<graduate"},
			say: []string{"a.csv: line 3, column education: ", `"phd" is not one of school < graduate`}},
		{name: "a column of numbers", files: a, args: []string{"+", "--ordinal", "age=school<graduate"}, say: []string{"a.csv: column age: ", "school, graduate"}},
		{name: "no such column", files: a, args: []string{"+", "--ordinal", "eduction=a<b"}, say: []string{"a.csv: ", `"eduction"`, `"education"`}},
	})
}

func TestATextOutsideOfTheOrderGoesWhereBadRowsGo(t *testing.T) {
	enter(t)
	write(t, "a.csv", schooled("school", "graduate", "post"))
	fitDone(t, "a.csv", "-k", "2", "--ordinal", "education=school<graduate<post", "-o", "m.json")
	write(t, "new.csv", "id,age,education\n1,30,school\n2,30,PhD\n3,30,\n")
	got := coterie("assign", "new.csv", "--model", "m.json", "-o", "l.csv")
	if got.code != 3 || !strings.Contains(got.stderr, `new.csv: line 3, column education: "PhD" is not one of school < graduate < post (`) {
		t.Errorf("got %+v, want exit code 3 and the place", got)
	}
	write(t, "new.csv", "id,age,education\n1,30,school\n2,30,PhD\n3,30,post\n")
	got = coterie("assign", "new.csv", "--model", "m.json", "-o", "l.csv", "--bad-rows", "quarantine", "--bad-rows-out", "bad.csv")
	if got.code != 0 || len(records(t, "l.csv")) != 3 || !strings.Contains(text(t, "bad.csv"), `is not one of school`) {
		t.Errorf("got %+v, want two labels and a row set aside", got)
	}
	got = coterie("check", "new.csv", "--model", "m.json")
	if got.code != 0 || !strings.Contains(got.stdout, "1 row cannot be read; the first is at new.csv: line 3, column education") {
		t.Errorf("check: got %+v, want the bad row", got)
	}
}

func TestAValueThatItsWeightMakesTooLargeGoesToQuarantine(t *testing.T) {
	enter(t)
	write(t, "a.csv", "id,x\n1,1\n2,2\n3,3e11\n4,9\n")
	write(t, "s.csv", "x\n1\n9\n")
	common := []string{"a.csv", "-k", "2", "--init", "s.csv", "--scale", "none", "-o", "m.json"}
	if got := fitDone(t, append(common, "--bad-rows", "quarantine")...); got.Left != nil {
		t.Errorf("without a weight: got %+v left out, want nothing", got.Left)
	}
	write(t, "b.csv", "id,x\n1,1\n2,2\n4,9\n")
	got := fitDone(t, append(common, "--bad-rows", "quarantine", "--feature-weight", "x=1e8")...)
	want := fitDone(t, "b.csv", "-k", "2", "--init", "s.csv", "--scale", "none", "-o", "m.json", "--feature-weight", "x=1e8")
	if got.Left == nil || got.Left.Bad != 1 || got.Digest != want.Digest {
		t.Errorf("got %+v with %+v left out, want one bad row and the fit of the others %+v", got, got.Left, want)
	}
	if got := coterie(append([]string{"fit", "--feature-weight", "x=1e8"}, common...)...); got.code != 3 || !strings.Contains(got.stderr, "line 4, column x: 3e+11: too large") {
		t.Errorf("got %+v, want exit code 3 and the place", got)
	}
}
