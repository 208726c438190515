package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/ordinal"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// intake reads one partition for one round: it asks for the columns that the round needs, judges every row by the
// job's policies, and hands on batches in which the rows that do not count are marked.
type intake struct {
	source dataset.Source
	in     *wire.Input
	fields []dataset.Field
	// Positions in fields; −1: not asked for.
	numeric, text []int
	id, weight    int

	part    partition.Partition
	dropped []int64 // rows to leave out, ascending
	partial *wire.Partial

	batch rows
	keep  []bool    // scratch of weigh
	fault *rowError // under the policy fail: the first row of the batch that cannot be used
	again bool      // these rows were read before: nobody's progress
}

// rows is a batch of a partition's rows as a round sees it.
type rows struct {
	feature.Batch
	first   int64
	weights []float64
	ids     *dataset.Vector
	columns []dataset.Vector // as they were read
	skip    []bool
	skips   int
}

// wants says which columns a round needs.
type wants struct{ features, weight, ids bool }

// newIntake resolves the columns by name.
func newIntake(source dataset.Source, in *wire.Input, part partition.Partition, dropped []int64, w wants) (*intake, error) {
	source = ordinal.Wrap(source, ordersOf(in.Spec))
	k := &intake{source: source, in: in, part: part, dropped: dropped, id: -1, weight: -1, partial: &wire.Partial{}}
	if in.BadRows == wire.BadRowsQuarantine {
		// Any column can make a row bad, and a row that is set aside must be so in every round alike.
		w = wants{features: true, weight: true, ids: true}
	}
	add := func(name string, as dataset.As) (int, error) {
		column := source.Schema().Index(name)
		if column < 0 {
			return 0, fault.Inputf(fault.Place{Row: fault.NoRow, Column: name}, "the data has no such column")
		}
		k.fields = append(k.fields, dataset.Field{Column: column, As: as})
		return len(k.fields) - 1, nil
	}
	var err error
	columns := func(names []string, as dataset.As) (at []int) {
		for _, name := range names {
			i, e := add(name, as)
			err = errors.Join(err, e)
			at = append(at, i)
		}
		return at
	}
	if w.features {
		k.numeric = columns(in.Spec.Numeric, dataset.AsNumber)
		k.text = columns(in.Spec.Categorical, dataset.AsText)
	}
	if w.weight && in.Weight != "" {
		k.weight = columns([]string{in.Weight}, dataset.AsNumber)[0]
	}
	if w.ids && in.ID != "" {
		k.id = columns([]string{in.ID}, dataset.AsID)[0]
	}
	return k, err
}

// ordersOf are the columns whose texts stand for numbers.
func ordersOf(spec *feature.Spec) []ordinal.Order {
	var orders []ordinal.Order
	for _, o := range spec.Orders {
		orders = append(orders, ordinal.Order{Column: o.Column, Levels: o.Levels})
	}
	return orders
}

