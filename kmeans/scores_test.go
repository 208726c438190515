package kmeans

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
)

// scored is rows of d columns with labels below k, and their centroids, sums, inertia and spread as a pass finds them.
type scored struct {
	points  *Points
	labels  []uint16
	c       *Centroids
	sums    *Sums
	spread  []exact.Bins
	inertia exact.Bins
}

func score(t *testing.T, values []float32, d int, c *Centroids) *scored {
	t.Helper()
	p, err := PointsFromRows(values, len(values)/d, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &scored{points: p, c: c, sums: NewSums(c.K, d, false), spread: make([]exact.Bins, c.K)}
	acc := NewAccumulator(c.K, d, false)
	track := NewTrack(p)
	pass := NewTracker(Auto, c.K, p.d).Next(c, true)
	for lo := 0; lo < p.n; lo += SpanRows {
		pass.UpdateSpread(p, lo, min(lo+SpanRows, p.n), track, acc, &s.inertia, s.spread, new(Scratch))
	}
	acc.Drain(s.sums)
	s.labels = track.Labels
	return s
}

// blobs are rows around k places of the plane, so far apart that nothing lies between them.
func blobs(n, k int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 7))
	values := make([]float32, 0, 2*n)
	for i := range n {
		angle := 2 * math.Pi * float64(i%k) / float64(k)
		values = append(values, float32(10*math.Cos(angle)+r.NormFloat64()), float32(10*math.Sin(angle)+r.NormFloat64()))
	}
	return values
}

