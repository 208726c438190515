package synth

import (
	"math"
	"math/bits"
	"sync"

	"github.com/coterie-project/coterie/internal/exact"
)

// The purposes of this package's draws. They begin high, so that a fit with the same seed draws other numbers.
const (
	purposeRow uint32 = 0x73796e00 + iota
	purposeCenter
	purposeTill
	purposeBuyer
	purposeItem
	purposeLoad
)

// stream is the draws of one row: the counter-based generator gives the row's key, and SplitMix64 (G. L. Steele,
// D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", 2014) expands it, which costs a tenth of
// asking the generator for each draw.
type stream uint64

// keyed is the stream of a row.
func keyed(seed uint64, purpose uint32, row uint64) stream {
	return stream(exact.Draw(seed, purpose, 0, row))
}

const golden = 0x9e3779b97f4a7c15

// draw is the i-th draw of a stream.
func (s stream) draw(i uint64) uint64 { return mix(uint64(s) + golden*(i+1)) }

// next is the first draw, and moves on.
func (s *stream) next() uint64 {
	*s += golden
	return mix(uint64(*s))
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit is a number in (0, 1).
func (s *stream) unit() float64 { return exact.Unit(s.next()) }

// below is an integer in [0, n).
func (s *stream) below(n uint64) uint64 { return exact.Bounded(s.next(), n) }

// normal is a standard normal number.
func (s *stream) normal() float64 { return float64(normals().at(uint32(s.next() >> 32))) }

// lognormal is exp(mean + deviation·z).
func (s *stream) lognormal(mean, deviation float64) float64 {
	return exp(mean + float64(deviation*s.normal()))
}

// normalTable is the standard normal distribution's quantile function as straight lines between points that lie
// ever closer towards the tail: 32 between 2^-i and 2^-(i+1), for the probabilities from 1/2 down to 2^-32. One draw of
// 32 bits gives one number without a branch, within 10^-4 of the exact quantile, up to ±6.23. For made data that is
// as good as exact; what matters is that it is the same everywhere.
type normalTable struct {
	points [32 * 32]normalPoint
}

type normalPoint struct {
	base, slope float32 // the quantile at the point, and the way to the next
}

// at maps 32 random bits to a standard normal number: the first bit is the sign, the others the tail's probability.
func (t *normalTable) at(u uint32) float32 {
	v := u&0x7fffffff | 1
	zeros := uint32(bits.LeadingZeros32(v))
	v <<= zeros
	p := &t.points[(31-zeros)&31<<5|v>>26&31]
	fraction := float32(v<<6>>8) * 0x1p-24
	z := p.base + float32(p.slope*fraction)
	return math.Float32frombits(math.Float32bits(z) ^ u&0x80000000)
}

// normals is the table, made at the first use in well under 10 ms.
var normals = sync.OnceValue(func() *normalTable {
	var quantiles [32*32 + 1]float64 // of probability (32+j)·2^(octave-5-32) at octave·32+j
	x := 0.0
	for i := 31*32 - 1; i >= 0; i-- {
		tail := float64(32+i%32) * pow2(i/32-5-32)
		x = tailQuantile(tail, x)
		quantiles[i] = x
	}
	t := new(normalTable)
	for i := range 31 * 32 {
		t.points[i] = normalPoint{float32(quantiles[i]), float32(quantiles[i+1] - quantiles[i])}
	}
	return t
})

// tailQuantile is the x above which a standard normal number lies with probability tail < 1/2, by Newton's method
// from a start at or below it: the function is concave there, so that the steps never pass the root. The
// distribution is Φ(x) − 1/2 = φ(x)·(x + x³/3 + x⁵/15 + …), whose terms are all positive.
func tailQuantile(tail, start float64) float64 {
	x := start
	for range 60 {
		density := exp(-float64(x*x)/2) * (1 / 2.5066282746310002)
		term, sum := x, x
		for k := 3.0; term > sum*0x1p-56; k += 2 {
			term = float64(term*float64(x*x)) / k
			sum += term
		}
		step := (0.5 - tail - float64(density*sum)) / density
		if !(step > 1e-9) {
			break
		}
		x += step
	}
	return x
}

// exp is e^x for −700 < x < 700, within two units in the last place, with the same bits everywhere.
func exp(x float64) float64 {
	const (
		perLog2 = 1 / math.Ln2
		ln2High = 6.93147180369123816490e-01 // 32 bits of ln 2, so that k·ln2High is exact
		ln2Low  = 1.90821492927058770002e-10
	)
	k := math.Floor(float64(x*perLog2) + 0.5)
	r := x - float64(k*ln2High) - float64(k*ln2Low)
	v := expCoefficients[13]
	for i := 12; i >= 0; i-- {
		v = expCoefficients[i] + float64(r*v)
	}
	return v * pow2(int(k))
}

// expCoefficients are 1/i!, the Taylor series: for |r| ≤ ln 2/2 the rest is below 10^-17.
var expCoefficients = [14]float64{1, 1, 1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320, 1. / 362880, 1. / 3628800,
	1. / 39916800, 1. / 479001600, 1. / 6227020800}

// pow2 is 2^e for a normal result.
func pow2(e int) float64 { return math.Float64frombits(uint64(e+1023) << 52) }

// cents rounds money to two decimals: the float64 nearest to the decimal.
func cents(x float64) float64 { return math.Floor(float64(x*100)+0.5) / 100 }
