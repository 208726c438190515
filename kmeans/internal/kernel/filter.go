package kernel

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
)

// Filter finds nearest centroids with far less arithmetic than Panel, and to the same result: rows and centroids become bytes
// on a Grid, whose products the processor has an instruction for that does four times as many as multiply-adds of float32. How
// far each is from its bytes is known, so that the distances of the bytes prove most labels (as the approximations of R. Weber,
// H.-J. Schek, S. Blott, "A quantitative analysis and performance study for similarity-search methods in high-dimensional
// spaces", VLDB 1998, prove which points are not nearest). What they leave open is decided between the few centroids in
// question by their distances in float32, and by those of the definition where these are all but equal.
//
// The proof, in steps of the grid. Let q and p be the bytes of a row x and of a centroid c, ê their distance, an integer under
// a root, and r = ‖x−q‖, s = ‖c−p‖: by the triangle inequality ê−r−s ≤ ‖x−c‖ ≤ ê+r+s. What is computed of r, s, ê and the sums
// of them is rounded outward (bounds). A label is proved if the lower bound of every other centroid is above the upper bound
// of the nearest by more than the rounding of the definition's distances, of ε·D each, can make up for (roundingOf).
//
// A Filter is read-only but for what it counts, and shared by threads, each with a FilterRoom.
type Filter struct {
	grid   *Grid
	tier   Tier
	panel  func() *Panel // of the same centroids
	k, d   int
	rows   []float32 // the centroids, row-major
	some   []int32   // the k rows of them that take part; nil: the first k
	all    int       // how many there are
	most   int       // in question for a row; where more are, the definition takes no longer
	bytes  []int8    // groups of filterGroup centroids, as productsVNNI reads them
	words  []int16   // groups of wordGroup centroids, as nearestWordsVNNI reads them, instead
	shift  []float32 // the grid's
	bounds bounds
	// What the filter has done: rows looked at, and not proved by bytes, pairs compared in float32, rows that the definition had to decide.
	looked, doubtful, paired, open atomic.Int64
}

const (
	// filterUnit is the number of rows that are worked on together.
	filterUnit = 64
	// filterGroup is the number of centroids in a group of bytes.
	filterGroup = 6
	// wordGroup is the number of centroids in a group of words.
	wordGroup = 8
	// filterPart is how many centroids' sums are kept at a time, 64 of them each: four mebibytes.
	filterPart = filterGroup * 2730
	// filterList is how many centroids may be in question for a row at most.
	filterList = 256
	// closerColumns is from how many columns on a pair is so dear that it pays to go twice over those in question.
	closerColumns = 256
	// noSum is below every sum, and far enough from the ends that twice the difference of two fits.
	noSum = -1 << 29
	// FilterColumns is the largest d of a Filter: sums of products of bytes stay below 2^29.
	FilterColumns = 8192
)

// noSums are what rows begin with.
var noSums = func() (all [filterUnit]int32) {
	for i := range all {
		all[i] = noSum
	}
	return all
}()

// bounds are the constants of outcome; assembly reads them in this order.
type bounds struct {
	residualUp float32 // by how much more than computed the root of a row's residual is at most
	ofLength   float32 // how far t is rounded, by the length of the row's bytes
	centroid   float32 // the largest distance of a centroid from its bytes
	nearUp     float32 // room for the rounding of the definition, and of sums
	up, down   float32 // room for the rounding of a few operations
	wide       float32 // half, and room
	slack      float32 // for what integers lose
	most       float32 // the largest difference of sums
	step       float32 // units of the columns in a step of the grid
}

