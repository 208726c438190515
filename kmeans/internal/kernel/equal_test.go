package kernel

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// only restricts the comparisons to one tier and makes its absence a failure, for machines and emulators
// where it must not be skipped in silence.
var only = flag.String("tier", "", "compare only this kernel tier, which must be available")

// vectorTiers are the tiers that can be compared with the portable one here.
func vectorTiers(t *testing.T) []Tier {
	t.Helper()
	if *only != "" {
		tier, err := Parse(*only)
		if err != nil {
			t.Fatal(err)
		}
		return []Tier{tier}
	}
	tiers := available[:len(available)-1]
	if len(tiers) == 0 {
		t.Skip("this machine has the portable tier only")
	}
	return tiers
}

// dimensions and sizes have every group size, each remainder, both sides of every limit in a tier's shape
// and of its tiles, and parts that end within and between the two group sizes.
var (
	dimensions = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 17, 18, 31, 32, 33, 50, 63, 64, 65, 70,
		127, 128, 129, 191, 192, 193, 255, 256, 257, 383, 384, 385, 768}
	sizes = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 19, 20, 21, 23, 24, 25, 29, 31, 32, 33, 39, 40, 41}
)

func TestTiersAgreeAtEveryShape(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 3))
	for _, tier := range vectorTiers(t) {
		for i, d := range dimensions {
			for j, k := range sizes {
				// Up to d = 10, every piece of assembly is met; beyond, tiles and ends of loops.
				if d > 70 && (i+j)%8 != 0 || testing.Short() && d > 10 && (i+j)%16 != 0 {
					continue
				}
				s := scenarios[r.IntN(len(scenarios))]
				compareTiers(t, r, tier, s, pairPoints, k, d)
			}
		}
	}
}

func TestTiersAgreeOnAdversarialData(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 4))
	rounds := 30
	if testing.Short() {
		rounds = 2
	}
	for _, tier := range vectorTiers(t) {
		for _, s := range scenarios {
			t.Run(fmt.Sprintf("%v/%s", tier, s.name), func(t *testing.T) {
				for range rounds {
					compareTiers(t, r, tier, s, pairPoints*(1+r.IntN(4)), 1+r.IntN(40), 1+r.IntN(70))
				}
			})
		}
	}
}

func TestTiersAgreeOverSeveralParts(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 5))
	shapes := [][2]int{{768, 130}, {300, 333}, {1000, 61}, {100, 1201}, {8, 7001}, {5000, 12}, {60000, 3}}
	if testing.Short() {
		shapes = [][2]int{{768, 130}, {100, 490}}
	}
	for _, tier := range vectorTiers(t) {
		for _, shape := range shapes {
			compareTiers(t, r, tier, scenarios[0], pairPoints, shape[1], shape[0])
		}
	}
}

// compareTiers runs every entry point on one data set in tier and in the portable tier.
func compareTiers(t *testing.T, r *rand.Rand, tier Tier, s scenario, n, k, d int) {
	t.Helper()
	blocks := s.values(r, n*d)
	centroids := s.centroids(r, blocks, k, d)
	where := fmt.Sprintf("%v, %s, n=%d k=%d d=%d", tier, s.name, n, k, d)
	got, want := everything(t, tier, blocks, centroids, n, k, d), everything(t, Portable, blocks, centroids, n, k, d)
	for name, w := range want {
		if diff := cmp.Diff(w, got[name]); diff != "" {
			t.Fatalf("%s: %s (-portable +%v)\n%s", where, name, tier, diff)
		}
	}
}

