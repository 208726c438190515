package parquet

import (
	"encoding/binary"

	"github.com/coterie-project/coterie/dataset"
	"github.com/parquet-go/parquet-go/format"
)

// pullText appends n texts to dst, whose Offsets begin with a 0. limit bounds the bytes of dst.
func (v *values) pullText(dst *dataset.Strings, n, limit int, d *dictionary, s *pieces) error {
	switch {
	case v.encoding == format.Plain && v.width > 0:
		return v.plainFixed(dst, n)
	case v.encoding == format.Plain:
		return v.plainText(dst, n, limit)
	case v.encoding == format.ByteStreamSplit:
		return v.splitFixed(dst, n)
	case v.encoding == format.DeltaLengthByteArray:
		return v.deltaText(dst, n, limit, s)
	case v.encoding == format.DeltaByteArray:
		return v.prefixText(dst, n, limit, s)
	}
	index, err := s.indices(v, n, d.text.Len())
	if err != nil {
		return err
	}
	for _, i := range index {
		dst.Data = append(dst.Data, d.text.At(int(i))...)
		dst.Offsets = append(dst.Offsets, len(dst.Data))
		if len(dst.Data) > limit {
			return errText
		}
	}
	return nil
}

func (v *values) plainFixed(dst *dataset.Strings, n int) error {
	if n > len(v.data)/v.width {
		return errValues
	}
	src, err := v.take(n * v.width)
	if err != nil {
		return err
	}
	at := len(dst.Data)
	dst.Data = append(dst.Data, src...)
	for i := range n {
		dst.Offsets = append(dst.Offsets, at+(i+1)*v.width)
	}
	return nil
}

func (v *values) plainText(dst *dataset.Strings, n, limit int) error {
	for range n {
		if len(v.data) < 4 {
			return errValues
		}
		size := binary.LittleEndian.Uint32(v.data)
		v.data = v.data[4:]
		if uint64(size) > uint64(len(v.data)) {
			return errValues
		}
		dst.Data = append(dst.Data, v.data[:size]...)
		dst.Offsets = append(dst.Offsets, len(dst.Data))
		v.data = v.data[size:]
		if len(dst.Data) > limit {
			return errText
		}
	}
	return nil
}

func (v *values) splitFixed(dst *dataset.Strings, n int) error {
	if n > v.count-v.taken || v.count > len(v.data)/v.width {
		return errValues
	}
	for range n {
		for b := range v.width {
			dst.Data = append(dst.Data, v.data[b*v.count+v.taken])
		}
		dst.Offsets = append(dst.Offsets, len(dst.Data))
		v.taken++
	}
	return nil
}

func (v *values) deltaText(dst *dataset.Strings, n, limit int, s *pieces) error {
	lengths, err := pullDeltas(&s.deltas, &v.deltas, n)
	if err != nil {
		return err
	}
	for _, size := range lengths {
		if size < 0 || size > int64(len(v.data)) {
			return errValues
		}
		dst.Data = append(dst.Data, v.data[:size]...)
		dst.Offsets = append(dst.Offsets, len(dst.Data))
		v.data = v.data[size:]
		if len(dst.Data) > limit {
			return errText
		}
	}
	return nil
}

// prefixText: each text begins with a prefix of the one before it.
func (v *values) prefixText(dst *dataset.Strings, n, limit int, s *pieces) error {
	prefixes, err := pullDeltas(&s.more, &v.prefixes, n)
	if err != nil {
		return err
	}
	lengths, err := pullDeltas(&s.deltas, &v.deltas, n)
	if err != nil {
		return err
	}
	for i, size := range lengths {
		prefix := prefixes[i]
		if size < 0 || size > int64(len(v.data)) || prefix < 0 || prefix > int64(len(v.last)) {
			return errValues
		}
		v.last = append(v.last[:prefix], v.data[:size]...)
		v.data = v.data[size:]
		if v.width > 0 && len(v.last) != v.width {
			return errValues
		}
		dst.Data = append(dst.Data, v.last...)
		dst.Offsets = append(dst.Offsets, len(dst.Data))
		if len(dst.Data) > limit {
			return errText
		}
	}
	return nil
}

// startText empties s, keeping its memory: Offsets begins with 0.
func startText(s *dataset.Strings) {
	s.Data, s.Offsets = s.Data[:0], append(s.Offsets[:0], 0)
}