// newBounds: each operation in float32 is off by 2^-24 of its result at most, a root by half of what its argument is, plus
// that. No chain in outcome has more than eight of them between two factors of 2^-20.
func newBounds(g *Grid, centroid float64) bounds {
	d := float64(len(g.shift))
	definition := float64(1.05 * (d + 3) * 0x1p-24) // of a squared distance; see kmeans, roundingOf
	return bounds{
		residualUp: float32(1 + float64(d*0x1p-24) + 0x1p-20),
		ofLength:   0x1p-22,
		centroid:   float32(centroid*(1+0x1p-20)) + 0x1p-60,
		nearUp:     float32(1 + float64(1.2*definition) + 0x1p-20),
		up:         1 + 0x1p-20,
		down:       1 - 0x1p-20,
		wide:       0.5 * (1 + 0x1p-20),
		slack:      2,
		most:       1 << 29,
		step:       1 / g.inverse,
	}
}

// FilterRoom is one thread's room for a Filter.
type FilterRoom struct {
	bytes               []uint8
	words               []int16
	sums                []int32
	products, totals    [filterUnit]int32
	residuals           [filterUnit]float32
	best, second, index [filterUnit]int32
	thresholds          [filterUnit]int32
	errors              [filterUnit]float32 // of distances, in steps
	nearest, others     [filterUnit]float32
	numbers             []int32
	masks               []uint64
	counts              [filterUnit]int32
	lists               []int32   // filterList for each row
	x                   []float32 // a row
	distances           [filterList]float32
	left                []int32           // rows that the definition decides
	rows                [defineRows]int32 // some of them
	values              []float32         // and their values
	nearestOf, secondOf [defineRows]float32
	indexOf             [defineRows]int32
}

// FilterRoomBytes is the memory of a FilterRoom for k centroids of d columns, at most.
func FilterRoomBytes(k, d int) int64 {
	lines, wide := int64(min(k+filterGroup, filterPart)), int64(d+Lanes)
	return lines*(4*filterUnit+4+8) + wide*(filterUnit+4+4*defineRows) + 4*filterUnit*filterList + 32<<10
}

// FilterBytes is the memory of a Filter of k centroids of d columns, and of challengers beside it, at most.
func FilterBytes(k, d int) int64 { return 3 * int64(k+wordGroup) * int64(d+8) }

// NewFilter makes the filter of centroids, k×d, row-major, which must not change, for rows on the grid. panel gives the same
// centroids in the tier's Panel; it is asked where a filter is of no use, by several goroutines.
func (t Tier) NewFilter(g *Grid, panel func() *Panel, centroids []float32, k, d int) *Filter {
	return t.newFilter(g, panel, centroids, nil, k, d)
}

// NewChallengers makes a filter of some of the centroids, which numbers names, for Challenge.
func (t Tier) NewChallengers(g *Grid, panel func() *Panel, centroids []float32, numbers []int32, d int) *Filter {
	if g.words() || len(numbers) > filterPart {
		panic(fmt.Sprintf("kernel: %d challengers of %d columns", len(numbers), d))
	}
	for _, j := range numbers {
		if j < 0 || len(centroids) < (int(j)+1)*d {
			panic(fmt.Sprintf("kernel: challenger %d of %d values of %d columns", j, len(centroids), d))
		}
	}
	return t.newFilter(g, panel, centroids, numbers, len(numbers), d)
}

func (t Tier) newFilter(g *Grid, panel func() *Panel, centroids []float32, numbers []int32, k, d int) *Filter {
	if k < 1 || len(g.shift) != d || len(centroids) < k*d || d > FilterColumns {
		panic(fmt.Sprintf("kernel: a filter of %d×%d centroids from %d values on a grid of %d columns", k, d, len(centroids), len(g.shift)))
	}
	f := &Filter{grid: g, tier: t, panel: panel, k: k, d: d, rows: centroids, some: numbers, all: len(centroids) / d, shift: g.shift}
	f.most = min(filterList, max(4, int(float64(f.all)/f.pair())))
	size, line, pack := filterGroup, filterGroup*4*((d+3)/4+1), f.packBytes
	if g.words() {
		size, line, pack = wordGroup, wordGroup*2*((d+1)/2+1), f.packWords
	}
	groups := (k + size - 1) / size
	if g.words() {
		f.words = make([]int16, groups*line)
	} else {
		f.bytes = make([]int8, groups*line)
	}
	farthest := make([]float64, groups) // from its integers, of a group
	SpreadOut(groups, size*d, func(lo, hi int) {
		for j := lo * size; j < hi*size; j++ {
			farthest[j/size] = max(farthest[j/size], pack(j/size*line, j%size, j))
		}
	})
	f.bounds = newBounds(g, slices.Max(farthest))
	return f
}

