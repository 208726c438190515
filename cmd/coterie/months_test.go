package main

import (
	"encoding/csv"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/model"
)

// group is customers around a place; their ids are first, first+1, ….
type group struct {
	x, y     float64
	first, n int
}

// peopleOf are the groups' customers as CSV; every so many rows are taken from the end, so that a step that is prime to their
// number shuffles them.
func peopleOf(step int, groups ...group) string {
	var rows []string
	for _, g := range groups {
		for i := range g.n {
			id := g.first + i
			noise := func(salt int) float64 { return float64((id*7919+salt*104729)%1009)/1009 - 0.5 }
			rows = append(rows, fmt.Sprintf("%d,%.4f,%.4f\n", id, g.x+noise(1), g.y+noise(2)))
		}
	}
	var b strings.Builder
	b.WriteString("id,spend,visits\n")
	for i := range rows {
		b.WriteString(rows[i*step%len(rows)])
	}
	return b.String()
}

// june is four groups of customers, which the tests change.
func june() []group {
	return []group{{0, 0, 1000, 101}, {10, 0, 2000, 101}, {0, 10, 3000, 101}, {30, 30, 4000, 100}}
}

// inJune fits the four groups, and gives the model.
func inJune(t *testing.T) *model.Model {
	t.Helper()
	enter(t)
	write(t, "june.csv", peopleOf(1, june()...))
	fitDone(t, "june.csv", "-k", "4", "-o", "june.json", "--labels", "june-labels.csv", "--runs", "4", "--scale", "none")
	return readModel(t, "june.json")
}

// segmentAt is the segment of the centroid that lies at a place; -1: none does.
func segmentAt(m *model.Model, x, y float64) int {
	for i := range m.K {
		if c := m.CentroidInput(i); math.Abs(c[0]-x) < 1 && math.Abs(c[1]-y) < 1 {
			return i
		}
	}
	return -1
}

// assigned holds that assign gives the labels and the counts that a fit wrote.
func assigned(t *testing.T, data, model, labels string) {
	t.Helper()
	got := decoded(t, coterie("assign", data, "--model", model, "-o", "again.csv", "--json"))
	if text(t, "again.csv") != text(t, labels) {
		t.Errorf("%s: assign gives other labels than the fit wrote", model)
	}
	var counts []any
	for _, n := range readModel(t, model).Counts {
		counts = append(counts, float64(n))
	}
	if diff := cmp.Diff(counts, got["counts"]); diff != "" {
		t.Errorf("%s: assign counts others than the model (-model +assign):\n%s", model, diff)
	}
}

func TestIDsAndNamesStayWithTheirSegments(t *testing.T) {
	last := inJune(t)
	if got := coterie("segments", "rename", "--model", "june.json", fmt.Sprintf("%d=Best friends", segmentAt(last, 30, 30))); got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	last = readModel(t, "june.json")
	more := append(june(), group{0, 0, 9000, 10}, group{10, 0, 9100, 10}, group{0, 10, 9200, 11}, group{30, 30, 9300, 10})
	write(t, "july.csv", peopleOf(1, more...))
	write(t, "shuffled.csv", peopleOf(7, more...))
	for _, data := range []string{"july.csv", "shuffled.csv"} {
		for _, more := range [][]string{nil, {"--seed", "7"}, {"--from-labels", "june-labels.csv"}, {"--keep-transforms"}, {"--scale", "standard"},
			{"--workers", "3", "--threads", "2", "--from-labels", "june-labels.csv"}} {
			got := fitDone(t, append([]string{data, "--from", "june.json", "-o", "july.json", "--labels", "l.csv"}, more...)...)
			m := readModel(t, "july.json")
			if diff := cmp.Diff(last.Segments, m.Segments); diff != "" || got.K != 4 || len(got.Matched) != 4 || len(got.Born)+len(got.Died)+len(got.Split)+len(got.Merged) > 0 {
				t.Errorf("%s, %v: got %+v (-june +july):\n%s", data, more, got.Months, diff)
			}
			for i := range last.K {
				if c := last.CentroidInput(i); segmentAt(m, c[0], c[1]) != i {
					t.Errorf("%s, %v: segment %d is now %d", data, more, i, segmentAt(m, c[0], c[1]))
				}
			}
			if m.Parents[0].Digest != last.Digest() || m.Parents[0].File != "june.json" {
				t.Errorf("%s, %v: got the parents %v", data, more, m.Parents)
			}
			assigned(t, data, "july.json", "l.csv")
		}
	}
}

