package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"unsafe"
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

// filterRooms are used for one filter after another, as threads use theirs.
var filterRooms = map[Tier]*FilterRoom{}

// checkFilter holds a filter against the panel that it filters for.
func checkFilter(t *testing.T, tier Tier, blocks, centroids []float32, n, k, d int, words bool, name string) *Filter {
	t.Helper()
	sample := NewSample(rowsOf(blocks, min(n, SampleRows), d), d, words)
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
	if filterRooms[tier] == nil {
		filterRooms[tier] = new(FilterRoom)
	}
	f.NearestSecond(blocks, best, second, index, filterRooms[tier])
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
				{32, 17000, 50}}...)
		}
		for _, s := range shapes {
			for _, kind := range scenarios {
				blocks := kind.values(r, s.n*s.d)
				centroids := kind.centroids(r, blocks, s.k, s.d)
				checkFilter(t, tier, blocks, centroids, s.n, s.k, s.d, (s.k+s.d)%2 == 0, kind.name)
			}
		}
	}
}

// A row that the first part of the centroids proves may be opened again by the next one, and the first one's is still in question.
func TestAPartThatProvesARowIsNotTheLastWord(t *testing.T) {
	const n, d, k = 32, 50, filterPart + 40
	r := rand.New(rand.NewPCG(4, 4))
	blocks := scenarios[0].values(r, n*d)
	centroids := make([]float32, k*d)
	for i := range centroids {
		centroids[i] = float32(30 + r.NormFloat64())
	}
	for i := range 20 { // rows 0 to 19 have a centroid in both parts
		copy(centroids[i*7*d:], rowsOf(blocks, n, d)[i*d:(i+1)*d])
		copy(centroids[(filterPart+i)*d:], centroids[i*7*d:][:d])
	}
	for _, tier := range filterTiers()[len(filterTiers())-1:] {
		checkFilter(t, tier, blocks, centroids, n, k, d, false, "two parts")
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
	}{{512, 60, 14, 0, 0, 0}, {512, 40, 48, 1000, 0, 0}, {512, 150, 50, 0, 0.6, 2.5}, {256, 100, 100, 1000, 0.7, 3}, {128, 100, 300, 0, 0.9, 6}} {
		blocks, centroids := mixtureOf(r, s.n, s.k, s.d, s.offset)
		f := checkFilter(t, tier, blocks, centroids, s.n, s.k, s.d, Words(s.k, s.d), "mixture")
		share := func(n *atomic.Int64) float64 { return float64(n.Load()) / float64(s.n) }
		if rows, work := f.Work(); rows != int64(s.n) || work <= 0 || work > 1 {
			t.Errorf("n=%d k=%d d=%d: work of %g for %d rows", s.n, s.k, s.d, work, rows)
		}
		if share(&f.doubtful) > s.doubtful || share(&f.paired) > s.paired || share(&f.open) > 0.03 {
			t.Errorf("n=%d k=%d d=%d: of a row %.2f doubtful, %.2f pairs, %.3f open; at most %.2f, %.2f, 0.03", s.n, s.k, s.d, share(&f.doubtful),
				share(&f.paired), share(&f.open), s.doubtful, s.paired)
		}
	}
}

