package rfm

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/coterie-project/coterie/dataset"
)

// Column is one column of a Result: what it is called and holds, and its values, one for each customer.
type Column struct {
	dataset.Column
	Values dataset.Vector
}

// Table is the result, customers × columns, sorted by customer_id: as numbers if all ids are whole numbers without
// leading zeros, else bytewise. The columns, in this order:
//
//	customer_id     integers (Int64) if all are whole numbers that fit, else Text
//	recency_days    whole days from the last purchase to the as-of midnight, rounded down (Int64)
//	frequency       distinct invoices (Int64)
//	monetary        sum of quantity × price, the float64 nearest to the exact decimal
//	first_purchase  time of the first and of the
//	last_purchase   last purchase (Micros)
//	tenure_days     whole days from the first purchase to the as-of midnight, rounded down (Int64)
//	items           sum of quantities (Float64)
//	average_basket  monetary / frequency (Float64)
//	r_score, f_score, m_score
//	                1 + ⌊5 × share of customers strictly worse⌋, 1 to 5 (Int64)
func (r *Result) Table() []Column { return r.table }

// finish makes the table.
func finish(p *plan, s *store, done tally) (*Result, error) {
	r := &Result{RowsRead: done.read, Roles: p.columns.roles(p.src.Schema())}
	refs := s.buyers(&done)
	if len(refs) == 0 && p.openEnd {
		return nil, p.nothingLeft(done)
	}
	r.RowsUsed, r.Dropped, r.Customers = done.used, done.dropped, int64(len(refs))
	r.AsOf = time.UnixMicro(p.asOf).UTC()
	ids := s.sortByID(refs)
	r.table = s.columns(refs, p.asOf)
	r.table[0] = ids
	return r, nil
}

// ref points at a customer in the store.
type ref struct {
	number int64 // the id, where ids are integers
	shard  uint32
	at     uint32
}

// buyers are the customers with a purchase. The returns of the others had nothing to be taken off: they are dropped
// after all.
func (s *store) buyers(done *tally) []ref {
	n := 0
	for i := range s.shards {
		n += len(s.shards[i].customers)
	}
	refs := make([]ref, 0, n)
	for i := range s.shards {
		sh := &s.shards[i]
		for at := range sh.customers {
			if sh.customers[at].frequency > 0 {
				refs = append(refs, ref{shard: uint32(i), at: uint32(at)})
				continue
			}
			back := sh.returns[uint32(at)]
			done.used -= back.cancelled + back.negative
			done.dropped.Cancelled += back.cancelled
			done.dropped.NonpositiveQuantity += back.negative
		}
	}
	return refs
}

func (s *store) id(r ref) []byte {
	sh := &s.shards[r.shard]
	return sh.idOf(&sh.customers[r.at])
}

// pointZero is what pandas appends to whole numbers in a column with gaps.
const pointZero = ".0"

// sortByID sorts the customers and gives their id column.
func (s *store) sortByID(refs []ref) Column {
	whole, wholePoint := true, true
	for _, r := range refs {
		id := s.id(r)
		whole = whole && isWhole(id)
		wholePoint = wholePoint && isWhole(bytes.TrimSuffix(id, []byte(pointZero))) && bytes.HasSuffix(id, []byte(pointZero))
		if !whole && !wholePoint {
			break
		}
	}
	id := s.id
	if wholePoint && len(refs) > 0 {
		whole = true
		id = func(r ref) []byte { return bytes.TrimSuffix(s.id(r), []byte(pointZero)) }
	}
	if whole && s.number(refs, id) {
		slices.SortFunc(refs, func(a, b ref) int { return cmp.Compare(a.number, b.number) })
		numbers := make([]int64, len(refs))
		for i, r := range refs {
			numbers[i] = r.number
		}
		return Column{integers("customer_id"), dataset.Vector{Int64: numbers}}
	}
	compare := bytes.Compare
	if whole {
		compare = compareWhole
	}
	slices.SortFunc(refs, func(a, b ref) int { return compare(id(a), id(b)) })
	text := dataset.Strings{Offsets: make([]int, 1, len(refs)+1)}
	for _, r := range refs {
		text.Data = append(text.Data, id(r)...)
		text.Offsets = append(text.Offsets, len(text.Data))
	}
	return Column{dataset.Column{Name: "customer_id", Kind: dataset.Text}, dataset.Vector{Text: text}}
}

