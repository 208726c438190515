package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
)

// filterTiers are the tiers whose panels a filter is tried with: the portable functions, and the assembly where there is any.
func filterTiers() []Tier {
	tiers := []Tier{Portable}
	if Best().Filters() {
		tiers = append(tiers, Best())
	}
	return tiers
}

// rowsOf are the points of blocks, row by row.
func rowsOf(blocks []float32, n, d int) []float32 {
	rows := make([]float32, 0, n*d)
	for i := range n {
		for t := range d {
			rows = append(rows, pointAt(blocks, d, i, t))
		}
	}
	return rows
}

// checkFilter holds a filter against the panel that it filters for.
func checkFilter(t *testing.T, tier Tier, blocks, centroids []float32, n, k, d int, name string) *Filter {
	t.Helper()
	sample := NewSample(rowsOf(blocks, min(n, SampleRows), d), d)
	if sample == nil {
		return nil
	}
	grid := sample.Grid(centroids)
	panel := new(Panel)
	tier.Pack(panel, centroids, k, d)
	f := tier.NewFilter(grid, func() *Panel { return panel }, centroids, k, d)
	want, wantSecond, at, other := make([]float32, n), make([]float32, n), make([]int32, n), make([]int32, n)
	panel.TwoNearest(blocks, want, wantSecond, at, other)
	allBest, best := guarded[float32](n, -1)
	allSecond, second := guarded[float32](n, -1)
	allIndex, index := guarded[int32](n, -1)
	f.NearestSecond(blocks, best, second, index, new(FilterRoom))
	if !intact(allBest, -1) || !intact(allSecond, -1) || !intact(allIndex, -1) {
		t.Fatalf("%s, %v, n=%d k=%d d=%d: written outside", name, tier, n, k, d)
	}
	off := float64(d+8) * 0x1p-23
	for i := range n {
		if index[i] != at[i] {
			t.Fatalf("%s, %v, n=%d k=%d d=%d: row %d goes to %d (bounds %g, %g), the panel says %d (%g, then %d at %g)", name, tier, n, k, d,
				i, index[i], best[i], second[i], at[i], want[i], other[i], wantSecond[i])
		}
		if float64(best[i])*(1+off)+1e-36 < float64(want[i]) || float64(second[i])*(1-off)-1e-36 > float64(wantSecond[i]) {
			t.Fatalf("%s, %v, n=%d k=%d d=%d: row %d is bounded by %g and %g, but has %g and %g", name, tier, n, k, d, i, best[i], second[i],
				want[i], wantSecond[i])
		}
	}
	return f
}

func TestAFilterFindsWhatThePanelFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 5))
	for _, tier := range filterTiers() {
		shapes := []struct{ n, k, d int }{{32, 1, 1}, {64, 2, 3}, {96, 5, 4}, {32, 6, 5}, {64, 7, 8}, {128, 13, 15}, {160, 12, 16}, {64, 40, 17},
			{96, 100, 33}, {64, 127, 14}, {64, 50, 70}, {32, 30, 130}, {32, 20, 257}, {64, 300, 5}}
		if tier != Portable {
			shapes = append(shapes, []struct{ n, k, d int }{{512, 500, 100}, {64, 200, 768}, {64, 30, 1025}, {32, 5, FilterColumns}, {256, 4200, 6},
				{64, 9000, 3}}...)
		}
		for _, s := range shapes {
			for _, kind := range scenarios {
				blocks := kind.values(r, s.n*s.d)
				centroids := kind.centroids(r, blocks, s.k, s.d)
				checkFilter(t, tier, blocks, centroids, s.n, s.k, s.d, kind.name)
			}
		}
	}
}

// mixtureOf draws rows around k of 2k centres, as fits have them, and k rows as centroids.
func mixtureOf(r *rand.Rand, n, k, d int, offset float64) (blocks, centroids []float32) {
	centres := make([]float64, 2*k*d)
	for i := range centres {
		centres[i] = 2 * r.NormFloat64()
	}
	draw := func(set func(t int, v float32)) {
		c := centres[r.IntN(2*k)*d:]
		for t := range d {
			set(t, float32(offset+c[t]+r.NormFloat64()))
		}
	}
	blocks = make([]float32, (n+pairPoints-1)/pairPoints*pairPoints*d)
	for i := range n {
		draw(func(t int, v float32) { blocks[((i/Lanes)*d+t)*Lanes+i%Lanes] = v })
	}
	for range k {
		draw(func(_ int, v float32) { centroids = append(centroids, v) })
	}
	return blocks, centroids
}

