package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestListNumbersTheMarkedRows(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	for _, tier := range available {
		for round := range 60 {
			masks, want := make([]uint16, 1+r.IntN(50)), []int32(nil)
			for b := range masks {
				masks[b] = maskKinds[round%len(maskKinds)](r)
				for i := range Lanes {
					if masks[b]>>i&1 != 0 {
						want = append(want, int32(b*Lanes+i))
					}
				}
			}
			all, rows := guarded[int32](len(want)+ListPad, 77)
			if n := List(tier, masks, rows); n != len(want) || !slices.Equal(rows[:n], want) || !intact(all, 77) {
				t.Fatalf("%v: rows %v, want %v", tier, rows[:n], want)
			}
		}
	}
}

func TestGatherCopiesListedRows(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 2))
	for _, tier := range available {
		for _, d := range []int{1, 3, 4, 8, 17, 64, 300} {
			n := Lanes * (1 + r.IntN(8))
			blocks, rows := scenarios[0].values(r, 320*d), make([]int32, n)
			for i := range rows {
				rows[i] = int32(r.IntN(320))
			}
			all, dst := guarded[float32](n*d, 7.5)
			Gather(tier, blocks, d, rows, dst)
			for i, row := range rows {
				for c := range d {
					if got, want := pointAt(dst, d, i, c), pointAt(blocks, d, int(row), c); got != want {
						t.Fatalf("%v, d=%d: row %d has %v in column %d, want %v", tier, d, row, got, c, want)
					}
				}
			}
			if !intact(all, 7.5) {
				t.Fatalf("%v, d=%d: values around the rows were overwritten", tier, d)
			}
		}
	}
}

// newLedger is an empty one whose units are powers of two, as grids have them.
func newLedger(k, d int) *Ledger {
	stride := LedgerStride(d)
	l := &Ledger{D: d, Units: make([]float64, stride), Sums: make([]int64, k*stride), Counts: make([]int64, k), Touched: make([]bool, k)}
	for t := range d {
		l.Units[t] = float64(int64(1) << (t % 20))
	}
	return l
}

func TestALedgerHoldsTheSumsOfItsRowsOnEveryTier(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 3))
	for _, tier := range available {
		for _, d := range []int{1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 19, 40} {
			k, n := 1+r.IntN(20), Lanes*(1+r.IntN(20))
			blocks := make([]float32, n*d)
			for i := range blocks {
				blocks[i] = float32(r.IntN(1<<20) - 1<<19)
			}
			got, index, labels := newLedger(k, d), make([]int32, n), make([]uint16, n)
			for i := range index {
				index[i] = int32(r.IntN(k))
				labels[i] = uint16(index[i])
			}
			got.Add(tier, blocks, index)
			var moved []int32
			for i := range index {
				if r.IntN(3) == 0 {
					index[i] = int32(r.IntN(k))
					moved = append(moved, int32(i))
				}
			}
			got.Move(tier, blocks, moved, labels, index)
			want := newLedger(k, d)
			for i, j := range index {
				want.Counts[j]++
				for c := range d {
					want.Sums[int(j)*LedgerStride(d)+c] += int64(float64(pointAt(blocks, d, i, c)) * want.Units[c])
				}
				if labels[i] != uint16(j) {
					t.Fatalf("%v, d=%d: row %d has label %d, want %d", tier, d, i, labels[i], j)
				}
			}
			if !slices.Equal(got.Sums, want.Sums) || !slices.Equal(got.Counts, want.Counts) {
				t.Fatalf("%v, k=%d d=%d: sums %v and counts %v, want %v and %v", tier, k, d, got.Sums, got.Counts, want.Sums, want.Counts)
			}
			for j, n := range want.Counts {
				if n > 0 && !got.Touched[j] {
					t.Fatalf("%v, d=%d: cluster %d has rows and does not count as touched", tier, d, j)
				}
			}
		}
	}
}