// number fills in the ids as integers; false if one does not fit 64 bits.
func (s *store) number(refs []ref, id func(ref) []byte) bool {
	for i, r := range refs {
		v, err := strconv.ParseInt(string(id(r)), 10, 64)
		if err != nil {
			return false
		}
		refs[i].number = v
	}
	return true
}

// isWhole tells whether id is a whole number as a program writes it: no sign but a minus, no leading zero.
func isWhole(id []byte) bool {
	digits := bytes.TrimPrefix(id, []byte("-"))
	if len(digits) == 0 || digits[0] == '0' && len(id) > 1 {
		return false
	}
	for _, c := range digits {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// compareWhole compares whole numbers of any length.
func compareWhole(a, b []byte) int {
	minusA, minusB := a[0] == '-', b[0] == '-'
	switch {
	case minusA && minusB:
		return compareWhole(b[1:], a[1:])
	case minusA:
		return -1
	case minusB:
		return 1
	}
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return bytes.Compare(a, b)
}

func integers(name string) dataset.Column {
	return dataset.Column{Name: name, Kind: dataset.Number, Integer: true}
}

// columns makes all columns but the id, whose place it leaves empty.
func (s *store) columns(refs []ref, asOf int64) []Column {
	n := len(refs)
	recency, frequency, tenure := make([]int64, n), make([]int64, n), make([]int64, n)
	first, last := make([]int64, n), make([]int64, n)
	money, items, basket := make([]float64, n), make([]float64, n), make([]float64, n)
	for i, r := range refs {
		sh := &s.shards[r.shard]
		c := &sh.customers[r.at]
		first[i], last[i] = c.first, c.last
		recency[i], tenure[i] = floorDiv(asOf-c.last, microsPerDay), floorDiv(asOf-c.first, microsPerDay)
		frequency[i] = c.frequency
		money[i] = sh.amountOf(r.at).float64()
		items[i] = decimalFloat(c.items, itemScale)
		basket[i] = money[i] / float64(c.frequency)
	}
	closeness := make([]int64, n)
	for i, v := range recency {
		closeness[i] = -v
	}
	whole := func(name string, v []int64) Column { return Column{integers(name), dataset.Vector{Int64: v}} }
	number := func(name string, v []float64) Column {
		return Column{dataset.Column{Name: name, Kind: dataset.Number}, dataset.Vector{Float64: v}}
	}
	moment := func(name string, v []int64) Column {
		return Column{dataset.Column{Name: name, Kind: dataset.Time}, dataset.Vector{Micros: v}}
	}
	return []Column{
		{}, whole("recency_days", recency), whole("frequency", frequency), number("monetary", money),
		moment("first_purchase", first), moment("last_purchase", last), whole("tenure_days", tenure),
		number("items", items), number("average_basket", basket),
		whole("r_score", scores(closeness)), whole("f_score", scores(frequency)), whole("m_score", scores(money)),
	}
}

// scores gives each value 1 + ⌊5 × share of values strictly below it⌋. Only four values matter: the score exceeds s
// where at least s/5 of all values lie below, that is where the ⌈s·n/5⌉-th smallest does.
func scores[T int64 | float64](values []T) []int64 {
	n := len(values)
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	out := make([]int64, n)
	for i := range out {
		out[i] = 1
	}
	for s := 1; s < 5 && n > 0; s++ {
		threshold := sorted[(s*n+4)/5-1]
		for i, v := range values {
			if v > threshold {
				out[i] = int64(s + 1)
			}
		}
	}
	return out
}
