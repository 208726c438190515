package kmeans

import (
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/internal/exact"
)

// twinDigest is the definition, in big integers.
func twinDigest(s *Sums) uint64 {
	sum := new(big.Int)
	add := func(index uint64, v *big.Int) {
		sum.Add(sum, new(big.Int).Mul(new(big.Int).SetUint64(digestFactor(index)), v))
	}
	for j, n := range s.Counts {
		add(uint64(j), big.NewInt(n))
	}
	for j, w := range s.Weights {
		add(digestWeights+uint64(j), w.Big())
	}
	for i, v := range s.Values {
		add(digestValues+uint64(i), v.Big())
	}
	return sum.Mod(sum, big.NewInt(digestPrime)).Uint64()
}

func negated(s *Sums) *Sums {
	n := NewSums(s.K, s.D, s.Weights != nil)
	for j, c := range s.Counts {
		n.Counts[j] = -c
	}
	for j, w := range s.Weights {
		n.Weights[j] = w.Neg()
	}
	for i, v := range s.Values {
		n.Values[i] = v.Neg()
	}
	return n
}

func TestTheDigestIsLinear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, d, weighted := rapid.IntRange(1, 6).Draw(t, "k"), rapid.IntRange(0, 6).Draw(t, "d"), rapid.Bool().Draw(t, "weighted")
		a, b := drawSums(t, k, d, weighted, 128), drawSums(t, k, d, weighted, 128)
		for _, s := range []*Sums{a, b} { // what adds up to more than an integer holds wraps, and sums never do
			for j := range s.Counts {
				s.Counts[j] /= 2
			}
			for i := range s.Values {
				s.Values[i].Hi /= 2
			}
			for j := range s.Weights {
				s.Weights[j].Hi /= 2
			}
		}
		if got, want := a.Digest(), twinDigest(a); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
		if got := AddDigests(a.Digest(), negated(a).Digest()); got != 0 {
			t.Fatalf("a and −a: got %d, want 0", got)
		}
		both := a.Clone()
		both.Merge(b)
		if got, want := both.Digest(), AddDigests(a.Digest(), b.Digest()); got != want {
			t.Fatalf("a + b: got %d, want %d", got, want)
		}
	})
}

func TestTheDigestOfExtremesIsThatOfTheDefinition(t *testing.T) {
	words := []uint64{0, 1, digestPrime - 1, digestPrime, digestPrime + 1, 1 << 62, 1<<63 - 1, 1 << 63, 1<<64 - 1}
	for _, hi := range words {
		for _, lo := range words {
			s := NewSums(1, 40, false) // many of the same, for reductions that come too late
			for i := range s.Values {
				s.Values[i] = exact.Int128{Hi: int64(hi), Lo: lo}
			}
			if got, want := s.Digest(), twinDigest(s); got != want {
				t.Errorf("%d·2^64 + %d: got %d, want %d", int64(hi), lo, got, want)
			}
		}
	}
	if got := AddDigests(1<<64-1, 1<<64-1); got != (1<<64-1)%digestPrime*2%digestPrime {
		t.Errorf("digests that no Sums have: got %d", got)
	}
}

func TestADifferenceInAnyEntryChangesTheDigest(t *testing.T) {
	s := NewSums(5, 4, true)
	seen := map[uint64]string{s.Digest(): "nothing"}
	note := func(what string) {
		t.Helper()
		if other, again := seen[s.Digest()]; again {
			t.Errorf("%s: the same digest as %s", what, other)
		}
		seen[s.Digest()] = what
	}
	for _, by := range []int64{1, -1, 1 << 39, -(1 << 62)} {
		for j := range s.Counts {
			s.Counts[j] += by
			note("a count")
			s.Counts[j] -= by
		}
		for j := range s.Weights {
			s.Weights[j] = exact.FromInt64(by)
			note("a weight")
			s.Weights[j] = exact.Int128{}
		}
		for i := range s.Values {
			s.Values[i] = exact.FromInt64(by)
			note("a value")
			s.Values[i] = exact.Int128{}
		}
	}
}

// Rows are labelled anew by several threads again and again; each keeps its own accumulator and leaves its digest with
// the partition at the end of every stretch.
func TestDigestsOfMovesAddUpToThatOfTheSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const rows, k, d = 40, 5, 3
		p := drawPoints(t, rows, d)
		labels := slices.Repeat([]int{none}, rows)
		threads := []*Accumulator{NewAccumulator(k, d, p.Weighted()), NewAccumulator(k, d, p.Weighted())}
		sums, digest := NewSums(k, d, p.Weighted()), uint64(0)
		for range rapid.IntRange(1, 4).Draw(t, "passes") {
			for _, i := range rapid.Permutation(indices(rows)).Draw(t, "order") {
				to := rapid.IntRange(0, k-1).Draw(t, "to")
				thread := threads[rapid.IntRange(0, 1).Draw(t, "thread")]
				if to != labels[i] {
					thread.move(p, i, labels[i], to)
					labels[i] = to
				}
				if rapid.IntRange(0, 9).Draw(t, "switch") == 0 {
					digest = AddDigests(digest, thread.Digest())
					thread.Drain(sums)
				}
			}
			for _, thread := range threads {
				digest = AddDigests(digest, thread.Digest())
				thread.Drain(sums)
				if left := thread.Digest(); left != 0 || slices.Contains(thread.changed, true) {
					t.Fatalf("after Drain: got digest %d and changed clusters %v, want none", left, thread.changed)
				}
			}
		}
		fresh := NewAccumulator(k, d, p.Weighted())
		for i, to := range labels {
			fresh.move(p, i, none, to)
		}
		if got := fresh.Digest(); got != digest || sums.Digest() != digest {
			t.Fatalf("got %d from the moves, %d from the sums, want %d as summed afresh", digest, sums.Digest(), got)
		}
	})
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func drawPoints(t *rapid.T, n, d int) *Points {
	values := rapid.SliceOfN(rapid.Float32Range(-100, 100), n*d, n*d).Draw(t, "values")
	var weights []float64
	if rapid.Bool().Draw(t, "weighted") {
		weights = rapid.SliceOfN(rapid.Float64Range(0, 9), n, n).Draw(t, "weights")
	}
	p, err := PointsFromRows(values, n, d, weights)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFactorsAreThoseOfThisVersion(t *testing.T) {
	// Workers of different builds have their digests compared: the factors must never change. The first is the first
	// number of SplitMix64 with the seed 0, 0xe220a8397b1dcdaf, without its last three bits.
	got := []uint64{digestFactor(0), digestFactor(digestWeights), digestFactor(digestValues + 7)}
	want := []uint64{0xe220a8397b1dcdaf >> 3, 0x154a1d51c1f53d, 0xc4a090b679bdf77}
	if !slices.Equal(got, want) {
		t.Errorf("got %#x, want %#x", got, want)
	}
}

func BenchmarkDigest(b *testing.B) {
	s := wideSums(1000, 100, 8)
	b.SetBytes(int64(16 * len(s.Values)))
	for range b.N {
		sink += s.Digest()
	}
}