func TestSplitsAndMergesAreTold(t *testing.T) {
	for _, labels := range []bool{false, true} {
		last := inJune(t)
		args := []string{"--from", "june.json", "-o", "july.json", "--labels", "l.csv"}
		if labels {
			args = append(args, "--from-labels", "june-labels.csv")
		}
		// The fourth group comes apart; a fifth segment finds it.
		split := append(june()[:3:3], group{27, 30, 4000, 50}, group{33, 30, 4050, 50})
		write(t, "july.csv", peopleOf(1, split...))
		got := fitDone(t, append(args, "july.csv", "-k", "5")...)
		m, was := readModel(t, "july.json"), segmentAt(last, 30, 30)
		if len(got.Split) != 1 || got.Split[0].From.Segment != was || len(got.Split[0].Into) != 2 || len(got.Matched) != 4 || len(got.Born) != 1 || len(got.Merged) != 0 {
			t.Fatalf("labels %v: got %+v, want a split of %d", labels, got.Months, was)
		}
		parts := []int{segmentAt(m, 27, 30), segmentAt(m, 33, 30)}
		slices.Sort(parts)
		if into := []int{got.Split[0].Into[0].Segment, got.Split[0].Into[1].Segment}; !slices.Equal(into, parts) || got.Born[0].ID != "s5" || got.Born[0].Segment != 4 {
			t.Errorf("labels %v: got parts %v and %v, want %v and s5", labels, into, got.Born, parts)
		}
		assigned(t, "july.csv", "july.json", "l.csv")
		// In August they are together again, in a model of four.
		write(t, "august.csv", peopleOf(1, june()...))
		args = []string{"august.csv", "--from", "july.json", "-k", "4", "-o", "august.json"}
		if labels {
			args = append(args, "--from-labels", "l.csv")
		}
		got = fitDone(t, args...)
		m = readModel(t, "august.json")
		if len(got.Merged) != 1 || got.Merged[0].Into.Segment != segmentAt(m, 30, 30) || len(got.Merged[0].From) != 2 || len(got.Died) != 1 || len(got.Split)+len(got.Born) != 0 {
			t.Errorf("labels %v: got %+v, want a merge", labels, got.Months)
		}
		// An id that has been given away once is never given again.
		write(t, "september.csv", peopleOf(1, append(june(), group{60, 0, 7000, 90})...))
		got = fitDone(t, "september.csv", "--from", "august.json", "-k", "5", "-o", "september.json")
		if len(got.Born) != 1 || got.Born[0].ID != "s6" || len(readModel(t, "september.json").Parents) != 3 {
			t.Errorf("labels %v: got %+v, want s6", labels, got.Born)
		}
		if now := readModel(t, "september.json"); segmentAt(now, 60, 0) != 4 {
			t.Errorf("labels %v: the new segment is %d, want 4", labels, segmentAt(now, 60, 0))
		}
	}
}