// everything returns what each entry point says.
func everything(t *testing.T, tier Tier, blocks, centroids []float32, n, k, d int) map[string]answers {
	t.Helper()
	const base = 100
	all := map[string]answers{}
	var p, q Panel
	tier.Pack(&p, centroids, k, d)
	g := newGuarded(n)
	p.Nearest(blocks, g.Best, g.Index, base, true)
	all["fresh"] = g.result(t)

	// The same in two panels, the later centroids second, then all again, which must change nothing.
	cut := (k + 1) / 2
	tier.Pack(&q, centroids, cut, d)
	q.Nearest(blocks, g.Best, g.Index, base, true)
	if cut < k {
		tier.Pack(&q, centroids[cut*d:], k-cut, d)
		q.Nearest(blocks, g.Best, g.Index, base+int32(cut), false)
	}
	p.Nearest(blocks, g.Best, g.Index, 9000, false)
	all["incremental"] = g.result(t)
	if diff := cmp.Diff(all["fresh"], all["incremental"]); diff != "" {
		t.Fatalf("%v, k=%d d=%d: in pieces (-whole +pieces)\n%s", tier, k, d, diff)
	}
	p.TwoNearest(blocks, g.Best, g.Second, g.Index, g.SecondIndex)
	all["two"] = g.result(t)
	two := all["two"]
	p.NearestSecond(blocks, g.Best, g.Second, g.Index)
	all["second"] = g.result(t)
	if diff := cmp.Diff(answers{two.Best, two.Second, two.Index, nil}, answers{g.Best, g.Second, g.Index, nil}); diff != "" {
		t.Fatalf("%v, k=%d d=%d: with the second distance (-TwoNearest +NearestSecond)\n%s", tier, k, d, diff)
	}
	numbers := make([]int32, k)
	for j := range numbers {
		numbers[j] = int32(3 * j)
	}
	tier.PackNumbered(&q, centroids, numbers, k, d)
	q.NearestSecond(blocks, g.Best, g.Second, g.Index)
	for i, j := range two.Index {
		if g.Index[i] != 3*j || g.Second[i] != two.Second[i] {
			t.Fatalf("%v, k=%d d=%d: point %d has centroid %d and second distance %v, want %d and %v", tier, k, d, i, g.Index[i], g.Second[i], 3*j, two.Second[i])
		}
	}
	labels := make([]uint16, n)
	for i, j := range two.Index {
		labels[i] = uint16(j)
	}
	var own Own
	tier.PackOwn(&own, centroids, k, d)
	own.Distances(blocks, labels, g.Best)
	all["own"] = answers{Best: g.result(t).Best}
	for i, b := range two.Best {
		if g.Best[i] != b && !(math.IsInf(float64(b), 1) && math.IsInf(float64(g.Best[i]), 1)) {
			t.Fatalf("%v, k=%d d=%d: point %d is %v from its own centroid, want %v", tier, k, d, i, g.Best[i], b)
		}
	}
	all["movers"] = movers(t, &p, blocks, labels, g)
	for j := range min(k, 3) {
		Distances(tier, blocks, centroids[j*d:(j+1)*d], g.Best)
		all[fmt.Sprint("distances from ", j)] = answers{Best: g.result(t).Best}
	}
	return all
}

// movers asks for the points that move away from labels, of which some are right, as all of right are.
func movers(t *testing.T, p *Panel, blocks []float32, right []uint16, g *guardedAnswers) answers {
	t.Helper()
	labels, index, want := slices.Clone(right), make([]int32, len(right)), []int32(nil)
	for i := range labels {
		index[i] = int32(right[i])
		if labels[i] = right[i] + uint16(i*i%3); labels[i] != right[i] { // also labels that are no number of a centroid
			want = append(want, int32(i))
		}
	}
	n := len(labels)
	all, rows := guarded[int32](n+ListPad, 77)
	masks := make([]uint16, n/Lanes)
	kept := slices.Clone(labels)
	for i := range g.Index {
		g.Index[i] = -5
	}
	found := p.Movers(blocks, g.Best, g.Index, labels, masks, rows)
	after := g.result(t)
	if !slices.Equal(after.Index, index) || !slices.Equal(labels, kept) || !intact(all, 77) || !slices.Equal(rows[:found], want) {
		t.Fatalf("%v, k=%d d=%d: movers %v, want %v; index %v, want %v", p.Tier(), p.K(), p.D(), rows[:found], want, after.Index, index)
	}
	return answers{Index: rows[:found]}
}

