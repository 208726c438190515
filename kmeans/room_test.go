package kmeans

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestARoomBecomesThePointsThatAppendMakes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 33, 1000} {
		const d = 3
		grid := []int{-30, -30, -30}
		room, err := NewRoom(n, d)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := NewPoints(n, d, 77, grid)
		for at := 0; at < n; {
			rows := min(n-at, 1+r.IntN(40))
			columns := make([][]float32, d)
			for c := range columns {
				for range rows + 2 {
					columns[c] = append(columns[c], float32(r.IntN(1000)))
				}
			}
			if err := room.Append(columns, rows); err != nil {
				t.Fatal(err)
			}
			if err := want.Append(columns, rows, 77+int64(at), nil, nil); err != nil {
				t.Fatal(err)
			}
			at += rows
		}
		for i := range room.Blocks() {
			room.Blocks()[i] += 2 // as a transform does, to the padding too
		}
		for i := range want.blocks {
			if row, lane := i/(16*d)*16, i%16; row+lane < n {
				want.blocks[i] += 2
			}
		}
		got, err := room.Points(77, grid)
		if err != nil || got.Rows() != n || got.RowNumber(5) != 82 || !slices.Equal(got.blocks, want.blocks) || !slices.Equal(got.units, want.units) {
			t.Errorf("%d rows: the Points differ from those of Append (%v)", n, err)
		}
		if _, err := room.Points(77, grid); !errors.Is(err, ErrShape) {
			t.Errorf("%d rows: memory was given away twice: %v", n, err)
		}
	}
}

func TestARoomRefusesWhatDoesNotFit(t *testing.T) {
	room, _ := NewRoom(20, 2)
	x := make([]float32, 40)
	for _, rows := range []int{21, 33, -1} {
		if err := room.Append([][]float32{x, x}, rows); !errors.Is(err, ErrShape) {
			t.Errorf("%d rows in a room of 20: %v", rows, err)
		}
	}
	if err := room.Append([][]float32{x}, 1); !errors.Is(err, ErrShape) {
		t.Errorf("one column of two: %v", err)
	}
	if _, err := room.Points(0, []int{0}); !errors.Is(err, ErrShape) {
		t.Errorf("one grid of two: %v", err)
	}
	for _, shape := range [][2]int{{-1, 1}, {MaxPoints + 1, 1}, {1, 0}} {
		if _, err := NewRoom(shape[0], shape[1]); !errors.Is(err, ErrShape) {
			t.Errorf("room of %v: %v", shape, err)
		}
	}
}