// Own centroids are the nearest of those that stand still; all others challenge them.
func TestChallengersAreComparedAsByThePanel(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 5))
	challenged := 0
	for _, tier := range filterTiers() {
		for _, s := range []struct{ n, k, d, still int }{{32, 30, 5, 20}, {96, 80, 20, 60}, {64, 40, 70, 30}, {64, 400, 12, 100}, {32, 60, 300, 20}} {
			for _, kind := range scenarios {
				blocks := kind.values(r, s.n*s.d)
				centroids := kind.centroids(r, blocks, s.k, s.d)
				sample := NewSample(rowsOf(blocks, s.n, s.d), s.d, false)
				if sample == nil {
					continue
				}
				order := r.Perm(s.k)
				still, numbers := make([]int32, 0, s.k), make([]int32, 0, s.k)
				for i, j := range order {
					if i < s.still {
						still = append(still, int32(j))
					} else {
						numbers = append(numbers, int32(j))
					}
				}
				slices.Sort(still)
				slices.Sort(numbers)
				var standing, all Panel
				rows := make([]float32, 0, s.k*s.d)
				for _, j := range still {
					rows = append(rows, centroids[int(j)*s.d:(int(j)+1)*s.d]...)
				}
				tier.PackNumbered(&standing, rows, still, s.still, s.d)
				tier.Pack(&all, centroids, s.k, s.d)
				distances, own := make([]float32, s.n), make([]int32, s.n)
				standing.NearestSecond(blocks, distances, make([]float32, s.n), own)
				want, wantSecond, at := make([]float32, s.n), make([]float32, s.n), make([]int32, s.n)
				all.NearestSecond(blocks, want, wantSecond, at)
				f := tier.NewChallengers(sample.Grid(centroids), func() *Panel { return &all }, centroids, numbers, s.d)
				best, second, index := make([]float32, s.n), make([]float32, s.n), make([]int32, s.n)
				f.Challenge(blocks, own, best, second, index, new(FilterRoom))
				off := float64(s.d+8) * 0x1p-23
				for i := range s.n {
					if index[i] != at[i] {
						t.Fatalf("%s, %v, n=%d k=%d d=%d: row %d goes from %d to %d, want %d", kind.name, tier, s.n, s.k, s.d, i, own[i], index[i], at[i])
					}
					if index[i] == own[i] {
						continue
					}
					challenged++
					if float64(best[i])*(1+off)+1e-36 < float64(want[i]) || float64(second[i])*(1-off)-1e-36 > float64(wantSecond[i]) {
						t.Fatalf("%s, %v, n=%d k=%d d=%d: row %d is bounded by %g and %g, but has %g and %g", kind.name, tier, s.n, s.k, s.d, i, best[i],
							second[i], want[i], wantSecond[i])
					}
				}
			}
		}
	}
	if challenged < 500 {
		t.Errorf("%d rows got another centroid, which shows nothing", challenged)
	}
}

// Challengers that are all but equally near fill the list of a row to the last place, and one beyond.
func TestAsManyChallengersAsAListHolds(t *testing.T) {
	const n, d = 64, 64
	r := rand.New(rand.NewPCG(32, 5))
	for _, tier := range filterTiers() {
		for _, many := range []int{4, filterList - 1, filterList, filterList + 1} {
			k := 4000 // many enough that as many pairs are less than all distances
			blocks := make([]float32, n*d)
			for i := range blocks {
				blocks[i] = float32(0.01 * r.NormFloat64())
			}
			centroids, numbers := make([]float32, k*d), make([]int32, many)
			for i := range centroids {
				centroids[i] = float32(3 + r.NormFloat64())
			}
			for j := range many {
				numbers[j] = int32(j + 1)
				for t := range d {
					centroids[(j+1)*d+t] = float32(0.3 + 0.01*r.NormFloat64())
				}
			}
			own := make([]int32, n)
			for t := range d { // centroid 0 is everybody's, and nearest to some
				centroids[t] = float32(0.3 + 0.01*r.NormFloat64())
			}
			all := new(Panel)
			tier.Pack(all, centroids, k, d)
			want, at := make([]float32, n), make([]int32, n)
			all.NearestSecond(blocks, want, make([]float32, n), at)
			f := tier.NewChallengers(NewSample(rowsOf(blocks, n, d), d, false).Grid(centroids), func() *Panel { return all }, centroids, numbers, d)
			f.most = filterList
			best, second, index := make([]float32, n), make([]float32, n), make([]int32, n)
			f.Challenge(blocks, own, best, second, index, new(FilterRoom))
			if !slices.Equal(index, at) {
				t.Errorf("%v: %d challengers: rows go to %v, want %v", tier, many, index, at)
			}
		}
	}
}

func TestSumsOfWordsKeepWithinTheirBits(t *testing.T) {
	for d := 1; d <= FilterColumns; d++ {
		if w := wordMost(d); w < 1 || w > math.MaxInt16 || 4*float64(d)*w*w > 1<<30 || 1.5*float64(d)*w*w >= -noSum {
			t.Fatalf("d=%d: words of up to %g", d, w)
		}
	}
}

