package feature

import (
	"encoding/binary"
	"slices"
)

// MarshalBinary encodes the search with all that it has found out: as the task of a pass for another machine, or to go
// on from. What the ranks are follows from the Spec and the numbers of values, so only where they lie is written. It
// never fails.
func (q *QuantileSearch) MarshalBinary() ([]byte, error) {
	data := []byte{searchTag}
	for i := range q.search {
		c := &q.search[i]
		data = appendCount(data, int64(c.column)+1)
		data = appendCount(data, c.values-c.copies)
		data = appendCount(data, c.copies+c.filled)
		data = binary.AppendUvarint(data, c.fill)
		for _, r := range c.ranks {
			data = appendCount(data, r.below)
			data = binary.AppendUvarint(data, r.low)
			data = binary.AppendUvarint(data, r.high)
		}
	}
	return append(data, 0), nil
}

// Clone is a copy that stays in this pass when the search goes on to the next.
func (q *QuantileSearch) Clone() *QuantileSearch {
	c := &QuantileSearch{columns: q.columns, search: slices.Clone(q.search)}
	for i := range c.search {
		c.search[i].ranks = slices.Clone(c.search[i].ranks)
	}
	return c
}

// DecodeQuantileSearch reads an encoded search under the same Spec. The error is ErrEncoding.
func DecodeQuantileSearch(spec *Spec, data []byte) (*QuantileSearch, error) {
	q := &QuantileSearch{columns: columns{numeric: spec.Numeric, categorical: spec.Categorical, logs: spec.logs(), missing: spec.Missing}}
	if spec.Scale != Robust && spec.Missing != Median {
		return nil, ErrEncoding // nothing is searched under this Spec
	}
	r := decoder{data: data}
	r.tag(searchTag)
	last := int64(0)
	for column := r.count(); column != 0 && !r.bad; column = r.count() {
		if column <= last || column > int64(len(spec.Numeric)) {
			return nil, ErrEncoding
		}
		last = column
		q.search = append(q.search, r.columnSearch(spec, int(column-1)))
	}
	if !r.done() {
		return nil, ErrEncoding
	}
	return q, nil
}

// columnSearch reads the search in one column.
func (r *decoder) columnSearch(spec *Spec, column int) columnSearch {
	there, missing, mean := r.count(), r.count(), r.uint()
	if there == 0 || there+missing < 0 {
		r.bad = true
		return columnSearch{}
	}
	c := newColumnSearch(spec, column, there, missing, mean)
	if c.copies+c.filled != missing || c.fill != mean {
		r.bad = true // numbers that nothing is made of under this Spec
	}
	for k := range c.ranks {
		at := &c.ranks[k]
		at.below, at.low, at.high = r.count(), r.uint(), r.uint()
		if at.low > at.high || at.below > at.rank || k > 0 && !at.follows(&c.ranks[k-1]) {
			r.bad = true
		}
	}
	return c
}

// follows tells whether a rank's place can come after that of the rank before it: they are the same, or apart.
func (r *rank) follows(last *rank) bool {
	if r.low == last.low {
		return r.high == last.high && r.below == last.below
	}
	return r.low > last.high && r.below > last.rank
}
