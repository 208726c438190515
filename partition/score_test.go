package partition

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// A draw of 0 bits, of all bits and the powers of two have logarithms that are known exactly.
func TestMinusLog2OfPowersOfTwoIsExact(t *testing.T) {
	for n := range 64 {
		if got, want := minusLog2(1<<n), int64(64-n)<<32; got != want {
			t.Errorf("-log2 of 2^%d/2^64: got %d, want %d", n, got, want)
		}
	}
	if got := minusLog2(math.MaxUint64); got != 1 {
		t.Errorf("-log2 of the largest draw: got %d units, want 1, the least", got)
	}
}

func TestMinusLog2IsTheLogarithm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.Uint64Min(1).Draw(t, "u")
		got := minusLog2(u)
		want := (64 - math.Log2(float64(u))) * (1 << 32)
		if math.Abs(float64(got)-want) > 2 {
			t.Fatalf("got %d units of 2^-32, want %.3f", got, want)
		}
		if least := atLeast(u); least > got {
			t.Fatalf("at least %d, yet it is %d", least, got)
		}
	})
}

// Leaving a logarithm out must never change who wins: a plain search is the twin.
func TestTheWinnerIsTheOneWithTheBestScore(t *testing.T) {
	s, err := newSeats(newBooks(alike(300, 7), nil), crew(20, 1, 5, 2, 30), 0)
	if err != nil {
		t.Fatal(err)
	}
	for id := range 300 {
		best, want := math.Inf(1), -1
		for i := range s.list {
			wait := float64(minusLog2(bid(s.list[i].hash, id))) / float64(s.list[i].quota)
			if i%7 != id%7 && wait < best {
				best, want = wait, i
			}
		}
		if got := s.winner(id, everyone(s), func(i int) bool { return i%7 != id%7 }); got != want {
			t.Errorf("partition %d: got worker %d, want %d", id, got, want)
		}
	}
	if got := s.winner(0, everyone(s), func(int) bool { return false }); got != -1 {
		t.Errorf("nobody may: got %d, want -1", got)
	}
}

func TestWorkersWinInProportionToTheirQuotas(t *testing.T) {
	const n = 40_000
	s, err := newSeats(newBooks(alike(n, 1), nil), crew(4, 1, 2, 3, 4), 0)
	if err != nil {
		t.Fatal(err)
	}
	won := make([]int, 4)
	for id := range n {
		won[s.winner(id, everyone(s), s.everybody)]++
	}
	for i, got := range won {
		want := float64(n*(i+1)) / 10
		if deviation := math.Sqrt(want * (1 - want/n)); math.Abs(float64(got)-want) > 5*deviation {
			t.Errorf("weight %d: won %d of %d, want %.0f ± %.0f", i+1, got, n, want, 5*deviation)
		}
	}
}

// Names and numbers as they occur differ in few bits; none may shadow another.
func TestNamesAlikeDrawApart(t *testing.T) {
	seen := make(map[uint64]bool)
	for _, w := range crew(1000) {
		for id := range 50 {
			seen[bid(nameHash(w.Name), id)>>8] = true
		}
	}
	if got := len(seen); got != 50_000 {
		t.Errorf("50,000 draws: got %d different ones", got)
	}
}

func BenchmarkMinusLog2(b *testing.B) {
	u := uint64(1)
	for b.Loop() {
		u += uint64(minusLog2(u|1)) << 20
	}
}

// everyone is the places of all seats.
func everyone(s *seats) []int {
	all := make([]int, len(s.list))
	for i := range all {
		all[i] = i
	}
	return all
}
