package kmeans

// chooser decides what each pass does, by what the last ones did. It may be wrong about time, never about bits.
type chooser struct {
	kind   Algorithm // of bounds, when there are any
	forced bool      // bounds in every pass
	never  bool      // and in none
	moved  float64   // share of rows that the last pass moved
	poor   int       // pruned passes in a row that had to compute nearly everything
	rest   int       // plain passes to make before bounds are tried again
	pause  int       // how long the next rest is
}

const (
	// fewMove is the share of rows that move in a pass below which bounds are worth making: some ten times as many
	// rows have a margin that the same pass uses up.
	fewMove = 0.06
	// activityWork is the arithmetic of a row, k·d, from which on it pays to look at single rows.
	activityWork = 1024
	// poorWork is the share of the distances from which on a pass with bounds takes longer than one without: testing,
	// bringing rows together and second distances cost about a third of the kernel's time.
	poorWork = 0.65
	// poorPasses is how many such passes in a row it takes for bounds to be given up for a while.
	poorPasses = 2
)

func newChooser(a Algorithm, k, d int) chooser {
	c := chooser{kind: a, forced: a == Hamerly || a == Activity, never: a == FullPasses, moved: 1, pause: 2}
	if !c.forced {
		c.kind = Hamerly
		if k*d >= activityWork {
			c.kind = Activity
		}
	}
	return c
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
	case same || c.rest > 0 || c.moved > fewMove: // of the same centroids the labels are known: nothing to prepare for
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
	case mode == prune && work > poorWork:
		if c.poor++; c.poor >= poorPasses {
			c.poor, c.rest = 0, c.pause
			c.pause = min(16, 2*c.pause)
		}
	case mode == prune:
		c.poor = 0
	}
}