// tradedPlaces writes two months, old.json, and swapped.csv, by which the customers of the first two segments have changed
// places, so that these follow them. One of the seven rows lies between their centroids, and belongs to the lower index.
func tradedPlaces(t *testing.T) {
	t.Helper()
	write(t, "old.csv", "id,spend\n0,1\n1,1\n2,11\n3,11\n4,7\n5,103\n6,103\n") // the means are 3, 11 and 103, and 7 is between two
	write(t, "now.csv", "id,spend\n0,-2\n1,-2\n2,8\n3,8\n4,4\n5,100\n6,100\n") // the first two have moved too far to be the same for certain
	write(t, "start.csv", "spend\n3\n11\n103\n")
	fitDone(t, "old.csv", "-k", "3", "-o", "old.json", "--labels", "old-labels.csv", "--init", "start.csv", "--scale", "none", "--tol", "0")
	if got := readModel(t, "old.json").Counts; !slices.Equal(got, []int64{3, 2, 2}) {
		t.Fatalf("got the counts %v: no row is in between", got)
	}
	swapped := ""
	for _, r := range records(t, "old-labels.csv") {
		if n, err := strconv.Atoi(r[1]); err == nil && n < 2 {
			r[1] = strconv.Itoa(1 - n)
		}
		swapped += strings.Join(r, ",") + "\n"
	}
	write(t, "swapped.csv", swapped)
}

func TestLabelsAreThoseOfTheOrderThatIsWritten(t *testing.T) {
	enter(t)
	tradedPlaces(t)
	base := []string{"now.csv", "--from", "old.json", "--from-labels", "swapped.csv", "-o", "new.json", "--tol", "0"}
	for _, more := range [][]string{nil, {"--labels", "l.csv"}, {"--labels", "l.csv", "--workers", "3"}} {
		got := fitDone(t, with(base, more...)...)
		if m := readModel(t, "new.json"); !slices.Equal(m.Counts, []int64{3, 2, 2}) || m.CentroidInput(0)[0] != 8 || got.MatchedBy != "customers" {
			t.Errorf("%v: got the counts %v and %v first, want 3, 2, 2 and 8: the row in between is now of 8", more, m.Counts, m.CentroidInput(0))
		}
		// What is told of the customers is true of these labels: the one in between is not where he was.
		var shared []int64
		for _, s := range got.Matched {
			shared = append(shared, *s.Shared)
		}
		if *got.Agreement != 6.0/7 || !slices.Equal(shared, []int64{2, 2, 2}) {
			t.Errorf("%v: got an agreement of %v and %v shared, want 6/7 and 2 each", more, *got.Agreement, shared)
		}
		if more != nil {
			assigned(t, "now.csv", "new.json", "l.csv")
		}
	}
	before := listing(t)
	got := coterie(append([]string{"fit", "--quiet", "--labels", "l.csv", "--gate", "min-agreement=0.9"}, base...)...)
	if got.code != int(fault.Gate) || !strings.Contains(got.stderr, "of 7 customers in both months 85.7 %") {
		t.Errorf("got %+v, want exit code 4 by the labels that would be written", got)
	}
	if diff := cmp.Diff(before, listing(t)); diff != "" {
		t.Errorf("something was written (-before +after):\n%s", diff)
	}
}

func TestWithoutMuchInCommonNamesAreGivenAnew(t *testing.T) {
	last := inJune(t)
	// The group at (30, 30) is gone; there is one far away, of others.
	write(t, "july.csv", peopleOf(1, append(june()[:3:3], group{-60, 90, 8000, 100})...))
	got := fitDone(t, "july.csv", "--from", "june.json", "--from-labels", "june-labels.csv", "-o", "july.json")
	dead := segmentAt(last, 30, 30)
	if len(got.Died) != 1 || got.Died[0].Segment != dead || len(got.Born) != 1 || got.Born[0].Segment != dead || got.Born[0].ID != "s5" {
		t.Errorf("got %+v, want the death of %d and a birth in its place", got.Months, dead)
	}
	words := coterie("fit", "july.csv", "--from", "june.json", "--from-labels", "june-labels.csv", "-o", "july.json")
	for _, want := range []string{"since   june.json: 3 segments go on, 1 new, 1 gone, matched by their customers\n", "\nnew     ", "\ngone    ", "\nstayed  100 % of 303 customers in both months\n", "\ndrift   spend: its values are spread differently (population stability index "} {
		if !strings.Contains(words.stdout, want) {
			t.Errorf("got %s, want %q in it", words.stdout, want)
		}
	}
}

