package parquet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/number"
	"github.com/coterie-project/coterie/dataset/table/decimal"
	"github.com/coterie-project/coterie/internal/exact"
)

// output holds a column's converted values; the memory is used again for the next Block.
type output struct {
	f64    []float64
	i64    []int64
	micros []int64
	text   dataset.Strings
}

// A badValue is a value that cannot be given as asked. Its cell is already NaN or empty.
type badValue struct {
	index  int
	reason string
}

// notFinite is the reason for which an infinite number is bad.
func notFinite(text string) string { return fmt.Sprintf("not a finite number: %q", text) }

// infinity is the text of an infinite number with that sign bit.
func infinity(negative bool) string {
	if negative {
		return "-Inf"
	}
	return "+Inf"
}

// convert turns the raw values of n rows into what the field asks for.
func (c *column) convert(as dataset.As, kind *dataset.Column, n int) (dataset.Vector, []badValue) {
	switch {
	case as == dataset.AsNumber && kind.Float32:
		return c.float32s(n)
	case as == dataset.AsNumber:
		return c.float64s(n)
	case as == dataset.AsID && kind.Integer:
		return c.int64s(n)
	case as == dataset.AsTime && kind.Kind == dataset.Time:
		return c.times(n)
	}
	return c.texts(as, n)
}

// missing gives the null flags for a Vector that is not made of numbers.
func (c *column) missing(n int) []bool {
	if !c.anyNull {
		return nil
	}
	return c.null[:n]
}

// float32s: the bits are those of the file, but infinite values, which are bad, and nulls, which are NaN.
func (c *column) float32s(n int) (dataset.Vector, []badValue) {
	if c.leaf.means == meansFloat16 {
		c.w32 = sized(c.w32, n)
		for i := range c.w32 {
			c.w32[i] = 0
			if b := c.text.At(i); len(b) == 2 {
				c.w32[i] = math.Float32bits(float16(binary.LittleEndian.Uint16(b)))
			}
		}
	}
	if c.anyNull {
		for i, null := range c.null[:n] {
			if null {
				c.w32[i] = nan32
			}
		}
	}
	values := floats32(c.w32[:n])
	if exact.Finite(values) {
		return dataset.Vector{Float32: values}, nil
	}
	var bad []badValue
	for i, w := range c.w32[:n] {
		if w<<1 == 0xff<<24 {
			c.w32[i] = nan32
			bad = append(bad, badValue{i, notFinite(infinity(w>>31 != 0))})
		}
	}
	return dataset.Vector{Float32: values}, bad
}

// nan32 and nan64 are the bits of the NaN that stands for a missing or bad value.
const (
	nan32 = 0x7fc00000
	nan64 = 0x7ff8000000000001 // math.NaN()
)

// float16 widens an IEEE 754 half, which a float32 holds exactly.
func float16(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // zero and subnormal numbers: fraction·2^-24
		v := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// float64s gives any column as numbers: truth values as 0 and 1, texts by what they say.
func (c *column) float64s(n int) (dataset.Vector, []badValue) {
	if c.leaf.means == meansFloat64 {
		return c.storedFloat64s(n)
	}
	out := sized(c.output.f64, n)
	c.output.f64 = out
	bad := c.fillFloat64(out)
	if c.anyNull {
		for i, null := range c.null[:n] {
			if null {
				out[i] = math.NaN()
			}
		}
	}
	return dataset.Vector{Float64: out}, bad
}

// storedFloat64s: as float32s does, without a copy.
func (c *column) storedFloat64s(n int) (dataset.Vector, []badValue) {
	if c.anyNull {
		for i, null := range c.null[:n] {
			if null {
				c.w64[i] = nan64
			}
		}
	}
	var bad []badValue
	for i, w := range c.w64[:n] {
		if w<<1 == 0x7ff<<53 {
			c.w64[i] = nan64
			bad = append(bad, badValue{i, notFinite(infinity(w>>63 != 0))})
		}
	}
	return dataset.Vector{Float64: floats64(c.w64[:n])}, bad
}

func (c *column) fillFloat64(out []float64) []badValue {
	n := len(out)
	switch c.leaf.means {
	case meansBool:
		for i, b := range c.bools[:n] {
			out[i] = float64(b)
		}
	case meansInt32:
		for i, w := range c.w32[:n] {
			out[i] = float64(int32(w))
		}
	case meansUint32:
		for i, w := range c.w32[:n] {
			out[i] = float64(w)
		}
	case meansInt64:
		for i, w := range c.w64[:n] {
			out[i] = float64(int64(w))
		}
	case meansUint64:
		for i, w := range c.w64[:n] {
			out[i] = float64(w)
		}
	case meansDecimal32:
		for i, w := range c.w32[:n] {
			out[i] = decimal.Scaled(int64(int32(w)), c.leaf.scale)
		}
	case meansDecimal64:
		for i, w := range c.w64[:n] {
			out[i] = decimal.Scaled(int64(w), c.leaf.scale)
		}
	default:
		return c.parseFloat64(out)
	}
	return nil
}

// parseFloat64 reads decimals of any width and texts that should be numbers.
func (c *column) parseFloat64(out []float64) (bad []badValue) {
	var text []byte
	for i := range out {
		out[i] = math.NaN()
		cell := c.text.At(i)
		if c.anyNull && c.null[i] || len(cell) == 0 {
			continue
		}
		if c.leaf.means == meansDecimalBytes {
			var reason string
			if text, reason = appendWide(text[:0], cell, c.leaf.scale); reason != "" {
				bad = append(bad, badValue{i, reason})
				continue
			}
			cell = text
		}
		v, reason := parseNumber(cell)
		if reason != "" {
			bad = append(bad, badValue{i, reason})
			continue
		}
		out[i] = v
	}
	return bad
}

// parseNumber reads a text as text files are read.
func parseNumber(cell []byte) (float64, string) {
	v, what := number.Parse(cell)
	switch what {
	case number.NotFinite:
		return v, notFinite(string(bytes.TrimSpace(cell)))
	case number.NotNumber:
		return v, notNumber(bytes.TrimSpace(cell))
	}
	return v, ""
}

func notNumber(cell []byte) string {
	const shown = 40
	if len(cell) > shown {
		return fmt.Sprintf("not a number: %q…", cell[:shown])
	}
	return fmt.Sprintf("not a number: %q", cell)
}

// maxDecimal is the width in bytes of the largest decimals in use (76 digits).
const maxDecimal = 32

// appendWide appends the text of a big-endian two's complement decimal.
func appendWide(dst, cell []byte, scale int) ([]byte, string) {
	if len(cell) > maxDecimal {
		return dst, fmt.Sprintf("a decimal of %d bytes; at most %d are supported", len(cell), maxDecimal)
	}
	if len(cell) <= 8 {
		v := int64(int8(cell[0]))
		for _, b := range cell[1:] {
			v = v<<8 | int64(b)
		}
		return decimal.AppendScaled(dst, v, scale), ""
	}
	v := new(big.Int).SetBytes(cell)
	if cell[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(cell))))
	}
	return decimal.AppendDigits(dst, v.Append(nil, 10), scale), ""
}

