package pipeline

import (
	"context"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/moves"
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/segment"
)

// moverRows is the number of movers that the table is given at a time.
const moverRows = 1 << 15

// The ways to move, in the order in which movers are listed.
const (
	changeDown = iota
	changeSame
	changeUp
	changeUnknown
	changesTold
)

var changeOrder = map[string]int32{segment.Down: changeDown, segment.Same: changeSame, segment.Up: changeUp, "": changeUnknown}

// changes is the way of each cell of the matrix; −1: who is there has not moved.
func (m *migration) changes() []int32 {
	g, j := m.outcome.Migration, m.joined
	list := make([]int32, len(j.Matrix))
	for cell := range list {
		from, to := cell/j.To, cell%j.To
		list[cell] = changeOrder[g.Change(from, to)]
		if g.Match[to] == from {
			list[cell] = -1
		}
	}
	return list
}

// order lists downgrades first; where customers have values, by value, else by the size of the flow.
func (m *migration) order() *moves.Order {
	g, j := m.outcome.Migration, m.joined
	changes := m.changes()
	rank := make([]int32, len(j.Matrix))
	flows := g.Moves()
	for n, f := range flows {
		rank[f.From*j.To+f.To] = int32(n)
	}
	if m.values != nil {
		return &moves.Order{Group: changes, Rank: rank}
	}
	groups := make([]int32, len(j.Matrix))
	for cell := range groups {
		groups[cell] = -1
	}
	next := int32(0)
	for way := range int32(changesTold) {
		for _, f := range flows {
			if cell := f.From*j.To + f.To; changes[cell] == way {
				groups[cell] = next
				next++
			}
		}
	}
	return &moves.Order{Group: groups, Rank: rank}
}

// integers says whether ids are written as integers: they are in both tables, and in neither are they kept as text.
func (m *migration) integers() bool {
	number := func(l *moves.Labels) bool { return l.Source.Schema().Columns[l.ID].Kind == dataset.Number }
	return m.joined.IntegerIDs && number(&m.from) && number(&m.to)
}

// writeMovers writes who has moved, a batch at a time.
func (m *migration) writeMovers(ctx context.Context) error {
	movers, err := m.joined.Movers(ctx, m.order(), m.r.Engine.threads())
	if err != nil {
		return err
	}
	id := table.Column{Name: "id", Type: table.Text}
	if m.integers() {
		id.Type = table.Int64
	}
	columns := []table.Column{id, {Name: "from_segment", Type: table.Int32}, {Name: "to_segment", Type: table.Int32},
		{Name: "from_name", Type: table.Text}, {Name: "to_name", Type: table.Text}}
	if m.values != nil {
		columns = append(columns, table.Column{Name: "value", Type: table.Float64, Nullable: true})
	}
	columns = append(columns, table.Column{Name: "change", Type: table.Text, Nullable: true})
	out, err := table.Create(m.r.Movers, columns, table.Options{Rows: int64(movers.Len())})
	if err != nil {
		return err
	}
	defer out.Abort()
	m.r.Engine.Reporter.Phase("write", int64(movers.Len()))
	for first := 0; first < movers.Len(); first += moverRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows := min(moverRows, movers.Len()-first)
		if err := out.Write(m.batch(movers, first, rows, id.Type)); err != nil {
			return err
		}
		m.r.Engine.Reporter.Add(int64(rows))
	}
	return out.Commit()
}

// batch is some movers in the columns of the table.
func (m *migration) batch(movers *moves.Movers, first, rows int, ids table.Type) *table.Batch {
	g := m.outcome.Migration
	integers, texts := []int64{}, dataset.Strings{Offsets: []int{0}}
	from, to := make([]int32, rows), make([]int32, rows)
	fromNames, toNames, changes := make([]string, rows), make([]string, rows), make([]string, rows)
	values := make([]float64, rows)
	for i := range rows {
		a, b, value := movers.At(first + i)
		from[i], to[i], values[i] = int32(a), int32(b), value
		fromNames[i], toNames[i], changes[i] = g.From[a].Name, g.To[b].Name, g.Change(a, b)
		if ids == table.Int64 {
			integers = append(integers, movers.Integer(first+i))
			continue
		}
		texts.Data = movers.AppendID(texts.Data, first+i)
		texts.Offsets = append(texts.Offsets, len(texts.Data))
	}
	batch := &table.Batch{Rows: rows}
	if ids == table.Int64 {
		batch.Columns = append(batch.Columns, integers)
	} else {
		batch.Columns = append(batch.Columns, texts)
	}
	batch.Columns = append(batch.Columns, from, to, fromNames, toNames)
	if m.values != nil {
		batch.Columns = append(batch.Columns, values)
	}
	batch.Columns = append(batch.Columns, changes)
	return batch
}
