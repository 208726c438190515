package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestToleranceZeroEndsWhereNoRowCanChange(t *testing.T) {
	enter(t)
	columns := cloud(800, 3)
	writeCloud(t, columns, "csv")
	args := []string{"data.csv", "-k", "5", "-o", "m.json", "--labels", "l.csv", "--scale", "none"}
	loose := fitDone(t, append(args, "--tol", "0.5")...)
	zero := fitDone(t, append(args, "--tol", "0")...)
	if !zero.Converged || zero.Iterations < loose.Iterations || zero.Inertia > loose.Inertia {
		t.Errorf("got %+v with tolerance 0 and %+v with 0.5, want it converged and no worse", zero, loose)
	}
	// Every row is nearest to the mean of its own segment.
	means := meansOf(columns, records(t, "l.csv")[1:], 5)
	for i, r := range records(t, "l.csv")[1:] {
		own, _ := label(t, r)
		for j := range means {
			if mine, other := squared(columns, i, means[own]), squared(columns, i, means[j]); mine > other*(1+1e-5) {
				t.Fatalf("row %d is in segment %d at %v, but segment %d is at %v", i, own, mine, j, other)
			}
		}
	}
	if short := fitDone(t, append(args, "--tol", "0", "--max-iter", strconv.Itoa(zero.Iterations-1))...); short.Converged || short.Iterations != zero.Iterations-1 {
		t.Errorf("got %+v one update earlier, want it not converged", short)
	}
	if same := fitDone(t, append(args, "--tol", "0", "--max-iter", strconv.Itoa(zero.Iterations))...); !same.Converged || same.Digest != zero.Digest {
		t.Errorf("got %+v with as many updates as it takes, want %+v", same, zero)
	}
}

func meansOf(columns [][]float64, labels [][]string, k int) [][]float64 {
	means, counts := make([][]float64, k), make([]float64, k)
	for j := range means {
		means[j] = make([]float64, len(columns))
	}
	for i, r := range labels {
		j, _ := strconv.Atoi(r[1])
		counts[j]++
		for c := range columns {
			means[j][c] += columns[c][i]
		}
	}
	for j := range means {
		for c := range means[j] {
			means[j][c] /= counts[j]
		}
	}
	return means
}

func squared(columns [][]float64, i int, to []float64) float64 {
	sum := 0.0
	for c := range columns {
		off := columns[c][i] - to[c]
		sum += off * off
	}
	return sum
}

func TestTheLowestInertiaOfTheRunsWins(t *testing.T) {
	enter(t)
	writeCloud(t, cloud(600, 4), "csv")
	better := 0
	for _, init := range []string{"random", "k-means++", "k-means-parallel"} {
		before := fitDocument{Inertia: math.Inf(1)}
		for runs := 1; runs <= 8; runs++ {
			got := fitDone(t, "data.csv", "-k", "9", "-o", "m.json", "--seed", "5", "--init", init, "--runs", strconv.Itoa(runs))
			switch {
			case got.Inertia > before.Inertia:
				t.Errorf("%s: %d runs gave %v, %d gave %v", init, runs, got.Inertia, runs-1, before.Inertia)
			case got.Inertia == before.Inertia && got.Digest != before.Digest:
				t.Errorf("%s: run %d is no better than those before, and still won", init, runs)
			case got.Inertia < before.Inertia && runs > 1:
				better++
			}
			before = got
		}
	}
	if better < 2 {
		t.Errorf("%d runs were better than those before: this test shows nothing", better)
	}
}

func TestSeedsDecideAndAreKept(t *testing.T) {
	enter(t)
	writeCloud(t, cloud(600, 4), "csv")
	digests := map[string]bool{}
	for seed := range 6 {
		got := fitDone(t, "data.csv", "-k", "7", "-o", "m.json", "--init", "random", "--max-iter", "1", "--seed", strconv.Itoa(seed))
		again := fitDone(t, "data.csv", "-k", "7", "-o", "m.json", "--init", "random", "--max-iter", "1", "--seed", strconv.Itoa(seed))
		if got.Digest != again.Digest {
			t.Errorf("seed %d: got %s, then %s", seed, got.Digest, again.Digest)
		}
		digests[got.Digest] = true
	}
	if len(digests) < 4 {
		t.Errorf("6 seeds gave %d fits", len(digests))
	}
}

