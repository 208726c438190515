package kmeans

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// hardData is kinds of values that break bounds: ties, duplicates, offsets, wide spreads, tiny numbers, one far outlier.
var hardData = []struct {
	name  string
	value func(r *rand.Rand, i, t int) float64
}{
	{"mixture", func(r *rand.Rand, i, t int) float64 { return 3*math.Sin(float64(7*(i%23)+3*t)) + r.NormFloat64() }},
	{"uniform", func(r *rand.Rand, _, _ int) float64 { return r.Float64() }},
	{"ties", func(r *rand.Rand, _, _ int) float64 { return float64(r.IntN(4)) }},
	{"duplicates", func(_ *rand.Rand, i, t int) float64 { return float64(i % 41 * (t + 3) % 17) }},
	{"offset of a million", func(r *rand.Rand, i, t int) float64 { return 1e6 + float64(i%5) + r.NormFloat64() }},
	{"lognormal", func(r *rand.Rand, _, _ int) float64 { return math.Exp(3 * r.NormFloat64()) }},
	{"subnormal squares", func(r *rand.Rand, _, _ int) float64 { return 1e-22 * r.NormFloat64() }},
	{"tight and far apart", func(r *rand.Rand, i, t int) float64 { return 1e5*math.Sin(float64(3*(i%7)+t)) + 1e-2*r.NormFloat64() }},
	{"one far outlier", func(r *rand.Rand, i, _ int) float64 {
		if i == 13 {
			return 1e12
		}
		return r.NormFloat64()
	}},
}

// hardPoints are Points and a start of k of their rows, some of which may be equal.
func hardPoints(t testing.TB, seed uint64, kind, n, d, k int) (*Points, *Centroids) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 9))
	values := make([]float32, n*d)
	for i := range values {
		values[i] = float32(hardData[kind].value(r, i/d, i%d))
	}
	p, err := PointsFromRows(values, n, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	start := NewCentroids(k, d)
	for j := range k {
		p.At(r.IntN(n), start.Row(j))
	}
	return p, start
}

func TestEveryAlgorithmAndTierGivesTheSameBits(t *testing.T) {
	shapes := []struct{ n, d, k int }{{1, 1, 1}, {33, 1, 2}, {700, 2, 5}, {2500, 4, 8}, {2100, 3, 17}, {2100, 8, 33}, {1200, 19, 60}, {600, 70, 40},
		{300, 260, 25}, {2300, 6, 130}}
	if testing.Short() {
		shapes = shapes[:5]
	}
	if kernel.Best().Filters() { // where auto looks at integers first
		shapes = append(shapes, []struct{ n, d, k int }{{500, 12, 64}, {300, 70, 60}, {300, 70, 130}}...)
	}
	for _, tier := range Tiers() {
		for kind := range hardData {
			t.Run(tier+"/"+hardData[kind].name, func(t *testing.T) {
				for i, s := range shapes {
					p, start := hardPoints(t, uint64(100*kind+i), kind, s.n, s.d, s.k)
					compareAlgorithms(t, tier, fmt.Sprintf("%d×%d, k=%d", s.n, s.d, s.k), p, start)
				}
			})
		}
	}
}

// compareAlgorithms holds every algorithm on one tier against full passes on the plain one.
func compareAlgorithms(t *testing.T, tier, where string, p *Points, start *Centroids) {
	t.Helper()
	before := Tier()
	defer use(t, before)
	use(t, "portable")
	o := Options{MaxIterations: 40, Algorithm: FullPasses}
	want, err := Lloyd(p, start, o)
	if err != nil {
		t.Fatal(err)
	}
	use(t, tier)
	for _, name := range Algorithms() {
		o.Algorithm = Algorithm(name)
		got, err := Lloyd(p, start, o)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Centroids.Equal(want.Centroids) || !slices.Equal(got.Labels, want.Labels) || !slices.Equal(got.Counts, want.Counts) ||
			got.Inertia != want.Inertia || got.Iterations != want.Iterations || got.Converged != want.Converged {
			t.Fatalf("%s, %s: %d iterations, inertia %v, counts %v; want %d, %v, %v", where, name, got.Iterations, got.Inertia, got.Counts,
				want.Iterations, want.Inertia, want.Counts)
		}
	}
}

func use(t testing.TB, tier string) {
	t.Helper()
	if err := UseTier(tier); err != nil {
		t.Fatal(err)
	}
}

// passes is a run under the hand of a test: each pass to given centroids.
type passes struct {
	p       *Points
	tracker *Tracker
	track   *Track
	acc     *Accumulator
	sums    *Sums
	scratch Scratch
}

func newPasses(p *Points, a Algorithm, k int) *passes {
	return &passes{p: p, tracker: NewTracker(a, k, p.d), track: NewTrack(p), acc: NewAccumulator(k, p.d, p.Weighted()), sums: NewSums(k, p.d, p.Weighted())}
}

