package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/pipeline"
)

// crm is a table as a CRM gives it: an id without the usual name, a twin, a tail, gaps, and a rare city.
func crm() string {
	var b strings.Builder
	b.WriteString("member,age,spend,spend_eur,city,status\n")
	for i := range 400 {
		age, city := fmt.Sprint(18+i*i*7%60), []string{"Rome", "Oslo"}[i*i%3%2]
		if i%50 == 9 {
			age = ""
		}
		if i%150 == 4 {
			city = fmt.Sprint("Village ", i)
		}
		spend := float64(i*i*31%997) + 1
		if i%97 == 5 {
			spend *= 40
		}
		fmt.Fprintf(&b, "%d,%s,%v,%v,%s,active\n", 7000+i, age, spend, spend*0.9, city)
	}
	return b.String()
}

// TestTheFitThatCheckSuggestsWorks takes the last line of check to the program, as somebody would who trusts it.
func TestTheFitThatCheckSuggestsWorks(t *testing.T) {
	enter(t)
	write(t, "crm.csv", crm())
	got := coterie("check", "crm.csv", "--categorical", "city,status")
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("got %+v, want exit code 0", got)
	}
	_, line, _ := strings.Cut(got.stdout, "\nnext  coterie ")
	want := "fit crm.csv -k 5 --id member --features age,spend,city --categorical city --log1p spend --missing median --fold-levels 1% -o model.json\n"
	if line != want {
		t.Errorf("got %s\nwant as the next step %q", got.stdout, want)
	}
	if fit := coterie(strings.Fields(line)...); fit.code != 0 {
		t.Errorf("coterie %s: got %+v, want exit code 0", line, fit)
	}
	// The worst first: what a fit refuses, what it suffers from, what it may gain.
	last := 0
	for _, says := range []string{"\nstops ", "\nsuffers ", "\nmay gain "} {
		at := strings.Index(got.stdout, says)
		if at < last {
			t.Errorf("got %s\nwant %q after what is worse", got.stdout, says)
		}
		last = max(last, at)
	}
	// Every line of a table is as wide as its head says, so that the columns stand under each other.
	lines := strings.Split(got.stdout, "\n")
	if at := strings.Index(lines[1], "missing") + len("missing"); !strings.HasPrefix(lines[4][at-1:], "8") {
		t.Errorf("got %q under %q, want the 8 missing ages under their head", lines[4], lines[1])
	}
}

func TestAFailedGateIsExitFourAndNothingElse(t *testing.T) {
	enter(t)
	write(t, "crm.csv", crm())
	for name, args := range map[string][]string{"one": {"--gate", "missing=1%"}, "of several": {"--gate", "rows=400,missing=1%", "--gate", "bad-rows=0"}} {
		got := coterie(append([]string{"check", "crm.csv", "--json"}, args...)...)
		if got.code != 4 || got.stdout != "" || got.stderr != "coterie: crm.csv: gate missing=1%: 2.0 % of age are missing (mend the data as the findings say, or loosen --gate)\n" {
			t.Errorf("%s: got %+v, want exit code 4 and the gate", name, got)
		}
		if text := coterie(append([]string{"check", "crm.csv"}, args...)...); text.code != 4 || !strings.Contains(text.stdout, "\nnext  ") {
			t.Errorf("%s: got %+v, want exit code 4 and the findings to read", name, text)
		}
	}
	got := coterie("check", "crm.csv", "--json", "--gate", "rows=400,missing=5%")
	var doc pipeline.CheckOutcome
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 || doc.Rows != 400 || len(doc.Findings) == 0 {
		t.Errorf("got %+v (%v), want exit code 0 and the document", got, err)
	}
}

func TestGatesThatMakeNoSenseAreNamed(t *testing.T) {
	a := map[string]string{"a.csv": four}
	var cases []badInput
	for args, say := range map[string]string{
		"--gate size=1":     `"size": there are rows, bad-rows, missing`,
		"--gate rows":       "such as rows=",
		"--gate missing=7":  "such as missing=5%",
		"--gate rows=-1":    "such as rows=",
		"--gate drift=0.2":  "without --model",
		"--gate unseen=0":   "without --model",
		"--gate rows=1,,":   "empty",
		"--gate findings=x": "such as findings=",
	} {
		cases = append(cases, badInput{name: args, files: a, args: append([]string{"check", "a.csv"}, strings.Fields(args)...), code: 2, say: []string{"--gate: ", say}, bare: true})
	}
	runBad(t, cases)
}

func TestCheckRefusesOtherFeaturesThanItsModelHas(t *testing.T) {
	enterWith(t, map[string]string{"a.csv": "id,x,y\n1,1,5\n2,2,6\n3,3,9\n4,9,8\n"})
	if got := coterie("fit", "a.csv", "-k", "2", "-o", "m.json", "--features", "x,y", "--log1p", "y"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	for _, c := range []struct {
		flags []string
		code  int
	}{
		{nil, 0},
		{[]string{"--features", "x,y", "--log1p", "y"}, 0},
		{[]string{"--features", "x"}, 2},
		{[]string{"--log1p", "x"}, 2},
		{[]string{"--feature-weight", "x=2"}, 2},
		{[]string{"--categorical", "x"}, 2},
	} {
		got := coterie(append([]string{"check", "a.csv", "--model", "m.json"}, c.flags...)...)
		if got.code != c.code || c.code != 0 && !strings.Contains(got.stderr, c.flags[0]+": is other than in m.json") {
			t.Errorf("%v: got %+v, want exit %d", c.flags, got, c.code)
		}
	}
}
