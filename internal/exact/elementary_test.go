package exact

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// referencePrecision in bits decides every rounding to 53 bits that has been met.
const referencePrecision = 300

func bigFloat(x float64) *big.Float {
	return new(big.Float).SetPrec(referencePrecision).SetFloat64(x)
}

// bigExp is e^x by halving the argument until the Taylor series is short, and squaring back.
func bigExp(x *big.Float) *big.Float {
	const halvings = 40
	small := new(big.Float).SetPrec(2 * referencePrecision).Set(x)
	small.SetMantExp(small, -halvings)
	sum := new(big.Float).SetPrec(2 * referencePrecision).SetInt64(1)
	term := new(big.Float).SetPrec(2 * referencePrecision).SetInt64(1)
	for i := int64(1); i < 20; i++ {
		term.Mul(term, small)
		term.Quo(term, new(big.Float).SetInt64(i))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum
}

// bigLog is the logarithm of x by Newton's iteration on bigExp, which shares nothing with the series of the package.
func bigLog(x *big.Float) *big.Float {
	near := new(big.Float)
	k := x.MantExp(near)
	start, _ := near.Float64()
	y := new(big.Float).SetPrec(2 * referencePrecision).SetFloat64(math.Log(start) + float64(k)*math.Ln2)
	// Near 1 the start must be as good in relative terms.
	d, _ := new(big.Float).SetPrec(2*referencePrecision).Sub(x, new(big.Float).SetInt64(1)).Float64()
	if math.Abs(d) < 0.25 {
		y.SetFloat64(math.Log1p(d))
	}
	for range 3 { // 50 bits become 150 and then 450: y += 2(x − e^y)/(x + e^y)
		e := bigExp(y)
		num := new(big.Float).SetPrec(2*referencePrecision).Sub(x, e)
		den := new(big.Float).SetPrec(2*referencePrecision).Add(x, e)
		num.Quo(num, den)
		y.Add(y, num.Add(num, num))
	}
	return y
}

func referenceLog(x float64) float64 {
	v, _ := bigLog(bigFloat(x)).Float64()
	return v
}

func referenceLog1p(x float64) float64 {
	one := new(big.Float).SetPrec(2200).SetInt64(1)
	v, _ := bigLog(one.Add(one, bigFloat(x))).Float64()
	return v
}

func referenceExpm1(x float64) float64 {
	e := bigExp(bigFloat(x))
	v, _ := e.Sub(e, new(big.Float).SetInt64(1)).Float64()
	return v
}

type elementary struct {
	name            string
	function, slow  func(float64) float64
	reference       func(float64) float64
	least, greatest float64 // where the reference holds
}

var elementaries = []elementary{
	{"Log", Log, logSlow, referenceLog, math.SmallestNonzeroFloat64, math.MaxFloat64},
	{"Log1p", Log1p, log1pSlow, referenceLog1p, math.Nextafter(-1, 0), math.MaxFloat64},
	{"Expm1", Expm1, expm1Slow, referenceExpm1, -37.5, 709.78271289338397},
}

// inside says whether x is an argument for the reference and the slow step of e.
func (e *elementary) inside(x float64) bool {
	tiny := e.name != "Log" && math.Abs(x) < 0x1p-54
	return x >= e.least && x <= e.greatest && !tiny && !(e.name == "Log" && x == 1)
}

// arguments are random values of every magnitude, many around 0 and 1, and around the borders of table intervals.
func arguments(r *rand.Rand, n int) []float64 {
	x := make([]float64, 0, n)
	for len(x) < n {
		v := 0.0
		switch r.IntN(7) {
		case 0:
			v = math.Float64frombits(r.Uint64())
		case 1:
			v = math.Ldexp(r.Float64()-0.5, -r.IntN(56))
		case 2:
			v = 1 + math.Ldexp(r.Float64()-0.5, -r.IntN(52))
		case 3:
			v = r.NormFloat64() * 100
		case 4:
			v = math.Ldexp(float64(256+r.IntN(256)), r.IntN(20)-16) * (1 + float64(r.IntN(5)-2)*0x1p-52)
		case 5:
			v = float64(r.IntN(1 << 20))
		case 6:
			v = (float64(r.IntN(1<<18)-1<<13) + 0.5) * math.Ln2 / 128
		}
		x = append(x, v)
	}
	return x
}

func TestElementaryFunctionsAreCorrectlyRounded(t *testing.T) {
	for i := range elementaries {
		e := &elementaries[i]
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			count := 20_000
			if testing.Short() {
				count = 1_000
			}
			r := rand.New(rand.NewPCG(1, uint64(i)))
			edges := []float64{e.least, e.greatest, 0x1p-54, -0x1p-54, 0x1p-53, 0x1p-8, -0x1p-8, math.Nextafter(1, 2), math.Nextafter(1, 0),
				0x1p-1022, 0x1p-1074 * 3, 0.5, 2, 10, 1e300, 0x1p200, 0x1p53, -37.4, 700, 600}
			for _, x := range append(arguments(r, count), edges...) {
				if !e.inside(x) {
					continue
				}
				if got, want := e.function(x), e.reference(x); got != want {
					t.Fatalf("%s(%x) = %x, want %x", e.name, x, got, want)
				}
			}
		})
	}
}

