package decimal

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/hostile"
)

// FuzzDecimal compares the texts and values of scaled integers with math/big, and that of a float with the float.
func FuzzDecimal(f *testing.F) {
	f.Add(int64(-5), uint16(2), math.Float64bits(0.1))
	f.Add(int64(math.MinInt64), uint16(19), math.Float64bits(-1e-7))
	f.Add(int64(1<<53+1), uint16(23), uint64(1))
	f.Add(int64(7), uint16(330), math.Float64bits(1e21))
	f.Add(int64(0), uint16(1000), uint64(1)<<63)
	f.Fuzz(func(t *testing.T, v int64, scale uint16, bits uint64) {
		n := int(scale % 1001) // the most that a schema may say
		var text string
		hostile.Ceiling(t, n, 16<<10, 64, func() { text = string(AppendScaled(nil, v, n)) })
		want := new(big.Rat).SetFrac(big.NewInt(v), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil))
		if got, ok := new(big.Rat).SetString(text); !ok || got.Cmp(want) != 0 || n > 0 && len(text)-strings.IndexByte(text, '.') != n+1 {
			t.Fatalf("%d with %d decimals is %s", v, n, text)
		}
		if digits := string(AppendDigits(nil, strconv.AppendInt(nil, v, 10), n)); digits != text {
			t.Fatalf("%d with %d decimals is %s, by its digits %s", v, n, text, digits)
		}
		if nearest, _ := want.Float64(); Scaled(v, n) != nearest {
			t.Fatalf("%s is %v, want %v", text, Scaled(v, n), nearest)
		}
		if x := math.Float64frombits(bits); x-x == 0 {
			if back, err := strconv.ParseFloat(string(AppendFloat(nil, x, 64)), 64); err != nil || math.Float64bits(back) != bits {
				t.Fatalf("%x becomes %x, %v", x, back, err)
			}
		}
	})
}