// guardedAnswers are results with guard values around them.
type guardedAnswers struct {
	answers
	floats [2][]float32
	ints   [2][]int32
}

func newGuarded(n int) *guardedAnswers {
	var g guardedAnswers
	g.floats[0], g.Best = guarded[float32](n, 7.5)
	g.floats[1], g.Second = guarded[float32](n, 7.5)
	g.ints[0], g.Index = guarded[int32](n, 77)
	g.ints[1], g.SecondIndex = guarded[int32](n, 77)
	return &g
}

// result is a copy of the results so far.
func (g *guardedAnswers) result(t *testing.T) answers {
	t.Helper()
	if !intact(g.floats[0], 7.5) || !intact(g.floats[1], 7.5) || !intact(g.ints[0], 77) || !intact(g.ints[1], 77) {
		t.Fatal("values around the results were overwritten")
	}
	return answers{slices.Clone(g.Best), slices.Clone(g.Second), slices.Clone(g.Index), slices.Clone(g.SecondIndex)}
}

func TestChangedMarksExactlyTheDifferingPoints(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 6))
	for _, tier := range available {
		for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 33, 160, 1000} {
			labels, index := make([]uint16, n), make([]int32, n)
			blocks := (n+Lanes-1)/Lanes + 1 // one more mask than blocks
			want, count := make([]uint16, blocks), 0
			for i := range n {
				labels[i] = uint16(r.Uint32())
				index[i] = int32(labels[i])
				if r.IntN(3) == 0 {
					index[i] ^= 1 << r.IntN(17)
					want[i/Lanes] |= 1 << (i % Lanes)
					count++
				}
			}
			all, masks := guarded[uint16](blocks, 0xaaaa)
			before := slices.Clone(labels)
			if got := Changed(tier, labels, index, n, masks); got != count {
				t.Errorf("%v, n=%d: %d changed, want %d", tier, n, got, count)
			}
			if !slices.Equal(masks, want) || !intact(all, 0xaaaa) || !slices.Equal(labels, before) {
				t.Errorf("%v, n=%d: masks %x, want %x", tier, n, masks, want)
			}
		}
	}
}

func TestLabelNarrowsEveryIndex(t *testing.T) {
	for _, tier := range available {
		for n := range 70 {
			index, want := make([]int32, n), make([]uint16, n)
			for i := range index {
				index[i] = int32(65535 - 13*i)
				want[i] = uint16(index[i])
			}
			all, labels := guarded[uint16](n, 0xaaaa)
			if Label(tier, index, labels); !slices.Equal(labels, want) || !intact(all, 0xaaaa) {
				t.Fatalf("%v, n=%d: got %v, want %v", tier, n, labels, want)
			}
		}
	}
}

func TestPackReusesMemoryAcrossShapesAndTiers(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var p Panel
	for range 40 {
		d, k := 1+r.IntN(20), 1+r.IntN(30)
		blocks := scenarios[0].values(r, pairPoints*d)
		centroids := scenarios[0].values(r, k*d)
		var fresh Panel
		Portable.Pack(&fresh, centroids, k, d)
		want, got := newGuarded(pairPoints), newGuarded(pairPoints)
		fresh.Nearest(blocks, want.Best, want.Index, 0, true)
		tier := available[r.IntN(len(available))]
		tier.Pack(&p, centroids, k, d)
		if p.K() != k || p.D() != d || p.Tier() != tier {
			t.Fatalf("panel is %v %d×%d, want %v %d×%d", p.Tier(), p.K(), p.D(), tier, k, d)
		}
		p.Nearest(blocks, got.Best, got.Index, 0, true)
		if diff := cmp.Diff(want.result(t), got.result(t)); diff != "" {
			t.Fatalf("%v, k=%d d=%d (-new panel +reused)\n%s", tier, k, d, diff)
		}
	}
}

