package kmeans

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// few are Points of n rows whose columns have these numbers of distinct values at most; 0: all differ.
func few(t *testing.T, n int, distinct []int, weighted, gaps bool) *Points {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(n), uint64(len(distinct))))
	return thousandths(t, r, n, len(distinct), weighted, gaps, func(i, c int) int {
		if most := distinct[c]; most > 0 {
			return r.IntN(most) - most/3
		}
		return i - n/2
	})
}

// noLimit is more bytes than dictionaries take.
const noLimit = 1 << 30

// sameRows compares rows [lo, lo+got.Rows()) of want with all of got, to the bit, and what pads them.
func sameRows(t *testing.T, got, want *Points, lo int) {
	t.Helper()
	for i := range got.Rows() {
		if !slices.Equal(got.At(i, make([]float32, got.d)), want.At(lo+i, make([]float32, got.d))) || got.Weight(i) != want.Weight(lo+i) || got.RowNumber(i) != want.RowNumber(lo+i) {
			t.Fatalf("row %d of %d is another", lo+i, want.Rows())
		}
	}
	if len(got.blocks) != paddedRows(got.n)*got.d || got.Weighted() != want.Weighted() {
		t.Fatalf("%d rows have %d values, weighted: %v", got.n, len(got.blocks), got.Weighted())
	}
	for i := got.n; i < paddedRows(got.n); i++ {
		for c := range got.d {
			if got.blocks[got.index(i, c)] != 0 {
				t.Fatalf("behind %d rows there is %g", got.n, got.blocks[got.index(i, c)])
			}
		}
	}
}

func TestCodesAreTheRowsThatWereEncoded(t *testing.T) {
	for _, n := range []int{64, 255, 256, 257, 1000, 5000, 20000} {
		for _, mode := range []struct{ weighted, gaps bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
			distinct := []int{2, 0, 1, 256, 500}
			want, p := few(t, n, distinct, mode.weighted, mode.gaps), few(t, n, distinct, mode.weighted, mode.gaps)
			c := Encode(p, noLimit)
			if c == nil && n < 5000 { // nearly all values differ, or dictionaries outweigh what they spare
				continue
			}
			if c == nil {
				t.Fatalf("%d rows were not encoded", n)
			}
			room := new(CodeRoom)
			for packed := range 2 {
				if packed == 1 {
					c.Pack()
				}
				for lo := 0; lo < c.Rows(); lo += 4 * ChunkRows {
					hi := min(lo+4*ChunkRows, c.Rows())
					b := make([]byte, c.ChunkBytes(hi-lo))
					c.PutChunk(b, lo, hi)
					chunk, err := c.Drop().Chunk(b, lo, hi, room)
					if err != nil {
						t.Fatal(err)
					}
					buffer := make([]byte, 4*ChunkRows*4*want.d)
					for from := 0; from < chunk.Rows(); from += ChunkRows {
						sameRows(t, chunk.Widen(from, min(from+ChunkRows, chunk.Rows()), buffer), want, lo+from)
					}
				}
			}
			buffer, rows := make([]byte, WidenBytes(want.d)), WidenRows(want.d)
			for lo := 0; lo < c.Rows(); lo += rows {
				for i := range buffer {
					buffer[i] = 0xff
				}
				sameRows(t, c.Widen(lo, min(lo+rows, c.Rows()), buffer), want, lo)
			}
		}
	}
}

func TestColumnsAreEncodedUpToTheirLimits(t *testing.T) {
	const n = 1 << 18
	for _, c := range []struct{ distinct, width int }{{1, 1}, {256, 1}, {257, 2}, {n / codeShare, 2}, {n/codeShare + 1, 4}, {0, 4}} {
		p := few(t, n, []int{2, c.distinct}, false, false)
		if c.distinct > 1 { // all of them
			for i := range n {
				p.blocks[p.index(i, 1)] = float32(i%c.distinct) / 1024
			}
		}
		coded := Encode(p, noLimit)
		if coded == nil {
			t.Fatalf("%d distinct values: not encoded", c.distinct)
		}
		if got := coded.columns[1].width(); got != c.width {
			t.Errorf("%d distinct values: %d bytes a value, not %d", c.distinct, got, c.width)
		}
		if got, most := coded.RowBytes(n), n*(1+c.width); got != most {
			t.Errorf("%d distinct values: %d bytes of codes, not %d", c.distinct, got, most)
		}
	}
}

