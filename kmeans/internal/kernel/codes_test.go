package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// drawDictionary draws a Dictionary of values with any bits that a Point may have.
func drawDictionary(r *rand.Rand, size int) *Dictionary {
	values := make([]float32, size)
	for i := range values {
		for {
			values[i] = math.Float32frombits(r.Uint32())
			if !math.IsNaN(float64(values[i])) && !math.IsInf(float64(values[i]), 0) {
				break
			}
		}
	}
	return NewDictionary(values)
}

func TestCodesAreWidenedToTheirValuesOnEveryTier(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 21))
	for _, size := range []int{1, 2, 127, 128, 129, 255, 256, 257, 5000, 65536} {
		dictionary := drawDictionary(r, size)
		width := dictionary.Width()
		for _, shape := range []struct{ groups, d, c int }{{1, 1, 0}, {1, 3, 2}, {4, 1, 0}, {5, 8, 3}, {33, 2, 1}} {
			stride := width*CodeGroup + 7
			codes, want := make([]byte, shape.groups*stride), make([]uint16, shape.groups*CodeGroup)
			for i := range want {
				want[i] = uint16(r.IntN(size))
				if i < 4 {
					want[i] = uint16(size - 1)
				}
			}
			for g := range shape.groups {
				dictionary.PutCodes(want[g*CodeGroup:][:CodeGroup], codes[g*stride:])
			}
			for _, tier := range Available() {
				blocks := make([]float32, shape.groups*CodeGroup*shape.d)
				for i := range blocks {
					blocks[i] = -1
				}
				dictionary.Widen(tier, codes[:len(codes)-7], stride, shape.groups, blocks, shape.d, shape.c)
				for i, code := range want {
					for c := range shape.d {
						value := float32(-1) // of other columns nothing is written
						if c == shape.c {
							value = dictionary.Values()[code]
						}
						if got := pointAt(blocks, shape.d, i, c); math.Float32bits(got) != math.Float32bits(value) {
							t.Fatalf("%v, %d values, %+v: row %d, column %d is %x, not %x", tier, size, shape, i, c, math.Float32bits(got), math.Float32bits(value))
						}
					}
				}
			}
		}
	}
}

func TestCodesThatAreMissingAreTheFirst(t *testing.T) {
	for _, size := range []int{3, 300} {
		dictionary := drawDictionary(rand.New(rand.NewPCG(1, 22)), size)
		group := make([]byte, dictionary.Width()*CodeGroup)
		for i := range group {
			group[i] = 1
		}
		dictionary.PutCodes([]uint16{2}, group)
		blocks := make([]float32, CodeGroup)
		dictionary.Widen(Best(), group, len(group), 1, blocks, 1, 0)
		for i, v := range blocks {
			if want := dictionary.Values()[map[bool]int{true: 2}[i == 0]]; v != want {
				t.Fatalf("%d values: row %d is %g, not %g", size, i, v, want)
			}
		}
	}
}

func TestCodesThatDoNotFitPanic(t *testing.T) {
	dictionary := NewDictionary([]float32{1, 2})
	for name, call := range map[string]func(){
		"no values":      func() { NewDictionary(nil) },
		"too many":       func() { NewDictionary(make([]float32, 65537)) },
		"short codes":    func() { dictionary.Widen(Best(), make([]byte, 127), 64, 2, make([]float32, 128), 1, 0) },
		"short blocks":   func() { dictionary.Widen(Best(), make([]byte, 128), 64, 2, make([]float32, 127), 1, 0) },
		"no such column": func() { dictionary.Widen(Best(), make([]byte, 64), 64, 1, make([]float32, 128), 2, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}

func BenchmarkWiden(b *testing.B) {
	for _, tier := range benchTiers() {
		for _, size := range []int{16, 256, 4096} {
			b.Run(fmt.Sprintf("%v/%d", tier, size), func(b *testing.B) {
				const groups, d = 32, 8
				dictionary := drawDictionary(rand.New(rand.NewPCG(1, 2)), size)
				stride := d * dictionary.Width() * CodeGroup
				codes, blocks := make([]byte, groups*stride), make([]float32, groups*CodeGroup*d)
				for i := range codes {
					codes[i] = byte(i * 7 % 16)
				}
				measure(b, tier, groups*CodeGroup*d, 0, func() {
					for c := range d {
						dictionary.Widen(tier, codes[c*dictionary.Width()*CodeGroup:], stride, groups, blocks, d, c)
					}
				})
			})
		}
	}
}
