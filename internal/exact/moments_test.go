package exact

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// twin computes the moments of the finite values of x in fractions.
func twin(x []float64) (n int64, sum, squares *big.Rat, least, greatest float64) {
	sum, squares = new(big.Rat), new(big.Rat)
	least, greatest = math.Inf(1), math.Inf(-1)
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		n++
		sum.Add(sum, rat(v))
		squares.Add(squares, new(big.Rat).Mul(rat(v), rat(v)))
		least, greatest = min(least, v), max(greatest, v)
	}
	return n, sum, squares, least, greatest
}

func checkMoments(t interface {
	Helper()
	Fatalf(string, ...any)
}, m *Moments, x []float64) {
	t.Helper()
	n, sum, squares, least, greatest := twin(x)
	if m.N != n {
		t.Fatalf("N = %d, want %d", m.N, n)
	}
	checkSum(t, &m.Sum, sum)
	checkSum(t, &m.Squares, squares)
	if n == 0 {
		if v := m.Variance(); v == v {
			t.Fatalf("variance of nothing = %v, want NaN", v)
		}
		return
	}
	if m.Min != least || m.Max != greatest {
		t.Fatalf("range is [%v, %v], want [%v, %v]", m.Min, m.Max, least, greatest)
	}
	count := new(big.Rat).SetInt64(n)
	mean := new(big.Rat).Quo(sum, count)
	want, _ := mean.Float64()
	if got := m.Mean(); got != want {
		t.Fatalf("mean = %x, want %x", got, want)
	}
	variance := new(big.Rat).Quo(squares, count)
	variance.Sub(variance, mean.Mul(mean, mean))
	want, _ = variance.Float64()
	if got := m.Variance(); got != want {
		t.Fatalf("variance = %x, want %x", got, want)
	}
	root := new(big.Float).SetPrec(200).SetRat(variance)
	deviation, _ := root.Sqrt(root).Float64()
	// Two roundings are within one last bit of one, also where the variance itself has left the range of float64.
	if got := m.StdDev(); math.Abs(got-deviation) > deviation*0x1p-52+0x1p-1074 {
		t.Fatalf("standard deviation = %x, want %x", got, deviation)
	}
	if ordinary := want > 0x1p-900 && want < 0x1p900; ordinary && m.StdDev() != math.Sqrt(want) {
		t.Fatalf("standard deviation = %x, want the root of %x", m.StdDev(), want)
	}
}

func TestMomentsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.OneOf(finite, rapid.SampledFrom([]float64{math.NaN(), math.Inf(1)})), 0, 60).Draw(t, "x")
		var slice, one, left Moments
		slice.AddSlice(x)
		for _, v := range x {
			one.AddRepeated(v, 1)
		}
		cut := rapid.IntRange(0, len(x)).Draw(t, "cut")
		var right Moments
		left.AddSlice(x[cut:])
		right.AddSlice(x[:cut])
		left.Merge(&right)
		first, _ := slice.MarshalBinary()
		for _, m := range []*Moments{&slice, &one, &left} {
			checkMoments(t, m, x)
			if b, _ := m.MarshalBinary(); !bytes.Equal(b, first) {
				t.Fatalf("encodings of equal moments differ:\n%x\n%x", b, first)
			}
		}
	})
}

func TestMomentsOfLongSlicesAreExact(t *testing.T) {
	for _, column := range columns {
		t.Run(column.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(4, 4))
			x := make([]float64, 5_000)
			for i := range x {
				x[i] = column.draw(r)
				if r.IntN(50) == 0 {
					x[i] = math.NaN()
				}
			}
			var m Moments
			m.AddSlice(x[:2_500])
			m.AddSlice(x[2_500:])
			checkMoments(t, &m, x)
		})
	}
}

func TestRepeatedValuesCountAsOften(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var repeated Moments
		var x []float64
		for range rapid.IntRange(1, 5).Draw(t, "values") {
			v, n := finite.Draw(t, "value"), rapid.Int64Range(-1, 20).Draw(t, "times")
			repeated.AddRepeated(v, n)
			for range n {
				x = append(x, v)
			}
		}
		checkMoments(t, &repeated, x)
	})
	var m Moments
	m.AddRepeated(-3, 1<<62)
	if got, want := m.Squares.Float64(), 9*0x1p62; got != want {
		t.Errorf("2^62 times (−3)² = %v, want %v", got, want)
	}
	if got := m.Variance(); got != 0 {
		t.Errorf("variance of one value = %v, want 0", got)
	}
}

// The textbook formula in float64 loses everything here.
func TestVarianceSurvivesALargeOffset(t *testing.T) {
	var m Moments
	for _, v := range []float64{1e15, 1e15 + 1, 1e15 + 2} {
		m.AddRepeated(v, 1)
	}
	if got, want := m.Variance(), 2./3; got != want {
		t.Errorf("variance = %v, want %v", got, want)
	}
}

// A column of tiny or huge values has a deviation, even where its variance is 0 or infinite in float64.
func TestDeviationOutlivesTheVariance(t *testing.T) {
	for _, unit := range []float64{0x1p-1074, 0x1p-700, 0x1p-500, 1, 0x1p500, 0x1p1000} {
		var m Moments
		m.AddSlice([]float64{2 * unit, 4 * unit, 4 * unit, 4 * unit, 5 * unit, 5 * unit, 7 * unit, 9 * unit})
		if got, want := m.StdDev(), 2*unit; got != want {
			t.Errorf("deviation in units of %g = %g, want %g", unit, got, want)
		}
	}
}

var sinkMoments Moments

func BenchmarkMomentsAddSlice(b *testing.B) {
	for _, column := range columns {
		b.Run(column.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(3, 3))
			x := make([]float64, 1<<14)
			for i := range x {
				x[i] = column.draw(r)
			}
			for b.Loop() {
				sinkMoments.AddSlice(x)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/value")
		})
	}
}
