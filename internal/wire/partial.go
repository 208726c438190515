package wire

import (
	"cmp"
	"slices"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/kmeans"
)

// MaxQuarantined is the largest number of bad rows that a job sets aside before it gives up: beyond it the input is
// not what its reader was told.
const MaxQuarantined = 1 << 20

// RowFault is what is wrong with one row. Of several the one with the lowest row is reported, so that the message
// does not depend on who read what.
type RowFault struct {
	Row int64
	Err error
}

// BadRow is a row set aside with its reason.
type BadRow struct {
	Row    int64
	Place  fault.Place
	Reason string
	Raw    string
}

// Intake counts what became of the rows read: read = kept + bad + missing + duplicate.
type Intake struct {
	Read, Kept               int64
	Bad, Missing, Duplicates int64
	Imputed                  int64   // values filled in
	Unseen                   []int64 // by categorical column: levels that the model does not know
}

func (n *Intake) merge(o *Intake) {
	n.Read += o.Read
	n.Kept += o.Kept
	n.Bad += o.Bad
	n.Missing += o.Missing
	n.Duplicates += o.Duplicates
	n.Imputed += o.Imputed
	if n.Unseen == nil {
		n.Unseen = slices.Clone(o.Unseen)
		return
	}
	for i, c := range o.Unseen {
		n.Unseen[i] += c
	}
}

// Partial is the mergeable part of an answer. Fields that a kind of round does not use are nil or zero; merging is
// exact and gives the same in any order and grouping.
type Partial struct {
	Fault      *RowFault
	Intake     Intake
	Bad        []BadRow // sorted by row after Merge
	Largest    float64  // the largest weight
	Statistics *feature.Statistics
	Counts     *feature.Counts
	Directions *feature.NormalisedStatistics
	Totals     *kmeans.Totals
	Distinct   *kmeans.Distinct
	Seed       *kmeans.SeedPartial
	Sums       *kmeans.Sums
	Moved      int64 // rows whose label changed; meaningless where Fresh
	Fresh      bool  // some rows had no label before
	Farthest   *kmeans.Farthest
	Inertia    *exact.Bins
	Dropped    int64 // duplicate rows that will be left out
}

// Merge adds o, which must be of the same kind of round.
func (p *Partial) Merge(o *Partial) {
	if o.Fault != nil && (p.Fault == nil || o.Fault.Row < p.Fault.Row) {
		p.Fault = o.Fault
	}
	p.Intake.merge(&o.Intake)
	if len(o.Bad) > 0 {
		p.Bad = append(p.Bad, o.Bad...)
		slices.SortFunc(p.Bad, func(a, b BadRow) int { return cmp.Compare(a.Row, b.Row) })
	}
	p.Largest = max(p.Largest, o.Largest)
	p.Moved += o.Moved
	p.Fresh = p.Fresh || o.Fresh
	p.Dropped += o.Dropped
	merge(&p.Statistics, o.Statistics)
	merge(&p.Counts, o.Counts)
	merge(&p.Directions, o.Directions)
	merge(&p.Totals, o.Totals)
	merge(&p.Distinct, o.Distinct)
	merge(&p.Seed, o.Seed)
	merge(&p.Sums, o.Sums)
	merge(&p.Farthest, o.Farthest)
	merge(&p.Inertia, o.Inertia)
}

// merge adds src to *dst, taking src over where there is nothing yet. The first part merged in is owned by the whole.
func merge[T any, M interface {
	*T
	Merge(*T)
}](dst *M, src M) {
	switch {
	case src == nil:
	case *dst == nil:
		*dst = src
	default:
		(*dst).Merge(src)
	}
}

// Answer is a worker's answer to a Task: the Partial of the partitions covered, or why there is none.
type Answer struct {
	Epoch   uint64
	Round   uint64
	Worker  string
	Covered []int
	Partial *Partial
	Err     error
}
