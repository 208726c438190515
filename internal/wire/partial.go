package wire

import (
	"cmp"
	"maps"
	"slices"
	"time"

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
// exact and gives the same in any order and grouping. What was merged is whole after Unpack.
type Partial struct {
	Fault      *RowFault
	Intake     Intake
	Bad        []BadRow // by row after Unpack
	Largest    float64  // the largest weight
	Statistics *feature.Statistics
	Counts     *feature.Counts
	Directions *feature.NormalisedStatistics
	Totals     *kmeans.Totals
	Distinct   *kmeans.Distinct
	Seed       *kmeans.SeedPartial
	Sums       *kmeans.Sums
	Packed     *kmeans.PackedSums // in place of Sums, as they came over the network; Merge adds them to Sums
	Moved      int64              // rows whose label changed; meaningless where Fresh
	Fresh      bool               // some rows had no label before
	Farthest   *kmeans.Farthest
	Inertia    *exact.Bins
	Spread     []exact.Bins // by cluster: Σ weight × distance; empty unless it was asked for
	Dropped    int64        // duplicate rows that will be left out
	// Strands are the answers to a Together's strands, in their order.
	Strands []*Partial
	// Digests are of each partition's state, by partition. They travel in the Answer, not in the Partial.
	Digests map[int]uint64
	IDs     []IDSummary // by partition, ascending after Unpack
	// Sample is the numeric columns of some Points, row by row, in no order: the same rows for any partitions and workers.
	Sample []float32

	tally *kmeans.Tally // of Sums, while packed ones are added to them; nil: Sums are whole
}

// IDSummary says of one partition's ids what spares most data the comparing of them: where every partition's integers
// ascend, and the next partition's begin above its last, none stands twice.
type IDSummary struct {
	Partition   int
	Count       int64
	Integers    bool // all are plain integers
	Ascending   bool // integers, each above the one before
	First, Last int64
}

// Merge adds o, which must be of the same kind of round.
func (p *Partial) Merge(o *Partial) {
	if o.Fault != nil && (p.Fault == nil || o.Fault.Row < p.Fault.Row) {
		p.Fault = o.Fault
	}
	p.Intake.merge(&o.Intake)
	if len(o.Bad) > 0 {
		p.Bad = append(p.Bad, o.Bad...)
		if len(p.Bad) > MaxQuarantined+MaxQuarantined/4 { // and not each time: hundreds of workers may send some
			p.Bad = lowestBad(p.Bad)
		}
	}
	p.Largest = max(p.Largest, o.Largest)
	p.Moved += o.Moved
	p.Fresh = p.Fresh || o.Fresh
	p.Dropped += o.Dropped
	if len(o.Digests) > 0 && p.Digests == nil {
		p.Digests = make(map[int]uint64, len(o.Digests))
	}
	maps.Copy(p.Digests, o.Digests)
	p.IDs = append(p.IDs, o.IDs...)
	if len(p.Sample)+len(o.Sample) <= MaxSample { // or somebody has sent more than was asked for
		p.Sample = append(p.Sample, o.Sample...)
	}
	merge(&p.Statistics, o.Statistics)
	merge(&p.Counts, o.Counts)
	merge(&p.Directions, o.Directions)
	merge(&p.Totals, o.Totals)
	merge(&p.Distinct, o.Distinct)
	merge(&p.Seed, o.Seed)
	p.mergeSums(o)
	merge(&p.Farthest, o.Farthest)
	merge(&p.Inertia, o.Inertia)
	p.mergeSpread(o)
	p.mergeStrands(o)
}

// mergeSpread adds o's distances. DecodePartial refuses those of other clusters.
func (p *Partial) mergeSpread(o *Partial) {
	if len(p.Spread) == 0 {
		p.Spread = o.Spread
		return
	}
	for j := range o.Spread {
		p.Spread[j].Merge(&o.Spread[j])
	}
}

func (p *Partial) mergeStrands(o *Partial) {
	switch {
	case p.Strands == nil:
		p.Strands = o.Strands
		return
	case o.Strands != nil && len(o.Strands) != len(p.Strands):
		panic("wire: merging strands of different tasks") // DecodePartial refuses those
	}
	for i, s := range o.Strands {
		p.Strands[i].Merge(s)
	}
}

// mergeSums adds o's sums, packed or not. Packed ones are added as they are: a coordinator takes hundreds of them in
// every iteration.
func (p *Partial) mergeSums(o *Partial) {
	o.fold()
	if packed := p.Packed; packed != nil {
		p.Packed = nil
		p.add(packed)
	}
	if o.Packed != nil {
		p.add(o.Packed)
		return
	}
	p.fold()
	merge(&p.Sums, o.Sums)
}

func (p *Partial) add(packed *kmeans.PackedSums) {
	if p.Sums == nil {
		p.Sums = kmeans.NewSums(packed.K, packed.D, packed.Weighted())
	}
	if p.tally == nil {
		p.tally = kmeans.NewTally(p.Sums)
	}
	if err := p.tally.Add(packed); err != nil {
		panic("wire: merging sums of different tasks: " + err.Error()) // DecodePartial refuses those
	}
}

// fold makes Sums whole.
func (p *Partial) fold() {
	if p.tally != nil {
		p.tally.Fold()
		p.tally = nil
	}
}

// Unpack makes whole what was merged: Sums, also of Packed, and those of strands; and puts Bad and IDs in order, which for
// each part by itself would take as long as there are parts.
func (p *Partial) Unpack() {
	for _, s := range p.Strands {
		s.Unpack()
	}
	p.Bad = lowestBad(p.Bad)
	slices.SortFunc(p.IDs, func(a, b IDSummary) int { return cmp.Compare(a.Partition, b.Partition) })
	if packed := p.Packed; packed != nil {
		p.Packed = nil
		p.add(packed)
	}
	p.fold()
}

// lowestBad sorts bad rows by row and keeps one more than the limit: enough to see that there are too many, whoever
// has read which of them.
func lowestBad(rows []BadRow) []BadRow {
	slices.SortFunc(rows, func(a, b BadRow) int {
		if a.Row != b.Row {
			return cmp.Compare(a.Row, b.Row)
		}
		return cmp.Or(cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Raw, b.Raw))
	})
	return rows[:min(len(rows), MaxQuarantined+1)]
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
	// Digests are of the state of each covered partition, in their order; empty where the kind of round has none. Two
	// answers for the same partition of the same round must agree.
	Digests []uint64
	Partial *Partial
	Err     error
	NoDisk  bool          // Err is of the disk that the worker spills to
	Took    time.Duration // how long the worker computed
}
