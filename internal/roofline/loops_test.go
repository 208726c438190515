package roofline

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// allFMA and allRead are the loops of this processor, and those in plain Go.
func allFMA() []fmaLoop { return append(fmaLoops(), portableFMA) }

func allRead() []readLoop {
	return append(readLoops(), portableRead, readLoop{"portable, four streams", 4, readPortable})
}

func TestEachSumOfAMultiplyingLoopIsWhatItsRoundsComeTo(t *testing.T) {
	for _, l := range allFMA() {
		if l.values > mostSums {
			t.Fatalf("%s keeps %d sums, more than %d", l.name, l.values, mostSums)
		}
		for _, rounds := range []int{1, 2, 7, 1000, fmaRounds} {
			for _, factors := range [][2]float32{{factorX, factorY}, {-3, 0.5}, {0, 1}} {
				sums := make([]float32, l.values+1)
				sums[l.values] = 77
				for i := range sums[:l.values] {
					sums[i] = -1 // what stood there before does not count
				}
				l.run(rounds, factors[0], factors[1], sums[:l.values])
				want := factors[0] * factors[1] * float32(rounds)
				for i, s := range sums[:l.values] {
					if s != want {
						t.Fatalf("%s, %d rounds of %v, sum %d: got %v, want %v", l.name, rounds, factors, i, s, want)
					}
				}
				if sums[l.values] != 77 {
					t.Errorf("%s, %d rounds: wrote behind its sums", l.name, rounds)
				}
			}
		}
	}
}

// TestVectorMultiplyAddsRoundOnce tells a fused multiply-add from a product and a sum: (1+2^-12)² less what it rounds to.
func TestVectorMultiplyAddsRoundOnce(t *testing.T) {
	const x = 1 + 1.0/4096
	for _, l := range fmaLoops() {
		if l.name == Portable {
			continue // may or may not
		}
		sums := make([]float32, l.values)
		l.run(3, x, x, sums)
		first := float32(x * x)                          // a constant: one rounding
		second := float32(float64(first) + float64(x*x)) // exact in float64
		third := float32(float64(second) + float64(x*x))
		if sums[0] != third {
			t.Errorf("%s: got %v, want %v", l.name, sums[0], third)
		}
	}
}

// naiveSum is what a loop must return, one word at a time.
func naiveSum(words []uint64, streams, stride, n int) uint64 {
	sum := uint64(0)
	for s := range streams {
		for _, w := range words[s*stride : s*stride+n] {
			sum += w
		}
	}
	return sum
}

// Random words: a word that is left out, read twice or taken from elsewhere changes the sum.
func TestAReadingLoopReadsEveryWordOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, l := range allRead() {
		for _, groups := range []int{1, 2, 3, 64} {
			for _, extra := range []int{0, 8, 520} {
				n := groups * groupWords
				stride := n + extra
				words := make([]uint64, (l.streams-1)*stride+n)
				for i := range words {
					words[i] = r.Uint64()
				}
				if got, want := l.run(words, stride, groups), naiveSum(words, l.streams, stride, n); got != want {
					t.Errorf("%s, %d groups, stride %d: got %#x, want %#x", l.name, groups, stride, got, want)
				}
			}
		}
	}
}

func TestAChunkOfTheRampAddsUpToItsClosedForm(t *testing.T) {
	words := make([]uint64, 2*bufferUnit)
	for _, first := range []uint64{0, 1 << 40, 1<<64 - 1000} {
		fill(words, first)
		for _, l := range allRead() {
			chunks := 0
			for at := 0; l.fits(len(words), at); at += l.chunkOf() {
				got, want := l.chunk(words, at), l.expected(first, len(words), at)
				if naive := naiveSum(words[at:], l.streams, l.stride(len(words)), l.chunkOf()); got != want || got != naive {
					t.Errorf("%s at %d from %d: got %#x, want %#x, one by one %#x", l.name, at, first, got, want, naive)
				}
				chunks++
			}
			if least := len(words)/chunkWords - 1; chunks < least {
				t.Errorf("%s: got %d chunks, want at least %d", l.name, chunks, least)
			}
		}
	}
}

func TestTheSumOfARampIsThatOfItsWords(t *testing.T) {
	for _, first := range []uint64{0, 1, 12345, 1<<63 + 7, 1<<64 - 3} {
		want := uint64(0)
		for n := range uint64(40) {
			if got := rampSum(first, n); got != want {
				t.Errorf("rampSum(%d, %d): got %d, want %d", first, n, got, want)
			}
			want += first + n
		}
	}
}

// small is a gang of n with buffers of the least size.
func small(t *testing.T, n int) *gang {
	t.Helper()
	g := newGang(n)
	t.Cleanup(func() {
		g.release()
		g.close()
	})
	if err := g.acquire(t.Context(), bufferUnit); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestALoopThatDoesNotDoItsWorkIsRefused(t *testing.T) {
	g := small(t, 1)
	for _, l := range allFMA() {
		if _, err := g.multiply(1, MinWindow, &l); err != nil {
			t.Errorf("%s: got %v, want no error", l.name, err)
		}
		// Right after the loop itself, whose sums must not stand in for those that are missing.
		idle := fmaLoop{l.name, l.values, func(int, float32, float32, []float32) {}}
		if _, err := g.multiply(1, MinWindow, &idle); err == nil {
			t.Errorf("%s that does nothing: got no error", l.name)
		}
		lazy := fmaLoop{l.name, l.values, func(rounds int, x, y float32, sums []float32) { l.run(rounds-1, x, y, sums) }}
		if _, err := g.multiply(1, MinWindow, &lazy); err == nil || !strings.Contains(err.Error(), l.name) {
			t.Errorf("%s less a round: got %v, want an error that names it", l.name, err)
		}
	}
	for _, l := range allRead() {
		if _, err := g.read(1, MinWindow, &l); err != nil {
			t.Errorf("%s: got %v, want no error", l.name, err)
		}
		lazy := readLoop{l.name, l.streams, func(words []uint64, stride, groups int) uint64 { return l.run(words, stride, groups-1) }}
		if _, err := g.read(1, MinWindow, &lazy); err == nil || !strings.Contains(err.Error(), l.name) {
			t.Errorf("%s less a group: got %v, want an error that names it", l.name, err)
		}
	}
}

func TestReadingGoesThroughTheWholeBuffer(t *testing.T) {
	g := small(t, 1)
	seen := make(map[*uint64]int)
	l := readLoop{"", 1, func(words []uint64, stride, groups int) uint64 {
		seen[&words[0]]++
		return readPortable(words, stride, groups)
	}}
	for len(seen) < bufferUnit/chunkWords {
		before := len(seen)
		for range 10 * bufferUnit / chunkWords { // a window may be one chunk long
			if _, err := g.read(1, MinWindow, &l); err != nil {
				t.Fatal(err)
			}
		}
		if len(seen) == before {
			break
		}
	}
	if len(seen) != bufferUnit/chunkWords {
		t.Errorf("got %d different chunks, want %d", len(seen), bufferUnit/chunkWords)
	}
}

// TestPlainSumsAreApart shows that the compiler has not made one sum of eight: each begins with a number of its own.
func TestPlainSumsAreApart(t *testing.T) {
	t.Cleanup(func() { zeros = [8]float32{} })
	for i := range zeros {
		zeros[i] = float32(i)
	}
	sums := make([]float32, len(zeros))
	multiplyPortable(4, factorX, factorY, sums)
	for i, s := range sums {
		if want := float32(i) + 4*product; s != want {
			t.Errorf("sum %d: got %v, want %v", i, s, want)
		}
	}
}
