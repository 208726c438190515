package rfm

import (
	"math/big"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/hostile"
	"pgregory.net/rapid"
)

func (d decimal) rat() *big.Rat {
	r := new(big.Rat).SetFrac(new(big.Int).SetUint64(d.mantissa), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.scale)), nil))
	if d.negative {
		r.Neg(r)
	}
	return r
}

func TestDecimalsAreReadExactly(t *testing.T) {
	for _, test := range []struct {
		text string
		want decimal
	}{
		{"0", decimal{}}, {"-0.00", decimal{}}, {"12", decimal{mantissa: 12}}, {"+2.50", decimal{mantissa: 25, scale: 1}},
		{"-.5", decimal{mantissa: 5, scale: 1, negative: true}}, {"5.", decimal{mantissa: 5}}, {" 7 ", decimal{mantissa: 7}},
		{"1e3", decimal{mantissa: 1000}}, {"1E-05", decimal{mantissa: 1, scale: 5}}, {"1.5e+1", decimal{mantissa: 15}},
		{"0.30000000000000004", decimal{mantissa: 30000000000000004, scale: 17}},
		{"000000000000000000000000012.5", decimal{mantissa: 125, scale: 1}},
		{"999999999999", decimal{mantissa: 999999999999}}, {"100000000000.000000000000", decimal{mantissa: 100000000000}},
		{"0e999", decimal{}},
	} {
		if got, problem := parseDecimal([]byte(test.text)); problem != "" || got != test.want {
			t.Errorf("%q: got %+v %s, want %+v", test.text, got, problem, test.want)
		}
	}
	for _, text := range []string{"", "-", ".", "e5", "1e", "1e+", "1e5555", "1x", "0x10", "1_000", "£5", "--1", "1.2.3", "inf", "nan",
		"1000000000000", "1e12", "1e-19", "1234567890123456789", "12,5", "9999999999999999999999999999999999999999"} {
		if got, problem := parseDecimal([]byte(text)); problem == "" {
			t.Errorf("%q: got %+v, want a problem", text, got)
		}
	}
}

func FuzzDecimals(f *testing.F) {
	for _, text := range []string{"12", "-2.55", "1e-05", "0.30000000000000004", "1000000000000000000000", ".", "1e999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hostile.Ceiling(t, len(text), 64<<10, 256, func() {
			d, problem := parseDecimal([]byte(text))
			if problem != "" {
				return
			}
			if d.mantissa >= 1e18 || d.scale < 0 || d.scale > maxScale || d.negative && d.mantissa == 0 {
				t.Fatalf("%q: %+v is outside the limits", text, d)
			}
			if want, ok := new(big.Rat).SetString(strings.TrimSpace(text)); !ok || d.rat().Cmp(want) != 0 {
				t.Fatalf("%q: got %v, want %v", text, d.rat(), want)
			}
		})
	})
}

// anyDecimal draws over all mantissas and scales within the limits.
func anyDecimal(t *rapid.T, name string) decimal {
	scale := rapid.IntRange(0, maxScale).Draw(t, name+" scale")
	digits := rapid.IntRange(0, min(18, scale+maxWhole)).Draw(t, name+" digits")
	return decimal{mantissa: rapid.Uint64Range(0, power10[digits]-1).Draw(t, name), scale: scale}
}

func TestProductsAndSumsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sum amount
		var items exact.Int128
		want, wantItems := new(big.Rat), new(big.Rat)
		for range rapid.IntRange(1, 20).Draw(t, "lines") {
			q, p := anyDecimal(t, "quantity"), anyDecimal(t, "price")
			value := new(big.Rat).Mul(q.rat(), p.rat())
			money, number := product(q, p), units(q)
			if rapid.Bool().Draw(t, "return") {
				money, number = money.minus(), number.Neg()
				want.Sub(want, value)
				wantItems.Sub(wantItems, q.rat())
			} else {
				want.Add(want, value)
				wantItems.Add(wantItems, q.rat())
			}
			var ok bool
			if sum, ok = sum.add(money); !ok {
				t.Fatal("the sum of a few lines does not fit")
			}
			items = items.Add(number)
		}
		if w, _ := want.Float64(); sum.float64() != w {
			t.Fatalf("money: got %v, want %v", sum.float64(), w)
		}
		if w, _ := wantItems.Float64(); decimalFloat(items, itemScale) != w {
			t.Fatalf("items: got %v, want %v", decimalFloat(items, itemScale), w)
		}
	})
}

func TestCheckedSumsSeeEveryOverflow(t *testing.T) {
	top := exact.Int128{Hi: 1<<63 - 1, Lo: 1<<64 - 1}
	bottom := exact.Int128{Hi: -1 << 63}
	one := exact.FromInt64(1)
	for _, test := range []struct {
		a, b exact.Int128
		ok   bool
	}{{top, one, false}, {bottom, one.Neg(), false}, {top, bottom, true}, {top, one.Neg(), true}, {bottom, one, true}, {top, top, false}} {
		if _, ok := addChecked(test.a, test.b); ok != test.ok {
			t.Errorf("%v + %v: fits %v, want %v", test.a.Big(), test.b.Big(), ok, test.ok)
		}
	}
}
