package moves

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

// pieceRows is how many rows a thread takes at a time, at least: few enough that all have work to the end.
const pieceRows = 1 << 17

// piece is a run of rows of one table.
type piece struct {
	side        int
	first, rows int64
}

// pieces cuts the tables where reading can start, in order.
func (j *join) pieces() []piece {
	var list []piece
	for side, t := range j.tables {
		if t == nil {
			continue
		}
		first, rows := int64(0), t.source.Rows()
		for _, cut := range t.source.Cuts() {
			if cut-first >= j.piece {
				list = append(list, piece{side, first, cut - first})
				first = cut
			}
		}
		if first < rows {
			list = append(list, piece{side, first, rows - first})
		}
	}
	return list
}

// read scatters all rows. Pieces are begun in order and none is begun after a failure, so that the error is that of the
// first piece that fails, whatever the threads.
func (j *join) read(ctx context.Context) error {
	list := j.pieces()
	errs := make([]error, len(list))
	var mu sync.Mutex
	next, failed := 0, false
	take := func() int {
		mu.Lock()
		defer mu.Unlock()
		if failed || next == len(list) {
			return -1
		}
		next++
		return next - 1
	}
	var all sync.WaitGroup
	for range min(j.threads, len(list)) {
		s := newScatterer(j)
		j.workers = append(j.workers, s)
		all.Go(func() {
			for n := take(); n >= 0; n = take() {
				if errs[n] = j.readPiece(ctx, s, list[n]); errs[n] != nil {
					mu.Lock()
					failed = true
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *join) readPiece(ctx context.Context, s *scatterer, p piece) error {
	t := j.tables[p.side]
	reader, err := t.source.Read(ctx, p.first, p.rows, t.fields)
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
		if err := s.take(p.side, t, block); err != nil {
			return err
		}
		if j.options.Read != nil {
			j.options.Read(int64(block.Rows))
		}
	}
}

// take scatters a Block.
func (s *scatterer) take(side int, t *table, b *dataset.Block) error {
	good := b.Rows
	if len(b.Bad) > 0 {
		good = b.Bad[0].Index
	}
	id, column := &b.Columns[0], &b.Columns[1]
	limit, highest := float64(t.segments), float64(s.highest[side])
	for i := range good {
		row := b.First + int64(i)
		if id.Missing != nil && id.Missing[i] || id.Int64 == nil && len(id.Text.At(i)) == 0 {
			return t.wrong(row, 0, "lacks the customer's id", "give every row an id")
		}
		var x float64
		if column.Float32 != nil {
			x = float64(column.Float32[i])
		} else {
			x = column.Float64[i]
		}
		info := uint64(row) << rowShift
		if side == valueSide {
			s.add(side, id, i, info, x)
			continue
		}
		if !(x >= 0 && x < limit) || x != math.Trunc(x) {
			return t.wrongLabel(row, x)
		}
		highest = max(highest, x)
		s.add(side, id, i, info|uint64(x), 0)
	}
	s.highest[side] = int(highest)
	if good < b.Rows {
		return fault.Inputf(b.Bad[0].Place, "%s", b.Bad[0].Reason).Do("correct the row")
	}
	return nil
}

// wrong is an error about the id (0) or the label (1) of a row.
func (t *table) wrong(row int64, field int, problem, remedy string) error {
	at := t.source.Locate(row)
	at.Column = t.source.Schema().Columns[t.fields[field].Column].Name
	return fault.Inputf(at, "%s", problem).Do("%s", remedy)
}

func (t *table) wrongLabel(row int64, x float64) error {
	remedy := "give the labels as assign or fit wrote them"
	switch {
	case math.IsNaN(x):
		return t.wrong(row, 1, "lacks a segment", remedy)
	case x >= 0 && x == math.Trunc(x) && t.whose != "":
		return t.wrong(row, 1, fmt.Sprintf("the segment %.0f is not one of the %d that %s has", x, t.segments, t.whose),
			"give the labels that were written with this model")
	}
	return t.wrong(row, 1, fmt.Sprintf("%v is not the number of a segment, 0 to %d", x, t.segments-1), remedy)
}
