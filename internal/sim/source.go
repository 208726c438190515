package sim

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

// table is a Source in memory. Its columns are features, then an id, then a weight.
type table struct {
	features [][]float64
	ids      []int64
	texts    bool // every third id is no integer
	weights  []float64
	bad      map[int64]bool // rows that cannot be used
	// fails, where it is set, is asked before each reading.
	fails func(first int64) error
}

// idColumn and weightColumn are the names of the last two columns.
const (
	idColumn     = "id"
	weightColumn = "weight"
)

// blockRows is odd, so that blocks do not end where partitions do.
const blockRows = 37

// madeTable draws the rows of a job: clumps of points, some of them alike, a few missing, bad, or with an id twice.
func madeTable(j *JobSpec) *table {
	r := rand.New(rand.NewPCG(j.Data, 0x64617461))
	t := &table{features: make([][]float64, 2), texts: j.Texts, bad: make(map[int64]bool)}
	for row := range int64(j.Rows) {
		clump := r.IntN(j.K + 1)
		for c := range t.features {
			x := float64(clump*(7+3*c)) + math.Round(r.NormFloat64()*8)/4
			if j.Missing != "fail" && r.IntN(23) == 0 {
				x = math.NaN()
			}
			t.features[c] = append(t.features[c], x)
		}
		id := row * 3
		if j.Twice && row > 2 && r.IntN(9) == 0 {
			id = 3 * r.Int64N(row)
		}
		t.ids = append(t.ids, id)
		t.weights = append(t.weights, float64(1+r.IntN(5)))
		if j.Bad && r.IntN(29) == 0 {
			t.bad[row] = true
		}
	}
	return t
}

// Schema implements dataset.Source.
func (t *table) Schema() *dataset.Schema {
	s := &dataset.Schema{}
	for c := range t.features {
		s.Columns = append(s.Columns, dataset.Column{Name: fmt.Sprintf("x%d", c)})
	}
	s.Columns = append(s.Columns, dataset.Column{Name: idColumn, Integer: !t.texts}, dataset.Column{Name: weightColumn})
	return s
}

// The rest of dataset.Source.
func (t *table) Rows() int64                { return int64(len(t.ids)) }
func (t *table) Cuts() []int64              { return []int64{0} }
func (t *table) Locate(r int64) fault.Place { return fault.Place{File: "table", Row: r} }
func (t *table) Bytes() int64               { return 0 }
func (t *table) Names() []string            { return []string{"table"} }
func (t *table) Close() error               { return nil }

func (t *table) Read(_ context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	if t.fails != nil {
		if err := t.fails(first); err != nil {
			return nil, err
		}
	}
	return &tableReader{t, first, first + rows, fields}, nil
}

type tableReader struct {
	t        *table
	at, stop int64
	fields   []dataset.Field
}

func (r *tableReader) Close() error { return nil }

func (r *tableReader) Next() (*dataset.Block, error) {
	if r.at == r.stop {
		return nil, io.EOF
	}
	n := min(blockRows, r.stop-r.at)
	lo, hi := r.at, r.at+n
	b := &dataset.Block{First: lo, Rows: int(n)}
	for _, f := range r.fields {
		switch id := len(r.t.features); {
		case f.Column < id:
			b.Columns = append(b.Columns, dataset.Vector{Float64: r.t.features[f.Column][lo:hi:hi]})
		case f.Column == id && r.t.texts:
			b.Columns = append(b.Columns, dataset.Vector{Text: r.t.textsOf(lo, hi)})
		case f.Column == id:
			b.Columns = append(b.Columns, dataset.Vector{Int64: r.t.ids[lo:hi:hi]})
		default:
			b.Columns = append(b.Columns, dataset.Vector{Float64: r.t.weights[lo:hi:hi]})
		}
	}
	r.spoil(b)
	r.at += n
	return b, nil
}

// textsOf are the ids of rows as texts.
func (t *table) textsOf(lo, hi int64) dataset.Strings {
	s := dataset.Strings{Offsets: []int{0}}
	for _, id := range t.ids[lo:hi] {
		if id%9 == 0 {
			s.Data = append(s.Data, 'c')
		}
		s.Data = strconv.AppendInt(s.Data, id, 10)
		s.Offsets = append(s.Offsets, len(s.Data))
	}
	return s
}

// spoil makes the bad rows of a block bad, in a copy.
func (r *tableReader) spoil(b *dataset.Block) {
	for i := range b.Rows {
		if r.t.bad[b.First+int64(i)] {
			b.Bad = append(b.Bad, dataset.BadRow{Index: i, Place: r.t.Locate(b.First + int64(i)), Reason: "made bad"})
		}
	}
	if len(b.Bad) == 0 {
		return
	}
	for c := range b.Columns {
		if v := b.Columns[c].Float64; v != nil {
			b.Columns[c].Float64 = append([]float64(nil), v...)
		}
	}
	b.SettleBad()
}