func TestGatesKeepWhatIsThere(t *testing.T) {
	inJune(t)
	moved := june()
	moved[3].n, moved[3].first = 4, 8000
	moved = append(moved, group{14, 14, 4000, 100}, group{0, 0, 3000, 60})
	moved[2].first, moved[2].n = 3060, 41
	write(t, "july.csv", peopleOf(1, moved...))
	base := []string{"fit", "july.csv", "--from", "june.json", "--from-labels", "june-labels.csv", "-o", "july.json", "--labels", "l.csv"}
	for _, c := range []struct {
		gates string
		say   []string // of the message; nil: it passes
	}{
		{"min-size=0.1%,max-inertia-growth=100000%,min-agreement=0.1", nil},
		{"min-size=30%", []string{"gate min-size=30%: segment", "has 4 rows of 407 (1.0 %)"}},
		{"max-inertia-growth=10%", []string{"gate max-inertia-growth=10%: a row's inertia is", "more than in june.json"}},
		{"min-agreement=0.99", []string{"gate min-agreement=0.99: of 403 customers in both months 60.3 %"}},
		{"min-agreement=99%,min-size=30%", []string{"gate min-agreement=99%", "gate min-size=30%"}},
	} {
		for _, more := range [][]string{nil, {"--scale", "standard"}} {
			write(t, "july.json", "the old one")
			write(t, "l.csv", "the old labels")
			before := listing(t)
			got := coterie(with(base, with(more, "--gate", c.gates, "--quiet")...)...)
			if c.say == nil {
				if got.code != 0 || text(t, "july.json") == "the old one" {
					t.Errorf("%s %v: got %+v, want it to pass", c.gates, more, got)
				}
				continue
			}
			for _, want := range append(c.say, "nothing was written") {
				if got.code != int(fault.Gate) || !strings.Contains(got.stderr, want) {
					t.Errorf("%s %v: got %+v, want exit code 4 and %q", c.gates, more, got, want)
				}
			}
			if diff := cmp.Diff(before, listing(t)); diff != "" {
				t.Errorf("%s %v: something was written (-before +after):\n%s", c.gates, more, diff)
			}
		}
	}
}

// TestKeptTransformsGiveTheInertiaThatAGateMeasures compares the two ways to it.
func TestKeptTransformsGiveTheInertiaThatAGateMeasures(t *testing.T) {
	inJune(t)
	write(t, "july.csv", peopleOf(1, append(june(), group{5, 5, 8000, 50})...))
	fitDone(t, "june.csv", "-k", "4", "-o", "june.json", "--runs", "4")
	kept := fitDone(t, "july.csv", "--from", "june.json", "-o", "july.json", "--keep-transforms", "--gate", "max-inertia-growth=999999%")
	anew := fitDone(t, "july.csv", "--from", "june.json", "-o", "july.json", "--gate", "max-inertia-growth=999999%")
	last := readModel(t, "june.json")
	want := kept.Inertia/float64(kept.Rows)/(last.Inertia/float64(last.Rows)) - 1
	if got := *kept.InertiaGrowth; math.Abs(got-want) > 1e-12*want {
		t.Errorf("got %v with kept transforms, want %v", got, want)
	}
	if got := *anew.InertiaGrowth; math.Abs(got-want) > 0.01*want {
		t.Errorf("got %v with new transforms, want about %v", got, want)
	}
	if same := fitDone(t, "june.csv", "--from", "june.json", "-o", "july.json", "--keep-transforms"); same.Digest != last.Digest() {
		t.Errorf("the same rows with the same transforms give %s, want %s", same.Digest, last.Digest())
	}
}

