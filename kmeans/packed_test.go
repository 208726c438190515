package kmeans

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/hostile"
)

// drawInt128 draws integers of every width.
func drawInt128(t *rapid.T, maxBits int) exact.Int128 {
	v := exact.Int128{Hi: rapid.Int64().Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
	for drop := 128 - rapid.IntRange(1, maxBits).Draw(t, "bits"); drop > 0; drop -= min(drop, 63) {
		by := uint(min(drop, 63))
		v = exact.Int128{Hi: v.Hi >> by, Lo: v.Lo>>by | uint64(v.Hi)<<(64-by)}
	}
	return v
}

func drawSums(t *rapid.T, k, d int, weighted bool, maxBits int) *Sums {
	s := NewSums(k, d, weighted)
	for j := range s.Counts {
		s.Counts[j] = rapid.Int64().Draw(t, "count")
	}
	for j := range s.Weights {
		s.Weights[j] = drawInt128(t, maxBits)
	}
	for i := range s.Values {
		s.Values[i] = drawInt128(t, maxBits)
	}
	return s
}

func TestMergingPackedSumsEqualsMergingThem(t *testing.T) {
	for width := 1; width <= maxWidth; width++ {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { checkMergePacked(t, width) })
		})
	}
}

func checkMergePacked(t *rapid.T, width int) {
	k, d, weighted := rapid.IntRange(1, 9).Draw(t, "k"), rapid.IntRange(1, 9).Draw(t, "d"), rapid.Bool().Draw(t, "weighted")
	a, b := drawSums(t, k, d, weighted, 128), drawSums(t, k, d, weighted, 8*width)
	lowest := exact.Int128{Hi: -1 << 63} // −2^127 needs every width, shifted right as it must be
	for range maxWidth - width {
		lowest = exact.Int128{Hi: lowest.Hi >> 8, Lo: lowest.Lo>>8 | uint64(lowest.Hi)<<56}
	}
	b.Values[rapid.IntRange(0, k*d-1).Draw(t, "lowest")] = lowest
	want, got := a.Clone(), a.Clone()
	want.Merge(b)
	p := b.Pack()
	if p.Width != width {
		t.Fatalf("got width %d, want %d", p.Width, width)
	}
	cut := rapid.IntRange(0, k).Draw(t, "cut")
	if err := errors.Join(p.Validate(), got.MergePackedRange(p, cut, k), got.MergePackedRange(p, 0, cut)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("cut at %d (-want +got):\n%s", cut, diff)
	}
	back, err := p.Unpack()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, back); diff != "" {
		t.Fatalf("unpacked (-want +got):\n%s", diff)
	}
}

func TestSumsWithoutColumnsArePackedToo(t *testing.T) {
	s := &Sums{K: 2, Counts: []int64{3, -1}} // counts alone, as labelling has them
	back, err := s.Pack().Unpack()
	if err != nil || back.Counts[0] != 3 || back.Counts[1] != -1 || len(back.Values) != 0 {
		t.Errorf("got %+v, %v", back, err)
	}
}

func TestPackingTakesTheSmallestWidthThatHolds(t *testing.T) {
	for _, c := range []struct {
		hi    int64
		lo    uint64
		width int
	}{
		{0, 0, 1}, {-1, math.MaxUint64, 1}, {0, 127, 1}, {0, 128, 2}, {-1, ^uint64(127), 1}, {-1, ^uint64(128), 2},
		{0, math.MaxInt64, 8}, {0, 1 << 63, 9}, {-1, 1 << 63, 8}, {-1, 1<<63 - 1, 9},
		{math.MaxInt64, math.MaxUint64, 16}, {math.MinInt64, 0, 16}, {1 << 55, 0, 16}, {1<<55 - 1, 0, 15},
	} {
		for at := range 2 { // whether it stands among the weights or the values
			s := NewSums(1, 1, true)
			v := exact.Int128{Hi: c.hi, Lo: c.lo}
			if at == 0 {
				s.Weights[0] = v
			} else {
				s.Values[0] = v
			}
			p := s.Pack()
			if p.Width != c.width {
				t.Errorf("%v: got width %d, want %d", v, p.Width, c.width)
			}
			if back, err := p.Unpack(); err != nil || back.Values[0] != s.Values[0] || back.Weights[0] != s.Weights[0] {
				t.Errorf("%v: came back as %v, %v", v, back, err)
			}
		}
	}
}

