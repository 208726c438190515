package kmeans

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// dataset is made data for tests, row-major.
type data struct {
	name   string
	n, d   int
	values []float32
}

func (s *data) points(t testing.TB) *Points {
	t.Helper()
	p, err := PointsFromRows(s.values, s.n, s.d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// families are the kinds of data that break careless k-means: wide spreads, offsets, ties, tight clusters far away.
func families(seed uint64) []*data {
	r := rand.New(rand.NewPCG(seed, 7))
	make := func(name string, n, d int, value func(i, t int) float64) *data {
		s := &data{name: name, n: n, d: d}
		for i := range n {
			for t := range d {
				s.values = append(s.values, float32(value(i, t)))
			}
		}
		return s
	}
	centre := func(i, t int) float64 { return 4 * math.Sin(float64(7*(i%9)+3*t)) }
	return []*data{
		make("mixture", 20000, 6, func(i, t int) float64 { return centre(i, t) + r.NormFloat64() }),
		make("uniform", 20000, 3, func(i, t int) float64 { return r.Float64() }),
		make("lognormal", 20000, 4, func(i, t int) float64 { return math.Exp(4.6 * r.NormFloat64()) }),
		make("offset", 20000, 4, func(i, t int) float64 { return 1e6 + centre(i, t) + r.NormFloat64() }),
		make("tight", 20000, 5, func(i, t int) float64 { return 1e3*centre(i, t) + 1e-2*r.NormFloat64() }),
		make("duplicates", 20000, 2, func(i, t int) float64 { return float64(i % 37 * (t + 1) % 11) }),
		make("ties", 20000, 2, func(i, t int) float64 { return float64(r.IntN(5)) }),
	}
}

// twinPass is one pass of Lloyd's algorithm in plain float64, in row order: a different and simpler program for the
// same Points and centroids.
func twinPass(p *Points, c *Centroids) (labels []int, distances []float64, inertia float64) {
	row := make([]float32, p.Columns())
	for i := range p.Rows() {
		p.At(i, row)
		best, nearest := math.Inf(1), 0
		for j := range c.K {
			if d := twinDistance(row, c.Row(j)); d < best {
				best, nearest = d, j
			}
		}
		labels = append(labels, nearest)
		distances = append(distances, best)
		inertia += best
	}
	return labels, distances, inertia
}

func twinDistance(x, c []float32) float64 {
	d := 0.0
	for t := range x {
		diff := float64(x[t]) - float64(c[t])
		d += diff * diff
	}
	return d
}

// distanceBound is the relative error of the float32 distance: (d+2) roundings of 2^-24 each, doubled for those of
// the difference that enter squared. docs/ARCHITECTURE.md derives it.
func distanceBound(d int) float64 { return float64(d+2) * 0x1p-24 * 1.01 }

func TestEveryIterationIsLloydsOnTheSamePoints(t *testing.T) {
	for _, s := range families(1) {
		t.Run(s.name, func(t *testing.T) {
			p := s.points(t)
			start, err := Seed(p, InitPlusPlus, 8, 3)
			if err != nil {
				t.Fatal(err)
			}
			differ, rows, iterations := 0, 0, 15
			if testing.Short() {
				iterations = 5
			}
			for c, iteration := start, 0; iteration < iterations; iteration++ {
				got, err := Lloyd(p, c, Options{MaxIterations: 1})
				if err != nil {
					t.Fatal(err)
				}
				differ += compareWithTwin(t, p, c, got)
				rows += p.Rows()
				c = got.Centroids
			}
			t.Logf("%d of %d labels differ from float64, all within the bound", differ, rows)
			if s.name == "mixture" && float64(differ) >= 1e-5*float64(rows) {
				t.Errorf("labels that differ: got %d of %d, want fewer than 1e-5", differ, rows)
			}
		})
	}
}

// compareWithTwin holds one pass from c and the update after it against the twin; it counts the labels that differ.
func compareWithTwin(t *testing.T, p *Points, c *Centroids, got *Result) int {
	t.Helper()
	labels := make([]uint16, p.Rows())
	acc, sums := NewAccumulator(c.K, c.D, false), NewSums(c.K, c.D, false)
	a := NewAssigner(c)
	for lo := 0; lo < p.Rows(); lo += SpanRows {
		a.Update(p, lo, min(lo+SpanRows, p.Rows()), labels, true, acc, new(Scratch))
	}
	acc.Drain(sums)
	want, distances, _ := twinPass(p, c)
	differ := 0
	row := make([]float32, p.Columns())
	for i, label := range labels {
		if int(label) == want[i] {
			continue
		}
		differ++
		other := twinDistance(p.At(i, row), c.Row(int(label)))
		if other > distances[i]*(1+2*distanceBound(c.D)) {
			t.Fatalf("row %d: got cluster %d at %g, want %d at %g: beyond the bound", i, label, other, want[i], distances[i])
		}
	}
	if len(sums.Empty()) == 0 {
		compareMeans(t, p, labels, got.Centroids)
	}
	_, _, inertia := twinPass(p, got.Centroids)
	if math.Abs(got.Inertia-inertia) > 1e-6*inertia {
		t.Errorf("inertia: got %v, want %v to 1e-6", got.Inertia, inertia)
	}
	return differ
}

func compareMeans(t *testing.T, p *Points, labels []uint16, c *Centroids) {
	t.Helper()
	mean := make([]float64, c.K*c.D)
	scale := make([]float64, c.D)
	counts := make([]float64, c.K)
	row := make([]float32, p.Columns())
	for i, label := range labels {
		counts[label]++
		for d, v := range p.At(i, row) {
			mean[int(label)*c.D+d] += float64(v)
			scale[d] = max(scale[d], math.Abs(float64(v)))
		}
	}
	for i := range mean {
		want := mean[i] / counts[i/c.D]
		if got := float64(c.Values[i]); math.Abs(got-want) > 1e-7*math.Abs(want)+1e-9*scale[i%c.D] {
			t.Fatalf("centroid %d column %d: got %v, want %v", i/c.D, i%c.D, got, want)
		}
	}
}

func TestFitIsIndependentOfRowOrderAndTier(t *testing.T) {
	defer func(name string) {
		if err := UseTier(name); err != nil {
			t.Fatal(err)
		}
	}(Tier())
	for _, s := range families(2) {
		p := s.points(t)
		start, err := Seed(p, InitParallel, 5, 1)
		if err != nil {
			t.Fatal(err)
		}
		var want *Result
		for _, tier := range Tiers() {
			if err := UseTier(tier); err != nil {
				t.Fatal(err)
			}
			for _, order := range []string{"as made", "reversed", "shuffled"} {
				perm := permutation(order, s.n)
				q := permuted(s, perm).points(t)
				got, err := Lloyd(q, start, Options{MaxIterations: 40})
				if err != nil {
					t.Fatal(err)
				}
				if want == nil {
					want = got
				}
				name := fmt.Sprintf("%s, %s, %s", s.name, tier, order)
				if !got.Centroids.Equal(want.Centroids) || math.Float64bits(got.Inertia) != math.Float64bits(want.Inertia) {
					t.Errorf("%s: centroids or inertia differ: got %v, want %v", name, got.Inertia, want.Inertia)
				}
				for i, from := range perm {
					if got.Labels[i] != want.Labels[from] {
						t.Fatalf("%s: label of row %d: got %d, want %d", name, from, got.Labels[i], want.Labels[from])
					}
				}
			}
		}
	}
}

func permutation(order string, n int) []int {
	perm := make([]int, n)
	for i := range perm {
		perm[i] = i
		if order == "reversed" {
			perm[i] = n - 1 - i
		}
	}
	if order == "shuffled" {
		rand.New(rand.NewPCG(5, 5)).Shuffle(n, func(i, j int) { perm[i], perm[j] = perm[j], perm[i] })
	}
	return perm
}

func permuted(s *data, perm []int) *data {
	q := &data{name: s.name, n: s.n, d: s.d}
	for _, from := range perm {
		q.values = append(q.values, s.values[from*s.d:(from+1)*s.d]...)
	}
	return q
}

// TestNaiveSumsDependOnOrder shows that the test above is one that plain float sums fail.
func TestNaiveSumsDependOnOrder(t *testing.T) {
	for _, s := range families(2) {
		if s.name != "lognormal" {
			continue
		}
		forward, backward := 0.0, 0.0
		for i := range s.n {
			forward += float64(s.values[i*s.d])
			backward += float64(s.values[(s.n-1-i)*s.d])
		}
		if forward == backward {
			t.Errorf("a naive float64 sum of %s is %v in both orders: this data would not tell", s.name, forward)
		}
	}
}