// filterPair is a filter with two rooms, for what assembly and plain Go make of the same rows.
type filterPair struct {
	t          *testing.T
	f          *Filter
	fast, slow *FilterRoom
	blocks     []float32
	n, k, d    int
}

func newFilterPair(t *testing.T, r *rand.Rand, grid *Grid, n, k, d int) *filterPair {
	grid.inverse, grid.shift = 4, make([]float32, d)
	for i := range grid.shift {
		grid.shift[i] = float32(grid.low) + float32(r.IntN(80)-140) // sometimes beyond the bytes
	}
	values := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.IntN(4000)-2000) / 64
		}
		return v
	}
	p := &filterPair{t: t, fast: new(FilterRoom), slow: new(FilterRoom), blocks: values(n * d), n: n, k: k, d: d}
	centroids, panel := values(k*d), new(Panel)
	Best().Pack(panel, centroids, k, d)
	p.f = Best().NewFilter(grid, func() *Panel { return panel }, centroids, k, d)
	for _, room := range []*FilterRoom{p.fast, p.slow} {
		room.room(p.f)
		for i := range room.best {
			room.best[i], room.second[i] = noSum, noSum
		}
	}
	return p
}

func (p *filterPair) same(what string, equal bool) {
	p.t.Helper()
	if !equal {
		p.t.Errorf("n=%d k=%d d=%d: %s differ", p.n, p.k, p.d, what)
	}
}

// integers compares what is made of rows, which lie size values of each row side by side.
func integers[T uint8 | int16](p *filterPair, fast, slow []T, size int) {
	p.t.Helper()
	for i := range p.n {
		for b := range p.d {
			at := b/size*size*filterUnit + size*i + b%size
			p.same(fmt.Sprintf("integers of row %d", i), fast[at] == slow[at])
		}
	}
	p.same("products", slices.Equal(p.fast.products[:p.n], p.slow.products[:p.n]))
	p.same("totals", slices.Equal(p.fast.totals[:p.n], p.slow.totals[:p.n]))
	p.same("residuals", slices.Equal(p.fast.residuals[:p.n], p.slow.residuals[:p.n]))
}

// largest compares the largest sums and what follows from them.
func (p *filterPair) largest() {
	p.t.Helper()
	n, fast, slow := p.n, p.fast, p.slow
	p.same("largest sums", slices.Equal(fast.best[:n], slow.best[:n]) && slices.Equal(fast.second[:n], slow.second[:n]) &&
		slices.Equal(fast.index[:n], slow.index[:n]))
	rows := ^uint64(0) >> (filterUnit - n)
	p.same("open rows", p.f.outcomes(fast)&rows == p.f.outcomesPortable(slow)&rows)
	for i := range n {
		// One fuses where the other rounds twice: off by little of large numbers.
		off := 4 + math.Abs(float64(slow.products[i]))*0x1p-17
		p.same("thresholds", math.Abs(float64(fast.thresholds[i])-float64(slow.thresholds[i])) <= off)
		p.same("bounds", near(fast.nearest[i], slow.nearest[i]) && near(fast.others[i], slow.others[i]) && near(fast.errors[i], slow.errors[i]))
	}
}

var filterShapes = []struct{ n, k, d int }{{32, 1, 1}, {64, 7, 2}, {64, 6, 3}, {32, 12, 4}, {64, 13, 5}, {64, 50, 31}, {64, 20, 64}, {32, 3, 100}}

