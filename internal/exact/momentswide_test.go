package exact

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

// inLanes adds x in wide lanes, as one block.
func inLanes(x []float64) (*Moments, bool) {
	var m Moments
	least, greatest, finite := extremes(x)
	if !finite {
		return &m, false
	}
	ok := m.addWide(x, math.Float64bits(max(-least, greatest, 0)))
	m.widen(int64(len(x)), least, greatest)
	return &m, ok
}

func TestWideLanesAreExact(t *testing.T) {
	if !wideVectors {
		t.Skip("this processor has no wide lanes")
	}
	r := rand.New(rand.NewPCG(21, 4))
	for name, draw := range map[string]func() float64{
		"measurements":        func() float64 { return r.NormFloat64() },
		"decimal fractions":   func() float64 { return float64(r.IntN(1e9)) / 1e7 },
		"all bits set":        func() float64 { return math.Ldexp(1<<53-1, -53-r.IntN(28)) },
		"far apart":           func() float64 { return math.Ldexp(2*r.Float64()-1, -r.IntN(27)) },
		"one size":            func() float64 { return -math.Nextafter(1, 0) },
		"zeros":               func() float64 { return math.Copysign(float64(r.IntN(2)), -1) },
		"the least exponent":  func() float64 { return math.Ldexp(r.Float64(), leastWide) },
		"the most":            func() float64 { return math.Ldexp(r.Float64(), mostWide) },
		"multiples of a unit": func() float64 { return math.Ldexp(float64(1+r.IntN(1<<20)), -2*wideBits) },
	} {
		for _, n := range []int{blockLeast, 33, 35, 100, blockValues} {
			x := make([]float64, n)
			for i := range x {
				x[i] = draw()
			}
			if name != "one size" && name != "zeros" {
				_, greatest, _ := extremes(x)
				x[n/2] = math.Ldexp(0.75, int(math.Float64bits(greatest)>>52)-1022) // the scale is that of a row in the middle
				if name == "multiples of a unit" {
					x[n/2] = math.Nextafter(1, 0)
				}
			}
			m, ok := inLanes(x)
			if !ok {
				t.Fatalf("%s, %d values: not in lanes", name, n)
			}
			checkMoments(t, m, x)
		}
	}
}

func TestWhatWideLanesCannotHoldIsAddedOtherwise(t *testing.T) {
	if !wideVectors {
		t.Skip("this processor has no wide lanes")
	}
	r := rand.New(rand.NewPCG(21, 5))
	const n = 100
	column := func(scale float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = scale * (0.5 + r.Float64()/2)
		}
		return x
	}
	for name, x := range map[string][]float64{
		"half a unit":        append(column(1), math.Ldexp(1, -2*wideBits-1)),
		"a last bit":         append(column(1), math.Ldexp(1<<53-1, -53-28)),
		"half a unit, first": append([]float64{math.Ldexp(1, -2*wideBits-1)}, column(1)...),
		"a subnormal":        append(column(1), 5e-324),
		"too small":          column(math.Ldexp(1, leastWide-1)),
		"too large":          column(math.Ldexp(1, mostWide+1)),
		"subnormals":         column(1e-310),
		"few":                column(1)[:blockLeast-1],
	} {
		if _, ok := inLanes(x); ok {
			t.Errorf("%s: in lanes", name)
		}
		var m Moments
		m.AddSlice(x)
		checkMoments(t, &m, x)
	}
}

func TestMomentsAreThoseOfOtherProcessors(t *testing.T) {
	if !wideVectors {
		t.Skip("this processor has no wide lanes")
	}
	r := rand.New(rand.NewPCG(21, 6))
	encoded := func(x []float64, wide bool) []byte {
		defer func(before bool) { wideVectors = before }(wideVectors)
		wideVectors = wide
		var m Moments
		m.AddSlice(x)
		b, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for range 300 {
		x := make([]float64, r.IntN(5000))
		spread, odd := r.IntN(60), r.IntN(2) == 0
		for i := range x {
			x[i] = math.Ldexp(r.NormFloat64(), -r.IntN(spread+1))
			if odd && r.IntN(500) == 0 {
				x[i] = []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 1e300, -1e-300}[r.IntN(7)]
			}
		}
		if !bytes.Equal(encoded(x, true), encoded(x, false)) {
			t.Fatalf("%d values that differ by 2^%d: other bits in lanes", len(x), spread)
		}
	}
}

func BenchmarkMomentsOfMeasurements(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float64, 1<<16)
	for i := range x {
		x[i] = float64(int(r.NormFloat64()*1e6)) / 1e6
	}
	for _, wide := range []bool{false, true} {
		name := map[bool]string{false: "chunks", true: "lanes"}[wide]
		b.Run(name, func(b *testing.B) {
			defer func(before bool) { wideVectors = before }(wideVectors)
			wideVectors = wide && wideVectors
			for b.Loop() {
				var m Moments
				m.AddSlice(x)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/value")
		})
	}
}

func TestScalingOfFloat64sRoundsAsToGridDoes(t *testing.T) {
	withAndWithoutVectors(t, func(t *testing.T) {
		for _, column := range columns {
			for _, s := range scalings {
				r := rand.New(rand.NewPCG(3, 5))
				x := make([]float64, 16*40+7)
				for i := range x {
					x[i] = column.draw(r)
				}
				got := make([]float32, len(x)+1)
				got[len(x)] = 77
				top, most := s.ApplyWide(got, x), uint32(0)
				for i, v := range x {
					want := ToGrid((v-s.Center)/s.Spread, s.Shift, s.Exponent)
					most = max(most, math.Float32bits(want)<<1>>1)
					if most < 0xff<<23 && math.Float32bits(got[i]) != math.Float32bits(want) {
						t.Fatalf("%s, %+v: %v becomes %v, want %v", column.name, s, v, got[i], want)
					}
				}
				if top != most && (most < 0xff<<23 || top < 0xff<<23) {
					t.Fatalf("%s, %+v: greatest is %x, want %x", column.name, s, top, most)
				}
				if got[len(x)] != 77 {
					t.Fatalf("%s: wrote behind the end", column.name)
				}
			}
		}
	})
}

func TestExtremesInLanesAreThoseOfALoop(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 6))
	for range 2000 {
		x := make([]float64, r.IntN(80))
		least, greatest, finite := 0.0, 0.0, true
		for i := range x {
			x[i] = r.NormFloat64()
			if r.IntN(200) == 0 {
				x[i] = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[r.IntN(3)]
				finite = false
			}
			if i == 0 {
				least, greatest = x[0], x[0]
			}
			least, greatest = min(least, x[i]), max(greatest, x[i])
		}
		a, b, ok := Extremes(x)
		if ok != finite || ok && (a != least || b != greatest) {
			t.Fatalf("%d values: %v to %v, finite: %v; want %v to %v, %v", len(x), a, b, ok, least, greatest, finite)
		}
	}
}
