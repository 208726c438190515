package worker

import (
	"encoding/binary"
	"fmt"

	"github.com/coterie-project/coterie/dataset"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

func encodeIDs(p IDPart) *coteriev1.IDsPart {
	m := &coteriev1.IDsPart{Partition: uint32(p.Partition), Rows: encodeInts(p.Rows)}
	if integers, ok := p.IDs.Integers(); ok {
		m.Integers = encodeInts(integers)
		return m
	}
	for i := range p.IDs.Len() {
		m.Text = p.IDs.AppendTo(m.Text, i)
		m.Ends = binary.LittleEndian.AppendUint32(m.Ends, uint32(len(m.Text)))
	}
	return m
}

// decodeIDs checks the shape of a part alone; whether it answers the question is for who asked.
func decodeIDs(m *coteriev1.IDsPart) (IDPart, error) {
	p := IDPart{Partition: int(m.GetPartition()), IDs: new(dataset.IDs)}
	var err error
	if p.Rows, err = decodeInts(m.GetRows()); err != nil {
		return p, err
	}
	if len(m.GetIntegers()) > 0 {
		integers, err := decodeInts(m.GetIntegers())
		if err != nil || len(integers) != len(p.Rows) || len(m.GetText())+len(m.GetEnds()) > 0 {
			return p, fmt.Errorf("%w: %d rows with %d bytes of integers and %d of text", ErrBadAnswer, len(p.Rows), len(m.GetIntegers()), len(m.GetText()))
		}
		for _, v := range integers {
			p.IDs.AppendInt(v)
		}
		return p, nil
	}
	if len(m.GetEnds()) != 4*len(p.Rows) {
		return p, fmt.Errorf("%w: %d rows with %d bytes of ends of texts", ErrBadAnswer, len(p.Rows), len(m.GetEnds()))
	}
	from := uint32(0)
	for i := range p.Rows {
		end := binary.LittleEndian.Uint32(m.GetEnds()[4*i:])
		if end < from || uint64(end) > uint64(len(m.GetText())) {
			return p, fmt.Errorf("%w: a text from %d to %d of %d bytes", ErrBadAnswer, from, end, len(m.GetText()))
		}
		p.IDs.AppendText(m.GetText()[from:end])
		from = end
	}
	if int(from) != len(m.GetText()) {
		return p, fmt.Errorf("%w: %d bytes of text, of which %d are ids", ErrBadAnswer, len(m.GetText()), from)
	}
	return p, nil
}

func encodeInts(list []int64) []byte {
	data := make([]byte, 0, 8*len(list))
	for _, v := range list {
		data = binary.LittleEndian.AppendUint64(data, uint64(v))
	}
	return data
}

// decodeInts refuses more than a part holds.
func decodeInts(data []byte) ([]int64, error) {
	if len(data)%8 != 0 || len(data) == 0 || len(data) > 8*partIDs {
		return nil, fmt.Errorf("%w: %d bytes of integers", ErrBadAnswer, len(data))
	}
	list := make([]int64, len(data)/8)
	for i := range list {
		list[i] = int64(binary.LittleEndian.Uint64(data[8*i:]))
	}
	return list, nil
}

// narrow and widen are for numbers of partitions and ranges, of which there are far fewer than 2^31.
func narrow(list []int) []uint32 {
	out := make([]uint32, len(list))
	for i, v := range list {
		out[i] = uint32(v)
	}
	return out
}

func widen(list []uint32) []int {
	out := make([]int, len(list))
	for i, v := range list {
		out[i] = int(v)
	}
	return out
}