// each reads the partition and gives every batch to visit. Faults of single rows end up in the partial's Fault, of
// which the lowest row is reported in the end; an error is one that no other row can come before.
func (k *intake) each(ctx context.Context, visit func(b *rows) error) error {
	reader, err := k.source.Read(ctx, k.part.First, k.part.Rows, k.fields)
	if err != nil {
		return err
	}
	defer reader.Close()
	for {
		block, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		k.prepare(block)
		if err := visit(&k.batch); err != nil {
			return k.settle(err)
		}
		if k.fault != nil {
			return k.settle(k.fault)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// settle turns what is wrong with a row into the partial's Fault.
func (k *intake) settle(err error) error {
	var row *rowError
	var value *feature.ValueError
	switch {
	case errors.As(err, &row):
		k.partial.Fault = &wire.RowFault{Row: row.row, Err: row.err}
	case errors.As(err, &value):
		at := fault.Place{Row: fault.NoRow}
		number := k.batch.first
		if value.Row >= 0 {
			number += int64(value.Row)
			at = k.source.Locate(number)
		}
		at.Column = value.Column
		k.partial.Fault = &wire.RowFault{Row: number, Err: fault.Inputf(at, "%s", value.Problem()).Do("%s", value.Remedy)}
	default:
		return err
	}
	return nil
}

// rowError is what is wrong with the row of a global number.
type rowError struct {
	row int64
	err error
}

func (e *rowError) Error() string { return e.err.Error() }

// prepare judges the rows of a block and makes it the batch; where one cannot be used, the rows before it, since what
// the visit finds among them comes first.
func (k *intake) prepare(block *dataset.Block) {
	b := &k.batch
	b.first, b.Rows, b.columns = block.First, block.Rows, block.Columns
	b.Numeric, b.Numeric32 = b.Numeric[:0], b.Numeric32[:0]
	for _, at := range k.numeric {
		b.Numeric = append(b.Numeric, block.Columns[at].Float64)
		b.Numeric32 = append(b.Numeric32, block.Columns[at].Float32)
	}
	b.Text = b.Text[:0]
	for _, at := range k.text {
		b.Text = append(b.Text, textColumn(&block.Columns[at]))
	}
	b.ids = nil
	if k.id >= 0 {
		b.ids = &block.Columns[k.id]
	}
	b.skip = slices.Grow(b.skip[:0], block.Rows)[:block.Rows]
	clear(b.skip)
	b.skips = 0
	k.partial.Intake.Read += int64(block.Rows)
	k.judge(block)
	k.leaveOut(b)
	k.weigh(block)
	if k.fault != nil {
		b.Rows = int(k.fault.row - block.First)
		b.weights = b.weights[:min(len(b.weights), b.Rows)]
	}
	b.Skip = nil
	if b.skips > 0 {
		b.Skip = b.skip
	}
	k.partial.Intake.Kept += int64(block.Rows - b.skips)
}

func textColumn(v *dataset.Vector) feature.TextColumn {
	c := feature.TextColumn{At: v.Text.At}
	if missing := v.Missing; missing != nil {
		c.Missing = func(i int) bool { return missing[i] }
	}
	return c
}

// judge marks bad rows, or notes the first under the policy fail.
func (k *intake) judge(block *dataset.Block) {
	for i := range block.Bad {
		bad := &block.Bad[i]
		k.bad(bad.Index, func() fault.Place { return bad.Place }, bad.Reason, bad.Raw)
	}
	if k.id >= 0 {
		k.judgeIDs()
	}
	if k.in.BadRows == wire.BadRowsQuarantine {
		k.judgeNumbers()
	}
}

// at gives the place of a row of the batch when it is wanted: finding it may take a walk through a file, or a question to
// the submitter.
func (k *intake) at(index int, column string) func() fault.Place {
	return func() fault.Place {
		at := k.source.Locate(k.batch.first + int64(index))
		at.Column = column
		return at
	}
}

// bad is a row that cannot be used. Of several things that are wrong with it the first told counts.
func (k *intake) bad(index int, at func() fault.Place, reason, raw string) {
	row := k.batch.first + int64(index)
	if k.in.BadRows != wire.BadRowsQuarantine {
		if k.fault == nil || row < k.fault.row {
			k.fault = &rowError{row, fault.Inputf(at(), "%s", reason).Do("correct it, or set such rows aside with --bad-rows quarantine")}
		}
		return
	}
	if k.batch.skip[index] {
		return
	}
	k.batch.skip[index] = true
	k.batch.skips++
	k.partial.Intake.Bad++
	if len(k.partial.Bad) <= wire.MaxQuarantined {
		k.partial.Bad = append(k.partial.Bad, wire.BadRow{Row: row, Place: at(), Reason: reason, Raw: raw})
	}
}

func (k *intake) judgeIDs() {
	v := k.batch.ids
	for i := range k.batch.Rows {
		missing := v.Missing != nil && v.Missing[i] || v.Int64 == nil && len(v.Text.At(i)) == 0
		if !missing || k.batch.skip[i] {
			continue
		}
		k.bad(i, k.at(i, k.in.ID), "the id is missing", "")
	}
}

// judgeNumbers finds the numbers that no transform takes, so that their rows go to quarantine with the others.
func (k *intake) judgeNumbers() {
	for j, name := range k.in.Spec.Numeric {
		log := slices.Contains(k.in.Spec.Log1p, name)
		limit := k.largest(log, name)
		for i := range k.batch.Rows {
			x := k.number(j, i)
			reason := ""
			switch {
			case math.IsInf(x, 0):
				reason = fmt.Sprintf("%g: not a finite number", x)
			case math.Abs(x) > limit:
				reason = fmt.Sprintf("%g: too large", x)
			case log && x <= -1:
				reason = fmt.Sprintf("%g: log1p needs values above -1", x)
			default:
				continue
			}
			k.bad(i, k.at(i, name), reason, "")
		}
	}
}

// largest is the largest magnitude of a feature. Unscaled values become Points as they are, less a shift between the
// least and the largest of them: within half of a Point's limit they fit, whatever the other rows are.
func (k *intake) largest(log bool, name string) float64 {
	if k.in.Spec.Scale != feature.None || k.in.Spec.Normalize || log {
		return feature.MaxMagnitude
	}
	weight := 1.0
	for _, w := range k.in.Spec.Weights {
		if w.Column == name {
			weight = w.Factor
		}
	}
	return float64(feature.Limit(len(k.numeric)+len(k.text))) / 2 / weight
}

func (k *intake) number(j, i int) float64 {
	if x := k.batch.Numeric32[j]; x != nil {
		return float64(x[i])
	}
	return k.batch.Numeric[j][i]
}

// leaveOut marks the rows that duplicates of their ids replace.
func (k *intake) leaveOut(b *rows) {
	if len(k.dropped) == 0 {
		return
	}
	at, _ := slices.BinarySearch(k.dropped, b.first)
	for ; at < len(k.dropped) && k.dropped[at] < b.first+int64(b.Rows); at++ {
		if i := k.dropped[at] - b.first; !b.skip[i] {
			b.skip[i] = true
			b.skips++
			k.partial.Intake.Duplicates++
		}
	}
}

// weigh checks the weights and keeps the largest of the rows that count: it is the unit of all the others, and a row
// that is dropped for a missing value must not decide it.
func (k *intake) weigh(block *dataset.Block) {
	b := &k.batch
	b.weights = b.weights[:0]
	if k.weight < 0 {
		return
	}
	v := &block.Columns[k.weight]
	complete := b.complete(k.keep, k.in.Spec.Missing)
	if complete != nil {
		k.keep = complete
	}
	for i := range b.Rows {
		w := 0.0
		switch {
		case b.skip[i]:
		case v.Float32 != nil:
			w = float64(v.Float32[i])
		default:
			w = v.Float64[i]
		}
		if !(w >= 0) || math.IsInf(w, 0) {
			reason := fmt.Sprintf("weight %g is not a number of at least 0", w)
			if math.IsNaN(w) {
				reason = "the weight is missing"
			}
			k.bad(i, k.at(i, k.in.Weight), reason, "")
			w = 0
		}
		b.weights = append(b.weights, w)
		if complete == nil || complete[i] {
			k.partial.Largest = max(k.partial.Largest, w)
		}
	}
}