func TestAWeightOfTwoIsTheRowTwice(t *testing.T) {
	enter(t)
	weighted, twice := "id,x,y,w\n", "id,x,y\n"
	start := "x,y\n0,0\n100,100\n50,0\n"
	for i := range 60 {
		x, y, w := (i*37)%101, (i*59)%97, 1+i%2
		weighted += fmt.Sprintf("%d,%d,%d,%d\n", i, x, y, w)
		for c := range w {
			twice += fmt.Sprintf("%d,%d,%d\n", i+1000*c, x, y)
		}
	}
	write(t, "weighted.csv", weighted)
	write(t, "twice.csv", twice)
	write(t, "s.csv", start)
	args := []string{"-k", "3", "--init", "s.csv", "--scale", "none", "--tol", "0"}
	a := fitDone(t, append(args, "weighted.csv", "--weight", "w", "-o", "a.json", "--labels", "a.csv")...)
	b := fitDone(t, append(args, "twice.csv", "-o", "b.json", "--labels", "b.csv")...)
	plain := fitDone(t, append(args, "weighted.csv", "--features", "x,y", "-o", "c.json")...)
	if math.Abs(a.Inertia-b.Inertia) > 1e-6*b.Inertia || a.Iterations != b.Iterations || a.Rows != 60 || b.Rows != 90 {
		t.Errorf("got %+v weighted, %+v twice", a, b)
	}
	if plain.Inertia == a.Inertia {
		t.Errorf("the weights changed nothing")
	}
	ma, mb := readModel(t, "a.json"), readModel(t, "b.json")
	for j := range 3 {
		va, vb := ma.CentroidInput(j), mb.CentroidInput(j)
		for c := range va {
			if math.Abs(va[c]-vb[c]) > 1e-5 {
				t.Errorf("segment %d: centroid %v weighted, %v twice", j, va, vb)
			}
		}
	}
	of := map[string]string{}
	for _, r := range records(t, "b.csv")[1:] {
		of[r[0]] = r[1]
	}
	for _, r := range records(t, "a.csv")[1:] {
		if of[r[0]] != r[1] {
			t.Errorf("id %s: segment %s weighted, %s twice", r[0], r[1], of[r[0]])
		}
	}
	// assign tells the weighted inertia too.
	got := coterie("assign", "weighted.csv", "--model", "a.json", "-o", "l.csv", "--weight", "w", "--json")
	var doc assignDocument
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || doc.Inertia != a.Inertia || !slices.Equal(doc.Counts, a.Counts) {
		t.Errorf("assign: got %+v, want the inertia %v and the counts %v", got, a.Inertia, a.Counts)
	}
}

func TestCategoriesBecomeColumns(t *testing.T) {
	enter(t)
	write(t, "a.csv", "id,x,colour,size\n1,1,red,L\n2,2,blue,S\n3,3,Green,L\n4,4,red,M\n5,9,blue,S\n")
	doc := fitDone(t, "a.csv", "-k", "2", "-o", "m.json", "--features", "x", "--categorical", "size,colour")
	if doc.Columns != 7 {
		t.Errorf("got %d columns, want x, 3 sizes and 3 colours", doc.Columns)
	}
	want := []string{"x", "size=L", "size=M", "size=S", "colour=Green", "colour=blue", "colour=red"}
	m := readModel(t, "m.json")
	if diff := cmp.Diff(want, m.Transform.Outputs()); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	// Shares of a segment add up to one.
	for j := range 2 {
		v := m.CentroidInput(j)
		if sizes, colours := v[1]+v[2]+v[3], v[4]+v[5]+v[6]; math.Abs(sizes-1) > 1e-6 || math.Abs(colours-1) > 1e-6 {
			t.Errorf("segment %d: got shares %v", j, v)
		}
	}
	write(t, "b.csv", "id,x,colour,size\n1,1,red,L\n2,2,violet,XXL\n")
	got := coterie("assign", "b.csv", "--model", "m.json", "-o", "l.csv", "--json")
	var after assignDocument
	if err := json.Unmarshal([]byte(got.stdout), &after); err != nil || after.Left == nil || after.Left.Unseen != 2 || after.Rows != 2 {
		t.Errorf("got %+v, want two unseen levels counted", got)
	}
}

func TestAFeatureThatIsCategoricalIsEncoded(t *testing.T) {
	enter(t)
	write(t, "a.csv", "id,x,colour,size\n1,1,red,L\n2,2,blue,S\n3,3,red,L\n4,4,blue,L\n")
	for _, c := range []struct {
		features string
		want     []string
	}{{"colour", []string{"colour=blue", "colour=red"}}, {"colour,x", []string{"x", "colour=blue", "colour=red"}}} {
		fitDone(t, "a.csv", "-k", "2", "-o", "m.json", "--features", c.features, "--categorical", "colour")
		if diff := cmp.Diff(c.want, readModel(t, "m.json").Transform.Outputs()); diff != "" {
			t.Errorf("--features %s: columns (-want +got):\n%s", c.features, diff)
		}
	}
}

