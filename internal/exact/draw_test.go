package exact

import (
	"math"
	"math/bits"
	"sort"
	"testing"
)

// The vectors that come with Random123, the authors' own implementation (kat_vectors, philox4x32 10).
func TestPhiloxGivesThePublishedVectors(t *testing.T) {
	tests := []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{
			[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, [2]uint32{0xffffffff, 0xffffffff},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		},
		{
			[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	}
	for _, test := range tests {
		var got [4]uint32
		c, k := test.counter, test.key
		got[0], got[1], got[2], got[3] = philox(c[0], c[1], c[2], c[3], k[0], k[1])
		if got != test.want {
			t.Errorf("philox(%x, %x) = %x, want %x", c, k, got, test.want)
		}
	}
}

// Every bit of every argument must flip about half of the result.
func TestDrawDependsOnEveryBit(t *testing.T) {
	const samples = 2_000
	for input := range 192 {
		flips, changed := 0, uint64(0)
		for i := range uint64(samples) {
			a := [3]uint64{i * 0x9e3779b97f4a7c15, i, i * i}
			b := a
			b[input/64] ^= 1 << (input % 64)
			d := Draw(a[0], uint32(a[1]>>32), uint32(a[1]), a[2]) ^ Draw(b[0], uint32(b[1]>>32), uint32(b[1]), b[2])
			flips += bits.OnesCount64(d)
			changed |= d
		}
		// 64·samples coins: the standard deviation is 179.
		if off := math.Abs(float64(flips - 32*samples)); off > 6*math.Sqrt(16*samples) || changed != math.MaxUint64 {
			t.Errorf("bit %d: %d flips of %d bits, mask %x", input, flips, 64*samples, changed)
		}
	}
}

// kolmogorov is the greatest distance of the sample x in (0, 1) from the uniform distribution, times √n: above 2 once in
// 1,500 samples.
func kolmogorov(x []float64) float64 {
	sort.Float64s(x)
	n, d := float64(len(x)), 0.0
	for i, v := range x {
		d = max(d, v-float64(i)/n, float64(i+1)/n-v)
	}
	return d * math.Sqrt(n)
}

func TestDrawsAreUniform(t *testing.T) {
	const n = 50_000
	for name, draw := range map[string]func(i uint64) uint64{
		"rows":       func(i uint64) uint64 { return Draw(42, 1, 0, i) },
		"iterations": func(i uint64) uint64 { return Draw(42, 1, uint32(i), 7) },
		"purposes":   func(i uint64) uint64 { return Draw(42, uint32(i), 0, 7) },
		"seeds":      func(i uint64) uint64 { return Draw(i, 0, 0, 0) },
		"low half":   func(i uint64) uint64 { return Draw(42, 1, 0, i) << 32 },
	} {
		x := make([]float64, n)
		for i := range x {
			x[i] = Unit(draw(uint64(i)))
		}
		if d := kolmogorov(x); d > 2.2 {
			t.Errorf("%s: Kolmogorov's distance is %.2f, want below 2.2", name, d)
		}
	}
}

func TestUnitIsNeverAnEnd(t *testing.T) {
	for _, test := range []struct {
		u    uint64
		want float64
	}{{0, 0x1p-53}, {math.MaxUint64, 1 - 0x1p-53}, {1 << 63, 0.5 + 0x1p-53}, {1<<63 - 1, 0.5 - 0x1p-53}} {
		if got := Unit(test.u); got != test.want {
			t.Errorf("Unit(%x) = %x, want %x", test.u, got, test.want)
		}
	}
}

func TestBoundedStaysBelowItsBound(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 10, 1 << 40, math.MaxUint64} {
		if low, high := Bounded(0, n), Bounded(math.MaxUint64, n); low != 0 || high != n-1 {
			t.Errorf("Bounded over %d reaches from %d to %d, want 0 to %d", n, low, high, n-1)
		}
	}
}

func TestNormalIsStandardNormal(t *testing.T) {
	const n = 200_000
	var m Moments
	x := make([]float64, n)
	fourth := 0.0
	for i := range x {
		v := Normal(Draw(1, 0, 0, uint64(i)), Draw(1, 1, 0, uint64(i)))
		m.AddRepeated(v, 1)
		fourth += v * v * v * v / n
		x[i] = 0.5 * math.Erfc(-v/math.Sqrt2)
	}
	if d := kolmogorov(x); d > 2.2 {
		t.Errorf("Kolmogorov's distance is %.2f, want below 2.2", d)
	}
	for _, test := range []struct {
		name                   string
		got, want, uncertainty float64
	}{
		{"mean", m.Mean(), 0, 1 / math.Sqrt(n)},
		{"variance", m.Variance(), 1, math.Sqrt(2. / n)},
		{"fourth moment", fourth, 3, math.Sqrt(96. / n)},
	} {
		if math.Abs(test.got-test.want) > 5*test.uncertainty {
			t.Errorf("%s = %v, want %v ± %v", test.name, test.got, test.want, test.uncertainty)
		}
	}
}

func TestNormalIsAccurate(t *testing.T) {
	worst := 0.0
	for i := range uint64(100_000) {
		u1, u2 := Draw(2, 0, 0, i), Draw(2, 1, 0, i)
		// The angle as the package rounds it, by way of the nearest multiple of a right angle.
		want := math.Sqrt(-2*math.Log(Unit(u1))) * math.Cos(2*math.Pi*Unit(u2))
		got := Normal(u1, u2)
		worst = max(worst, math.Abs(got-want))
	}
	if worst > 1e-14 {
		t.Errorf("greatest difference from the formula is %g, want below 1e-14", worst)
	}
	ends := []uint64{0, 1, 1 << 61, 1<<61 - 1, 1 << 62, 1<<62 - 1, 1 << 63, 1<<63 - 1, 3 << 62, 3<<62 - 1, math.MaxUint64}
	for _, u1 := range ends {
		for _, u2 := range ends {
			if v := Normal(u1, u2); !(math.Abs(v) < 8.6) || v == 0 {
				t.Errorf("Normal(%x, %x) = %v, want a number within ±8.6 and not 0", u1, u2, v)
			}
		}
	}
}

var sinkDraw uint64

func BenchmarkDraw(b *testing.B) {
	for i := uint64(0); b.Loop(); i++ {
		sinkDraw ^= Draw(42, 1, 2, i)
	}
}

func BenchmarkNormal(b *testing.B) {
	for i := uint64(0); b.Loop(); i++ {
		u := i * 0x9e3779b97f4a7c15
		sinkFloat += Normal(u, u*0x9e3779b97f4a7c15)
	}
}
