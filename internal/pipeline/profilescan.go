package pipeline

import (
	"context"
	"slices"
	"sync"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/partition"
	"github.com/coterie-project/coterie/segment"
	"github.com/coterie-project/coterie/worker"
)

// profiling is a pass over data with a model.
type profiling struct {
	m           *model.Model
	source      dataset.Source
	engine      *Engine
	manifest    *partition.Manifest
	reading     worker.Reading
	features    []string // numeric ones
	numeric     []string // those, and the value's column
	categorical []string
	value       string
	withIDs     bool

	assigner *kmeans.Assigner
	grid     []int
	sampling sampling
	samples  []profileRows // by partition
	gathered *profileRows

	mu    sync.Mutex
	whole wire.Partial
	ids   []dataset.IDPart
	part  profilePart // everything, in the end
}

// profilePart is what a thread has measured.
type profilePart struct {
	profile  *segment.Profile
	examples examples
}

// read does the pass. Where of several rows with one id the first or the last counts, the ids are read before.
func (p *profiling) read(ctx context.Context) error {
	p.assigner = kmeans.NewAssigner(&kmeans.Centroids{K: p.m.K, D: p.m.Width(), Values: p.m.Centroids})
	for _, g := range p.m.Transform.Grids() {
		p.grid = append(p.grid, g.Exponent)
	}
	p.sampling = newSampling(p.source.Rows(), len(p.numeric)+len(p.categorical)+p.m.Width())
	p.samples = make([]profileRows, len(p.manifest.Partitions))
	threads := p.engine.cores()
	in := p.reading.Input
	if in.ID != "" && in.Duplicates != wire.DuplicatesFail {
		if err := p.dropDuplicates(ctx, threads); err != nil {
			return err
		}
	}
	p.engine.Reporter.Phase("profile", p.source.Rows())
	idle := make(chan *profileScan, threads)
	for range threads {
		idle <- &profileScan{profiling: p, part: p.newPart()}
	}
	err := eachPartition(ctx, p.manifest, threads, func(ctx context.Context, part partition.Partition) error {
		scan := <-idle
		defer func() { idle <- scan }()
		return scan.partition(ctx, part)
	})
	if err == nil && in.ID != "" && in.Duplicates == wire.DuplicatesFail {
		err = p.reading.Settle(p.ids)
	}
	p.whole.Unpack()
	if err == nil && len(p.whole.Bad) > wire.MaxQuarantined {
		err = coordinator.ErrTooManyBad
	}
	if err != nil {
		return err
	}
	return p.gather(idle)
}

// gather puts together what the threads have measured.
func (p *profiling) gather(idle <-chan *profileScan) error {
	p.part = p.newPart()
	for range cap(idle) {
		scan := <-idle
		if err := p.part.profile.Merge(scan.part.profile); err != nil {
			return err
		}
		for s := range scan.part.examples {
			for _, e := range scan.part.examples[s] {
				p.part.examples.offer(s, e)
			}
		}
	}
	return nil
}

// profileBytes is the most memory that profile takes for a table: what each thread has measured, what they come to together,
// and the ids.
func profileBytes(rows int64, k int, in *wire.Input, threads int) int64 {
	bytes := int64(threads+1)*segment.ProfileBytes(k, len(in.Spec.Numeric)+1) + capacity.WorkerOverhead
	if in.ID != "" {
		bytes += rows * 16
	}
	return bytes
}

// dropDuplicates finds the rows that are left out for their ids.
func (p *profiling) dropDuplicates(ctx context.Context, threads int) error {
	p.engine.Reporter.Phase("ids", p.source.Rows())
	var ids []dataset.IDPart
	err := eachPartition(ctx, p.manifest, threads, func(ctx context.Context, part partition.Partition) error {
		partial, own, err := p.reading.Keys(ctx, part)
		if err == nil && partial.Fault != nil {
			err = partial.Fault.Err
		}
		if err != nil {
			return err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		ids = append(ids, *own)
		p.engine.Reporter.Add(part.Rows)
		return nil
	})
	if err != nil {
		return err
	}
	return p.reading.Settle(ids)
}

func (p *profiling) newPart() profilePart {
	part := profilePart{profile: segment.NewProfile(p.m.K, p.numeric, p.categorical)}
	part.profile.KeepSpreads()
	if p.withIDs {
		part.examples = make(examples, p.m.K)
	}
	return part
}

// profileScan works through partitions, one after the other.
type profileScan struct {
	*profiling
	part    profilePart
	rows    *profileRows // of the partition
	columns [][]float32
	keep    []bool
	labels  []int32
	squared []float32
	scratch kmeans.Scratch
	batch   feature.Batch // the features and the value's column
	places  []int         // scratch of sampled
}

func (s *profileScan) partition(ctx context.Context, part partition.Partition) error {
	s.rows = &s.samples[part.ID]
	partial, ids, err := s.reading.Each(ctx, part, s.block)
	if err == nil && partial.Fault != nil {
		err = partial.Fault.Err
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole.Merge(partial)
	if ids != nil {
		s.ids = append(s.ids, *ids)
	}
	return nil
}

// block labels the rows of a block and counts them.
func (s *profileScan) block(r *worker.Rows) (feature.Applied, []bool, error) {
	if r.Rows == 0 { // what is wrong with the first row ends it
		return feature.Applied{}, nil, nil
	}
	if s.columns == nil {
		s.columns = make([][]float32, s.m.Width())
	}
	for t := range s.columns {
		s.columns[t] = slices.Grow(s.columns[t][:0], r.Rows)[:r.Rows]
	}
	s.keep = slices.Grow(s.keep[:0], r.Rows)[:r.Rows]
	applied, err := s.m.Transform.Apply(r.Batch, s.columns, s.keep)
	if err != nil {
		return applied, nil, err
	}
	if err := s.label(r); err != nil {
		return applied, nil, err
	}
	for i, kept := range s.keep {
		if !kept {
			s.labels[i] = -1
		} else if s.withIDs {
			s.example(r, i)
		}
	}
	s.batch = *r.Batch
	for i := range r.Extra {
		s.batch.Numeric = append(s.batch.Numeric[:len(s.features):len(s.features)], r.Extra[i].Float64)
		s.batch.Numeric32 = append(s.batch.Numeric32[:len(s.features):len(s.features)], r.Extra[i].Float32)
	}
	s.sampled(r)
	s.engine.Reporter.Add(int64(r.Rows))
	return applied, s.keep, s.part.profile.Add(s.labels, &s.batch)
}

// label finds the nearest centroid of each row; those that do not count have one too.
func (s *profileScan) label(r *worker.Rows) error {
	points, err := kmeans.NewPoints(r.Rows, s.m.Width(), r.First, s.grid)
	if err != nil {
		return err
	}
	if err := points.Append(s.columns, r.Rows, r.First, nil, nil); err != nil {
		return err
	}
	s.labels, s.squared = s.labels[:0], s.squared[:0]
	for lo := 0; lo < r.Rows; lo += kmeans.SpanRows {
		index, squared := s.assigner.Nearest(points, lo, min(lo+kmeans.SpanRows, r.Rows), &s.scratch)
		s.labels, s.squared = append(s.labels, index...), append(s.squared, squared...)
	}
	return nil
}
