package segment

import (
	"fmt"
	"math"
	"slices"

	"github.com/coterie-project/coterie/model"
)

// MaxMatch is the most segments on either side that can be matched: the assignment takes k³ steps, a second or so at
// this size, and 8 bytes for each pair.
const MaxMatch = 1024

const (
	// leastShared is the share of the old segment's customers who are still there, or of the new segment's rows, that a
	// pair must have in common to be a match.
	leastShared = 0.25
	// mostly is the share of a segment's customers from which on it comes from, or has gone to, another.
	mostly = 0.5
	// leastKnown is the share of a segment's customers that the other month must know for shares of them to say anything.
	leastKnown = 0.25
	// stays is how far a centroid may have moved, as a part of the way to the nearest other old one, for the segment to be
	// the same whoever is in it now.
	stays = 0.25
	// changedBy is how far a centroid has moved, as a part of the way to the nearest other old one, when a segment has
	// changed so much that an automatic name may not fit it any more.
	changedBy = 0.5
)

// Overlap counts the customers that two months have in common.
type Overlap struct {
	Matrix  [][]int64 // from old segment i to new segment j
	Arrived []int64   // by new segment: who is not in the old labels
	Left    []int64   // by old segment: who is not in the new labels
}

// Shared counts the customers of both months.
func (o *Overlap) Shared() (n int64) {
	for _, row := range o.Matrix {
		for _, c := range row {
			n += c
		}
	}
	return n
}

// known are by old segment the customers who are still there, and by new segment those who were there before.
func (o *Overlap) known() (from, to []int64) {
	from, to = make([]int64, len(o.Left)), make([]int64, len(o.Arrived))
	for i, row := range o.Matrix {
		for j, n := range row {
			from[i] += n
			to[j] += n
		}
	}
	return from, to
}

// Split is an old segment whose customers are mainly in several new ones.
type Split struct {
	From int
	Into []int // ascending
}

// Merge is a new segment in which several old ones have ended.
type Merge struct {
	From []int // ascending
	Into int
}

// Matching says which segments of a model go on from which of the last one's.
type Matching struct {
	From []int // by new segment: the old one that it goes on from; -1: it is new
	// Distance is, by new segment, how far its centroid lies from the one that it goes on from, in the scaled space of
	// the old transform (under cosine 1 − cos); NaN for a new one.
	Distance []float64
	// Way is the same as a part of the distance from the old centroid to the nearest other old one; 0 where there is no other.
	Way    []float64
	Splits []Split
	Merges []Merge
	// ByCustomers is true where the customers of both months have decided, else their centroids have.
	ByCustomers bool
}

// Changed tells whether a segment that goes on has changed so much that its automatic name may be wrong.
func (m *Matching) Changed(j int) bool { return m.Way[j] > changedBy }

// Died are the old segments of k that none goes on from, ascending.
func (m *Matching) Died(k int) []int {
	var died []int
	for i := range k {
		if !slices.Contains(m.From, i) {
			died = append(died, i)
		}
	}
	return died
}

// Match finds the segments that go on: as many as possible of the pairs that are allowed, and of these the best by an
// optimal assignment; of equal ones always the same.
//
// A segment is what its customers do, not who they are: people pass through "new" and "lapsing" within weeks. So a pair of
// centroids each of which is the other's nearest, and which have hardly moved, is a match.
//
// For the others customers lead where both months' are known: the pairs that keep the most customers win. A pair that has less
// than a quarter of the old segment's customers who are still there, and less than a quarter of the new segment's, is none.
//
// Where there is no overlap, or for segments none of whose customers are in both months, centroids decide: the new ones
// are led to the units of the input and into the scaled space of the old transform, and the sum of the squared distances
// is the least. A pair whose centroids lie farther apart than the old one lay from its nearest neighbour is none.
//
// Both models must have the same features. The error is for more than MaxMatch segments.
func Match(old, now *model.Model, o *Overlap) (*Matching, error) {
	if old.K > MaxMatch || now.K > MaxMatch {
		return nil, fmt.Errorf("%d and %d segments cannot be matched: %d are the most", old.K, now.K, MaxMatch)
	}
	g := newGeometry(old, now)
	m := &Matching{From: make([]int, now.K), ByCustomers: o != nil && o.Shared() > 0}
	for j := range m.From {
		m.From[j] = -1
	}
	if m.ByCustomers {
		m.thatStay(g)
		m.byCustomers(o)
		from, to := o.known()
		m.byCentroids(g, func(i, j int) bool { return from[i] == 0 && to[j] == 0 })
		m.relateCustomers(o)
	} else {
		m.byCentroids(g, func(int, int) bool { return true })
		m.relateCentroids(g)
	}
	m.measure(g)
	return m, nil
}

