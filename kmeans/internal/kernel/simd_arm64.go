package kernel

// detect lists the vector tier: the architecture's floating point comes with it.
func detect() []Tier { return []Tier{NEON} }

var shapes = [...]shape{NEON: {unit: 2 * Lanes, low: 2, high: 2, tile: 128}}

// callFMAs keeps a call of assembly, which the scheduler cannot interrupt, well under a millisecond. A small core does
// some four multiply-adds, and as many subtractions, in a nanosecond.
const callFMAs = 2 << 20

func (Tier) nearest(x *float32, units, d int, q *part, best *float32, index *int32, base int32, fresh bool) {
	nearestNEON(x, units, d, &q.data[0], q.size, q.hi, q.lo, best, index, base, fresh)
}

func (Tier) nearestSecond(x *float32, units, d int, q *part, best, second *float32, index *int32, fresh bool) {
	nearestSecondNEON(x, units, d, &q.data[0], q.size, q.hi, q.lo, best, second, index, fresh)
}

func (Tier) accumulate(x *float32, bytes, d int, panel *float32, size, groups int, acc, _ *float32) {
	accumulateNEON(x, bytes, d, panel, size, groups, acc)
}

func (Tier) argmin(acc *float32, n int, best *float32, index *int32, first int32) {
	argminNEON(acc, n, best, index, first)
}

func (Tier) argminTwo(acc *float32, n int, best, second *float32, index, secondIndex *int32, first int32) {
	argminTwoNEON(acc, n, best, second, index, secondIndex, first)
}

func (Tier) distances(blocks *float32, units, d int, centroid, out *float32) {
	distancesNEON(blocks, units, d, centroid, out)
}

func (Tier) changed(labels *uint16, index *int32, blocks int, masks *uint16) int {
	return changedNEON(labels, index, blocks, masks)
}

func (Tier) own(blocks *float32, n, d int, table *float32, stride int, labels *uint16, out *float32) {
	ownNEON(blocks, n, d, table, stride, labels, out)
}

// Tables are looked up in memory whatever their size.

func (Tier) survivors(labels *uint16, slack *float32, n int, high *float32, _ int, masks *uint16) int {
	return survivorsNEON(labels, slack, n, high, masks)
}

func (Tier) margins(best, second *float32, index *int32, n int, low *float32, _ int, down, up float32, slack *float32) {
	marginsNEON(best, second, index, n, low, down, up, slack)
}

// There are no compressing and expanding moves: what needs them stays with the plain code.

func compactSIMD(_ Tier, blocks []float32, d int, masks []uint16, dst []float32) {
	compactPortable(blocks, d, masks, dst)
}

func spreadSIMD(masks []uint16, index []int32, margin []float32, labels []uint16, slack []float32, rows []int32, changed []uint16) int {
	return spreadPortable(masks, index, margin, labels, slack, rows, changed)
}