// packBytes writes the bytes of centroid j into its place of a group, each less 128 to make it signed, and returns how far it is
// from them. With them a sum is Σq(p−128) − ⌊Σp²/2⌋, and the squared distance Σq² − 256·Σq + Σp² − 2·Σq(p−128).
func (f *Filter) packBytes(group, place, j int) float64 {
	return packIntegers(f, f.bytes[group:], filterGroup, 2, place, j, 128)
}

// packWords is packBytes for words, which are signed: a sum is Σqp − ⌊Σp²/2⌋, and the squared distance Σq² + Σp² − 2·Σqp.
func (f *Filter) packWords(group, place, j int) float64 {
	return packIntegers(f, f.words[group:], wordGroup, 1, place, j, 0)
}

// packIntegers packs 2^log integers, each less bias, to a lane. What fills the last group of so many centroids is never nearest.
func packIntegers[T int8 | int16](f *Filter, to []T, size, log, place, j int, bias int64) float64 {
	rest, square, start, lane := 0.0, int64(0), int32(noSum), 1<<log
	if j < f.k {
		c := int(f.number(int32(j)))
		for t, x := range f.rows[c*f.d : (c+1)*f.d] {
			at, whole := f.grid.place(x, t)
			rest += float64((at - whole) * (at - whole))
			square += int64(whole) * int64(whole)
			to[(size*(t>>log+1)+place)<<log+t&(lane-1)] = T(int64(whole) - bias)
		}
		start = int32(-(square / 2))
	}
	for i := range lane {
		to[lane*place+i] = T(start >> (32 / lane * i))
	}
	return math.Sqrt(rest)
}

// number is that of the centroid in line j.
func (f *Filter) number(j int32) int32 {
	if f.some == nil {
		return j
	}
	return f.some[j]
}

// room makes room for the filter's shape.
func (r *FilterRoom) room(f *Filter) {
	if f.grid.words() {
		if n := filterUnit * 2 * ((f.d + 1) / 2); len(r.words) < n {
			r.words = make([]int16, n)
		}
		clear(r.totals[:]) // see outcome: squares of words need nothing taken off
		return
	}
	if n := filterUnit * 4 * ((f.d + 3) / 4); len(r.bytes) < n {
		r.bytes = make([]uint8, n)
	}
	if n := (f.d + Lanes - 1) / Lanes * Lanes; len(r.x) < n {
		r.x = make([]float32, n)
	}
	lines := min((f.k+filterGroup-1)/filterGroup*filterGroup, filterPart)
	if len(r.sums) < lines*filterUnit {
		r.sums = make([]int32, lines*filterUnit)
		r.numbers, r.masks = make([]int32, lines+1), make([]uint64, lines+1)
	}
	if r.lists == nil {
		r.lists = make([]int32, filterUnit*filterList)
	}
}

// NearestSecond finds the nearest centroid of each of len(index) points, as Panel.Nearest does; len(index) is a multiple of
// Lanes*BlockPair. best is at least its squared distance, and second at most that of any other: bounds, which are no farther
// from the distances than it took to tell them apart.
func (f *Filter) NearestSecond(blocks, best, second []float32, index []int32, r *FilterRoom) {
	n := len(index)
	if n%pairPoints != 0 || len(blocks) < n*f.d || min(len(best), len(second)) < n {
		panic(fmt.Sprintf("kernel: %d points of %d coordinates do not fit %d block values and %d and %d results", n, f.d, len(blocks), len(best), len(second)))
	}
	r.room(f)
	unit := f.unit
	if f.grid.words() {
		unit = f.wordUnit
	}
	r.left = r.left[:0]
	for from := 0; from < n; from += filterUnit {
		to := min(from+filterUnit, n)
		r.leave(from, unit(blocks[from*f.d:to*f.d], best[from:to], second[from:to], index[from:to], r))
	}
	f.define(blocks, best, second, index, r)
	f.looked.Add(int64(n))
}