// thatStay matches the segments whose centroids have hardly moved.
func (m *Matching) thatStay(g *geometry) {
	for j := range m.From {
		i := g.nearestOld(j)
		if i >= 0 && g.nearestNew(i) == j && math.Sqrt(g.squared[i][j]) <= stays*g.reach[i] && !math.IsInf(g.reach[i], 1) {
			m.From[j] = i
		}
	}
}

// byCustomers matches those of the segments left that share customers.
func (m *Matching) byCustomers(o *Overlap) {
	from, to := o.known()
	cost := make([][]float64, len(to))
	for j := range cost {
		cost[j] = make([]float64, len(from))
		rows := float64(to[j] + o.Arrived[j])
		for i := range from {
			n := float64(o.Matrix[i][j])
			cost[j][i] = math.Inf(1)
			free := m.From[j] < 0 && !slices.Contains(m.From, i)
			if free && n > 0 && (n >= leastShared*float64(from[i]) || n >= leastShared*rows) {
				cost[j][i] = -n
			}
		}
	}
	for j, i := range Assign(cost) {
		if i >= 0 {
			m.From[j] = i
		}
	}
}

// byCentroids matches those of the segments left that may be.
func (m *Matching) byCentroids(g *geometry, may func(i, j int) bool) {
	var rows, columns []int
	for j, i := range m.From {
		if i < 0 {
			rows = append(rows, j)
		}
	}
	columns = m.Died(len(g.reach))
	cost := make([][]float64, len(rows))
	for r, j := range rows {
		cost[r] = make([]float64, len(columns))
		for c, i := range columns {
			cost[r][c] = math.Inf(1)
			if may(i, j) && g.near(i, j) {
				cost[r][c] = g.squared[i][j]
			}
		}
	}
	for r, c := range Assign(cost) {
		if c >= 0 {
			m.From[rows[r]] = columns[c]
		}
	}
}

// relateCustomers finds splits and merges. An old segment is split where several new ones have most of their known
// customers from it, of which one may go on from it, and the others are new. Old ones are merged where most of the known
// customers of each are in the same new one, of which one may go on there, and the others are gone.
func (m *Matching) relateCustomers(o *Overlap) {
	from, to := o.known()
	enough := func(n, known, others int64) bool {
		return n > 0 && float64(n) >= mostly*float64(known) && float64(known) >= leastKnown*float64(known+others)
	}
	for i := range from {
		s := Split{From: i}
		for j := range to {
			if (m.From[j] == i || m.From[j] < 0) && enough(o.Matrix[i][j], to[j], o.Arrived[j]) {
				s.Into = append(s.Into, j)
			}
		}
		m.addSplit(s)
	}
	died := m.Died(len(from))
	for j := range to {
		g := Merge{Into: j}
		for i := range from {
			if (m.From[j] == i || slices.Contains(died, i)) && enough(o.Matrix[i][j], from[i], o.Left[i]) {
				g.From = append(g.From, i)
			}
		}
		m.addMerge(g)
	}
}

func (m *Matching) addSplit(s Split) {
	if len(s.Into) > 1 {
		m.Splits = append(m.Splits, s)
	}
}

func (m *Matching) addMerge(g Merge) {
	if len(g.From) > 1 {
		m.Merges = append(m.Merges, g)
	}
}