func TestBadMonthsAreToldAsSuch(t *testing.T) {
	last := inJune(t)
	write(t, "july.csv", peopleOf(1, append(june(), group{30, 30, 5000, 9})...))
	fitDone(t, "july.csv", "--from", "june.json", "-o", "july.json")
	write(t, "renamed.csv", strings.Replace(peopleOf(1, june()...), "visits", "visit", 1))
	write(t, "strangers.csv", "id,segment,distance\n1,0,1\n")
	write(t, "six.csv", "id,segment,distance\n1000,5,1\n")
	write(t, "noid.csv", "spend,visits\n1,2\n3,4\n5,6\n7,9\n8,8\n")
	write(t, "torn.json", text(t, "june.json")[:300])
	write(t, "ladder.csv", "id,size,spend\n1,s,1\n2,m,2\n3,l,9\n4,l,8\n")
	fitDone(t, "ladder.csv", "-k", "2", "--ordinal", "size=s<m<l", "-o", "ladder.json")
	ok := []string{"fit", "july.csv", "--from", "june.json", "-o", "new.json"}
	for _, c := range []struct {
		args []string
		code fault.Kind
		say  string
	}{
		{[]string{"fit", "june.csv", "--from", "july.json", "-o", "june.json"}, fault.Input, "july.json: goes on from june.json, which this fit would replace: the months are in the wrong order"},
		{[]string{"fit", "july.csv", "--from", "june.json", "-o", "june.json"}, fault.Usage, `-o: "june.json" is also read`},
		{with(ok, "--features", "spend"), fault.Input, "june.json: was fitted on other features: spend, visits; here they are spend"},
		{with(ok, "--features", "spend", "--log1p", "spend"), fault.Input, "other features"},
		{[]string{"fit", "renamed.csv", "--from", "june.json", "-o", "new.json"}, fault.Input, `renamed.csv: the model june.json needs the column "visits"`},
		{[]string{"fit", "ladder.csv", "--from", "ladder.json", "--ordinal", "size=l<m<s", "-o", "new.json"}, fault.Input,
			"ladder.json: was fitted with size in the order s < m < l, and here it is l < m < s"},
		{[]string{"fit", "july.csv", "--from", "torn.json", "-o", "new.json"}, fault.Input, "torn.json: the model is truncated"},
		{[]string{"fit", "july.csv", "--from", "none.json", "-o", "new.json"}, fault.Input, "none.json"},
		{with(ok, "--from-labels", "none.csv"), fault.Input, "none.csv"},
		{with(ok, "--from-labels", "strangers.csv"), fault.Input, "strangers.csv: none of its customers is in july.csv"},
		{with(ok, "--from-labels", "six.csv"), fault.Input, "the segment 5 is not one of the 4 that june.json has"},
		{[]string{"fit", "noid.csv", "--from", "june.json", "--from-labels", "june-labels.csv", "-o", "new.json"}, fault.Input, "noid.csv: has no column of ids"},
		{with(ok, "--keep-transforms", "--scale", "standard"), fault.Usage, "--keep-transforms: --scale asks for other transforms"},
		{with(ok, "--keep-transforms", "--log1p", "spend"), fault.Usage, "--keep-transforms: --log1p asks for other transforms"},
		{with(ok, "--keep-transforms", "--metric", "cosine"), fault.Usage, "--keep-transforms: --metric asks for other transforms"},
		{with(ok, "--keep-transforms", "--feature-weight", "spend=2"), fault.Usage, "--keep-transforms: --feature-weight or --ordinal"},
		{with(ok, "--init", "june.csv"), fault.Usage, `--init: "june.csv" with --from`},
		{with(ok, "-k", "1025"), fault.Usage, "1024 are the most"},
		{with(ok, "-k", "500"), fault.Input, "k is above the number of rows"},
		{with(ok, "--gate", "min-agreement=0.5"), fault.Usage, `"min-agreement=0.5" without --from-labels`},
		{[]string{"fit", "july.csv", "-k", "3", "-o", "new.json", "--gate", "max-inertia-growth=5%"}, fault.Usage, "without --from"},
		{with(ok, "--gate", "max-size=5%"), fault.Usage, `has the unknown gate "max-size"`},
		{with(ok, "--gate", "min-size=many"), fault.Usage, "needs a share as a bound"},
		{with(ok, "--gate", "min-size=101%"), fault.Usage, "at most 100%"},
		{with(ok, "--gate", "min-size=-1%"), fault.Usage, "needs a share as a bound"},
		{[]string{"fit", "july.csv", "-k", "3", "-o", "new.json", "--keep-transforms"}, fault.Usage, "--keep-transforms without --from"},
		{[]string{"fit", "july.csv", "-k", "3", "-o", "new.json", "--from-labels", "six.csv"}, fault.Usage, "without --from"},
		{[]string{"fit", "july.csv", "-o", "new.json"}, fault.Usage, "coterie fit needs -k"},
		{with(ok, "--cluster", "127.0.0.1:1", "--detach"), fault.Usage, "--detach with --from"},
	} {
		before := listing(t)
		got := coterie(with(c.args, "--quiet")...)
		if got.code != int(c.code) || !strings.Contains(got.stderr, c.say) || got.stdout != "" {
			t.Errorf("%v: got %+v, want exit code %d and %q", c.args, got, c.code, c.say)
		}
		if diff := cmp.Diff(before, listing(t)); diff != "" {
			t.Errorf("%v: files have changed (-before +after):\n%s", c.args, diff)
		}
	}
	if readModel(t, "june.json").Digest() != last.Digest() {
		t.Error("the old model has changed")
	}
}