// wordUnit is unit for words: what they leave open is left to the definition.
func (f *Filter) wordUnit(blocks, best, second []float32, index []int32, r *FilterRoom) (left uint64) {
	n := len(index)
	f.quantizeWords(blocks, n/Lanes, r)
	r.best, r.second = noSums, noSums
	f.nearestWords(n, r)
	left = f.outcomes(r) & (^uint64(0) >> (filterUnit - n))
	copy(index, r.index[:n])
	copy(best, r.nearest[:n])
	copy(second, r.others[:n])
	return left
}

// unit is NearestSecond for up to filterUnit points, but for those that the definition has to decide.
func (f *Filter) unit(blocks, best, second []float32, index []int32, r *FilterRoom) (left uint64) {
	n := len(index)
	all := ^uint64(0) >> (filterUnit - n)
	f.quantize(blocks, n/Lanes, r)
	r.best, r.second, r.counts = noSums, noSums, [filterUnit]int32{}
	several := f.k > filterPart
	open := uint64(0)
	for first := 0; first < f.k; first += filterPart {
		lines := min(filterPart, f.k-first)
		f.products(first, lines, r)
		f.twoLargest(first, lines, r)
		open = f.outcomes(r) & all
		if several {
			f.candidates(first, lines, r)
		}
	}
	copy(index, r.index[:n])
	copy(best, r.nearest[:n])
	copy(second, r.others[:n])
	if open == 0 {
		return 0
	}
	f.doubtful.Add(int64(bits.OnesCount64(open)))
	if !several {
		if f.d >= closerColumns {
			if open = f.closer(blocks, best, index, open, r); open == 0 {
				return 0
			}
		}
		f.candidates(0, f.k, r)
	}
	return f.decide(blocks, best, second, index, open, r)
}

// closer takes the distances of open rows from the centroids that look nearest, which leaves much less in question than the
// bounds of them do; it returns the rows that are still open.
func (f *Filter) closer(blocks, best []float32, index []int32, open uint64, r *FilterRoom) (still uint64) {
	sums := 1 + float32(2*f.sumsError())
	for i := range r.thresholds {
		r.thresholds[i] = math.MaxInt32
	}
	for m := open; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		list := r.lists[i*filterList:][:4]
		list[0] = index[i]
		f.squares(blocks[i/Lanes*Lanes*f.d+i%Lanes:], list, 1, r)
		if near := r.distances[0] * sums; near < best[i] {
			best[i] = near
		}
		if t := f.reach(i, best[i], r); t <= r.second[i] {
			r.thresholds[i] = t
			still |= 1 << i
		}
	}
	f.paired.Add(int64(bits.OnesCount64(open)))
	return still
}

// Challenge finds the nearest of each point's own centroid and of the filter's: all others are known not to be nearer than the
// own one, or as near with a lower number. own and index are numbers of centroids. Where they differ, best and second bound the
// distances of the nearest and of all others, as in NearestSecond.
func (f *Filter) Challenge(blocks []float32, own []int32, best, second []float32, index []int32, r *FilterRoom) {
	n := len(index)
	if n%pairPoints != 0 || len(blocks) < n*f.d || min(len(best), len(second), len(own)) < n {
		panic(fmt.Sprintf("kernel: %d points of %d coordinates do not fit %d block values", n, f.d, len(blocks)))
	}
	r.room(f)
	r.left = r.left[:0]
	for from := 0; from < n; from += filterUnit {
		to := min(from+filterUnit, n)
		r.leave(from, f.challenge(blocks[from*f.d:to*f.d], own[from:to], best[from:to], second[from:to], index[from:to], r))
	}
	f.define(blocks, best, second, index, r)
	f.looked.Add(int64(n))
}

