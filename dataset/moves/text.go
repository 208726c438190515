package moves

import "encoding/binary"

// appendText appends an id behind its length.
func appendText(dst, id []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(id))), id...)
}

// textAt is the id that appendText has put at a place.
func textAt(text []byte, at int64) []byte {
	length, n := binary.Uvarint(text[at:])
	begin := int(at) + n
	return text[begin : begin+int(length)]
}
