package kmeans

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// gappy are Points with weights and rows left out, as asked for.
func gappy(t *testing.T, n, d int, weighted, gaps bool) *Points {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(n), uint64(d)))
	return thousandths(t, r, n, d, weighted, gaps, func(int, int) int { return r.IntN(4000) - 2000 })
}

// thousandths are Points of values that are so many 1,024ths, by row and column, drawn column by column.
func thousandths(t *testing.T, r *rand.Rand, n, d int, weighted, gaps bool, value func(i, c int) int) *Points {
	t.Helper()
	grid, columns := make([]int, d), make([][]float32, d)
	for c := range columns {
		grid[c], columns[c] = -10, make([]float32, n)
		for i := range columns[c] {
			columns[c][i] = float32(value(i, c)) / 1024
		}
	}
	p, err := NewPoints(n, d, 1000, grid)
	if err != nil {
		t.Fatal(err)
	}
	var weights []uint64
	if weighted {
		p.SetWeighted()
		for range n {
			weights = append(weights, r.Uint64N(WeightOne))
		}
	}
	var keep []bool
	if gaps {
		for i := range n {
			keep = append(keep, i%7 != 3)
		}
	}
	if err := p.Append(columns, n, 1000, keep, weights); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestChunksAreTheRowsThatWerePut(t *testing.T) {
	for _, n := range []int{1, 31, 256, 1000, 5000} {
		for _, weighted := range []bool{false, true} {
			for _, gaps := range []bool{false, true} {
				p := gappy(t, n, 3, weighted, gaps)
				shell := p.Shell()
				if shell.Rows() != p.Rows() || shell.Columns() != 3 || shell.Weighted() != weighted || len(shell.blocks) > 0 {
					t.Fatalf("%d rows: the shell has %d rows of %d columns, weighted: %v", n, shell.Rows(), shell.Columns(), shell.Weighted())
				}
				for lo := 0; lo < p.Rows(); lo += 2 * ChunkRows {
					hi := min(lo+2*ChunkRows, p.Rows())
					b := make([]byte, p.ChunkBytes(hi-lo))
					p.PutChunk(b, lo, hi)
					c, err := shell.Chunk(b, lo, hi)
					if err != nil {
						t.Fatal(err)
					}
					for i := range c.Rows() {
						if !slices.Equal(c.At(i, make([]float32, 3)), p.At(lo+i, make([]float32, 3))) || c.Weight(i) != p.Weight(lo+i) || c.RowNumber(i) != p.RowNumber(lo+i) {
							t.Fatalf("%d rows, weighted %v, gaps %v: row %d is another", n, weighted, gaps, lo+i)
						}
					}
				}
			}
		}
	}
}

func TestChunksOfAnotherSizeAreRefused(t *testing.T) {
	p := gappy(t, 600, 2, true, true)
	b := make([]byte, p.ChunkBytes(256)+8)
	for _, c := range []struct {
		b      []byte
		lo, hi int
	}{{b, 0, 256}, {b[:16], 0, 256}, {nil, 0, 256}, {b[:p.ChunkBytes(256)], 1, 257}, {b[:p.ChunkBytes(256)], 512, 768}, {b[1 : 1+p.ChunkBytes(256)], 0, 256},
		{b[:p.ChunkBytes(256)], -256, 0}, {b[:p.ChunkBytes(256)], 256, 0}} {
		if _, err := p.Shell().Chunk(c.b, c.lo, c.hi); !errors.Is(err, ErrShape) {
			t.Errorf("%d bytes for rows %d to %d: got %v, want %v", len(c.b), c.lo, c.hi, err, ErrShape)
		}
	}
}

// Passes over chunks, with those left out that Skips names, come to what passes over the whole come to.
func TestPassesOverChunksAreThoseOverTheWhole(t *testing.T) {
	p := gappy(t, 5000, 2, false, false)
	start := &Centroids{K: 6, D: 2, Values: []float32{-1, -1, 1, 1, -1, 1, 1, -1, 0, 0, 0.5, 0.1}}
	space := &Space{Grid: p.Grid()}
	for _, a := range Algorithms() {
		var sums [2][]*Sums
		skipped := 0
		for way := range 2 {
			tracker, track, acc := NewTracker(Algorithm(a), 6, 2), NewTrack(p), NewAccumulator(6, 2, false)
			total, c, s := NewSums(6, 2, false), start, new(Scratch)
			for range 25 {
				pass := tracker.Next(c, false)
				pass.Prepare(track)
				for lo := 0; lo < p.Rows(); lo += SpanRows {
					hi := min(lo+SpanRows, p.Rows())
					switch {
					case way == 0:
						pass.Update(p, lo, hi, track, acc, nil, s)
					case pass.Skips(track, lo, hi):
						skipped++
					default:
						b := make([]byte, p.ChunkBytes(hi-lo))
						p.PutChunk(b, lo, hi)
						chunk, err := p.Shell().Chunk(b, lo, hi)
						if err != nil {
							t.Fatal(err)
						}
						pass.Update(chunk, 0, hi-lo, track.Part(lo, hi), acc, nil, s)
					}
				}
				moved := acc.Drain(total)
				pass.Done([]*Track{track}, moved)
				sums[way] = append(sums[way], total.Clone())
				c = total.Update(c, space)
			}
		}
		for i := range sums[0] {
			if !slices.Equal(sums[0][i].Values, sums[1][i].Values) || !slices.Equal(sums[0][i].Counts, sums[1][i].Counts) {
				t.Errorf("%s: after pass %d: got %v, want %v", a, i, sums[1][i].Counts, sums[0][i].Counts)
				break
			}
		}
		if (skipped > 0) != (a == string(Hamerly) || a == string(Activity)) && a != string(Auto) {
			t.Errorf("%s: %d spans were skipped", a, skipped)
		}
	}
}
