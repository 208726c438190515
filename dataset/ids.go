package dataset

import (
	"math"
	"slices"
	"strconv"
)

// IDs is a column of ids, kept as they are. As long as every id is an integer in its plain spelling ("7", "-12",
// not "007", "+7" or "7.0"), it holds them as int64, eight bytes each; with the first other id it turns to text,
// losing nothing. The zero value is empty and ready. It is not safe for concurrent appending.
type IDs struct {
	integers []int64
	text     bool    // ids are in data and ends, not in integers
	data     []byte  // the texts, one behind the other
	ends     []int64 // id i ends before data[ends[i]]
}

// Len is the number of ids.
func (c *IDs) Len() int {
	if c.text {
		return len(c.ends)
	}
	return len(c.integers)
}

// Grow makes room for so many more ids, if they are integers: without it what is held takes some percent more than it needs.
func (c *IDs) Grow(n int) {
	if !c.text {
		c.integers = slices.Grow(c.integers, n)
	}
}

// AppendInt appends an integer.
func (c *IDs) AppendInt(v int64) {
	if !c.text {
		c.integers = append(c.integers, v)
		return
	}
	c.data = strconv.AppendInt(c.data, v, 10)
	c.ends = append(c.ends, int64(len(c.data)))
}

// AppendText appends a copy of id.
func (c *IDs) AppendText(id []byte) {
	if !c.text {
		if v, ok := plainInteger(id); ok {
			c.integers = append(c.integers, v)
			return
		}
		c.AsText()
	}
	c.data = append(c.data, id...)
	c.ends = append(c.ends, int64(len(c.data)))
}

// AppendVector appends value i of v, a Vector read AsID. A missing id is the empty text.
func (c *IDs) AppendVector(v *Vector, i int) {
	switch {
	case v.Missing != nil && v.Missing[i]:
		c.AppendText(nil)
	case v.Int64 != nil:
		c.AppendInt(v.Int64[i])
	default:
		c.AppendText(v.Text.At(i))
	}
}

// Integers gives all ids as integers, if that is how they are held. The slice belongs to c.
func (c *IDs) Integers() ([]int64, bool) { return c.integers, !c.text }

// AppendTo appends the text of id i to dst.
func (c *IDs) AppendTo(dst []byte, i int) []byte {
	if !c.text {
		return strconv.AppendInt(dst, c.integers[i], 10)
	}
	return append(dst, c.at(i)...)
}

// at is the text of id i of a column of text.
func (c *IDs) at(i int) []byte {
	var from int64
	if i > 0 {
		from = c.ends[i-1]
	}
	return c.data[from:c.ends[i]]
}

// AsText turns all ids to text, for a column that must agree with others that hold text.
func (c *IDs) AsText() {
	if c.text {
		return
	}
	c.text = true
	if len(c.integers) > 0 {
		c.ends = make([]int64, 0, cap(c.integers))
	}
	for _, v := range c.integers {
		c.data = strconv.AppendInt(c.data, v, 10)
		c.ends = append(c.ends, int64(len(c.data)))
	}
	c.integers = nil
}

// PlainInteger reads an id that is an integer in its plain spelling, as IDs holds it: "7" and "-12", not "007" or "7.0".
func PlainInteger(id []byte) (int64, bool) { return plainInteger(id) }

// plainInteger reads id if it is exactly what strconv.FormatInt would write for an int64.
func plainInteger(id []byte) (int64, bool) {
	digits := id
	negative := len(id) > 0 && id[0] == '-'
	if negative {
		digits = id[1:]
	}
	if len(digits) == 0 || len(digits) > 19 || (digits[0] == '0' && (negative || len(digits) > 1)) {
		return 0, false
	}
	var v uint64 // 19 digits fit
	for _, d := range digits {
		if d-'0' > 9 {
			return 0, false
		}
		v = v*10 + uint64(d-'0')
	}
	switch {
	case negative && v <= 1<<63:
		return -int64(v), true // also for -2^63, where the negation wraps to itself
	case !negative && v <= math.MaxInt64:
		return int64(v), true
	}
	return 0, false
}
