package kmeans

import (
	"math"
	"math/bits"

	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// compactFloats bounds the rows that are brought together at a time: with their copy they stay in the second-level cache.
const compactFloats = 1 << 17

// compactRows is that bound in rows, whole pairs of blocks, and at least what keeps the kernel busy.
func compactRows(d int) int {
	const pair = kernel.Lanes * kernel.BlockPair
	return min(SpanRows, max(4*pair, compactFloats/d/pair*pair))
}

// survivors is one thread's room for rows that were brought together.
type survivors struct {
	values   []float32 // in the layout of Points
	again    []float32 // some of them
	best     []float32
	second   []float32
	index    []int32
	margin   []float32
	labels   []uint16
	rows     []int32 // where they lie: row numbers from the first block on
	picked   []int32 // which of them a class consists of
	class    []uint8
	masks    []uint16
	columns  int
	capacity int
}

// room makes room for compactRows of d columns.
func (v *survivors) room(d int) {
	if v.columns == d {
		return
	}
	n := compactRows(d)
	v.columns, v.capacity = d, n
	v.values, v.again = make([]float32, n*d), nil
	if v.best == nil {
		v.best, v.second, v.margin = make([]float32, SpanRows), make([]float32, SpanRows), make([]float32, SpanRows+kernel.SpreadPad)
		v.index = make([]int32, SpanRows+kernel.SpreadPad)
		v.labels, v.class = make([]uint16, SpanRows), make([]uint8, SpanRows)
		v.rows, v.picked, v.masks = make([]int32, SpanRows+kernel.ListPad), make([]int32, 0, SpanRows), make([]uint16, SpanRows/kernel.Lanes)
	}
}

// prune computes the rows of a span whose bounds do not prove their labels.
func (p *Pass) prune(pts *Points, lo, hi int, t *Track, acc *Accumulator, s *Scratch) {
	n := hi - lo
	blocks := (n + kernel.Lanes - 1) / kernel.Lanes
	masks := s.masks[:blocks]
	count := p.tracker.past[0].Survivors(p.tier, t.Labels[lo:hi], t.slack[lo:hi], masks)
	if count == 0 {
		return
	}
	still := s.still[:0]
	if p.challengers(pts) != nil {
		still = s.still[:blocks]
		count = p.apart(t.Labels[lo:hi], masks, still)
	}
	if 8*count >= p.tracker.chooser.dense*n && (p.kind == Hamerly || p.recent[0] == nil && p.active[0] == nil) {
		p.full(pts, lo, hi, t, acc, s)
		return
	}
	p.portions(pts, lo, masks, s, func(lo int, rows int, masks []uint16) {
		if p.kind == Hamerly {
			p.pruneHamerly(pts, lo, min(lo+len(masks)*kernel.Lanes, hi), rows, t, acc, s, masks)
		} else {
			p.pruneActivity(pts, lo, rows, t, acc, s)
		}
	})
	p.portions(pts, lo, still, s, func(lo int, rows int, _ []uint16) { p.challenge(pts, lo, rows, t, acc, s) })
}

// portions brings together as many marked rows at a time as there is room for, those of whole blocks from row lo on, and has
// them done.
func (p *Pass) portions(pts *Points, lo int, masks []uint16, s *Scratch, do func(lo, rows int, masks []uint16)) {
	v := &s.survivors
	v.room(p.d)
	for from := 0; from < len(masks); {
		to, rows := from, 0
		for to < len(masks) && rows+bits.OnesCount16(masks[to]) <= v.capacity {
			rows += bits.OnesCount16(masks[to])
			to++
		}
		if rows > 0 {
			p.gather(pts, lo+from*kernel.Lanes, rows, masks[from:to], v)
			do(lo+from*kernel.Lanes, rows, masks[from:to])
		}
		from = to
	}
}

// apart takes the rows whose own centroid stands still out of masks, to still, and counts those that are left.
func (p *Pass) apart(labels []uint16, masks, still []uint16) int {
	moves := p.sieve.moves
	count := 0
	for b, mask := range masks {
		still[b] = 0
		for m := mask; m != 0; m &= m - 1 {
			if i := bits.TrailingZeros16(m); !moves[labels[b*kernel.Lanes+i]] {
				still[b] |= 1 << i
			}
		}
		masks[b] = mask &^ still[b]
		count += bits.OnesCount16(masks[b])
	}
	return count
}

// challenge compares rows that were brought together, whose own centroids stand still, with those that have moved: no other
// was nearer before, and so none is now. Their margins stay used up, but of rows that get another label.
func (p *Pass) challenge(pts *Points, lo, rows int, t *Track, acc *Accumulator, s *Scratch) {
	v, padded := &s.survivors, paired(rows)
	own := s.secondIndex[:padded]
	clear(own[rows:])
	for c, r := range v.rows[:rows] {
		own[c] = int32(t.Labels[lo+int(r)])
	}
	p.work.Add(int64(rows) * int64(len(p.sieve.numbers)))
	p.sieve.few.Challenge(v.values[:padded*p.d], own, v.best[:padded], v.second[:padded], v.index[:padded], &s.filter)
	if poor(p.sieve.few) {
		p.sieve.gaveUp.Store(true)
	}
	th, r := p.tracker.past[0], p.tracker.rounding
	for c, row := range v.rows[:rows] {
		if to := int(v.index[c]); to != int(own[c]) {
			i := lo + int(row)
			p.moveTo(pts, i, to, t, acc)
			t.slack[i] = th.Margin(v.best[c], v.second[c], to, r.down, r.up)
		}
	}
}

// sparse says that rows among n are so few that those between them are better left in memory. Otherwise all are read in
// order, which memory likes.
func sparse(rows, n int) bool { return rows*40 < n }

// gather lists the marked rows of the blocks from row lo on, and brings them together.
func (p *Pass) gather(pts *Points, lo, rows int, masks []uint16, v *survivors) {
	kernel.List(p.tier, masks, v.rows)
	values := pts.blocks[lo*p.d:]
	if !sparse(rows, len(masks)*kernel.Lanes) {
		kernel.Compact(p.tier, values, p.d, masks, v.values)
		return
	}
	whole := (rows + kernel.Lanes - 1) / kernel.Lanes * kernel.Lanes
	for i := rows; i < whole; i++ {
		v.rows[i] = v.rows[0]
	}
	kernel.Fetch(p.tier, values, p.d, v.rows[:rows])
	kernel.Gather(p.tier, values, p.d, v.rows[:whole], v.values)
}

// paired is n rounded up to what a kernel call takes.
func paired(n int) int {
	const pair = kernel.Lanes * kernel.BlockPair
	return (n + pair - 1) / pair * pair
}

// pruneHamerly computes the rows that were brought together from the blocks of rows [lo,hi) and puts the results back.
func (p *Pass) pruneHamerly(pts *Points, lo, hi, rows int, t *Track, acc *Accumulator, s *Scratch, masks []uint16) {
	v, padded := &s.survivors, paired(rows)
	p.work.Add(int64(rows) * int64(p.k))
	p.twoNearest(p.sifter(pts), v.values[:padded*p.d], v.best[:padded], v.second[:padded], v.index[:padded], s)
	p.tracker.past[0].Margins(p.tier, v.best[:padded], v.second[:padded], v.index[:padded], p.tracker.rounding.down, p.tracker.rounding.up,
		v.margin[:padded])
	whole := len(masks) * kernel.Lanes
	if kernel.Spread(p.tier, masks, v.index, v.margin, t.Labels[lo:hi:lo+whole], t.slack[lo:], s.index[:], v.masks[:len(masks)]) == 0 {
		return
	}
	n := kernel.List(p.tier, v.masks[:len(masks)], v.rows)
	acc.moveRows(p.tier, pts, lo, v.rows[:n], t.Labels[lo:hi], s.index[:])
}

// moveTo gives row i the label to.
func (p *Pass) moveTo(pts *Points, i, to int, t *Track, acc *Accumulator) {
	acc.move(pts, i, int(t.Labels[i]), to)
	t.Labels[i] = uint16(to)
}

// The classes of surviving rows: what they are compared with.
const (
	settled uint8 = iota // nothing: the distance from their own centroid is proof enough
	within               // within+w: the centroids that have changed in passWindows[w]
	anew    = within + uint8(len(passWindows))
)

// pruneActivity computes rows that were brought together. First comes the distance from their own centroid; it settles
// some, and tells those apart that are no farther from it than when they were computed last: what has not moved since then
// was not nearer then, and is not now, so that only the others are in question. That argument is about the computed numbers
// themselves, ties and all, and needs no bound.
func (p *Pass) pruneActivity(pts *Points, lo, rows int, t *Track, acc *Accumulator, s *Scratch) {
	v := &s.survivors
	for c, r := range v.rows[:rows] {
		v.labels[c] = t.Labels[lo+int(r)]
	}
	p.own.Distances(v.values, v.labels[:rows], v.best)
	var counts [anew + 1]int
	for c, r := range v.rows[:rows] {
		v.class[c] = p.classify(lo+int(r), v.best[c], t)
		counts[v.class[c]]++
	}
	own := s.best[:rows]
	copy(own, v.best)
	for class, count := range counts {
		if count > 0 && uint8(class) != settled {
			p.compare(pts, uint8(class), lo, count, own, t, acc, s)
		}
	}
}

// root is the distance to a squared one, times a factor of rounding.
func root(squared, factor float32) float64 {
	return float64(float32(math.Sqrt(float64(min(squared, math.MaxFloat32)))) * factor)
}

// below is a float32 that is not above x. What float64 loses of large terms that cancel is far less than the room that the
// factors of rounding leave.
func below(x float64) float32 {
	x -= float64(math.Abs(x) * 1e-12)
	f := float32(x)
	if float64(f) > x {
		f = math.Nextafter32(f, -math.MaxFloat32)
	}
	return f
}

// classify says what row i has to be compared with, its own centroid being at the squared distance own now.
func (p *Pass) classify(i int, own float32, t *Track) uint8 {
	tr := p.tracker
	label, before := t.Labels[i], t.nearest[i]
	// All others were at least this far away; since then they and the own centroid have come nearer by no more than the
	// thresholds grew.
	others := float64(t.slack[i]) - float64(tr.past[0].High[label]) + root(before, tr.rounding.up)
	if near := root(own, tr.rounding.up); others-float64(math.Abs(others)*1e-12) > near {
		t.slack[i] = below(others - near + float64(tr.past[0].Low[label]))
		t.nearest[i], t.stamp[i] = own, stampOf(tr.pass)
		return settled
	}
	if own > before {
		return anew
	}
	old := age(t.stamp[i], tr.pass)
	for w, passes := range passWindows {
		if old <= passes && p.active[w] != nil {
			return within + uint8(w)
		}
	}
	return anew
}

// compare computes the rows of one class from the centroids that are in question for it.
func (p *Pass) compare(pts *Points, class uint8, lo, count int, own []float32, t *Track, acc *Accumulator, s *Scratch) {
	v := &s.survivors
	v.picked = v.picked[:0]
	clear(v.masks)
	for c := range own {
		if v.class[c] == class {
			v.picked = append(v.picked, int32(c))
			v.masks[c/kernel.Lanes] |= 1 << (c % kernel.Lanes)
		}
	}
	values, padded := v.values, paired(count)
	if count < len(own) {
		if len(v.again) < len(v.values) {
			v.again = make([]float32, len(v.values))
		}
		kernel.Compact(p.tier, v.values, p.d, v.masks[:(len(own)+kernel.Lanes-1)/kernel.Lanes], v.again)
		values = v.again
	}
	panel := p.questioned(class)
	if panel != nil {
		p.work.Add(int64(count) * int64(panel.K()))
		panel.NearestSecond(values[:padded*p.d], v.best[:padded], v.second[:padded], v.index[:padded])
	}
	th, r := p.tracker.past[0], p.tracker.rounding
	stamp := stampOf(p.tracker.pass)
	for q, c := range v.picked {
		i := lo + int(v.rows[c])
		var to int
		var slack, nearest float32
		if class == anew {
			to, nearest = int(v.index[q]), v.best[q]
			slack = th.Margin(nearest, v.second[q], to, r.down, r.up)
		} else {
			to, nearest, slack = p.decide(class-within, i, q, own[c], t, v)
		}
		if to != int(t.Labels[i]) {
			p.moveTo(pts, i, to, t, acc)
		}
		t.slack[i], t.nearest[i], t.stamp[i] = slack, nearest, stamp
	}
}

// questioned is the centroids that rows of a class are compared with; nil: none.
func (p *Pass) questioned(class uint8) *kernel.Panel {
	if class == anew {
		return p.panel()
	}
	return p.recent[class-within]
}

// decide takes the nearest of row i's own centroid and of those that have changed, and makes the row's new slack.
func (p *Pass) decide(window uint8, i, q int, own float32, t *Track, v *survivors) (to int, nearest, slack float32) {
	tr := p.tracker
	label := int(t.Labels[i])
	best, second, index := float32(math.MaxFloat32), float32(math.MaxFloat32), -1
	if p.recent[window] != nil {
		best, second, index = v.best[q], v.second[q], int(v.index[q])
	}
	to, nearest = index, best
	if !p.active[window][label] { // it stands still, and was not among them
		if own < best || own == best && label < index || index < 0 {
			to, nearest, second = label, own, best
		} else {
			second = min(second, own)
		}
	}
	// What stands still is as far away as it was when the row was computed last.
	still := float64(t.slack[i]) - float64(tr.past[age(t.stamp[i], tr.pass)].High[label]) + root(t.nearest[i], tr.rounding.up)
	others := min(still, root(second, tr.rounding.down))
	return to, nearest, below(others - root(nearest, tr.rounding.up) + float64(tr.past[0].Low[to]))
}