func TestAFilterLeavesLittleOpen(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	tier := filterTiers()[len(filterTiers())-1]
	for _, s := range []struct {
		n, k, d          int
		offset           float64
		doubtful, paired float64 // at most, a row
	}{{512, 60, 14, 0, 0.5, 1.5}, {512, 100, 50, 0, 0.6, 2.5}, {256, 100, 100, 1000, 0.7, 3}, {128, 100, 300, 0, 0.9, 6}} {
		blocks, centroids := mixtureOf(r, s.n, s.k, s.d, s.offset)
		f := checkFilter(t, tier, blocks, centroids, s.n, s.k, s.d, "mixture")
		share := func(n *atomic.Int64) float64 { return float64(n.Load()) / float64(s.n) }
		if rows, work := f.Work(); rows != int64(s.n) || work <= 0 {
			t.Errorf("n=%d k=%d d=%d: work of %g for %d rows", s.n, s.k, s.d, work, rows)
		}
		if share(&f.doubtful) > s.doubtful || share(&f.paired) > s.paired || share(&f.open) > 0.01 {
			t.Errorf("n=%d k=%d d=%d: of a row %.2f doubtful, %.2f pairs, %.3f open; at most %.2f, %.2f, 0.01", s.n, s.k, s.d, share(&f.doubtful),
				share(&f.paired), share(&f.open), s.doubtful, s.paired)
		}
	}
}

// TestFilterAssemblyIsWhatGoDoes compares each function with the plain one, on values that bytes are exact of, and not.
func TestFilterAssemblyIsWhatGoDoes(t *testing.T) {
	if !Best().Filters() {
		t.Skip("this processor does not multiply bytes (AVX512-VNNI)")
	}
	r := rand.New(rand.NewPCG(5, 9))
	for _, s := range []struct{ n, k, d int }{{32, 1, 1}, {64, 7, 2}, {64, 6, 3}, {32, 12, 4}, {64, 13, 5}, {64, 50, 31}, {64, 20, 64}, {32, 3, 100}} {
		grid := &Grid{inverse: 4, shift: make([]float32, s.d)}
		for t := range grid.shift {
			grid.shift[t] = float32(r.IntN(80) - 140)
		}
		values := func(n int) []float32 { // sometimes beyond the bytes
			v := make([]float32, n)
			for i := range v {
				v[i] = float32(r.IntN(4000)-2000) / 64
			}
			return v
		}
		blocks, centroids := values(s.n*s.d), values(s.k*s.d)
		panel := new(Panel)
		Best().Pack(panel, centroids, s.k, s.d)
		f := Best().NewFilter(grid, func() *Panel { return panel }, centroids, s.k, s.d)
		fast, slow := new(FilterRoom), new(FilterRoom)
		fast.room(f)
		slow.room(f)
		f.quantize(blocks, s.n/Lanes, fast)
		f.quantizePortable(blocks, s.n/Lanes, slow)
		same := func(what string, equal bool) {
			t.Helper()
			if !equal {
				t.Errorf("n=%d k=%d d=%d: %s differ", s.n, s.k, s.d, what)
			}
		}
		for i := range s.n {
			for b := range s.d {
				at := b/4*4*filterUnit + 4*i + b%4
				same(fmt.Sprintf("bytes of row %d", i), fast.bytes[at] == slow.bytes[at])
			}
		}
		same("products", slices.Equal(fast.products[:s.n], slow.products[:s.n]))
		same("totals", slices.Equal(fast.totals[:s.n], slow.totals[:s.n]))
		same("residuals", slices.Equal(fast.residuals[:s.n], slow.residuals[:s.n]))
		copy(slow.bytes, fast.bytes) // rows that are not there
		f.products(0, s.k, fast)
		f.productsPortable(0, s.k, slow)
		same("sums", slices.Equal(fast.sums, slow.sums))
		for i := range fast.best {
			fast.best[i], fast.second[i], slow.best[i], slow.second[i] = noSum, noSum, noSum, noSum
		}
		f.twoLargest(0, s.k, fast)
		twoLargestPortable(0, s.k, slow)
		same("largest sums", fast.best == slow.best && fast.second == slow.second && fast.index == slow.index)
		a, b := f.outcomes(fast), f.outcomesPortable(slow)
		same("open rows", a == b)
		for i := range s.n {
			// One fuses where the other rounds twice: at most an ulp of the difference of large numbers.
			same("thresholds", math.Abs(float64(fast.thresholds[i])-float64(slow.thresholds[i])) <= 2)
			same("bounds", near(fast.nearest[i], slow.nearest[i]) && near(fast.others[i], slow.others[i]))
		}
		slow.thresholds = fast.thresholds
		n, m := f.reached(0, s.k, fast), reachedPortable(0, s.k, slow)
		same("lines reached", n == m && slices.Equal(fast.numbers[:n], slow.numbers[:m]) && slices.Equal(fast.masks[:n], slow.masks[:m]))
		list := make([]int32, filterList)
		for i := range list {
			list[i] = int32(r.IntN(s.k))
		}
		for _, n := range []int{1, 3, 4, 9} {
			row := r.IntN(s.n)
			x := blocks[row/Lanes*Lanes*s.d+row%Lanes:]
			f.squares(x, list, n, fast)
			f.squaresPortable(x, list, n, slow)
			for i := range n {
				same("distances", near(fast.distances[i], slow.distances[i]))
			}
			f.defined(x, list, n, fast)
			f.definedPortable(x, list, n, slow)
			same("defined distances", slices.Equal(fast.distances[:n], slow.distances[:n]))
		}
	}
}