// TestScoresOfFourRows has figures that can be worked out by hand.
func TestScoresOfFourRows(t *testing.T) {
	s := score(t, []float32{0, 1, 10, 11}, 1, &Centroids{K: 2, D: 1, Values: []float32{0.5, 10.5}})
	found, err := Silhouettes(t.Context(), s.points, []Labelling{{K: 2, Labels: s.labels}, {K: 1, Labels: make([]uint16, 4)},
		{K: 4, Labels: []uint16{0, 1, 2, 3}}, {K: 3, Labels: []uint16{0, 0, 2, 2}}, {K: 3, Labels: []uint16{0, 0, 1, 2}}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	half := (9.5/10.5 + 8.5/9.5) / 2
	for i, want := range []float64{half, 0, 0, half, (9./10 + 8./9) / 4} {
		if math.Abs(found[i].Mean-want) > 1e-9 || found[i].Error != 0 {
			t.Errorf("labelling %d: got silhouette %v, want %v", i, found[i], want)
		}
	}
	if got := CalinskiHarabasz(s.sums, s.c, s.inertia.Float64(0), s.points.grid); math.Abs(got-200) > 1e-9 {
		t.Errorf("Calinski-Harabasz: got %v, want 200", got)
	}
	if got := DaviesBouldin(s.sums, s.c, s.spread); math.Abs(got-0.1) > 1e-9 {
		t.Errorf("Davies-Bouldin: got %v, want 0.1", got)
	}
	one := score(t, []float32{0, 1, 10, 11}, 1, &Centroids{K: 1, D: 1, Values: []float32{5.5}})
	if ch, db := CalinskiHarabasz(one.sums, one.c, one.inertia.Float64(0), one.points.grid), DaviesBouldin(one.sums, one.c, one.spread); ch != 0 || db != 0 {
		t.Errorf("one cluster: got %v and %v, want 0", ch, db)
	}
	flat := score(t, []float32{0, 0, 8, 8}, 1, &Centroids{K: 2, D: 1, Values: []float32{0, 8}})
	if got := CalinskiHarabasz(flat.sums, flat.c, flat.inertia.Float64(0), flat.points.grid); got != 1 {
		t.Errorf("no row off its mean: got %v, want 1", got)
	}
}

// naive is the definition, in float64.
func naive(values []float32, d int, labels []uint16, k int) float64 {
	sum := 0.0
	for i := range labels {
		sums, counts := make([]float64, k), make([]float64, k)
		for j := range labels {
			square := 0.0
			for t := range d {
				diff := float64(values[i*d+t]) - float64(values[j*d+t])
				square += float64(diff * diff)
			}
			sums[labels[j]] += math.Sqrt(square)
			counts[labels[j]]++
		}
		own := labels[i]
		if counts[own] < 2 {
			continue
		}
		a, b := sums[own]/(counts[own]-1), math.Inf(1)
		for j := range k {
			if j != int(own) && counts[j] > 0 {
				b = min(b, sums[j]/counts[j])
			}
		}
		if larger := max(a, b); larger > 0 && !math.IsInf(b, 1) {
			sum += (b - a) / larger
		}
	}
	return sum / float64(len(labels))
}

// TestSilhouettesAreThoseOfTheDefinition also holds that bits depend neither on threads nor on what is measured beside.
func TestSilhouettesAreThoseOfTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, scale := range []float64{1, 1e-12, 1e12} {
		const n, d = 230, 3
		values := make([]float32, n*d)
		for i := range values {
			values[i] = float32(scale * r.NormFloat64())
		}
		p, err := PointsFromRows(values, n, d, nil)
		if err != nil {
			t.Fatal(err)
		}
		var of []Labelling
		for _, k := range []int{2, 5, 40} {
			l := Labelling{K: k + 1, Labels: make([]uint16, n)} // the last has nobody
			for i := range l.Labels {
				l.Labels[i] = uint16(r.IntN(k))
			}
			of = append(of, l)
		}
		all, err := Silhouettes(t.Context(), p, of, 3)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range of {
			want := naive(values, d, l.Labels, l.K)
			alone, err := Silhouettes(t.Context(), p, []Labelling{l}, 1)
			if err != nil || math.Abs(all[i].Mean-want) > 1e-5 || alone[0] != all[i] {
				t.Errorf("scale %g, k = %d: got %v, alone %v (%v), want %v", scale, l.K, all[i], alone, err, want)
			}
		}
	}
}

func TestScoresAreTheSameBitsOnEveryTier(t *testing.T) {
	tiers := Tiers()
	defer UseTier(tiers[0])
	values := blobs(700, 4, 5)
	var want []float64
	for _, tier := range tiers {
		if err := UseTier(tier); err != nil {
			t.Fatal(err)
		}
		s := score(t, values, 2, &Centroids{K: 3, D: 2, Values: []float32{9, 1, -8, 2, 0, -9}})
		silhouettes, err := Silhouettes(t.Context(), s.points, []Labelling{{K: 3, Labels: LabelsOf(s.points, s.c)}}, 2)
		if err != nil {
			t.Fatal(err)
		}
		stability, err := Stability(t.Context(), s.points, []int{3, 4}, Resampling{Seed: 1, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		shapeless, err := Shapeless(t.Context(), s.points, []int{3, 4}, Resampling{Seed: 1, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		got := append(append([]float64{silhouettes[0].Mean, DaviesBouldin(s.sums, s.c, s.spread),
			CalinskiHarabasz(s.sums, s.c, s.inertia.Float64(0), s.points.grid)}, stability...), shapeless...)
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: got %v, want %v", tier, got, want)
				break
			}
		}
		want = got
	}
}

// TestASampleTellsTheSilhouetteWithinItsError draws with and without regard to clusters, one of which is rare.
func TestASampleTellsTheSilhouetteWithinItsError(t *testing.T) {
	const n = 3000
	values := blobs(n, 5, 9)
	whole := score(t, values, 2, &Centroids{K: 3, D: 2, Values: []float32{9, 1, -8, 2, 0, -9}})
	want, err := Silhouettes(t.Context(), whole.points, []Labelling{{K: 3, Labels: whole.labels}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	far := 0
	for seed := range uint64(10) {
		some := whole.points.some(400, seed)
		got, err := Silhouettes(t.Context(), some, []Labelling{{K: 3, Labels: LabelsOf(some, whole.c), Sizes: whole.sums.Counts}}, 2)
		if err != nil {
			t.Fatal(err)
		}
		if got[0].Error <= 0 || got[0].Error > 0.05 {
			t.Fatalf("seed %d: got %+v, want an error of some hundredths", seed, got[0])
		}
		if math.Abs(got[0].Mean-want[0].Mean) > 2*got[0].Error {
			far++
		}
	}
	if far > 2 {
		t.Errorf("%d of 10 samples are off by more than two errors", far)
	}
}

// TestTheErrorOfASampleIsThatOfLeavingOutGroups measures the sample again without each group.
func TestTheErrorOfASampleIsThatOfLeavingOutGroups(t *testing.T) {
	const n = 130
	values, sizes := blobs(n, 5, 3), []int64{300, 200, 500}
	whole := score(t, values, 2, &Centroids{K: 3, D: 2, Values: []float32{9, 1, -8, 2, 0, -9}})
	got, err := Silhouettes(t.Context(), whole.points, []Labelling{{K: 2, Labels: make([]uint16, n)}, {K: 3, Labels: whole.labels, Sizes: sizes}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	var without []float64
	mean := 0.0
	for g := range sampleGroups {
		var rest []int
		var labels []uint16
		for i, j := range whole.labels {
			if i%sampleGroups != g {
				rest, labels = append(rest, i), append(labels, j)
			}
		}
		p, err := whole.points.subset(rest)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Silhouettes(t.Context(), p, []Labelling{{K: 3, Labels: labels, Sizes: sizes}}, 1)
		if err != nil {
			t.Fatal(err)
		}
		without = append(without, s[0].Mean)
		mean += s[0].Mean / sampleGroups
	}
	want := 0.0
	for _, v := range without {
		want += float64((v-mean)*(v-mean)) * (sampleGroups - 1) / sampleGroups
	}
	want = math.Sqrt(want * (1 - n/1000.))
	if math.Abs(got[1].Error-want) > 1e-6*want {
		t.Errorf("got an error of %v, want %v", got[1].Error, want)
	}
	if got[0].Error != 0 {
		t.Errorf("got an error of %v where all rows were looked at", got[0].Error)
	}
}

func TestResamplesAreComparedOnTheRowsThatBothHave(t *testing.T) {
	ours, theirs := common([]int{1, 2, 5, 7, 9}, []uint16{10, 20, 50, 70, 90}, []int{0, 2, 3, 4, 7, 8, 9, 11}, []uint16{0, 2, 3, 4, 7, 8, 9, 11})
	if !slices.Equal(ours, []uint16{20, 70, 90}) || !slices.Equal(theirs, []uint16{2, 7, 9}) {
		t.Errorf("got %v and %v, want those of rows 2, 7 and 9", ours, theirs)
	}
}

func TestAdjustedRand(t *testing.T) {
	for _, c := range []struct {
		a, b []uint16
		want float64
	}{
		{[]uint16{0, 0, 1, 1}, []uint16{1, 1, 0, 0}, 1},
		{[]uint16{0, 0, 1, 1}, []uint16{0, 0, 1, 2}, 4. / 7},
		{[]uint16{0, 0, 1, 2}, []uint16{0, 0, 1, 1}, 4. / 7},
		{[]uint16{0, 0, 1, 1}, []uint16{0, 1, 0, 1}, -0.5},
		{[]uint16{0, 0, 0, 0}, []uint16{0, 1, 2, 0}, 0},
		{[]uint16{0, 0, 0}, []uint16{2, 2, 2}, 1},
		{[]uint16{0, 1, 2}, []uint16{2, 1, 0}, 1},
		{[]uint16{0}, []uint16{0}, 1},
		{nil, nil, 1},
	} {
		if got := AdjustedRand(c.a, c.b, 3, 3); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v and %v: got %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// TestStabilityKnowsHowManyBlobsThereAre also holds that threads do not matter, nor rows in another order.
func TestStabilityKnowsHowManyBlobsThereAre(t *testing.T) {
	p, err := PointsFromRows(blobs(400, 4, 1), 400, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	ks := []int{1, 2, 4, 7, 399}
	got, err := Stability(t.Context(), p, ks, Resampling{Seed: 5, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got[0] != 1 || got[2] < 0.99 || got[3] > 0.9 || got[4] != 0 {
		t.Errorf("got %v for %v, want 1, …, 1 for the four there are, less for seven, and 0 where a resample has too few rows", got, ks)
	}
	again, err := Stability(t.Context(), p, ks, Resampling{Seed: 5, Threads: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i := range ks {
		if again[i] != got[i] {
			t.Errorf("k = %d: got %v on three threads, want %v", ks[i], again[i], got[i])
		}
	}
}

func TestRowsWithoutClustersHaveTheSilhouetteOfShapelessOnes(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	const n = 900
	even := make([]float32, 0, 2*n)
	for range n { // a slanting band
		x := r.Float64()
		even = append(even, float32(6*x), float32(2*x+r.Float64()))
	}
	ks := []int{1, 2, 4}
	for _, c := range []struct {
		name   string
		values []float32
		apart  bool
	}{{"a band", even, false}, {"four blobs", blobs(n, 4, 2), true}} {
		p, err := PointsFromRows(c.values, n, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		shapeless, err := Shapeless(t.Context(), p, ks, Resampling{Seed: 3, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		o := Resampling{Seed: 1}
		fit, err := p.quick(4, 0, &o)
		if err != nil {
			t.Fatal(err)
		}
		own, err := Silhouettes(t.Context(), p, []Labelling{{K: 4, Labels: fit.Labels}}, 2)
		if err != nil {
			t.Fatal(err)
		}
		if above := own[0].Mean - shapeless[2]; c.apart != (above > 0.2) || !c.apart && math.Abs(above) > 0.05 {
			t.Errorf("%s: got silhouette %v and that of shapeless rows %v", c.name, own, shapeless)
		}
		if shapeless[0] != 0 {
			t.Errorf("%s: one segment has %v, want 0", c.name, shapeless[0])
		}
	}
}

// TestScoresOfRowsThatAreHardlyThere goes to the edges of what data may be.
func TestScoresOfRowsThatAreHardlyThere(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float32
	}{{"one row", []float32{5}}, {"equal rows", []float32{3, 3, 3, 3}}, {"two rows as far apart as can be", []float32{-1e18, 1e18}}} {
		p, err := PointsFromRows(c.values, len(c.values), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		ks := []int{1, 2}
		silhouettes, err := Silhouettes(t.Context(), p, []Labelling{{K: 2, Labels: make([]uint16, p.n)}}, 1)
		stability, err2 := Stability(t.Context(), p, ks, Resampling{Threads: 1})
		shapeless, err3 := Shapeless(t.Context(), p, ks, Resampling{Threads: 1})
		if err := errors.Join(err, err2, err3); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, v := range append(append([]float64{silhouettes[0].Mean}, stability...), shapeless...) {
			if math.IsNaN(v) || v < -1 || v > 1 {
				t.Errorf("%s: got %v, %v, %v, want them within −1..1", c.name, silhouettes, stability, shapeless)
				break
			}
		}
	}
}

func TestScoresEndWithTheirContext(t *testing.T) {
	p, err := PointsFromRows(blobs(60, 3, 1), 60, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, silhouettes := Silhouettes(ctx, p, []Labelling{{K: 3, Labels: make([]uint16, 60)}}, 2)
	_, stability := Stability(ctx, p, []int{3}, Resampling{Threads: 2})
	_, shapeless := Shapeless(ctx, p, []int{3}, Resampling{Threads: 2})
	for i, err := range []error{silhouettes, stability, shapeless} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("score %d: got %v, want %v", i, err, context.Canceled)
		}
	}
}

func TestASampleHasTheSameRowsHoweverTheyAreSplit(t *testing.T) {
	const n = 5000
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(i % 7)
	}
	p, err := PointsFromRows(values, n, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	task := &SeedTask{Seed: 11, Threshold: 0.1}
	draw := func(cuts ...int) []Drawn {
		whole := NewSeedPartial(task)
		for i := 1; i < len(cuts); i++ {
			part := NewSeedPartial(task)
			NewSeedRound(task, []int{0}).Do(p, NewSeedState(p), cuts[i-1], cuts[i], part, new(Scratch))
			whole.Merge(part)
		}
		return whole.SampledByRow()
	}
	want, got := draw(0, n), draw(0, 640, 1280, n)
	if len(want) < 400 || len(want) > 600 || len(got) != len(want) {
		t.Fatalf("got %d and %d rows of %d, want a tenth, twice the same", len(want), len(got), n)
	}
	for i := range want {
		if got[i].Row != want[i].Row || want[i].Point[0] != float32(want[i].Row%7) {
			t.Fatalf("row %d: got %v, want %v", i, got[i], want[i])
		}
	}
	task.Threshold = 1
	if got := draw(0, n); len(got) != n {
		t.Errorf("got %d rows where all are asked for", len(got))
	}
}