func TestPackedSumsOfAnotherShapeAreRefusedWhole(t *testing.T) {
	for name, spoil := range map[string]func(p *PackedSums){
		"a cluster more":        func(p *PackedSums) { p.K++ },
		"a column more":         func(p *PackedSums) { p.D++ },
		"no width":              func(p *PackedSums) { p.Width = 0 },
		"a width of 17":         func(p *PackedSums) { p.Width = 17 },
		"negative clusters":     func(p *PackedSums) { p.K = -p.K },
		"short counts":          func(p *PackedSums) { p.Counts = p.Counts[:len(p.Counts)-1] },
		"short weights":         func(p *PackedSums) { p.Weights = p.Weights[:1] },
		"no weights":            func(p *PackedSums) { p.Weights = nil },
		"short values":          func(p *PackedSums) { p.Values = p.Values[:len(p.Values)-1] },
		"a row of values less":  func(p *PackedSums) { p.Values = p.Values[:len(p.Values)-p.D*p.Width] },
		"a product that wraps":  func(p *PackedSums) { p.D = math.MaxInt / 2 },
		"clusters beyond count": func(p *PackedSums) { *p = *NewSums(4, 2, true).Pack() },
	} {
		s := NewSums(3, 2, true)
		s.Values[5] = exact.FromInt64(1000)
		p := s.Pack()
		spoil(p)
		into := NewSums(3, 2, true)
		if err := into.MergePacked(p); !errors.Is(err, ErrShape) {
			t.Errorf("%s: got %v, want ErrShape", name, err)
		}
		if diff := cmp.Diff(NewSums(3, 2, true), into); diff != "" {
			t.Errorf("%s: something was added:\n%s", name, diff)
		}
	}
	p := NewSums(3, 2, false).Pack()
	for _, r := range [][2]int{{-1, 2}, {2, 1}, {0, 4}} {
		if err := NewSums(3, 2, false).MergePackedRange(p, r[0], r[1]); !errors.Is(err, ErrShape) {
			t.Errorf("clusters %v: got %v, want ErrShape", r, err)
		}
	}
}

func FuzzMergePacked(f *testing.F) {
	for _, width := range []int{1, 7, 8, 9, 15, 16} {
		f.Add(2, 3, width, []byte("sixteen bytes of"), []byte{}, make([]byte, 6*width))
		f.Add(1, 1, width, []byte("8 bytes."), make([]byte, width), []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")[:width])
	}
	f.Fuzz(func(t *testing.T, k, d, width int, counts, weights, values []byte) {
		hostile.Ceiling(t, len(counts)+len(weights)+len(values), 64<<10, 64, func() {
			p := &PackedSums{K: k, D: d, Width: width, Counts: counts, Weights: weights, Values: values}
			s, err := p.Unpack()
			if err != nil {
				return
			}
			if err := s.MergePacked(p); err != nil {
				t.Fatal(err)
			}
			for i, v := range s.Values {
				var wide [16]byte
				n := copy(wide[:], values[i*width:(i+1)*width])
				for ; n < 16; n++ {
					wide[n] = byte(int8(wide[n-1]) >> 7)
				}
				once := exact.Int128{Lo: binary.LittleEndian.Uint64(wide[:]), Hi: int64(binary.LittleEndian.Uint64(wide[8:]))}
				if want := once.Add(once); v != want {
					t.Fatalf("value %d of width %d: got %v, want %v", i, width, v, want)
				}
			}
		})
	})
}

// wideSums are k×d sums that need a width.
func wideSums(k, d, width int) *Sums {
	s := NewSums(k, d, false)
	for i := range s.Values {
		v := exact.MulInt64(int64(exact.Draw(1, 2, 3, uint64(i))), 1<<62)
		for have := 16; have > width; have-- {
			v = exact.Int128{Hi: v.Hi >> 8, Lo: v.Lo>>8 | uint64(v.Hi)<<56}
		}
		s.Values[i] = v
	}
	return s
}

// sink keeps the compiler from leaving a benchmark's work out.
var sink uint64

// BenchmarkMergePacked adds 1000×100 packed sums. Bytes are all that has to move: the packed ones once, and those of
// the Sums in and out. "read" is a plain loop over as many bytes, the floor under it.
func BenchmarkMergePacked(b *testing.B) {
	const k, d = 1000, 100
	for _, width := range []int{5, 7, 8, 12, 16} {
		p, s := wideSums(k, d, width).Pack(), NewSums(k, d, false)
		moved := int64(len(p.Values) + 2*16*k*d)
		b.Run(fmt.Sprintf("width=%d", p.Width), func(b *testing.B) {
			b.SetBytes(moved)
			for range b.N {
				if err := s.MergePacked(p); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("width=%d/tally", p.Width), func(b *testing.B) {
			t := NewTally(s)
			b.SetBytes(moved)
			for range b.N {
				if err := t.Add(p); err != nil {
					b.Fatal(err)
				}
			}
			t.Fold()
		})
		b.Run(fmt.Sprintf("width=%d/2-threads", p.Width), func(b *testing.B) {
			b.SetBytes(moved)
			for range b.N {
				var wait sync.WaitGroup
				for half := range 2 {
					wait.Go(func() { _ = s.MergePackedRange(p, half*k/2, (half+1)*k/2) })
				}
				wait.Wait()
			}
		})
	}
	plain := wideSums(k, d, 8)
	b.Run("unpacked", func(b *testing.B) {
		s := NewSums(k, d, false)
		b.SetBytes(3 * 16 * k * d)
		for range b.N {
			s.Merge(plain)
		}
	})
	words := make([]uint64, (8+2*16)*k*d/8)
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(8 * len(words)))
		for range b.N {
			var a0, a1, a2, a3 uint64
			for w := words; len(w) >= 4; w = w[4:] {
				a0, a1, a2, a3 = a0+w[0], a1+w[1], a2+w[2], a3+w[3]
			}
			sink += a0 + a1 + a2 + a3
		}
	})
}