func TestWhatCodesDoNotSpareStaysAsItIs(t *testing.T) {
	for _, distinct := range [][]int{{0}, {0, 0, 0, 0, 2}, {60000}} {
		p, want := few(t, 100_000, distinct, false, false), few(t, 100_000, distinct, false, false)
		if Encode(p, noLimit) != nil {
			t.Errorf("%v distinct values were encoded", distinct)
		}
		if !slices.Equal(p.blocks, want.blocks) {
			t.Errorf("%v distinct values: what was not encoded is another", distinct)
		}
	}
	if empty := few(t, 0, []int{0, 0}, false, false); Encode(empty, noLimit) != nil {
		t.Error("no rows were encoded")
	}
}

func TestChunksOfCodesOfAnotherSizeAreRefused(t *testing.T) {
	c := Encode(few(t, 20000, []int{2, 2}, true, true), noLimit)
	b := make([]byte, c.ChunkBytes(256)+8)
	whole := b[:c.ChunkBytes(256)]
	for _, q := range []struct {
		b      []byte
		lo, hi int
	}{{b, 0, 256}, {b[:16], 0, 256}, {nil, 0, 256}, {whole, 1, 257}, {whole, 17152, 17408}, {b[1 : 1+len(whole)], 0, 256}, {whole, -256, 0}, {whole, 256, 0}} {
		if _, err := c.Chunk(q.b, q.lo, q.hi, new(CodeRoom)); !errors.Is(err, ErrShape) {
			t.Errorf("rows %d to %d of %d bytes: got %v, want %v", q.lo, q.hi, len(q.b), err, ErrShape)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	p := few(&testing.T{}, 1<<18, []int{2, 100, 256, 5000, 0, 0, 30, 1000}, false, false)
	kept := slices.Clone(p.blocks)
	for b.Loop() {
		copy(p.blocks, kept)
		if c := Encode(p, noLimit); c == nil {
			b.Fatal("not encoded")
		} else {
			c.Pack()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(kept)), "ns/value")
}

func TestDictionariesKeepToTheirLimit(t *testing.T) {
	for _, c := range []struct {
		most int
		left []bool
	}{
		{4 * 1310, []bool{true, true, true}}, {4*1310 - 1, []bool{false, true, true}}, {4 * 310, []bool{false, true, true}},
		{4*310 - 1, []bool{false, true, false}}, {4 * 10, []bool{false, true, false}}, {4*10 - 1, []bool{false, false, false}},
	} {
		values := [][]float32{make([]float32, 1000), make([]float32, 10), make([]float32, 300)}
		leaveOut(values, c.most)
		for i, v := range values {
			if (v != nil) != c.left[i] {
				t.Errorf("%d bytes: column %d has a dictionary: %v, want %v", c.most, i, v != nil, c.left[i])
			}
		}
	}
	if Encode(few(t, 1<<16, []int{200, 200}, false, false), 0) != nil {
		t.Error("columns were encoded without dictionaries")
	}
}

func TestRoomToWidenIsBounded(t *testing.T) {
	for d := 1; d <= 4096; d++ {
		rows, bytes := WidenRows(d), WidenBytes(d)
		if rows%ChunkRows != 0 || rows < ChunkRows || rows > SpanRows || bytes != 4*d*rows || rows > ChunkRows && bytes > 4*widenFloats {
			t.Fatalf("%d columns: %d rows in %d bytes", d, rows, bytes)
		}
	}
}
