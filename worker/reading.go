package worker

import (
	"context"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// Reading reads partitions outside of any job, and judges every row exactly as a job's workers do: by the same policies for
// bad rows, missing values, weights and ids, with the same messages. Any number of goroutines may read at once; Settle comes
// before or after.
type Reading struct {
	Source dataset.Source
	Input  *wire.Input
	// Extra are further columns, which come with each block; a row with a bad cell among them is a bad row.
	Extra []dataset.Field
	// Dropped are the rows that duplicates of their ids replace, ascending: see Settle.
	Dropped []int64
}

// Rows is a block of rows. It is valid until the visit returns.
type Rows struct {
	*feature.Batch                  // the features, in the order of the Input; Skip marks rows that do not count
	First          int64            // global number of the first row
	IDs            *dataset.Vector  // nil where the Input names no id
	Extra          []dataset.Vector // in the order asked for
}

// Visit is given every block of a partition. First of all it applies the model's transform, and gives back what that counted,
// which rows it kept (nil: all), and its error; before such an error it must count nothing, because the same block may
// come again with one more row to skip.
type Visit func(r *Rows) (applied feature.Applied, keep []bool, err error)

// Each visits the blocks of a partition in order. It gives the counts and the rows set aside, and, where the Input names an
// id, the ids of the rows that count. What is wrong with a row is the Partial's Fault.
func (r *Reading) Each(ctx context.Context, part partition.Partition, visit Visit) (*wire.Partial, *dataset.IDPart, error) {
	k, err := newIntake(r.Source, r.Input, part, r.Dropped, wants{features: true, weight: true, ids: true})
	if err != nil {
		return nil, nil, err
	}
	own := len(k.fields)
	k.fields = append(k.fields, r.Extra...)
	h := &handed{ids: new(dataset.IDs)}
	view := &Rows{Batch: &k.batch.Batch}
	err = k.each(ctx, func(b *rows) error {
		view.First, view.IDs, view.Extra = b.first, b.ids, b.columns[own:]
		applied, keep, err := visit(view)
		for k.setAside(err) {
			applied, keep, err = visit(view)
		}
		if err != nil {
			return err
		}
		k.count(applied)
		if b.ids != nil {
			h.take(b, keep)
		}
		return nil
	})
	if err != nil || k.partial.Fault != nil || k.id < 0 {
		return k.partial, nil, err
	}
	return k.partial, &dataset.IDPart{IDs: h.ids, Row: h.rows.at}, nil
}

// Keys reads the ids of the rows of a partition that count, before anything is known of duplicates.
func (r *Reading) Keys(ctx context.Context, part partition.Partition) (*wire.Partial, *dataset.IDPart, error) {
	k, err := newIntake(r.Source, r.Input, part, nil, keyWants(r.Input))
	if err != nil {
		return nil, nil, err
	}
	h := &handed{ids: new(dataset.IDs)}
	var keep []bool
	err = k.each(ctx, func(b *rows) error {
		keep = b.complete(keep, r.Input.Spec.Missing)
		h.take(b, keep)
		return nil
	})
	if err != nil || k.partial.Fault != nil {
		return k.partial, nil, err
	}
	return k.partial, &dataset.IDPart{IDs: h.ids, Row: h.rows.at}, nil
}

// Settle compares the ids of all partitions. Under the policy fail an id that stands twice is an error of kind Input; under
// the others it finds the rows to leave out.
func (r *Reading) Settle(ids []dataset.IDPart) error {
	first, left, _ := dataset.Duplicates(ids, keeps(r.Input.Duplicates))
	if first != nil && r.Input.Duplicates == wire.DuplicatesFail {
		return twice(r.Source, r.Input.ID, first)
	}
	r.Dropped = left
	return nil
}
