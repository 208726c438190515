package kmeans

import (
	"errors"
	"fmt"
	"slices"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// ErrConservation is a set of sums whose rows or column totals do not add up to those of the data.
var ErrConservation = errors.New("rows were lost or counted twice")

// Sums is the exact state of an assignment: rows, weight and coordinate sums of each cluster, as integers on the
// grid. Adding and subtracting is exact, so equal assignments have equal Sums however they were reached.
type Sums struct {
	K, D    int
	Counts  []int64        // rows by cluster
	Weights []exact.Int128 // fixed-point weight by cluster; nil where rows are not weighted
	Values  []exact.Int128 // k×d, row-major: Σ weight·value in grid units
}

// NewSums makes the Sums of no rows.
func NewSums(k, d int, weighted bool) *Sums {
	s := &Sums{K: k, D: d, Counts: make([]int64, k), Values: make([]exact.Int128, k*d)}
	if weighted {
		s.Weights = make([]exact.Int128, k)
	}
	return s
}

// Weight is the weight of cluster j: its rows where they are not weighted.
func (s *Sums) Weight(j int) exact.Int128 {
	if s.Weights == nil {
		return exact.FromInt64(s.Counts[j])
	}
	return s.Weights[j]
}

// Merge adds o's rows.
func (s *Sums) Merge(o *Sums) {
	for j, n := range o.Counts {
		s.Counts[j] += n
	}
	for j, w := range o.Weights {
		s.Weights[j] = s.Weights[j].Add(w)
	}
	kernel.SpreadOut(s.K, s.D, func(lo, hi int) {
		into := s.Values[lo*s.D : hi*s.D]
		for i, v := range o.Values[lo*s.D : hi*s.D] {
			into[i] = into[i].Add(v)
		}
	})
}

// Clone is a deep copy.
func (s *Sums) Clone() *Sums {
	return &Sums{K: s.K, D: s.D, Counts: slices.Clone(s.Counts), Weights: slices.Clone(s.Weights), Values: slices.Clone(s.Values)}
}

// Empty lists the clusters without weight, ascending.
func (s *Sums) Empty() []int {
	var empty []int
	for j := range s.K {
		if s.Weight(j).Sign() <= 0 {
			empty = append(empty, j)
		}
	}
	return empty
}

// Conserved checks that the clusters' rows, weights and sums add up to the totals, exactly.
func (s *Sums) Conserved(t *Totals) error {
	var rows int64
	var weight exact.Int128
	for j := range s.K {
		rows += s.Counts[j]
		weight = weight.Add(s.Weight(j))
	}
	column := make([]exact.Int128, s.D)
	kernel.SpreadOut(s.D, s.K, func(lo, hi int) {
		for j := range s.K {
			for c, v := range s.Values[j*s.D+lo : j*s.D+hi] {
				column[lo+c] = column[lo+c].Add(v)
			}
		}
	})
	if rows != t.Rows {
		return fmt.Errorf("%w: %d rows in the clusters, %d in the data", ErrConservation, rows, t.Rows)
	}
	if weight.Cmp(t.Weight) != 0 {
		return fmt.Errorf("%w: the clusters' weights do not add up", ErrConservation)
	}
	for c := range column {
		if column[c].Cmp(t.Sums[c]) != 0 {
			return fmt.Errorf("%w: the clusters' sums of column %d do not add up", ErrConservation, c)
		}
	}
	return nil
}

// Accumulator takes the moves of one thread. Unweighted moves are kept as int64 and folded into 128 bits before
// they could overflow: a move adds at most 2^39 to an entry, and 2^23 of them stay below 2^62.
type Accumulator struct {
	sums    *Sums
	ledger  kernel.Ledger // unweighted moves whose coordinates are not in sums yet; it counts in sums
	changed []bool        // clusters with moves in sums since the last Drain
	moves   int
	moved   int64
}

// NewAccumulator makes an Accumulator of no moves.
func NewAccumulator(k, d int, weighted bool) *Accumulator {
	a := &Accumulator{sums: NewSums(k, d, weighted), changed: make([]bool, k)}
	if !weighted {
		a.ledger = kernel.Ledger{D: d, Sums: make([]int64, k*kernel.LedgerStride(d)), Counts: a.sums.Counts, Touched: make([]bool, k)}
	}
	return a
}

// none is the cluster of a row that has not been assigned.
const none = -1

// room makes sure that n more unweighted moves of p's rows cannot overflow.
func (a *Accumulator) room(p *Points, n int) {
	if a.moves+n > MaxPoints {
		a.fold()
	}
	a.moves += n
	a.moved += int64(n)
	a.ledger.Units = p.units[:kernel.LedgerStride(p.d)]
}

// move takes row i of p out of cluster from (or none) and puts it into cluster to.
func (a *Accumulator) move(p *Points, i, from, to int) {
	base := i/kernel.Lanes*p.d*kernel.Lanes + i%kernel.Lanes
	if p.weights != nil {
		a.moved++
		a.sums.Counts[to]++
		if from != none {
			a.sums.Counts[from]--
		}
		a.moveWeighted(p, i, base, from, to)
		return
	}
	times := int64(1)
	if p.counts != nil {
		times = int64(p.counts[i])
	}
	a.room(p, int(times))
	a.sums.Counts[to] += times
	a.ledger.Touched[to] = true
	stride := kernel.LedgerStride(p.d)
	into := a.ledger.Sums[to*stride:][:p.d]
	units := p.units[:len(into)]
	lane := p.blocks[base:]
	if from == none {
		for t := range into {
			into[t] += times * int64(float64(lane[t*kernel.Lanes])*units[t])
		}
		return
	}
	a.sums.Counts[from] -= times
	a.ledger.Touched[from] = true
	out := a.ledger.Sums[from*stride:][:len(into)]
	for t := range into {
		v := times * int64(float64(lane[t*kernel.Lanes])*units[t])
		into[t] += v
		out[t] -= v
	}
}

// moveRows moves the listed rows, counted from row lo of p on, a multiple of kernel.Lanes, from the clusters of their labels
// to those of their indexes, which become their labels.
func (a *Accumulator) moveRows(tier kernel.Tier, p *Points, lo int, rows []int32, labels []uint16, index []int32) {
	if p.weights == nil && p.counts == nil {
		a.room(p, len(rows))
		a.ledger.Move(tier, p.blocks[lo*p.d:], rows, labels, index)
		return
	}
	for _, r := range rows {
		to := int(index[r])
		a.move(p, lo+int(r), int(labels[r]), to)
		labels[r] = uint16(to)
	}
}

// add puts rows [lo,hi) of p, lo a multiple of kernel.Lanes, into the clusters of their indexes.
func (a *Accumulator) add(tier kernel.Tier, p *Points, lo, hi int, index []int32) {
	whole := (hi - lo) / kernel.Lanes * kernel.Lanes
	if p.weights != nil || p.counts != nil {
		whole = 0
	} else if whole > 0 {
		a.room(p, whole)
		a.ledger.Add(tier, p.blocks[lo*p.d:(lo+whole)*p.d], index[:whole])
	}
	for i := lo + whole; i < hi; i++ {
		a.move(p, i, none, int(index[i-lo]))
	}
}

func (a *Accumulator) moveWeighted(p *Points, i, base, from, to int) {
	w := int64(p.weights[i])
	a.changed[to] = true
	a.sums.Weights[to] = a.sums.Weights[to].Add(exact.FromInt64(w))
	if from != none {
		a.changed[from] = true
		a.sums.Weights[from] = a.sums.Weights[from].Sub(exact.FromInt64(w))
	}
	d := p.d
	for t := range d {
		v := exact.MulInt64(w, int64(float64(p.blocks[base+t*kernel.Lanes])*p.units[t]))
		a.sums.Values[to*d+t] = a.sums.Values[to*d+t].Add(v)
		if from != none {
			a.sums.Values[from*d+t] = a.sums.Values[from*d+t].Sub(v)
		}
	}
}

// fold brings the ledger's sums into those of 128 bits.
func (a *Accumulator) fold() {
	a.moves = 0
	if a.ledger.Sums == nil {
		return
	}
	d, stride := a.sums.D, kernel.LedgerStride(a.sums.D)
	kernel.SpreadOut(a.sums.K, d, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			if !a.ledger.Touched[j] {
				continue
			}
			a.ledger.Touched[j], a.changed[j] = false, true
			row := a.ledger.Sums[j*stride:][:d]
			for t, v := range row {
				a.sums.Values[j*d+t] = a.sums.Values[j*d+t].Add(exact.FromInt64(v))
				row[t] = 0
			}
		}
	})
}

// Drain adds the moves taken so far to sums, says how many rows moved, and starts again from nothing. It costs d for
// each cluster that a row moved from or to, so that a thread may drain after every partition.
func (a *Accumulator) Drain(into *Sums) int64 {
	a.fold()
	d := a.sums.D
	kernel.SpreadOut(a.sums.K, d, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			if !a.changed[j] {
				continue
			}
			a.changed[j] = false
			into.Counts[j] += a.sums.Counts[j]
			a.sums.Counts[j] = 0
			if a.sums.Weights != nil {
				into.Weights[j] = into.Weights[j].Add(a.sums.Weights[j])
				a.sums.Weights[j] = exact.Int128{}
			}
			from, to := a.sums.Values[j*d:(j+1)*d], into.Values[j*d:(j+1)*d]
			for t, v := range from {
				to[t] = to[t].Add(v)
			}
			clear(from)
		}
	})
	moved := a.moved
	a.moved = 0
	return moved
}
