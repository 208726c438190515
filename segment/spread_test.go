package segment

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/feature"
)

// families are columns that quantiles go wrong on.
var families = map[string]func(r *rand.Rand) float64{
	"money":           func(r *rand.Rand) float64 { return math.Round(100*math.Exp(6+1.5*r.NormFloat64())) / 100 },
	"days":            func(r *rand.Rand) float64 { return float64(r.IntN(374)) },
	"mostly zero":     func(r *rand.Rand) float64 { return float64(max(0, r.IntN(8)-5)) },
	"both signs":      func(r *rand.Rand) float64 { return 50 * r.NormFloat64() },
	"all negative":    func(r *rand.Rand) float64 { return -math.Exp(3 * r.NormFloat64()) },
	"huge":            func(r *rand.Rand) float64 { return math.Ldexp(1+r.Float64(), 900+r.IntN(124)) },
	"tiny":            func(r *rand.Rand) float64 { return math.Ldexp(r.Float64(), -1070) },
	"everything":      func(r *rand.Rand) float64 { return math.Ldexp(r.Float64()-0.5, r.IntN(2000)-1000) },
	"far from zero":   func(r *rand.Rand) float64 { return 1e9 + r.Float64() },
	"one value":       func(*rand.Rand) float64 { return 7.25 },
	"two close years": func(r *rand.Rand) float64 { return float64(2010 + r.IntN(2)) },
}

func drawn(family string, n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 3))
	values := make([]float64, n)
	for i := range values {
		values[i] = families[family](r)
	}
	return values
}

// spread is a Profile of one column of one segment.
func spread(t *testing.T, values []float64) *Summary {
	t.Helper()
	p := NewProfile(1, []string{"x"}, nil)
	p.KeepSpreads()
	if err := p.Add(make([]int32, len(values)), &feature.Batch{Rows: len(values), Numeric: [][]float64{values}}); err != nil {
		t.Fatal(err)
	}
	return p.Summary(nil, "")
}

func TestQuartilesAreWithinTheStatedError(t *testing.T) {
	for family := range families {
		for _, n := range []int{1, 2, 7, 800} {
			values := drawn(family, n, uint64(n))
			s := spread(t, values)
			sorted := slices.Sorted(slices.Values(values))
			for _, q := range []struct{ share, got float64 }{{0.25, s.Base.Q1[0]}, {0.5, s.Base.Median[0]}, {0.75, s.Segments[0].Q3[0]}} {
				rank := q.share * float64(n-1)
				low, high := sorted[int(rank)], sorted[min(int(rank)+1, n-1)]
				part := rank - math.Floor(rank)
				want := float64(low*(1-part)) + float64(high*part)
				// Between two ranks the error is that of either of them, and rounding to five digits adds to it.
				allowed := (SpreadError + 1e-4) * max(math.Abs(low), math.Abs(high))
				if math.Abs(q.got-want) > allowed+0x1p-1022 {
					t.Errorf("%s, %d values, %v: got %v, want %v ± %v", family, n, q.share, q.got, want, allowed)
				}
			}
		}
	}
}

func TestMediansOfWholeNumbersAreWholeNumbers(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3, 1, 2}, 2}, {[]float64{-3, -1, -2, 0, 4}, -1}, {[]float64{0, 0, 5}, 0}, {[]float64{211, 210, 212}, 211}, {[]float64{1, 2}, 1.5},
		{[]float64{math.Copysign(0, -1)}, 0}, {[]float64{math.MaxFloat64}, math.MaxFloat64}, {[]float64{0.5, 0.25, 1}, 0.50024},
	} {
		if got := spread(t, c.values).Base.Median[0]; got != c.want || math.Signbit(got) != math.Signbit(c.want) {
			t.Errorf("median of %v: got %v, want %v", c.values, got, c.want)
		}
	}
	if got := spread(t, []float64{math.NaN()}).Base.Median[0]; got == got {
		t.Errorf("of nothing: got %v, want NaN", got)
	}
}

