package kmeans

import (
	"math"
	"sync/atomic"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// Tracker follows the centroids of one run from pass to pass. It knows how far each has travelled, which is what bounds
// are held against, and chooses what the next pass does. The Tracks that go with it hold what is known of rows; they must
// take part in every pass, or begin anew. All state is soft: who has none makes a full pass, to the same bits.
type Tracker struct {
	algorithm Algorithm
	k, d      int
	last      *Centroids
	pass      uint32
	bounded   bool // every row has bounds, as of the last pass
	travel    []float64
	// past are the thresholds of the last passes, the latest first: a row's own may be from any of them.
	past     [windowPasses + 1]*kernel.Thresholds
	changed  []uint32 // by centroid: the pass that it last changed for
	rounding rounding
	chooser  chooser
	sample   *kernel.Sample // of rows, for the filter's grids
	sampled  int            // how many rows it has
}

// rounding is what makes up for the float32 arithmetic of distances (docs/ARCHITECTURE.md, Bounds).
//
// A computed squared distance lies within a factor 1 ± ε of the true one, ε = 1.05·(d+3)·2^-24: the difference is rounded
// once, its square counts that twice, and each of d additions rounds once, all of them of numbers that are not negative. A
// row keeps its label if the true distances D(label)·(1+1.1ε) < D(other); so the margin takes from the second distance, and
// adds to the nearest, the rounding of when it was made and of when it is used.
type rounding struct {
	down, up float32 // factors of distances, with room for the rounding of the root and the product
	grow     float64 // factor of what centroids travel
}

// underflow makes up for squares below the normal numbers: 65,536 additions of half of 2^-149, under the root.
const underflow = 0x1p-64

func roundingOf(d int) rounding {
	e := float64(1.05 * float64(d+3) * 0x1p-24)
	return rounding{down: float32(1 - e - 0x1p-21), up: float32(1 + float64(2*e) + 0x1p-21), grow: 1 + float64(1.2*e) + 1e-9}
}

// NewTracker begins a run of k centroids of d columns.
func NewTracker(a Algorithm, k, d int) *Tracker {
	if a == "" {
		a = Auto
	}
	return &Tracker{algorithm: a, k: k, d: d, travel: make([]float64, k), changed: make([]uint32, k), rounding: roundingOf(d),
		chooser: newChooser(a, k, d, kernel.Tier(tier.Load()).Filters())}
}

// windowPasses is how many passes back a row may have been computed last for the centroids that have moved since to be
// told apart; passWindows are the sets that are kept.
const windowPasses = 4

var passWindows = [...]uint32{1, windowPasses}

// Track is what is known of the rows of one Points in one run: the labels, and bounds where the Tracker wants them.
type Track struct {
	Labels  []uint16 // by row, once a pass is over
	fresh   bool     // no pass yet
	padded  int
	slack   []float32 // by row: how far centroids may travel (Tracker.travel) before the label can change
	nearest []float32 // by row: squared distance from the label's centroid when it was computed last
	stamp   []uint8   // by row: when that was (stampOf); 0: too long ago to be told
}

// stampOf marks rows that were computed in a pass. Stamps come again after 255 passes; sweep forgets them long before.
func stampOf(pass uint32) uint8 { return uint8(pass%255) + 1 }

// age is how many passes before pass a stamp was set; more than windowPasses where that is not known.
func age(stamp uint8, pass uint32) uint32 {
	if stamp == 0 {
		return windowPasses + 1
	}
	return (pass%255 + 256 - uint32(stamp)) % 255
}

// sweepPasses is how often old stamps are forgotten: twice before they could be taken for new ones.
const sweepPasses = 100

// sweep forgets stamps that are too old to be of use.
func (t *Track) sweep(pass uint32) {
	for i, s := range t.stamp {
		if age(s, pass) > windowPasses {
			t.stamp[i] = 0
		}
	}
}

// NewTrack begins with rows that have no labels.
func NewTrack(p *Points) *Track {
	padded := paddedRows(p.n)
	return &Track{Labels: make([]uint16, padded)[:p.n], fresh: true, padded: padded}
}

// TrackBytes is the memory that a Track takes for a row, at most: a label, a margin, a distance and a stamp.
const TrackBytes = 2 + 4 + 4 + 1

// Pass is one assignment to given centroids. It is read-only while threads work on it, but for what they count.
type Pass struct {
	*Assigner
	tracker *Tracker
	mode    passMode
	kind    Algorithm // of the bounds: Hamerly or Activity
	same    bool      // the centroids are those of the pass before
	score   bool      // distances are added up
	own     kernel.Own
	// recent are the centroids that have changed within each of passWindows; nil where that is most of them.
	recent [len(passWindows)]*kernel.Panel
	active [len(passWindows)][]bool // by centroid
	sieve  sieve
	work   atomic.Int64 // distances computed, but for those from a row's own centroid
	rows   atomic.Int64
}

// passMode is what a pass does.
type passMode int

const (
	plain   passMode = iota // every distance; no bounds
	rebuild                 // every distance, and bounds from them
	prune                   // what the bounds leave
)

// Next prepares the pass to centroids c, for Iterate rounds, or with score for a pass that adds up distances. Every Track
// that takes part goes through Prepare first, and Done comes after the last row.
func (t *Tracker) Next(c *Centroids, score bool) *Pass {
	p := &Pass{Assigner: newAssigner(c), tracker: t, score: score}
	t.pass++
	p.kind = t.chooser.kind
	p.same = t.last != nil && t.last.Equal(c)
	p.mode = t.chooser.mode(t.bounded, p.same)
	p.sieve.wanted, p.sieve.forced = t.chooser.filter.on, t.chooser.filter.forced
	t.moveOn(c)
	t.last = c
	if p.mode == prune && p.kind == Activity || score && (p.mode != plain || p.same || p.sieve.wanted) { // otherwise the distances come with the labels
		p.tier.PackOwn(&p.own, c.Values, c.K, c.D)
	}
	switch {
	case p.mode == prune && p.kind == Activity:
		p.packRecent(c)
	case p.mode == prune && p.sieve.wanted:
		p.findMoves()
	}
	return p
}

// moveOn adds what the centroids have travelled since the last pass, and makes the thresholds of this one.
func (t *Tracker) moveOn(c *Centroids) {
	copy(t.past[1:], t.past[:])
	drift := t.drift(c)
	first, second, which := 0.0, 0.0, -1
	for j, v := range drift {
		if v > first {
			first, second, which = v, first, j
		} else if v > second {
			second = v
		}
	}
	th := kernel.NewThresholds(t.k)
	for j := range t.travel {
		others := first
		if j == which {
			others = second
		}
		t.travel[j] += float64((drift[j] + others) * t.rounding.grow)
		th.High[j] = math.Nextafter32(float32(t.travel[j]+underflow), math.MaxFloat32)
		th.Low[j] = math.Nextafter32(float32(float64(t.travel[j]*(1-0x1p-20))-underflow), -math.MaxFloat32)
		if t.travel[j] > math.MaxFloat32/2 { // beyond what slacks can be held against: nothing is proved any more
			th.High[j], th.Low[j] = float32(math.Inf(1)), 0
		}
	}
	t.past[0] = th
}

// drift is how far each centroid is from where it was in the last pass, rounded up; 0 only if it has not changed.
func (t *Tracker) drift(c *Centroids) []float64 {
	drift := make([]float64, t.k)
	if t.last == nil {
		return drift
	}
	for j := range drift {
		sum := 0.0
		a, b := c.Row(j), t.last.Row(j)
		for i, v := range a {
			diff := float64(v) - float64(b[i])
			sum += float64(diff * diff)
		}
		if sum == 0 {
			continue
		}
		drift[j] = float64(math.Sqrt(sum) * (1 + 1e-9))
		t.changed[j] = t.pass
	}
	return drift
}

// packRecent packs the centroids that have changed within each window.
func (p *Pass) packRecent(c *Centroids) {
	t := p.tracker
	for w, passes := range passWindows {
		var numbers []int32
		p.active[w] = make([]bool, t.k)
		for j, at := range t.changed {
			if t.pass-at < passes && at > 0 {
				numbers = append(numbers, int32(j))
				p.active[w][j] = true
			}
		}
		if len(numbers) == 0 || len(numbers) > t.k*7/8 {
			if len(numbers) > 0 {
				p.active[w] = nil
			}
			continue
		}
		values := make([]float32, 0, len(numbers)*c.D)
		for _, j := range numbers {
			values = append(values, c.Row(int(j))...)
		}
		p.recent[w] = new(kernel.Panel)
		p.tier.PackNumbered(p.recent[w], values, numbers, len(numbers), c.D)
	}
}

// Prepare makes the room that a pass needs in a Track. It is not called from several threads for the same one.
func (p *Pass) Prepare(t *Track) {
	p.rows.Add(int64(len(t.Labels)))
	if p.mode == plain {
		return
	}
	if t.slack == nil {
		t.slack = make([]float32, t.padded)
	}
	if p.kind == Activity && t.nearest == nil {
		t.nearest, t.stamp = make([]float32, t.padded), make([]uint8, t.padded)
	}
	if p.mode == prune && p.kind == Activity && p.tracker.pass%sweepPasses == 0 {
		t.sweep(p.tracker.pass)
	}
}

// Done ends the pass: all rows of all Tracks have been through Update. moved is how many have changed their label.
func (p *Pass) Done(tracks []*Track, moved int64) {
	fresh := false
	for _, t := range tracks {
		fresh = fresh || t.fresh
		t.fresh = false
	}
	t := p.tracker
	t.bounded = p.mode != plain
	if p.sieve.gaveUp.Load() && t.chooser.giveUp(t.k, t.d) {
		t.bounded = false // others will be made
	}
	if !p.score {
		rows := float64(max(1, p.rows.Load()))
		t.chooser.learn(p.mode, fresh, float64(moved)/rows, float64(p.work.Load())/(rows*float64(t.k)))
	}
}

// Update brings the labels of rows [lo,hi) up to date, at most SpanRows of them, lo a multiple of SpanRows, and gives every
// change to acc. In a pass that scores it adds the rows' squared distances, times their weights, to inertia. Rows that had
// no label count as moved from nowhere.
func (p *Pass) Update(pts *Points, lo, hi int, t *Track, acc *Accumulator, inertia *exact.Bins, s *Scratch) {
	switch {
	case p.same && p.score && !t.fresh && p.tracker.algorithm != FullPasses:
		// The labels are those of these very centroids.
	case t.fresh || p.mode != prune:
		if p.mode == plain && p.score && !p.sieve.wanted {
			p.Score(pts, lo, hi, t.Labels, t.fresh, acc, inertia, s)
			return
		}
		p.full(pts, lo, hi, t, acc, s)
	default:
		p.prune(pts, lo, hi, t, acc, s)
	}
	if p.score {
		blocks, _ := pts.span(lo, hi)
		p.own.Distances(blocks, t.Labels[lo:hi], s.best[:])
		addInertia(pts, lo, hi, s.best[:], inertia)
	}
}

// UpdateSpread is Update in a pass that scores, and adds the rows' distances themselves, times their weights, to those of
// their clusters.
func (p *Pass) UpdateSpread(pts *Points, lo, hi int, t *Track, acc *Accumulator, inertia *exact.Bins, spread []exact.Bins, s *Scratch) {
	p.Update(pts, lo, hi, t, acc, inertia, s)
	for i, label := range t.Labels[lo:hi] {
		root := float32(math.Sqrt(float64(s.best[i])))
		switch {
		case pts.weights != nil:
			spread[label].AddWeighted(root, pts.weights[lo+i])
		case pts.counts != nil:
			spread[label].AddWeighted(root, uint64(pts.counts[lo+i]))
		default:
			spread[label].Add(root)
		}
	}
}

// full computes every distance of a span, and the bounds where they are wanted.
func (p *Pass) full(pts *Points, lo, hi int, t *Track, acc *Accumulator, s *Scratch) {
	filter := p.sifter(pts)
	if p.mode == plain && filter == nil {
		p.Assigner.Update(pts, lo, hi, t.Labels, t.fresh, acc, s)
		return
	}
	blocks, padded := pts.span(lo, hi)
	p.twoNearest(filter, blocks, s.best[:padded], s.second[:padded], s.index[:padded], s)
	if p.mode == plain {
		p.relabel(pts, lo, hi, t.Labels, t.fresh, acc, s)
		return
	}
	p.tracker.past[0].Margins(p.tier, s.best[:padded], s.second[:padded], s.index[:padded], p.tracker.rounding.down, p.tracker.rounding.up,
		t.slack[lo:lo+padded])
	if p.kind == Activity {
		copy(t.nearest[lo:lo+padded], s.best[:padded])
		stamp := stampOf(p.tracker.pass)
		for i := range t.stamp[lo : lo+padded] {
			t.stamp[lo+i] = stamp
		}
	}
	p.work.Add(int64(hi-lo) * int64(p.k))
	p.relabel(pts, lo, hi, t.Labels, t.fresh, acc, s)
}

func addInertia(pts *Points, lo, hi int, squared []float32, inertia *exact.Bins) {
	switch {
	case pts.weights != nil:
		for i := lo; i < hi; i++ {
			inertia.AddWeighted(squared[i-lo], pts.weights[i])
		}
	case pts.counts != nil:
		for i := lo; i < hi; i++ {
			inertia.AddWeighted(squared[i-lo], uint64(pts.counts[i]))
		}
	default:
		inertia.AddSlice(squared[:hi-lo])
	}
}
