package parquet

import (
	"encoding/binary"
	"unsafe"
)

// Parquet's numbers are little-endian. Where the processor's are too, decoding a page of plain numbers is a copy,
// and a column of FLOAT bits is a column of float32: this file is all that relies on it.

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// load32 decodes len(dst) values; src has 4·len(dst) bytes.
func load32(dst []uint32, src []byte) {
	if littleEndian {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), 4*len(dst)), src)
		return
	}
	for i := range dst {
		dst[i] = binary.LittleEndian.Uint32(src[4*i:])
	}
}

// view32 is the first n values of src in the memory that they lie in; nil where they are not there as the processor has them.
func view32(src []byte, n int) []uint32 {
	if !littleEndian || n == 0 || n > len(src)/4 || uintptr(unsafe.Pointer(unsafe.SliceData(src)))%4 != 0 {
		return nil
	}
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(src))), n)
}

// load64 decodes len(dst) values; src has 8·len(dst) bytes.
func load64(dst []uint64, src []byte) {
	if littleEndian {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), 8*len(dst)), src)
		return
	}
	for i := range dst {
		dst[i] = binary.LittleEndian.Uint64(src[8*i:])
	}
}

// floats32 is the same memory seen as float32s: both types have 4 bytes and the same alignment.
func floats32(bits []uint32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(bits))), len(bits))
}

// floats64 is the same memory seen as float64s.
func floats64(bits []uint64) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(bits))), len(bits))
}