func TestQuantilesAgreeWithDDSketch(t *testing.T) {
	for _, family := range []string{"money", "days", "mostly zero", "both signs", "all negative"} {
		const accuracy = 0.001
		values := drawn(family, 3001, 5) // so that the quartiles are values
		other, err := ddsketch.LogUnboundedDenseDDSketch(accuracy)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if err := other.Add(v); err != nil {
				t.Fatal(err)
			}
		}
		g := spread(t, values).Base
		for share, got := range map[float64]float64{0.25: g.Q1[0], 0.5: g.Median[0], 0.75: g.Q3[0]} {
			want, err := other.GetValueAtQuantile(share)
			if err != nil || math.Abs(got-want) > (SpreadError+accuracy+1e-4)*math.Abs(want) {
				t.Errorf("%s at %v: got %v, want about %v (%v)", family, share, got, want, err)
			}
		}
	}
}

// TestSketchesMergeToTheSameInAnyOrder holds it also where memory is so scarce that the buckets become coarser, at a
// different moment in each part.
func TestSketchesMergeToTheSameInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.SampledFrom([]int{maxSketchWords, 5000, 600}).Draw(t, "words")
		values := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-10, 1000), rapid.Float64()), 1, 200).Draw(t, "values")
		sketchOf := func(values []float64) *sketches {
			c := newSketches(2)
			c.most = most
			for i, v := range values {
				c.add(i%2, []float64{v})
			}
			return c
		}
		at := 2 * rapid.IntRange(0, len(values)/2).Draw(t, "cut")
		whole, a, b := sketchOf(values), sketchOf(values[:at]), sketchOf(values[at:])
		for _, order := range [][2]*sketches{{a, b}, {b, a}} {
			merged := sketchOf(nil)
			merged.merge(order[0])
			merged.merge(order[1])
			if merged.level != whole.level || merged.words != whole.words || whole.words > most {
				t.Fatalf("got level %d and %d words, want %d and %d, at most %d", merged.level, merged.words, whole.level, whole.words, most)
			}
			for i := range whole.each {
				if diff := cmp.Diff(whole.counted(i), merged.counted(i), cmp.AllowUnexported(counted{})); diff != "" {
					t.Fatalf("sketch %d (-whole +merged):\n%s", i, diff)
				}
			}
		}
	})
}

func TestCoarseSketchesStayWithinTheirError(t *testing.T) {
	c := newSketches(1)
	c.most = 12 * pageBuckets
	values := drawn("everything", 300, 9)
	c.add(0, values)
	if c.level == 0 || c.words > c.most {
		t.Fatalf("got level %d and %d words, want coarse buckets in at most %d", c.level, c.words, c.most)
	}
	c = newSketches(1)
	c.most = 12 * pageBuckets
	values = drawn("money", 3000, 9)
	c.add(0, values)
	sorted := slices.Sorted(slices.Values(values))
	if got, want := c.counted(0).at(1500), sorted[1500]; c.level == 0 || math.Abs(got-want) > c.relativeError()*want {
		t.Errorf("level %d: got %v, want %v ± %v of it", c.level, got, want, c.relativeError())
	}
}

func TestAProfileOfTooManyColumnsHasNoQuartiles(t *testing.T) {
	for k, want := range map[int]bool{maxSpreads / 2: true, maxSpreads/2 + 1: false} {
		p := NewProfile(k, []string{"x", "y"}, nil)
		p.KeepSpreads()
		if got := p.spreads != nil; got != want {
			t.Errorf("%d segments of 2 columns: got quartiles %t, want %t", k, got, want)
		}
	}
	if least := 2 * maxSpreads * (pageBuckets + 1); least > maxSketchWords {
		t.Errorf("the coarsest of all sketches need %d words, more than %d", least, maxSketchWords)
	}
}

func TestHistogramsAreCutAtReadableNumbers(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		want   []float64
	}{
		{"scores", []float64{1, 2, 3, 4, 5, 5}, []float64{1, 2, 3, 4, 5, 6}},
		{"nothing to cut", []float64{4, 4}, nil},
		{"decades", []float64{3, 4, 5, 6, 700}, []float64{2, 5, 10, 20, 50, 100, 200, 500, 1000}},
		{"decades and zeros", []float64{0, 0, 0, 3, 700}, []float64{0, 5, 10, 20, 50, 100, 200, 500, 1000}},
		{"about zero", []float64{-0.31, 0.1, 0.42}, []float64{-0.35, -0.3, -0.25, -0.2}},
		{"close together", []float64{1e15, 1e15 + 1}, []float64{1e15, 1e15 + 1}},
		{"years", []float64{2009, 2010, 2011, 2011}, []float64{2009, 2010, 2011, 2012}},
		{"the ends of the numbers", []float64{-math.MaxFloat64, math.MaxFloat64}, []float64{-math.MaxFloat64}},
	} {
		h := spread(t, c.values).Histograms[0]
		if len(h.Edges) < len(c.want) || c.want == nil && h.Edges != nil || !slices.Equal(h.Edges[:len(c.want)], c.want) {
			t.Errorf("%s: got edges %v, want %v", c.name, h.Edges, c.want)
		}
	}
}