func near(a, b float32) bool {
	return a == b || math.Abs(float64(a)-float64(b)) <= 1e-5*math.Max(math.Abs(float64(a)), math.Abs(float64(b)))+1e-3
}

func BenchmarkFilter(b *testing.B) {
	tier := Best()
	if !tier.Filters() {
		b.Skip("this processor does not multiply bytes (AVX512-VNNI)")
	}
	for _, s := range []struct{ n, k, d int }{{2048, 20, 16}, {2048, 127, 14}, {2047, 127, 14}, {2048, 200, 50}, {2048, 500, 100}, {512, 2000, 768}} {
		r := rand.New(rand.NewPCG(1, 2))
		blocks, centroids := mixtureOf(r, s.n, s.k, s.d, 0)
		if s.n++; s.n%2 == 0 { // uniform
			for i := range blocks {
				blocks[i] = r.Float32()
			}
			for i := range centroids {
				centroids[i] = 0.5 + 0.4*(r.Float32()-0.5)
			}
		} else {
			s.n--
		}
		panel := new(Panel)
		tier.Pack(panel, centroids, s.k, s.d)
		f := tier.NewFilter(NewSample(rowsOf(blocks, SampleRows, s.d), s.d).Grid(centroids), func() *Panel { return panel }, centroids, s.k, s.d)
		best, second, index, room := make([]float32, s.n), make([]float32, s.n), make([]int32, s.n), new(FilterRoom)
		b.Run(fmt.Sprintf("filter/d=%d/k=%d", s.d, s.k), func(b *testing.B) {
			measure(b, tier, s.n, s.k*s.d, func() { f.NearestSecond(blocks, best, second, index, room) })
			_, share := f.Work()
			b.ReportMetric(share, "work")
			b.ReportMetric(float64(f.paired.Load())/float64(f.looked.Load()), "pairs")
			b.ReportMetric(float64(f.doubtful.Load())/float64(f.looked.Load()), "doubtful")
			b.ReportMetric(float64(f.open.Load())/float64(f.looked.Load()), "open")
		})
		b.Run(fmt.Sprintf("panel/d=%d/k=%d", s.d, s.k), func(b *testing.B) {
			measure(b, tier, s.n, s.k*s.d, func() { panel.NearestSecond(blocks, best, second, index) })
		})
	}
}