func TestMissingValuesAreCounted(t *testing.T) {
	const rows = "id,x,y\n1,1,5\n2,,6\n3,3,\n4,9,1\n"
	for _, c := range []struct {
		policy string
		want   leftOut
		rows   int64
		width  int
	}{{"mean", leftOut{Imputed: 2}, 4, 2}, {"median", leftOut{Imputed: 2}, 4, 2}, {"indicator", leftOut{Imputed: 2}, 4, 4}, {"drop", leftOut{Missing: 2}, 2, 2}} {
		enter(t)
		write(t, "a.csv", rows)
		got := fitDone(t, "a.csv", "-k", "2", "-o", "m.json", "--labels", "l.csv", "--missing", c.policy)
		if got.Left == nil || *got.Left != c.want || got.Rows != c.rows || got.Columns != c.width {
			t.Errorf("--missing %s: got %+v, left out %+v; want %+v", c.policy, got, got.Left, c)
		}
		if n := len(idsOf(t, "l.csv")); int64(n) != c.rows {
			t.Errorf("--missing %s: %d labels, want %d", c.policy, n, c.rows)
		}
	}
}

func TestCosineIsOneMinusCosine(t *testing.T) {
	enter(t)
	columns := cloud(400, 3)
	writeCloud(t, columns, "csv")
	doc := fitDone(t, "data.csv", "-k", "4", "-o", "m.json", "--labels", "l.csv", "--metric", "cosine", "--scale", "none", "--tol", "0")
	// Directions and their normalised means, in plain float64.
	unit := make([][]float64, 3)
	for c := range unit {
		unit[c] = make([]float64, 400)
	}
	for i := range 400 {
		length := math.Sqrt(squared(columns, i, make([]float64, 3)))
		for c := range unit {
			unit[c][i] = columns[c][i] / length
		}
	}
	labels := records(t, "l.csv")[1:]
	means := meansOf(unit, labels, 4)
	total := 0.0
	for i, r := range labels {
		j, distance := label(t, r)
		dot, length := 0.0, 0.0
		for c := range unit {
			dot += unit[c][i] * means[j][c]
			length += means[j][c] * means[j][c]
		}
		want := 1 - dot/math.Sqrt(length)
		total += want
		if math.Abs(distance-want) > 1e-5 {
			t.Fatalf("row %d: distance %v, want %v", i, distance, want)
		}
	}
	if math.Abs(total-doc.Inertia) > 1e-4*total {
		t.Errorf("inertia: got %v, want %v", doc.Inertia, total)
	}
}

func TestAssignWritesTheLabelsOfTheFit(t *testing.T) {
	cases := map[string][]string{"plain": nil, "cosine": {"--metric", "cosine"}, "robust": {"--scale", "robust"}, "log": {"--log1p", "x1", "--scale", "minmax"},
		"weighted": {"--weight", "x2"}, "unscaled": {"--scale", "none"}, "features": {"--feature-weight", "x1=3,x3=0.1", "--log1p", "x1"}}
	for name, flags := range cases {
		enter(t)
		columns := cloud(700, 4)
		for i := range columns[2] { // weights and the values under log1p are not negative
			columns[2][i] = math.Abs(columns[2][i])
			columns[1][i] = math.Abs(columns[1][i])
		}
		writeCloud(t, columns, "csv", "parquet")
		for _, out := range formats {
			doc := fitDone(t, append([]string{"data.csv", "-k", "5", "-o", "m.json", "--labels", "fit." + out}, flags...)...)
			args := []string{"assign", "data.parquet", "--model", "m.json", "-o", "assign." + out, "--workers", "3", "--json"}
			if name == "weighted" {
				args = append(args, "--weight", "x2")
			}
			got := coterie(args...)
			var after assignDocument
			if err := json.Unmarshal([]byte(got.stdout), &after); err != nil {
				t.Fatalf("%s: got %+v", name, got)
			}
			if text(t, "fit."+out) != text(t, "assign."+out) {
				t.Errorf("%s: fit.%s and assign.%s differ", name, out, out)
			}
			if after.Inertia != doc.Inertia || !slices.Equal(after.Counts, doc.Counts) || after.Rows != doc.Rows {
				t.Errorf("%s: got %+v, want %+v", name, after, doc)
			}
		}
	}
}