// int64s gives integer ids as they are.
func (c *column) int64s(n int) (dataset.Vector, []badValue) {
	out := sized(c.output.i64, n)
	c.output.i64 = out
	var bad []badValue
	switch c.leaf.means {
	case meansInt32, meansDecimal32:
		for i, w := range c.w32[:n] {
			out[i] = int64(int32(w))
		}
	case meansUint32:
		for i, w := range c.w32[:n] {
			out[i] = int64(w)
		}
	default:
		for i, w := range c.w64[:n] {
			out[i] = int64(w)
			if c.leaf.means == meansUint64 && out[i] < 0 {
				out[i] = 0
				bad = append(bad, badValue{i, fmt.Sprintf("the id %d is above the largest signed 64-bit integer", w)})
			}
		}
	}
	return dataset.Vector{Int64: out, Missing: c.missing(n)}, bad
}

// times gives dates and timestamps in microseconds, rounded down. Times without a zone are UTC.
func (c *column) times(n int) (dataset.Vector, []badValue) {
	out := sized(c.output.micros, n)
	c.output.micros = out
	var bad []badValue
	for i := range out {
		if c.anyNull && c.null[i] {
			out[i] = 0
			continue
		}
		micros, ok := c.micros(i)
		if !ok {
			micros, bad = 0, append(bad, badValue{i, "a time outside the years that 64-bit microseconds reach"})
		}
		out[i] = micros
	}
	return dataset.Vector{Micros: out, Missing: c.missing(n)}, bad
}

const (
	microsPerDay   = 86_400_000_000
	julianDayEpoch = 2_440_588 // the Julian day of 1970-01-01
)

// micros is the time in row i, which is not null.
func (c *column) micros(i int) (int64, bool) {
	switch c.leaf.means {
	case meansDate:
		return int64(int32(c.w32[i])) * microsPerDay, true
	case meansMillis:
		v := int64(c.w64[i])
		return v * 1000, v <= math.MaxInt64/1000 && v >= math.MinInt64/1000
	case meansMicros:
		return int64(c.w64[i]), true
	case meansNanos:
		return floorDiv(int64(c.w64[i]), 1000), true
	}
	b := c.text.At(i)
	nanos := int64(binary.LittleEndian.Uint64(b))
	day := int64(int32(binary.LittleEndian.Uint32(b[8:]))) - julianDayEpoch
	const maxDay = math.MaxInt64/microsPerDay - 1
	if day < -maxDay || day > maxDay {
		return 0, false
	}
	// Two numbers of which the larger is at most 2^62.9 and the other 2^53.2: the sum may still overflow.
	micros := floorDiv(nanos, 1000)
	sum := day*microsPerDay + micros
	return sum, (sum >= day*microsPerDay) == (micros >= 0)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
