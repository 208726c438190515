package roofline

import "github.com/coterie-project/coterie/internal/fault"

// fmaLoop is one way to multiply and add.
type fmaLoop struct {
	name   string
	values int // sums that are kept
	// run adds x·y to each sum rounds times, from 0, each time with one rounding or exactly; sums holds values.
	run func(rounds int, x, y float32, sums []float32)
}

// mostSums is the largest number of sums that a loop keeps.
const mostSums = 384

// What the loops multiply. 1.5 · 1.25 = 15/8, so the sums are exact, rounded or not, as long as they are below 2^21.
const (
	factorX = 1.5
	factorY = 1.25
	product = factorX * factorY
)

// fmaRounds keeps a call between 15 and 100 µs: long beside reading the clock, short beside the window in which it is
// called again and again, and beside what the scheduler expects of code that it cannot interrupt.
const fmaRounds = 8 << 10

// checkSums is an error if sums are not what rounds of the loop come to.
func (l *fmaLoop) checkSums(rounds int, sums []float32) error {
	for i, s := range sums {
		if want := float32(product * float64(rounds)); s != want {
			return fault.Failedf(nil, "sum %d of the loop %s is %v after %d rounds, not %v", i, l.name, s, rounds, want)
		}
	}
	return nil
}

// readLoop is one way to read memory.
type readLoop struct {
	name    string
	streams int // that are read at once, each from its own part of the buffer
	// run is the sum, modulo 2^64, of the words of streams that begin stride words apart: groups × groupWords of each.
	run func(words []uint64, stride, groups int) uint64
}

const (
	groupWords = 32      // that a loop takes of a stream in one step
	chunkWords = 1 << 17 // that a call reads in all, 1 MiB: some 50 µs
	// bufferUnit is the granularity of a buffer, 4 MiB: a chunk of each loop divides it and fits a stream.
	bufferUnit = 4 * chunkWords
	// skewWords is by how much streams lie nearer than a whole part of the buffer, a page and a line: at distances that
	// are powers of two they would meet in the same sets of the caches and banks of the memory (28 GB/s, not 34).
	skewWords = (4096 + 64) / 8
)

// chunkOf is how many words of each stream a call reads.
func (l *readLoop) chunkOf() int { return chunkWords / l.streams }

// stride is how many words of a buffer lie between the beginnings of two streams.
func (l *readLoop) stride(words int) int {
	if l.streams == 1 {
		return words
	}
	return words/l.streams - skewWords
}

// fits says whether a chunk at position at lies within each stream. What is left of a stream is not read.
func (l *readLoop) fits(words, at int) bool { return at+l.chunkOf() <= l.stride(words) }

// chunk reads the chunk at position at (in words) of every stream of the buffer.
func (l *readLoop) chunk(words []uint64, at int) uint64 {
	stride := l.stride(len(words))
	end := (l.streams-1)*stride + at + l.chunkOf() // where the last stream's chunk ends
	return l.run(words[at:end:end], stride, l.chunkOf()/groupWords)
}

// expected is what chunk returns of a buffer that fill has filled from first on.
func (l *readLoop) expected(first uint64, words, at int) uint64 {
	sum, stride := uint64(0), l.stride(words)
	for s := range l.streams {
		sum += rampSum(first+uint64(s*stride+at), uint64(l.chunkOf()))
	}
	return sum
}

// fill makes words a ramp: no two pages are alike, so nothing below us can keep them as one, and any stretch's sum is
// known.
func fill(words []uint64, first uint64) {
	for i := range words {
		words[i] = first + uint64(i)
	}
}

// rampSum is first + (first+1) + … of n words, modulo 2^64.
func rampSum(first, n uint64) uint64 {
	if n%2 == 0 {
		return n / 2 * (2*first + n - 1)
	}
	return n * (first + (n-1)/2)
}