// to makes a pass, and says how many distances it computed, but for those from a row's own centroid.
func (r *passes) to(c *Centroids) int64 {
	pass := r.tracker.Next(c, false)
	pass.Prepare(r.track)
	for lo := 0; lo < r.p.n; lo += SpanRows {
		pass.Update(r.p, lo, min(lo+SpanRows, r.p.n), r.track, r.acc, nil, &r.scratch)
	}
	pass.Done([]*Track{r.track}, r.acc.Drain(r.sums))
	return pass.work.Load()
}

// A fit's centroids settle; here they jump, creep, stand still and come back, which no mean would do.
func TestBoundsHoldForCentroidsThatMoveAtWill(t *testing.T) {
	rows := 900
	if testing.Short() {
		rows = 256
	}
	for kind := range hardData {
		for _, a := range []Algorithm{Hamerly, Activity, Auto} {
			p, c := hardPoints(t, uint64(kind), kind, rows, 5, 30)
			r := rand.New(rand.NewPCG(uint64(kind), 1))
			run := newPasses(p, a, c.K)
			labels := make([]uint16, p.n)
			for pass := range 330 { // beyond the stamps' 255
				run.to(c)
				n := NewAssigner(c)
				for lo := 0; lo < p.n; lo += SpanRows {
					index, _ := n.Nearest(p, lo, min(lo+SpanRows, p.n), &run.scratch)
					for i, j := range index {
						labels[lo+i] = uint16(j)
					}
				}
				if !slices.Equal(labels, run.track.Labels) {
					t.Fatalf("%s, %s, pass %d: labels differ from those of all distances", hardData[kind].name, a, pass)
				}
				c = c.Clone()
				for range r.IntN(1 + 1<<(pass%4)) {
					j := r.IntN(c.K)
					scale := math.Pow(10, -1-5*r.Float64())
					for i, v := range c.Row(j) {
						c.Row(j)[i] = v + float32(scale*r.NormFloat64()*(1e-9+math.Abs(float64(v))))
					}
				}
			}
		}
	}
}

// Whoever calls the library may start from centroids that no data has: what they travel is beyond float32.
func TestBoundsHoldForCentroidsThatTravelBeyondNumbers(t *testing.T) {
	for _, far := range []float32{1e19, 1e37, -3e38, math.MaxFloat32} {
		seeds := uint64(12)
		if testing.Short() {
			seeds = 3
		}
		for seed := range seeds {
			p, start := hardPoints(t, seed, 0, 1500, 8, 12)
			for i := range start.Row(11) {
				start.Row(11)[i] = far
			}
			compareAlgorithms(t, Tier(), fmt.Sprintf("a centroid at %g, seed %d", far, seed), p, start)
		}
	}
}

func TestBoundsSpareWork(t *testing.T) {
	for _, a := range []Algorithm{Hamerly, Activity} {
		p, start := hardPoints(t, 5, 0, 6000, 8, 20)
		result, err := Lloyd(p, start, Options{MaxIterations: 12})
		if err != nil {
			t.Fatal(err)
		}
		run := newPasses(p, a, start.K)
		all := int64(p.n) * int64(start.K)
		if got := run.to(result.Centroids); got != all {
			t.Errorf("%s: the first pass computed %d distances, want all %d", a, got, all)
		}
		moved := result.Centroids.Clone()
		moved.Row(3)[0] += 1e-3
		if got := run.to(moved); got == 0 || got > all/20 {
			t.Errorf("%s: after a small step %d of %d distances were computed, want a few", a, got, all)
		}
		if got := run.to(moved); got > all/200 {
			t.Errorf("%s: after no step at all %d of %d distances were computed, want next to none", a, got, all)
		}
	}
}

func TestUnknownAlgorithmsAreErrors(t *testing.T) {
	for _, name := range Algorithms() {
		if a, err := ParseAlgorithm(name); err != nil || string(a) != name {
			t.Errorf("%q: %q, %v", name, a, err)
		}
	}
	if _, err := ParseAlgorithm("elkan"); err == nil {
		t.Error("elkan: no error")
	}
}

func TestTheFarthestRowsByTheirLabelsAreThoseOfAllDistances(t *testing.T) {
	for kind := range hardData {
		p, c := hardPoints(t, uint64(kind), kind, 2100, 5, 30)
		run := newPasses(p, Auto, c.K)
		if run.tracker.Labelled(c) != nil {
			t.Fatal("labels are known before the first pass")
		}
		run.to(c)
		got, want := NewFarthest(9), NewFarthest(9)
		labelled, all := run.tracker.Labelled(c), NewAssigner(c)
		for lo := 0; lo < p.n; lo += SpanRows {
			labelled.Farthest(p, lo, min(lo+SpanRows, p.n), run.track, got, &run.scratch)
			all.Farthest(p, lo, min(lo+SpanRows, p.n), want, &run.scratch)
		}
		if !slices.EqualFunc(got.Rows(), want.Rows(), func(a, b Far) bool {
			return compareFar(a, b) == 0 && a.Cluster == b.Cluster
		}) {
			t.Errorf("%s: got %v, want %v", hardData[kind].name, got.Rows(), want.Rows())
		}
		other := c.Clone()
		other.Row(4)[2]++
		if run.tracker.Labelled(other) != nil {
			t.Errorf("%s: labels are taken for those of other centroids", hardData[kind].name)
		}
	}
}