// challenge is Challenge for up to filterUnit points. There is one part: a larger filter would not spare anything.
func (f *Filter) challenge(blocks []float32, own []int32, best, second []float32, index []int32, r *FilterRoom) (left uint64) {
	n := len(index)
	f.quantize(blocks, n/Lanes, r)
	r.best, r.second, r.counts = noSums, noSums, [filterUnit]int32{}
	f.outcomes(r) // the errors alone count
	for i := range r.thresholds {
		r.thresholds[i] = math.MaxInt32
	}
	sums := 1 + float32(2*f.sumsError())
	for i, j := range own {
		list := r.lists[i*filterList:][:4]
		list[0] = j
		f.squares(blocks[i/Lanes*Lanes*f.d+i%Lanes:], list, 1, r)
		best[i], second[i], index[i] = r.distances[0]*sums, 0, j
		r.thresholds[i] = f.reach(i, best[i], r)
	}
	f.paired.Add(int64(n))
	f.doubtful.Add(int64(n))
	f.products(0, f.k, r)
	f.candidates(0, f.k, r)
	open := uint64(0)
	for i, c := range r.counts[:n] {
		if c == 0 {
			continue
		}
		open |= 1 << i
		if c < filterList {
			r.lists[i*filterList+int(c)] = own[i]
		}
		r.counts[i]++ // a list without the own one is none
	}
	return f.decide(blocks, best, second, index, open, r)
}

// reach is the sum that a centroid needs to be in question for row i, which has one within the squared distance near: what is
// farther than u is not nearest; see outcome.
func (f *Filter) reach(i int, near float32, r *FilterRoom) int32 {
	b := &f.bounds
	u := float32(sqrt32(near*b.up) / b.step * b.nearUp)
	z := float64((u + r.errors[i]) * b.up)
	base := r.products[i] - r.totals[i]<<7
	return int32(max(noSum, min(1<<30, float64(float64(base)/2)-float64(z*z*float64(b.wide))-float64(b.slack))))
}

// sumsError is ε': how far a distance in sixteen sums is off at most, as a share of itself.
func (f *Filter) sumsError() float32 { return float32(1.05 * float64(f.d/Lanes+8) * 0x1p-24) }

// candidates adds the centroids of a part that reach the thresholds to the lists of their rows.
func (f *Filter) candidates(first, lines int, r *FilterRoom) {
	if f.k > filterPart { // a row that this part proves may be opened by the next
		for i, t := range r.thresholds {
			if t == math.MaxInt32 {
				r.thresholds[i] = r.best[i]
			}
		}
	}
	found := f.reached(first, lines, r)
	for i, mask := range r.masks[:found] {
		for ; mask != 0; mask &= mask - 1 {
			row := bits.TrailingZeros64(mask)
			if c := r.counts[row]; c < filterList {
				r.lists[row*filterList+int(c)] = f.number(r.numbers[i])
			}
			r.counts[row]++
		}
	}
}

