package kmeans

import "github.com/coterie-project/coterie/kmeans/internal/kernel"

// chooser decides what each pass does, by what the last ones did. It may be wrong about time, never about bits.
type chooser struct {
	kind          Algorithm // of bounds, when there are any
	forced        bool      // bounds in every pass
	never         bool      // and in none
	few, poorWork float64   // see regime
	dense         int
	moved         float64 // share of rows that the last pass moved
	poor          int     // pruned passes in a row that had to compute nearly everything
	rest          int     // plain passes to make before bounds are tried again
	pause         int     // how long the next rest is
	filter        filterChooser
}

// filterChooser says whether a pass looks at integers first.
type filterChooser struct{ on, forced bool }

// regime is what pays for rows of some amount of arithmetic, k·d. Measured on processors with AVX-512 (docs/diary.md).
type regime struct {
	work int // the regime is for rows of less than that
	kind Algorithm
	// few is the share of rows that move in a pass below which bounds are worth making: some ten times as many rows have a
	// margin that the same pass uses up.
	few float64
	// poor is the share of the distances from which on a pass with bounds takes longer than one without.
	poor float64
	// dense is the share of a span's rows, in eighths, from which on all are computed as they lie.
	dense int
}

// The cheapest rows are computed as fast as memory brings them, so that only rows left in memory are a gain: those between
// the few that are left. In the middle the kernel is the limit, and of dear rows it pays to look at each.
var regimes = []regime{
	{work: 160, kind: Hamerly, few: 0.001, poor: 0.04, dense: 4},
	{work: 1024, kind: Hamerly, few: 0.003, poor: 0.4, dense: 5},
	{work: 20000, kind: Hamerly, few: 0.05, poor: 0.75, dense: 7},
	{work: 1 << 62, kind: Activity, few: 0.2, poor: 0.8, dense: 7},
}

// poorPasses is how many poor passes in a row it takes for bounds to be given up for a while.
const poorPasses = 2

// filterRegime is where bytes are looked at first: bounds come early there, since what they need comes with the bytes.
var filterRegime = regime{kind: Hamerly, few: 0.3, poor: 0.8, dense: 6}

// filterPays says at which shapes bytes take less time than float32, if they prove most labels. Measured (docs/diary.md).
func filterPays(k, d int) bool { return d >= 8 && k >= 48 && d <= kernel.FilterColumns }

// searchPays is filterPays where the distances are asked for, too: those of what the filter finds are computed once more.
func searchPays(k, d int) bool { return d >= 32 && k >= 128 && k <= MaxClusters && filterPays(k, d) }

// newChooser: filters says that the processor multiplies bytes.
func newChooser(a Algorithm, k, d int, filters bool) chooser {
	c := chooser{kind: a, forced: a == Hamerly || a == Activity, never: a == FullPasses || a == Filter, moved: 1, pause: 2,
		filter: filterChooser{forced: a == Filter}}
	c.filter.on = filters && d <= kernel.FilterColumns && (c.filter.forced || a == Auto && filterPays(k, d))
	if c.filter.on && a == Auto {
		c.take(filterRegime)
		return c
	}
	c.take(regimeOf(k, d))
	return c
}

func regimeOf(k, d int) regime {
	i := 0
	for k*d >= regimes[i].work {
		i++
	}
	return regimes[i]
}

func (c *chooser) take(r regime) {
	c.few, c.poorWork, c.dense = r.few, r.poor, r.dense
	if !c.forced {
		c.kind = r.kind
	}
}

// giveUp goes on without the filter, which proves too little of these rows, and says whether the bounds are others now: those
// that pay where every distance is dear.
func (c *chooser) giveUp(k, d int) bool {
	if c.filter.forced || !c.filter.on {
		return false
	}
	before := c.kind
	c.filter.on = false
	c.take(regimeOf(k, d))
	return c.kind != before
}

// mode of the next pass; bounded says that rows have bounds, same that the centroids have not changed.
func (c *chooser) mode(bounded, same bool) passMode {
	switch {
	case c.never:
		return plain
	case bounded && (c.forced || c.rest == 0):
		return prune
	case c.forced:
		return rebuild
	case same || c.rest > 0 || c.moved > c.few: // of the same centroids the labels are known: nothing to prepare for
		return plain
	}
	return rebuild
}

// learn takes the shares of rows that moved in a pass and of distances that were computed.
func (c *chooser) learn(mode passMode, fresh bool, moved, work float64) {
	if !fresh {
		c.moved = moved
	}
	switch {
	case mode == plain && !fresh:
		c.rest = max(0, c.rest-1)
	case mode == prune && work > c.poorWork:
		if c.poor++; c.poor >= poorPasses {
			c.poor, c.rest = 0, c.pause
			c.pause = min(16, 2*c.pause)
		}
	case mode == prune:
		c.poor = 0
	}
}
