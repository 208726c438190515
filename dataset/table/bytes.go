package table

import (
	"encoding/binary"
	"unsafe"
)

// Parquet's plain numbers are little-endian. Where the processor's are too, they are a page as they lie in memory.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// asBytes is the memory of numbers.
func asBytes[T int32 | int64 | float32 | float64](values []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(zero)))
}

// plainBytes are the PLAIN values of rows [from, to) without a copy; nil for types and processors that need one.
func plainBytes(d *columnData, t Type, from, to int) []byte {
	if !littleEndian {
		return nil
	}
	switch t {
	case Int32, Date:
		return asBytes(d.i32[from:to])
	case Float32:
		return asBytes(d.f32[from:to])
	case Int64, Time:
		return asBytes(d.i64[from:to])
	case Float64:
		return asBytes(d.f64[from:to])
	}
	return nil
}