// TestWhatIsNotAskedForIsAsInTheModel has columns of every kind, and rules for them.
func TestWhatIsNotAskedForIsAsInTheModel(t *testing.T) {
	enter(t)
	var b strings.Builder
	b.WriteString("id,spend,visits,level,channel\n")
	for i := range 200 {
		visits := strconv.Itoa(i % 11)
		if i%50 == 7 {
			visits = ""
		}
		fmt.Fprintf(&b, "%d,%d,%s,%s,%s\n", i, 1+i%17*(i%5), visits, []string{"low", "mid", "high"}[i%3], []string{"web", "shop", "rare"}[min(i%7, 2)])
	}
	write(t, "june.csv", b.String())
	rules := []string{"--features", "spend,visits,level", "--categorical", "channel", "--log1p", "spend", "--scale", "robust", "--missing", "indicator",
		"--ordinal", "level=low<mid<high", "--feature-weight", "spend=2"}
	fitDone(t, append([]string{"june.csv", "-k", "3", "-o", "june.json"}, rules...)...)
	want := readModel(t, "june.json")
	for _, more := range [][]string{nil, rules, {"--categorical", "channel"}, {"--keep-transforms"}, {"--keep-transforms", "--missing", "indicator", "--log1p", "spend"}} {
		fitDone(t, append([]string{"june.csv", "--from", "june.json", "-o", "july.json"}, more...)...)
		if diff := cmp.Diff(want.Transform, readModel(t, "july.json").Transform); diff != "" {
			t.Errorf("%v: the transforms of the same rows differ (-june +july):\n%s", more, diff)
		}
	}
	fitDone(t, "june.csv", "-k", "3", "-o", "june.json", "--metric", "cosine", "--features", "spend,visits", "--missing", "mean", "--scale", "none")
	for _, more := range [][]string{nil, {"--keep-transforms"}} {
		got := fitDone(t, append([]string{"june.csv", "--from", "june.json", "-o", "july.json", "--labels", "l.csv"}, more...)...)
		if m := readModel(t, "july.json"); m.Metric != model.Cosine || len(got.Matched) != 3 || !(got.Matched[0].Distance >= 0 && got.Matched[0].Distance < 2) {
			t.Errorf("%v: got %s and %+v", more, m.Metric, got.Matched)
		}
		assigned(t, "june.csv", "july.json", "l.csv")
	}
}