func TestPackDoesNotAllocateTwice(t *testing.T) {
	centroids := make([]float32, 40*30)
	for _, tier := range available {
		var p Panel
		tier.Pack(&p, centroids, 40, 30)
		if got := testing.AllocsPerRun(10, func() { tier.Pack(&p, centroids, 40, 30) }); got != 0 {
			t.Errorf("%v: %v allocations in a second Pack, want 0", tier, got)
		}
	}
}

func TestNearestDoesNotAllocate(t *testing.T) {
	for _, tier := range available {
		for _, d := range []int{4, 30, 800} {
			blocks, centroids := make([]float32, pairPoints*d), make([]float32, 20*d)
			var p Panel
			tier.Pack(&p, centroids, 20, d)
			g := newGuarded(pairPoints)
			got := testing.AllocsPerRun(10, func() {
				p.Nearest(blocks, g.Best, g.Index, 0, true)
				p.TwoNearest(blocks, g.Best, g.Second, g.Index, g.SecondIndex)
			})
			if got != 0 {
				t.Errorf("%v, d=%d: %v allocations, want 0", tier, d, got)
			}
		}
	}
}

func TestWrongShapesPanicBeforeAnythingIsWritten(t *testing.T) {
	var p Panel
	Best().Pack(&p, make([]float32, 6), 2, 3)
	best, index := make([]float32, pairPoints), make([]int32, pairPoints)
	blocks := make([]float32, 3*pairPoints)
	masks := make([]uint16, 1)
	calls := map[string]func(){
		"centroids short":       func() { Best().Pack(&Panel{}, make([]float32, 5), 2, 3) },
		"no centroids":          func() { Best().Pack(&Panel{}, nil, 0, 3) },
		"empty panel":           func() { new(Panel).Nearest(blocks, best, index, 0, true) },
		"blocks short":          func() { p.Nearest(blocks[1:], best, index, 0, true) },
		"index short":           func() { p.Nearest(blocks, best, index[1:], 0, true) },
		"not a pair of blocks":  func() { p.Nearest(blocks, best[:Lanes], index, 0, true) },
		"second short":          func() { p.TwoNearest(blocks, best, best[1:], index, index) },
		"distances of a block":  func() { Distances(Best(), blocks, blocks[:3], best[:Lanes]) },
		"distances from blocks": func() { Distances(Best(), blocks[1:], blocks[:3], best) },
		"labels short":          func() { Changed(Best(), make([]uint16, 15), index, 16, masks) },
		"masks short":           func() { Changed(Best(), make([]uint16, 32), index, 17, masks) },
		"no room for second":    func() { p.NearestSecond(blocks, best, best[1:], index) },
		"numbers missing":       func() { Best().PackNumbered(&Panel{}, make([]float32, 6), []int32{1}, 2, 3) },
		"own centroids short":   func() { Best().PackOwn(new(Own), make([]float32, 5), 2, 3) },
		"slack short":           func() { NewThresholds(2).Survivors(Best(), make([]uint16, 16), best[:15], masks) },
		"margins of half":       func() { NewThresholds(2).Margins(Best(), best[:8], best, index, 1, 1, best) },
		"no room to compact":    func() { Compact(Best(), blocks, 3, []uint16{0xffff}, make([]float32, 47)) },
		"add to no cluster":     func() { newLedger(2, 3).Add(Best(), blocks, []int32{15: 2}) },
		"add to less than none": func() { newLedger(2, 3).Add(Best(), blocks, []int32{15: -1}) },
		"no pad to spread":      func() { Spread(Best(), []uint16{1}, index[:16], best, make([]uint16, 16), best, index, masks) },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}