// TestFilterAssemblyIsWhatGoDoes compares each function with the plain one, on values whose places on the grid are exact.
func TestFilterAssemblyIsWhatGoDoes(t *testing.T) {
	if !Best().Filters() {
		t.Skip("this processor does not multiply bytes (AVX512-VNNI)")
	}
	r := rand.New(rand.NewPCG(5, 9))
	for _, s := range filterShapes {
		p := newFilterPair(t, r, &Grid{high: 255}, s.n, s.k, s.d)
		f, fast, slow := p.f, p.fast, p.slow
		f.quantize(p.blocks, s.n/Lanes, fast)
		f.quantizePortable(p.blocks, s.n/Lanes, slow)
		integers(p, fast.bytes, slow.bytes, 4)
		copy(slow.bytes, fast.bytes) // rows that are not there
		f.products(0, s.k, fast)
		f.productsPortable(0, s.k, slow)
		p.same("sums", slices.Equal(fast.sums, slow.sums))
		f.twoLargest(0, s.k, fast)
		twoLargestPortable(0, s.k, slow)
		p.largest()
		slow.thresholds = fast.thresholds
		n, m := f.reached(0, s.k, fast), reachedPortable(0, s.k, slow)
		p.same("lines reached", n == m && slices.Equal(fast.numbers[:n], slow.numbers[:m]) && slices.Equal(fast.masks[:n], slow.masks[:m]))
		list := make([]int32, filterList)
		for i := range list {
			list[i] = int32(r.IntN(s.k))
		}
		for _, n := range []int{1, 3, 4, 9} {
			row := r.IntN(s.n)
			x := p.blocks[row/Lanes*Lanes*s.d+row%Lanes:]
			f.squares(x, list, n, fast)
			f.squaresPortable(x, list, n, slow)
			for i := range n {
				p.same("distances", near(fast.distances[i], slow.distances[i]))
			}
			f.defined(x, list, n, fast)
			f.definedPortable(x, list, n, slow)
			p.same("defined distances", slices.Equal(fast.distances[:n], slow.distances[:n]))
		}
	}
	for _, s := range filterShapes {
		p := newFilterPair(t, r, &Grid{low: -70, high: 70}, s.n, s.k, s.d)
		p.f.quantizeWords(p.blocks, s.n/Lanes, p.fast)
		p.f.quantizeWordsPortable(p.blocks, s.n/Lanes, p.slow)
		integers(p, p.fast.words, p.slow.words, 2)
		p.f.nearestWords(s.n, p.fast)
		p.f.nearestWordsPortable(s.n, p.slow)
		p.largest()
	}
}

func TestAFilterKeepsToItsMemory(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for _, s := range []struct{ k, d int }{{48, 8}, {100, 48}, {100, 49}, {2000, 50}, {17000, 60}, {50, 2000}} {
		blocks, centroids := mixtureOf(r, 64, s.k, s.d, 0)
		f := Best().NewFilter(NewSample(rowsOf(blocks, 64, s.d), s.d, s.k%3 == 0).Grid(centroids), nil, centroids, s.k, s.d)
		room := new(FilterRoom)
		room.room(f)
		took := int64(len(room.bytes)) + 2*int64(len(room.words)) + 4*int64(len(room.sums)+len(room.numbers)+len(room.lists)+len(room.x)) +
			8*int64(len(room.masks)) + 4*defineRows*int64(s.d) + int64(unsafe.Sizeof(*room))
		if most := FilterRoomBytes(s.k, s.d); took > most || took < most/16 {
			t.Errorf("k=%d d=%d: a room of %d bytes, told are %d", s.k, s.d, took, most)
		}
		if took, most := int64(len(f.bytes))+2*int64(len(f.words)), FilterBytes(s.k, s.d); took > most {
			t.Errorf("k=%d d=%d: a filter of %d bytes, told are %d", s.k, s.d, took, most)
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
	for _, s := range []struct{ n, k, d int }{{2048, 20, 16}, {2048, 64, 8}, {2048, 50, 10}, {2048, 48, 32}, {2048, 127, 14}, {2047, 127, 14}, {2048, 48, 50}, {2048, 120, 50}, {2048, 200, 50}, {2048, 64, 100}, {2048, 100, 100}, {2048, 500, 100}, {1024, 60, 200}, {1024, 100, 200}, {512, 2000, 768}} {
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
		f := tier.NewFilter(NewSample(rowsOf(blocks, SampleRows, s.d), s.d, Words(s.k, s.d)).Grid(centroids), func() *Panel { return panel }, centroids, s.k, s.d)
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
