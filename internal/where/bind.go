package where

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/coterie-project/coterie/dataset"
)

// Kind is what a column holds, and how it is to be read for a Rule.
type Kind int

// The kinds of columns.
const (
	Number Kind = iota // as dataset.AsNumber
	Text               // as dataset.AsText
)

// Rule is a Filter that knows its columns. It may be used by any number of goroutines at once.
type Rule struct {
	test func(columns []dataset.Vector, i int) truth
}

// truth is what a rule says of a row.
type truth int8

const (
	no truth = iota
	unknown
	yes
)

func truthOf(met bool) truth {
	if met {
		return yes
	}
	return no
}

// Match says whether row i meets the rule; columns are those of Filter.Columns, each of the kind that Bind was told.
func (r *Rule) Match(columns []dataset.Vector, i int) bool { return r.test(columns, i) == yes }

// Bind makes a Rule; kind is asked what a column of Columns holds. The error is an *Error: a number is compared with a
// text.
func (f *Filter) Bind(kind func(column string) Kind) (*Rule, error) {
	b := &binder{filter: f, kinds: make([]Kind, len(f.columns))}
	for i, c := range f.columns {
		b.kinds[i] = kind(c)
	}
	test, err := b.node(f.root)
	if err != nil {
		return nil, err
	}
	return &Rule{test}, nil
}

type test = func(columns []dataset.Vector, i int) truth

type binder struct {
	filter *Filter
	kinds  []Kind
}

func (b *binder) node(n *node) (test, error) {
	if n.parts == nil {
		return b.test(n)
	}
	parts := make([]test, len(n.parts))
	for i, part := range n.parts {
		var err error
		if parts[i], err = b.node(part); err != nil {
			return nil, err
		}
	}
	switch n.op {
	case "not":
		return func(c []dataset.Vector, i int) truth { return yes - parts[0](c, i) }, nil
	case "and":
		return func(c []dataset.Vector, i int) truth {
			all := yes
			for _, part := range parts {
				if all = min(all, part(c, i)); all == no {
					break
				}
			}
			return all
		}, nil
	}
	return func(c []dataset.Vector, i int) truth {
		some := no
		for _, part := range parts {
			if some = max(some, part(c, i)); some == yes {
				break
			}
		}
		return some
	}, nil
}

// kindOf is what an operand is.
func (b *binder) kindOf(o *operand) Kind {
	switch {
	case o.column >= 0:
		return b.kinds[o.column]
	case o.kind == number:
		return Number
	}
	return Text
}

// test binds what is no and, or or not.
func (b *binder) test(n *node) (test, error) {
	kind := b.kindOf(&n.left)
	for i := range n.right {
		if b.kindOf(&n.right[i]) != kind {
			return nil, &Error{b.filter.rule, n.right[i].at, b.mismatch(&n.left, &n.right[i])}
		}
	}
	switch {
	case n.op == "missing" && kind == Number:
		x := numberOf(&n.left)
		return func(c []dataset.Vector, i int) truth { v := x(c, i); return truthOf(v != v) }, nil
	case n.op == "missing":
		x := textOf(&n.left)
		return func(c []dataset.Vector, i int) truth { _, missing := x(c, i); return truthOf(missing) }, nil
	case kind == Number:
		return numbers(n), nil
	}
	return texts(n), nil
}

// mismatch says that a number is compared with a text.
func (b *binder) mismatch(left, right *operand) string {
	column, constant := left, right
	if column.column < 0 {
		column, constant = right, left
	}
	name := printable(b.filter.columns[column.column])
	switch {
	case constant.column >= 0:
		return fmt.Sprintf("one of %s and %s holds numbers, the other texts", name, printable(b.filter.columns[constant.column]))
	case b.kinds[column.column] == Number:
		return fmt.Sprintf("%s holds numbers, and this is a text", name)
	}
	return fmt.Sprintf("%s holds texts, and this is a number: write '%s'", name, printable(constant.text))
}

// numberOf reads an operand; NaN is missing.
func numberOf(o *operand) func(c []dataset.Vector, i int) float64 {
	if o.column < 0 {
		value := o.value
		return func([]dataset.Vector, int) float64 { return value }
	}
	at := o.column
	return func(c []dataset.Vector, i int) float64 {
		if v := &c[at]; v.Float32 != nil {
			return float64(v.Float32[i])
		}
		return c[at].Float64[i]
	}
}

// textOf reads an operand. An empty text is a missing one, as in a text file.
func textOf(o *operand) func(c []dataset.Vector, i int) (text []byte, missing bool) {
	if o.column < 0 {
		value := []byte(o.text)
		return func([]dataset.Vector, int) ([]byte, bool) { return value, false }
	}
	at := o.column
	return func(c []dataset.Vector, i int) ([]byte, bool) {
		v := &c[at]
		if v.Missing != nil && v.Missing[i] {
			return nil, true
		}
		text := v.Text.At(i)
		return text, len(text) == 0
	}
}

// met says what an order of two values means for a comparison.
func met(op string) func(order int) truth {
	switch op {
	case "=":
		return func(o int) truth { return truthOf(o == 0) }
	case "!=":
		return func(o int) truth { return truthOf(o != 0) }
	case "<":
		return func(o int) truth { return truthOf(o < 0) }
	case "<=":
		return func(o int) truth { return truthOf(o <= 0) }
	case ">":
		return func(o int) truth { return truthOf(o > 0) }
	}
	return func(o int) truth { return truthOf(o >= 0) }
}

func numbers(n *node) test {
	left := numberOf(&n.left)
	switch n.op {
	case "in":
		set := make(map[float64]bool, len(n.right))
		for i := range n.right {
			set[n.right[i].value] = true
		}
		return func(c []dataset.Vector, i int) truth {
			x := left(c, i)
			if x != x {
				return unknown
			}
			return truthOf(set[x])
		}
	case "between":
		low, high := n.right[0].value, n.right[1].value
		return func(c []dataset.Vector, i int) truth {
			x := left(c, i)
			if x != x {
				return unknown
			}
			return truthOf(low <= x && x <= high)
		}
	}
	right, verdict := numberOf(&n.right[0]), met(n.op)
	return func(c []dataset.Vector, i int) truth {
		x, y := left(c, i), right(c, i)
		if x != x || y != y {
			return unknown
		}
		return verdict(cmp.Compare(x, y))
	}
}

func texts(n *node) test {
	left := textOf(&n.left)
	switch n.op {
	case "in":
		set := make(map[string]bool, len(n.right))
		for i := range n.right {
			set[n.right[i].text] = true
		}
		return func(c []dataset.Vector, i int) truth {
			x, missing := left(c, i)
			if missing {
				return unknown
			}
			return truthOf(set[string(x)])
		}
	case "between":
		low, high := []byte(n.right[0].text), []byte(n.right[1].text)
		return func(c []dataset.Vector, i int) truth {
			x, missing := left(c, i)
			if missing {
				return unknown
			}
			return truthOf(bytes.Compare(low, x) <= 0 && bytes.Compare(x, high) <= 0)
		}
	}
	right, verdict := textOf(&n.right[0]), met(n.op)
	return func(c []dataset.Vector, i int) truth {
		x, missing := left(c, i)
		y, alsoMissing := right(c, i)
		if missing || alsoMissing {
			return unknown
		}
		return verdict(bytes.Compare(x, y))
	}
}
