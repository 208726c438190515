package kmeans

import (
	"fmt"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// The loops of package exact over columns in blocks count on the kernel's layout.
const _ = uint(exact.Lanes-kernel.Lanes) + uint(kernel.Lanes-exact.Lanes)

// Room is the memory of Points before it is known what becomes of their values: n×d numbers in the layout of Points, which
// are turned into Points where they lie. Nothing is held twice.
type Room struct {
	rows, n, d int
	blocks     []float32
}

// NewRoom makes room for up to n rows of d columns. The error is ErrShape.
func NewRoom(n, d int) (*Room, error) {
	if n < 0 || n > MaxPoints || d < 1 {
		return nil, fmt.Errorf("%w: room for %d rows of %d columns", ErrShape, n, d)
	}
	return &Room{rows: n, d: d, blocks: make([]float32, paddedRows(n)*d)}, nil
}

// Rows is the number of rows in the room.
func (r *Room) Rows() int { return r.n }

// Columns is the number of columns, d.
func (r *Room) Columns() int { return r.d }

// Append adds rows from d columns, each at least `rows` long. The error is ErrShape.
func (r *Room) Append(columns [][]float32, rows int) error {
	if len(columns) != r.d || rows < 0 || r.n+rows > r.rows {
		return fmt.Errorf("%w: %d rows of %d columns do not fit", ErrShape, rows, len(columns))
	}
	for t, column := range columns {
		at, column := r.n, column[:rows]
		for len(column) > 0 {
			lane := at % kernel.Lanes
			dst := r.blocks[(at/kernel.Lanes*r.d+t)*kernel.Lanes:]
			if lane == 0 && len(column) >= kernel.Lanes {
				*(*[kernel.Lanes]float32)(dst) = [kernel.Lanes]float32(column)
				column, at = column[kernel.Lanes:], at+kernel.Lanes
				continue
			}
			n := copy(dst[lane:kernel.Lanes], column)
			column, at = column[n:], at+n
		}
	}
	r.n += rows
	return nil
}

// Blocks are the numbers: blocks of 16 rows, each block column by column. What is done to them is done to the Points to be.
// Behind the last row there may be others, which are no rows.
func (r *Room) Blocks() []float32 { return r.blocks }

// Points are the room's rows, of global numbers first, first+1, …, once all values are on the grid, at most 2^39 units from
// zero, and −0 nowhere. They take the room's memory, which is of no use to others afterwards. The errors are ErrShape.
func (r *Room) Points(first int64, grid []int) (*Points, error) {
	if len(grid) != r.d || r.blocks == nil {
		return nil, fmt.Errorf("%w: a room of %d columns with %d grid exponents", ErrShape, r.d, len(grid))
	}
	p := &Points{n: r.n, d: r.d, grid: grid, units: gridUnits(grid), first: first, blocks: r.blocks}
	for i := r.n; i < len(p.blocks)/p.d; i++ { // padding is zero
		for t := range p.d {
			p.blocks[p.index(i, t)] = 0
		}
	}
	r.blocks = nil
	return p, nil
}

// paddedRows is n rounded up to whole pairs of blocks, which the kernel reads.
func paddedRows(n int) int {
	const pair = kernel.Lanes * kernel.BlockPair
	return (n + pair - 1) / pair * pair
}