func TestMonthsAreTheSameOnACluster(t *testing.T) {
	inJune(t)
	write(t, "july.csv", peopleOf(1, append(june(), group{60, 0, 7000, 90}, group{30, 30, 6000, 10})...))
	fitDone(t, "june.csv", "-k", "4", "-o", "june.json", "--runs", "4", "--labels", "june-labels.csv")
	c := coordinate(t)
	c.join(t, "--data-root", ".")
	c.join(t, "--data-root", ".")
	for _, more := range [][]string{{"--from-labels", "june-labels.csv", "--gate", "max-inertia-growth=9999%"}, {"-k", "5", "--seed", "3"}, {"-k", "3", "--keep-transforms"}} {
		args := with([]string{"fit", "july.csv", "--from", "june.json", "-o", "july.json", "--labels", "l.csv", "--json", "--quiet"}, more...)
		here, labels := decoded(t, coterie(args...)), text(t, "l.csv")
		write(t, "l.csv", "")
		there := decoded(t, coterie(with(args, "--cluster", c.rpc)...))
		alike(t, strings.Join(more, " "), here, there)
		if text(t, "l.csv") != labels {
			t.Errorf("%v: the labels of the cluster differ", more)
		}
	}
	// Parts, which workers let appear, wait for the gates.
	absolute := func(file string) string {
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := []string{"fit", absolute("july.csv"), "--from", "june.json", "-o", "july.json", "--labels", absolute("parts.csv") + "/", "--json", "--quiet", "--cluster", c.rpc}
	if got := coterie(with(args, "--gate", "min-size=90%")...); got.code != int(fault.Gate) {
		t.Errorf("got %+v, want exit code 4", got)
	}
	if found, _ := filepath.Glob("parts*"); len(found) > 0 {
		t.Errorf("labels were written in spite of a gate: %v", found)
	}
	decoded(t, coterie(with(args, "--gate", "min-size=1%")...))
	parts, err := filepath.Glob("parts.csv/*.csv")
	if err != nil || len(parts) != 1 {
		t.Fatalf("got the parts %v, %v", parts, err)
	}
	assigned(t, "july.csv", "july.json", parts[0])
	// They are those of the order that is written, also where segments have changed places; and so are the gates.
	tradedPlaces(t)
	args = []string{"fit", absolute("now.csv"), "--from", "old.json", "--from-labels", "swapped.csv", "-o", "new.json", "--tol", "0",
		"--labels", absolute("traded.csv") + "/", "--json", "--quiet", "--cluster", c.rpc}
	if got := coterie(with(args, "--gate", "min-agreement=0.9")...); got.code != int(fault.Gate) {
		t.Errorf("got %+v, want exit code 4", got)
	}
	if found, _ := filepath.Glob("traded*"); len(found) > 0 {
		t.Errorf("labels were written in spite of a gate: %v", found)
	}
	decoded(t, coterie(with(args, "--gate", "min-agreement=0.8")...))
	if parts, err = filepath.Glob("traded.csv/*.csv"); err != nil || len(parts) != 1 {
		t.Fatalf("got the parts %v, %v", parts, err)
	}
	assigned(t, "now.csv", "new.json", parts[0])
	// What a coordinator keeps of a job has the ids, too.
	jobs := asked(t, c.rpc, "jobs", "list")["jobs"].([]any)
	for _, j := range jobs {
		job := j.(map[string]any)
		if name, _ := job["name"].(string); !strings.HasPrefix(name, "fit k=5") {
			continue
		}
		asked(t, c.rpc, "jobs", "show", job["id"].(string), "-o", "kept.json")
		kept, last := readModel(t, "kept.json"), readModel(t, "june.json")
		if !slices.Equal(kept.Segments[:4], last.Segments) || kept.Segments[4].ID != "s5" || kept.Parents[0].Digest != last.Digest() {
			t.Errorf("got the segments %v, want those of june and s5", kept.Segments)
		}
		return
	}
	t.Errorf("there is no job of five segments among %v", jobs)
}

func TestPeopleAreShuffled(t *testing.T) {
	straight, err := csv.NewReader(strings.NewReader(peopleOf(1, june()...))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	shuffled, err := csv.NewReader(strings.NewReader(peopleOf(7, june()...))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	order := func(a, b []string) int { return strings.Compare(a[0], b[0]) }
	if slices.EqualFunc(straight, shuffled, slices.Equal[[]string]) {
		t.Error("they are not")
	}
	slices.SortFunc(straight, order)
	slices.SortFunc(shuffled, order)
	if diff := cmp.Diff(straight, shuffled); diff != "" {
		t.Errorf("some are lost (-straight +shuffled):\n%s", diff)
	}
}
