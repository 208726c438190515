package exact

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// drawInt128 favours the ends of words and values of few bits.
func drawInt128(t *rapid.T, name string) Int128 {
	word := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, 1 << 63, 1<<63 - 1, math.MaxUint64, math.MaxUint64 - 1}))
	v := Int128{Hi: int64(word.Draw(t, name+" high")), Lo: word.Draw(t, name+" low")}
	if shift := rapid.UintRange(0, 126).Draw(t, name+" shift"); rapid.Bool().Draw(t, name+" short") {
		v = fromBig(new(big.Int).Rsh(v.Big(), shift))
	}
	return v
}

// fromBig is v modulo 2^128.
func fromBig(v *big.Int) Int128 {
	w := new(big.Int).And(v, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1)))
	return Int128{Hi: int64(new(big.Int).Rsh(w, 64).Uint64()), Lo: new(big.Int).And(w, new(big.Int).SetUint64(math.MaxUint64)).Uint64()}
}

func TestInt128AgreesWithBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawInt128(t, "a"), drawInt128(t, "b")
		x, y := a.Big(), b.Big()
		u, v := rapid.Int64().Draw(t, "u"), rapid.Int64().Draw(t, "v")
		tests := []struct {
			name string
			got  Int128
			want *big.Int
		}{
			{"Add", a.Add(b), new(big.Int).Add(x, y)},
			{"Sub", a.Sub(b), new(big.Int).Sub(x, y)},
			{"Neg", a.Neg(), new(big.Int).Neg(x)},
			{"AddInt64", a.AddInt64(u), new(big.Int).Add(x, big.NewInt(u))},
			{"FromInt64", FromInt64(u), big.NewInt(u)},
			{"MulInt64", MulInt64(u, v), new(big.Int).Mul(big.NewInt(u), big.NewInt(v))},
		}
		for _, test := range tests {
			if want := fromBig(test.want); test.got != want {
				t.Errorf("%s = %v, want %v (modulo 2^128)", test.name, test.got.Big(), want.Big())
			}
		}
		if got, want := a.Cmp(b), x.Cmp(y); got != want {
			t.Errorf("Cmp = %d, want %d", got, want)
		}
		if got, want := a.Sign(), x.Sign(); got != want {
			t.Errorf("Sign = %d, want %d", got, want)
		}
	})
}

// scaled is v·2^exp/n as a fraction.
func scaled(v, n *big.Int, exp int) *big.Rat {
	num, den := new(big.Int).Set(v), new(big.Int).Set(n)
	if exp >= 0 {
		num.Lsh(num, uint(exp))
	} else {
		den.Lsh(den, uint(-exp))
	}
	return new(big.Rat).SetFrac(num, den)
}

func sameFloat64(a, b float64) bool { return a == b || a != a && b != b }

func TestInt128Float64IsRoundedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, exp := drawInt128(t, "a"), rapid.IntRange(-1250, 1100).Draw(t, "exp")
		want, _ := scaled(a.Big(), big.NewInt(1), exp).Float64()
		if got := a.Float64(exp); got != want {
			t.Fatalf("(%v).Float64(%d) = %x, want %x", a.Big(), exp, got, want)
		}
	})
}

func checkMean32(t *testing.T, a, n Int128, exp int) {
	t.Helper()
	want, _ := scaled(a.Big(), n.Big(), exp).Float32()
	if got := a.Mean32(n, exp); got != want {
		t.Fatalf("(%v).Mean32(%v, %d) = %x, want %x", a.Big(), n.Big(), exp, got, want)
	}
}

func TestMean32IsRoundedOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	count := 1_000_000
	if testing.Short() {
		count = 50_000
	}
	for range count {
		a := Int128{Hi: int64(r.Uint64()), Lo: r.Uint64()}
		n := Int128{Hi: r.Int64(), Lo: r.Uint64()}
		a = fromShift(a, uint(r.IntN(127)))
		n = fromShift(n, uint(r.IntN(127)))
		if n.Sign() == 0 {
			n = FromInt64(1)
		}
		// Around the whole range of float32, with both ends.
		lead := a.Big().BitLen() - n.Big().BitLen()
		checkMean32(t, a, n, r.IntN(300)-160-lead)
	}
}

// fromShift is a >> shift, rounded down.
func fromShift(a Int128, shift uint) Int128 {
	if shift >= 64 {
		return FromInt64(a.Hi >> (shift - 64))
	}
	return Int128{Hi: a.Hi >> shift, Lo: a.Lo>>shift | uint64(a.Hi)<<(64-shift)}
}

// Quotients on and beside the middle between two float32s are where a second rounding would show.
func TestMean32DecidesNearTies(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 200_000 {
		odd := FromInt64(int64(r.Uint32N(1<<24)|1<<23)<<1 | 1)                      // 25 bits: a tie
		n := fromShift(Int128{Hi: r.Int64(), Lo: r.Uint64()}, uint(26+r.IntN(100))) // up to 101 bits
		n = n.AddInt64(1)
		a := fromBig(new(big.Int).Mul(odd.Big(), n.Big())).AddInt64(int64(r.IntN(3) - 1))
		if r.IntN(2) == 0 {
			a = a.Neg()
		}
		checkMean32(t, a, n, r.IntN(260)-175)
	}
}

func TestMean32OfExtremes(t *testing.T) {
	least := Int128{Hi: math.MinInt64}
	most := Int128{Hi: math.MaxInt64, Lo: math.MaxUint64}
	one := FromInt64(1)
	for _, a := range []Int128{least, most, {}, one, one.Neg(), {Lo: math.MaxUint64}, {Hi: 1}, {Hi: -1}} {
		for _, n := range []Int128{one, most, {Lo: math.MaxUint64}, {Hi: 1}, {Hi: 1, Lo: math.MaxUint64}, {Hi: math.MaxInt64}, {Lo: 1 << 63}} {
			for _, exp := range []int{-400, -276, -275, -149, -1, 0, 1, 1, 127, 128, 400} {
				checkMean32(t, a, n, exp)
			}
		}
	}
	for _, n := range []Int128{{}, one.Neg()} {
		if got := one.Mean32(n, 0); got == got {
			t.Errorf("Mean32 over %v = %v, want NaN", n.Big(), got)
		}
	}
}

var sinkFloat32 float32

func BenchmarkMean32(b *testing.B) {
	for _, test := range []struct {
		name string
		a, n Int128
	}{
		{"64bits", FromInt64(123456789012345678), FromInt64(98765)},
		{"128bits", Int128{Hi: 12345, Lo: 678}, FromInt64(98765)},
		{"weights", Int128{Hi: 12345678, Lo: 678}, Int128{Hi: 77, Lo: 5}},
	} {
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				sinkFloat32 += test.a.Mean32(test.n, -30)
			}
		})
	}
}
