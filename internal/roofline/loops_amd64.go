package roofline

import "golang.org/x/sys/cpu"

// The sums that the multiplying loops keep: every register but two (_asm/main.go).
const (
	values512 = 24 * 16
	values2   = 12 * 8
)

// fmaLoops are the loops of this processor. Some processors execute 512 bits in two halves, and some are slower by the
// clock while they do: both widths are tried.
func fmaLoops() []fmaLoop {
	var loops []fmaLoop
	if cpu.X86.HasAVX512F {
		loops = append(loops, fmaLoop{"avx512", values512, func(rounds int, x, y float32, sums []float32) {
			fmaAVX512(rounds, x, y, (*[values512]float32)(sums))
		}})
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		loops = append(loops, fmaLoop{"avx2", values2, func(rounds int, x, y float32, sums []float32) {
			fmaAVX2(rounds, x, y, (*[values2]float32)(sums))
		}})
	}
	if loops == nil {
		loops = append(loops, portableFMA)
	}
	return loops
}

// readLoops are the loops of this processor that read. Which is fastest differs between processors and from moment to
// moment; two streams and fetching into the nearest cache were slower wherever they were measured, and are not here.
func readLoops() []readLoop {
	var loops []readLoop
	if cpu.X86.HasAVX512F {
		loops = append(loops, vectorRead("avx512", 1, readAVX512x1), vectorRead("avx512, fetching ahead", 1, ahead(readAVX512x1Ahead)),
			vectorRead("avx512, four streams", 4, readAVX512x4))
	}
	if cpu.X86.HasAVX2 {
		loops = append(loops, vectorRead("avx2", 1, readAVX2x1), vectorRead("avx2, fetching ahead", 1, ahead(readAVX2x1Ahead)),
			vectorRead("avx2, four streams", 4, readAVX2x4))
	}
	if loops == nil {
		loops = append(loops, portableRead)
	}
	return loops
}

// assemblyRead adds to sums the words of streams that begin stride bytes apart.
type assemblyRead func(base *uint64, stride, groups int, sums *[8]uint64)

// aheadBytes is a page: where the processor's own fetching stops.
const aheadBytes = 4096

// ahead fixes how far ahead a loop fetches. Behind the end of the buffer it fetches nothing: such a hint never faults.
func ahead(f func(base *uint64, stride, groups, ahead int, sums *[8]uint64)) assemblyRead {
	return func(base *uint64, stride, groups int, sums *[8]uint64) { f(base, stride, groups, aheadBytes, sums) }
}

func vectorRead(name string, streams int, f assemblyRead) readLoop {
	return readLoop{name, streams, func(words []uint64, stride, groups int) uint64 {
		var sums [8]uint64
		f(&words[0], 8*stride, groups, &sums)
		total := uint64(0)
		for _, s := range sums {
			total += s
		}
		return total
	}}
}