// decide compares the candidates of open rows in float32, and returns the rows that this leaves open.
func (f *Filter) decide(blocks, best, second []float32, index []int32, open uint64, r *FilterRoom) (left uint64) {
	sums := f.sumsError()
	apart := 1 + float32(2.3*(float64(1.05*float64(f.d+3)*0x1p-24)+float64(sums)))
	pairs := 0
	for ; open != 0; open &= open - 1 {
		i := bits.TrailingZeros64(open)
		n := int(r.counts[i])
		if n > f.most || n == 0 {
			left |= 1 << i
			continue
		}
		pairs += n
		list, x := r.lists[i*filterList:][:filterList], blocks[i/Lanes*Lanes*f.d+i%Lanes:]
		f.squares(x, list, n, r)
		near, next, at := inf32, inf32, int32(0)
		for c, v := range r.distances[:n] {
			switch {
			case v < near:
				near, next, at = v, near, list[c]
			case v < next:
				next = v
			}
		}
		// Below the least of these the rounding of squares counts that are no normal numbers.
		if limit := float32(near*apart) + 0x1p-100; !(next > limit) {
			if at = f.tied(x, list, n, limit, r); at < 0 {
				left |= 1 << i
				continue
			}
		}
		// No centroid that is not among them is nearer than the bound of the nearest was, or than the own one by the definition.
		// Nor is any but the nearest by integers nearer than second says, be that the nearest or not.
		others := min(next, best[i]) * (2 - apart) * (1 - float32(2*sums) - 0x1p-18)
		index[i], second[i] = at, max(others, second[i])
		best[i] = near * apart
	}
	f.paired.Add(int64(pairs))
	return left
}

// tied finds the nearest, by the definition, of the n listed centroids whose distances in r are not above limit, and −1 if
// these are many.
func (f *Filter) tied(x []float32, list []int32, n int, limit float32, r *FilterRoom) int32 {
	const most = 16
	var few [most]int32
	m := 0
	for c, v := range r.distances[:n] {
		if v > limit {
			continue
		}
		if m == most || v-v != 0 {
			return -1
		}
		few[m] = list[c]
		m++
	}
	f.defined(x, few[:], m, r)
	nearest, at := r.distances[0], few[0]
	for c, v := range r.distances[1:m] {
		if j := few[c+1]; v < nearest || v == nearest && j < at {
			nearest, at = v, j
		}
	}
	return at
}

// leave lists the marked rows of the unit from row from on for the definition.
func (r *FilterRoom) leave(from int, left uint64) {
	for ; left != 0; left &= left - 1 {
		r.left = append(r.left, int32(from+bits.TrailingZeros64(left)))
	}
}

// defineRows is how many rows the definition decides at a time.
const defineRows = 4 * filterUnit

// define lets the definition decide the rows that are left.
func (f *Filter) define(blocks, best, second []float32, index []int32, r *FilterRoom) {
	f.open.Add(int64(len(r.left)))
	if len(r.left) > 0 && len(r.values) < defineRows*f.d {
		r.values = make([]float32, defineRows*f.d)
	}
	for rest := r.left; len(rest) > 0; {
		rows := r.rows[:copy(r.rows[:], rest)]
		n := len(rows)
		rest = rest[n:]
		for len(rows)%pairPoints != 0 {
			rows = append(rows, rows[0])
		}
		whole := len(rows)
		Gather(f.tier, blocks, f.d, rows, r.values)
		f.panel().NearestSecond(r.values[:whole*f.d], r.nearestOf[:whole], r.secondOf[:whole], r.indexOf[:whole])
		for c, i := range rows[:n] {
			index[i], best[i], second[i] = r.indexOf[c], r.nearestOf[c], r.secondOf[c]
		}
	}
}

// pair is how many distances of the kernel a pair in float32 takes as long as: it has no neighbours to share loads with. rowFixed is
// what a row costs beside its pairs (docs/diary.md).
func (f *Filter) pair() float64 { return 8 + float64(200/float64(f.d)) }

func (f *Filter) rowFixed() float64 { return 2800 / float64(f.d) }

// Work is how many rows the filter has looked at, and what it left to float32, as a share of the time that the distances of
// these rows from all centroids would take.
func (f *Filter) Work() (rows int64, share float64) {
	rows = f.looked.Load()
	work := float64(f.pair() * float64(f.paired.Load()))
	work += float64(f.rowFixed() * float64(f.doubtful.Load()))
	work += float64(float64(f.open.Load()) * float64(f.all))
	return rows, work / max(1, float64(float64(rows)*float64(f.all)))
}