func TestIDsStayAsTheyAre(t *testing.T) {
	for _, c := range []struct{ name, ids, integers string }{
		{"integers", "7 -3 9223372036854775807", "yes"}, {"leading zero", "007 8 9", ""}, {"text", "a b c", ""}, {"mixed", "1 2 x", ""}, {"beyond int64", "9223372036854775808 1 2", ""}} {
		enter(t)
		ids := strings.Fields(c.ids)
		write(t, "a.csv", fmt.Sprintf("Customer_ID,x\n%s,1\n%s,2\n%s,9\n", ids[0], ids[1], ids[2]))
		for _, out := range []string{"csv", "parquet"} {
			fitDone(t, "a.csv", "-k", "2", "-o", "m.json", "--labels", "l."+out)
			if got := coterie("assign", "a.csv", "--model", "m.json", "-o", "l2."+out); got.code != 0 || text(t, "l."+out) != text(t, "l2."+out) {
				t.Errorf("%s: assign to %s: %+v, equal: %v", c.name, out, got, text(t, "l."+out) == text(t, "l2."+out))
			}
		}
		if got := idsOf(t, "l.csv"); !slices.Equal(got, ids) {
			t.Errorf("%s: got the ids %q, want %q", c.name, got, ids)
		}
		for _, file := range []string{"l.csv", "l.parquet"} {
			found := coterie("lookup", "--model", "m.json", "--labels", file, "--id", ids[2]+","+ids[0], "--json")
			if found.code != 0 || !strings.Contains(found.stdout, `"id":"`+ids[2]+`"`) {
				t.Errorf("%s: lookup in %s got %+v", c.name, file, found)
			}
		}
		check := coterie("check", "l.parquet", "--json")
		if got := strings.Contains(check.stdout, `"name":"id","kind":"number"`); got != (c.integers != "") {
			t.Errorf("%s: got %s, want an id column of integers: %q", c.name, check.stdout, c.integers)
		}
	}
}

func TestLookupAgreesWithTheLabels(t *testing.T) {
	enter(t)
	columns := cloud(300, 3)
	writeCloud(t, columns, "csv")
	fitDone(t, "data.csv", "-k", "4", "-o", "m.json", "--features", "x2,x0,x1")
	if got := coterie("assign", "data.csv", "--model", "m.json", "-o", "l.csv", "--detail"); got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	labels := records(t, "l.csv")
	if diff := cmp.Diff([]string{"id", "segment", "distance", "second_segment", "second_distance"}, labels[0]); diff != "" {
		t.Fatalf("columns (-want +got):\n%s", diff)
	}
	type found struct {
		ID             *string
		Segment        int
		Distance       float32
		SecondSegment  int     `json:"second_segment"`
		SecondDistance float32 `json:"second_distance"`
		Because        []struct {
			Feature               string
			Value, Centroid, Pull float64
		}
	}
	var ids struct{ Results []found }
	if got := coterie("lookup", "--model", "m.json", "--labels", "l.csv", "--id", "299,0,17", "--json"); json.Unmarshal([]byte(got.stdout), &ids) != nil || len(ids.Results) != 3 {
		t.Fatalf("got %+v, want three results", got)
	}
	for n, i := range []int{299, 0, 17} {
		byID := ids.Results[n]
		var b strings.Builder
		for j := range columns {
			fmt.Fprintf(&b, "x%d=%s,", j, strconv.FormatFloat(columns[j][i], 'g', -1, 64))
		}
		got := coterie("lookup", "--model", "m.json", "--values", strings.TrimSuffix(b.String(), ","), "--json")
		var byValue struct{ Results []found }
		if err := json.Unmarshal([]byte(got.stdout), &byValue); err != nil || len(byValue.Results) != 1 {
			t.Fatalf("got %+v, want one result", got)
		}
		v := byValue.Results[0]
		line := []string{strconv.Itoa(i), strconv.Itoa(v.Segment), strconv.FormatFloat(float64(v.Distance), 'g', -1, 32), strconv.Itoa(v.SecondSegment), strconv.FormatFloat(float64(v.SecondDistance), 'g', -1, 32)}
		if *byID.ID != line[0] || byID.Segment != v.Segment || byID.Distance != v.Distance || byID.SecondSegment != v.SecondSegment || byID.SecondDistance != v.SecondDistance {
			t.Errorf("row %d: by id %+v, by values %+v", i, byID, v)
		}
		if want := labels[i+1]; want[1] != line[1] || want[3] != line[3] || !sameNumber(want[2], v.Distance) || !sameNumber(want[4], v.SecondDistance) {
			t.Errorf("row %d: by values %q, the labels say %q", i, line, want)
		}
		if len(v.Because) != 3 {
			t.Fatalf("row %d: got %d reasons, want one for each feature", i, len(v.Because))
		}
		pull := float64(0)
		for _, why := range v.Because {
			j, err := strconv.Atoi(strings.TrimPrefix(why.Feature, "x"))
			if err != nil || columns[j][i] != why.Value {
				t.Errorf("row %d: got the value %v of %s", i, why.Value, why.Feature)
			}
			pull += why.Pull
		}
		// What pulls to the first segment, feature by feature, is the difference of the squared distances.
		if want := float64(v.SecondDistance)*float64(v.SecondDistance) - float64(v.Distance)*float64(v.Distance); math.Abs(pull-want) > 1e-4*(1+want) {
			t.Errorf("row %d: the pulls add up to %v; the squared distances differ by %v", i, pull, want)
		}
	}
}

func sameNumber(cell string, want float32) bool {
	got, err := strconv.ParseFloat(cell, 32)
	return err == nil && float32(got) == want
}