func TestHistogramsCountEveryValueOnce(t *testing.T) {
	for family := range families {
		values := drawn(family, 3000, 2)
		h := spread(t, values).Histograms[0]
		if h.Edges == nil && family == "one value" {
			continue
		}
		var total, moved int64
		for b, n := range h.Base {
			want := int64(0)
			for _, v := range values {
				if v >= h.Edges[b] && (v < h.Edges[b+1] || b == len(h.Base)-1 && v <= h.Edges[b+1]) {
					want++
				}
			}
			total += n
			moved += max(n-want, want-n)
		}
		if total != 3000 || !slices.IsSorted(h.Edges) || len(h.Edges) > maxBins+1 || len(h.Edges) != len(slices.Compact(slices.Clone(h.Edges))) {
			t.Errorf("%s: %d of 3000 values in bins %v", family, total, h.Edges)
		}
		if family != "far from zero" && moved > 60 || !slices.Equal(h.Base, h.Segments[0]) {
			t.Errorf("%s: %d of 3000 values are not in their bins: %v %v", family, moved, h.Edges, h.Base)
		}
		if strings.HasPrefix(family, "days") && moved > 30 {
			t.Errorf("%s: %d whole numbers are not in their bins", family, moved)
		}
	}
}

func TestSpreadsDoNotChangeWhatIsExact(t *testing.T) {
	labels, b := customers(500, 4)
	with, without := NewProfile(len(kinds), numericColumns, categoricalColumns), NewProfile(len(kinds), numericColumns, categoricalColumns)
	with.KeepSpreads()
	for _, p := range []*Profile{with, without} {
		if err := p.Add(labels, b); err != nil {
			t.Fatal(err)
		}
	}
	got, want := with.Summary(nil, ""), without.Summary(nil, "")
	for _, g := range append([]*Group{&got.Base}, &got.Segments[0], &got.Segments[4]) {
		if len(g.Median) != len(got.Columns) || !math.IsNaN(g.Median[len(got.Columns)-1]) || !(g.Q1[0] <= g.Median[0] && g.Median[0] <= g.Q3[0]) {
			t.Errorf("got quartiles %v %v %v, want those of numbers in order, and none of shares", g.Q1, g.Median, g.Q3)
		}
	}
	got.Histograms = nil
	got.Base.Q1, got.Base.Median, got.Base.Q3 = nil, nil, nil
	for i := range got.Segments {
		got.Segments[i].Q1, got.Segments[i].Median, got.Segments[i].Q3 = nil, nil, nil
	}
	if diff := cmp.Diff(want, got, sameBits); diff != "" {
		t.Errorf("(-without +with):\n%s", diff)
	}
}

func BenchmarkSketch(b *testing.B) {
	values := drawn("money", 800, 1)
	c := newSketches(1)
	for b.Loop() {
		c.add(0, values)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/800, "ns/value")
}

func TestAProfileTakesNoMoreMemoryThanItTells(t *testing.T) {
	const k, columns, rows = 3, 4, 30000
	labels, b := make([]int32, rows), &feature.Batch{Rows: rows, Numeric: make([][]float64, columns)}
	names := make([]string, columns)
	for j := range names {
		names[j] = fmt.Sprint("x", j)
	}
	for i := range rows {
		labels[i] = int32(i % k)
		for j := range b.Numeric {
			b.Numeric[j] = append(b.Numeric[j], math.Ldexp(float64(1+i%997), i*(j+1)%1800-900)) // over all decades, so that every page is used
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p := NewProfile(k, names, nil)
	p.KeepSpreads()
	if err := p.Add(labels, b); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	took := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	if most := ProfileBytes(k, columns); took > most || took < 1<<20 {
		t.Errorf("it takes %d bytes, and was told to take %d at most", took, most)
	}
	runtime.KeepAlive(p)
}