// The second step has its own test, because the first one leaves it little to do.
func TestElementarySlowStepAgreesWithReference(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, e := range elementaries {
		for _, x := range arguments(r, 5_000) {
			if !e.inside(x) {
				continue
			}
			if got, want := e.slow(x), e.reference(x); got != want {
				t.Fatalf("%s: slow step of %x = %x, want %x", e.name, x, got, want)
			}
		}
	}
}

// The error that decide allows for must hold, not just the roundings that happened to be tried: the parts are compared with
// the reference at full precision.
func TestElementaryFirstStepKeepsItsErrorBound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	one := bigFloat(1)
	worst := map[string]float64{}
	check := func(name string, x, hi, lo, scale float64, want *big.Float) {
		got := new(big.Float).SetPrec(2*referencePrecision).Add(bigFloat(hi), bigFloat(lo))
		got.Mul(got, bigFloat(scale))
		got.Quo(got.Sub(got, want), want)
		v, _ := got.Float64()
		worst[name] = max(worst[name], math.Abs(v))
		if math.Abs(v) > stepError/2 {
			t.Errorf("%s(%x): relative error 2^%.1f of the first step, want below 2^%.1f", name, x, math.Log2(math.Abs(v)), math.Log2(stepError/2))
		}
	}
	for _, x := range arguments(r, 8_000) {
		if x > 0 && x < math.MaxFloat64 && x != 1 {
			hi, lo := logParts(x, 0)
			check("Log", x, hi, lo, 1, bigLog(bigFloat(x)))
		}
		if math.Abs(x) >= 0x1p-54 && x > -37.5 && x < 709.7 {
			hi, lo, scale := expm1Parts(x)
			e := bigExp(bigFloat(x))
			check("Expm1", x, hi, lo, scale, e.Sub(e, one))
		}
		if x > -1 && math.Abs(x) < 0x1p100 && math.Abs(x) >= 0x1p-54 {
			hi, lo := 0.0, 0.0
			if math.Abs(x) < 0x1p-8 {
				hi, lo = log1pParts(x, 0, 0, 0)
			} else {
				hi, lo = logParts(twoSum(1, x))
			}
			check("Log1p", x, hi, lo, 1, bigLog(new(big.Float).SetPrec(referencePrecision).Add(one, bigFloat(x))))
		}
	}
	for name, v := range worst {
		t.Logf("%s: greatest relative error of the first step 2^%.2f", name, math.Log2(v))
	}
}

func TestElementaryFunctionsAreMonotone(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, e := range elementaries {
		for _, x := range arguments(r, 20_000) {
			if !(x >= e.least) || x > 709 {
				continue
			}
			last := e.function(x)
			for range 8 {
				x = math.Nextafter(x, math.Inf(1))
				next := e.function(x)
				if next < last {
					t.Fatalf("%s(%x) = %x is below its left neighbour's %x", e.name, x, next, last)
				}
				last = next
			}
		}
	}
}

func TestElementarySpecialValues(t *testing.T) {
	inf, nan, negZero := math.Inf(1), math.NaN(), math.Copysign(0, -1)
	tests := []struct {
		name     string
		function func(float64) float64
		x, want  float64
	}{
		{"Log", Log, 0, -inf},
		{"Log", Log, negZero, -inf},
		{"Log", Log, -1, nan},
		{"Log", Log, -inf, nan},
		{"Log", Log, inf, inf},
		{"Log", Log, nan, nan},
		{"Log", Log, 1, 0},
		{"Log1p", Log1p, 0, 0},
		{"Log1p", Log1p, negZero, negZero},
		{"Log1p", Log1p, -1, -inf},
		{"Log1p", Log1p, math.Nextafter(-1, -2), nan},
		{"Log1p", Log1p, -inf, nan},
		{"Log1p", Log1p, inf, inf},
		{"Log1p", Log1p, nan, nan},
		{"Log1p", Log1p, 5e-324, 5e-324},
		{"Log1p", Log1p, -5e-324, -5e-324},
		{"Log1p", Log1p, 1e-300, 1e-300},
		{"Expm1", Expm1, 0, 0},
		{"Expm1", Expm1, negZero, negZero},
		{"Expm1", Expm1, inf, inf},
		{"Expm1", Expm1, -inf, -1},
		{"Expm1", Expm1, nan, nan},
		{"Expm1", Expm1, 709.782712893384, 1.7976931348622732e308},
		{"Expm1", Expm1, 709.7827128933841, inf},
		{"Expm1", Expm1, 710, inf},
		{"Expm1", Expm1, 711, inf},
		{"Expm1", Expm1, -38, -1},
		{"Expm1", Expm1, -1000, -1},
		{"Expm1", Expm1, -5e-324, -5e-324},
	}
	for _, test := range tests {
		got := test.function(test.x)
		if math.Float64bits(got) != math.Float64bits(test.want) {
			t.Errorf("%s(%v) = %v, want %v", test.name, test.x, got, test.want)
		}
	}
}

var sinkFloat float64

func BenchmarkElementary(b *testing.B) {
	for _, e := range elementaries {
		b.Run(e.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(5, 5))
			x := make([]float64, 4096)
			for i := range x {
				x[i] = r.Float64() * 100
			}
			for i := 0; b.Loop(); i++ {
				sinkFloat += e.function(x[i&4095])
			}
		})
	}
}
