package pipeline

import (
	"context"
	"errors"
	"strconv"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/lookup"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/model"
)

// lookupData places the customers of a table that have the ids, in the order of the ids. The table is read once.
func lookupData(ctx context.Context, m *model.Model, r *LookupRequest) ([]Found, error) {
	data := Data{Files: []string{r.Data}, ID: r.IDColumn}.forModel(m)
	source, err := openData(ctx, &data, &Engine{Stdin: r.Stdin})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	in, err := modelInput(&data, m, source.Schema(), firstName(source), r.Model)
	if err != nil {
		return nil, err
	}
	finder := lookup.New(m)
	p := &picker{source: source, in: in, table: finder.NewTable(), row: make(map[string]int)}
	for _, id := range r.IDs {
		p.row[id] = -1
	}
	if err := p.pick(ctx); err != nil {
		return nil, err
	}
	answers, err := finder.Find(p.table)
	if err != nil {
		return nil, p.locate(err)
	}
	var found []Found
	for _, id := range r.IDs {
		row := p.row[id]
		if row < 0 {
			return nil, unknownID(r.Data, id)
		}
		result := answers.Result(row, true)
		if result == nil {
			return nil, fault.Inputf(source.Locate(p.numbers[row]), "the customer %q lacks a value, and the model leaves such rows out", id).
				Do("fill it in")
		}
		result.ID = &id
		found = append(found, *result)
	}
	return found, nil
}

func unknownID(path, id string) error {
	return fault.Inputf(fault.In(path), "there is no id %q", id).Do("ids are compared as they are written, zeros in front included")
}

// picker takes the rows of some ids out of a table.
type picker struct {
	source  dataset.Source
	in      *wire.Input
	table   *lookup.Table
	row     map[string]int // by id: the row of the table, or -1
	numbers []int64        // by row of the table: its number in the source
}

// pick reads the source.
func (p *picker) pick(ctx context.Context) error {
	var fields []dataset.Field
	schema := p.source.Schema()
	for _, name := range p.in.Spec.Numeric {
		fields = append(fields, dataset.Field{Column: schema.Index(name)})
	}
	for _, name := range p.in.Spec.Categorical {
		fields = append(fields, dataset.Field{Column: schema.Index(name), As: dataset.AsText})
	}
	if p.in.ID != "" {
		fields = append(fields, dataset.Field{Column: schema.Index(p.in.ID), As: dataset.AsID})
	}
	return readAll(ctx, p.source, fields, p.block)
}

// block takes what is asked for out of a block. A row that cannot be read hides its id, which may be one of them.
func (p *picker) block(b *dataset.Block) error {
	if len(b.Bad) > 0 {
		return fault.Inputf(b.Bad[0].Place, "%s", b.Bad[0].Reason).Do("correct the row, or remove it")
	}
	var id []byte
	for i := range b.Rows {
		number := b.First + int64(i)
		if p.in.ID == "" {
			id = strconv.AppendInt(id[:0], number, 10)
		} else {
			id = appendID(id[:0], &b.Columns[len(b.Columns)-1], i)
		}
		row, wanted := p.row[string(id)]
		if !wanted {
			continue
		}
		at := p.source.Locate(number)
		if row >= 0 {
			return fault.Inputf(at, "the id %q is there twice, before at %s", id, p.source.Locate(p.numbers[row])).Do("keep one of the rows")
		}
		if err := p.table.Add(); err != nil {
			return fault.Usagef("--id: %v", err)
		}
		p.row[string(id)] = len(p.numbers)
		p.numbers = append(p.numbers, number)
		p.fill(b, i)
	}
	return nil
}

// fill gives the table's last row the values of row i.
func (p *picker) fill(b *dataset.Block, i int) {
	last, numbers := p.table.Rows-1, len(p.in.Spec.Numeric)
	for j := range numbers {
		p.table.Numbers[j][last] = numberAt(&b.Columns[j], i)
	}
	for c := range p.in.Spec.Categorical {
		if v := &b.Columns[numbers+c]; v.Missing == nil || !v.Missing[i] {
			p.table.Texts[c][last] = lookup.Text{Value: string(v.Text.At(i)), Given: true}
		}
	}
}

// locate says of an error in the table where the value stands in the source.
func (p *picker) locate(err error) error {
	var known *lookup.Error
	if !errors.As(err, &known) || known.Row < 0 {
		return err
	}
	at := p.source.Locate(p.numbers[known.Row])
	at.Column = known.Feature
	return fault.Inputf(at, "%s", known.Problem).Do("%s", known.Remedy)
}

// agree holds that what labels say of customers is what the data gives: the same segments at the same distances. Both are in
// the order of the ids; without labels there is nothing to hold.
func agree(labels, data []Found, r *LookupRequest) error {
	for i := range labels {
		l, d := &labels[i], &data[i]
		if l.Segment == d.Segment && float32(l.Distance) == float32(d.Distance) {
			continue
		}
		return fault.Inputf(fault.In(r.Labels), "the customer %q has segment %d at distance %.4g; by the data it is segment %d at %.4g",
			*l.ID, l.Segment, l.Distance, d.Segment, d.Distance).Do("give the data that these labels were made of, or leave out --labels")
	}
	return nil
}