// relateCentroids finds splits and merges where no customer is known. A new centroid whose nearest old one is that of a
// segment that goes on is taken for a part of it, if both together are more like what it was than the one that goes on
// is alone, by the middle of their centroids and by their share of the rows. The same holds for old ones, the other way
// round.
func (m *Matching) relateCentroids(g *geometry) {
	next := make([]int, len(g.reach)) // by old segment
	for i := range next {
		next[i] = slices.Index(m.From, i)
	}
	splits, merges := make([][]int, len(next)), make([][]int, len(m.From))
	for j, of := range m.From {
		if i := g.nearestOld(j); of < 0 && i >= 0 && next[i] >= 0 && g.near(i, j) &&
			belongs(g.old, i, g.now, next[i], j) {
			splits[i] = append(splits[i], j)
		}
	}
	for i := range next {
		if j := g.nearestNew(i); next[i] < 0 && j >= 0 && m.From[j] >= 0 && g.near(i, j) &&
			belongs(g.now, j, g.old, m.From[j], i) {
			merges[j] = append(merges[j], i)
		}
	}
	for i, into := range splits {
		if len(into) > 0 {
			m.addSplit(Split{From: i, Into: ordered(append(into, next[i]))})
		}
	}
	for j, from := range merges {
		if len(from) > 0 {
			m.addMerge(Merge{Into: j, From: ordered(append(from, m.From[j]))})
		}
	}
}

func ordered(list []int) []int {
	slices.Sort(list)
	return list
}

// measure fills in how far the segments that go on have moved.
func (m *Matching) measure(g *geometry) {
	m.Distance, m.Way = make([]float64, len(m.From)), make([]float64, len(m.From))
	for j, i := range m.From {
		if m.Distance[j] = math.NaN(); i < 0 {
			continue
		}
		d := math.Sqrt(g.squared[i][j])
		if reach := g.reach[i]; reach > 0 && !math.IsInf(reach, 1) {
			m.Way[j] = d / reach
		}
		if m.Distance[j] = d; g.cosine {
			m.Distance[j] = g.squared[i][j] / 2
		}
	}
}

// Order is the new segments in the order of the indices that they are to have: one that goes on keeps its index, and new
// ones take those that are left. Where there are fewer segments than before, those that go on close up in their old order,
// and new ones follow. old is how many there were.
func (m *Matching) Order(old int) []int {
	k := len(m.From)
	order := make([]int, 0, k)
	if k < old {
		for i := range old {
			if j := slices.Index(m.From, i); j >= 0 {
				order = append(order, j)
			}
		}
	}
	fresh := make([]int, 0, k) // new segments, and, in a smaller model, nothing else is left
	for j, i := range m.From {
		if i < 0 {
			fresh = append(fresh, j)
		}
	}
	if k < old {
		return append(order, fresh...)
	}
	for i := range k {
		j := slices.Index(m.From, i)
		if j < 0 {
			j, fresh = fresh[0], fresh[1:]
		}
		order = append(order, j)
	}
	return order
}

// Reorder is the matching of the same segments once they have that order.
func (m *Matching) Reorder(order []int) *Matching {
	at := make([]int, len(order)) // by segment before: its index now
	r := &Matching{ByCustomers: m.ByCustomers}
	for index, j := range order {
		at[j] = index
		r.From = append(r.From, m.From[j])
		r.Distance, r.Way = append(r.Distance, m.Distance[j]), append(r.Way, m.Way[j])
	}
	for _, s := range m.Splits {
		into := make([]int, len(s.Into))
		for n, j := range s.Into {
			into[n] = at[j]
		}
		r.Splits = append(r.Splits, Split{From: s.From, Into: ordered(into)})
	}
	for _, g := range m.Merges {
		r.Merges = append(r.Merges, Merge{From: g.From, Into: at[g.Into]})
	}
	slices.SortFunc(r.Merges, func(a, b Merge) int { return a.Into - b.Into })
	return r
}
