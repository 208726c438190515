package roofline

import (
	"errors"
	"math"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
)

func TestBoundIsTheLargerOfArithmeticAndMemory(t *testing.T) {
	cases := []struct {
		n, d, k        int
		gflops, gbytes float64
		want           float64 // worked out by hand
		by             string
	}{
		{10_000_000, 4, 8, 225, 34, 0.5, ByMemory},        // 8·7/16 = 3.5 operations = 112 flop; 17 bytes
		{10_000_000, 4, 8, 112, 34, 1, ByArithmetic},      // the same, half as fast
		{200_000, 100, 500, 103, 401, 1000, ByArithmetic}, // 500·103/16 operations = 103,000 flop
		{1, 1, 1, 8, 5, 1, ByArithmetic},                  // 8 flop, 5 bytes: a tie
		{1, 1, 1, 16, 5, 1, ByMemory},
		{math.MaxInt, 4096, 65536, 4099 * 2, 1e9, 65536, ByArithmetic},
	}
	for _, c := range cases {
		got, by := Bound(c.n, c.d, c.k, c.gflops, c.gbytes)
		if math.Abs(got-c.want) > 1e-12*c.want || by != c.by {
			t.Errorf("Bound(%d, %d, %d, %g, %g): got %g by %q, want %g by %q", c.n, c.d, c.k, c.gflops, c.gbytes, got, by, c.want, c.by)
		}
	}
}

func TestThereIsNoBoundWithoutRowsOrRates(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	cases := []struct {
		n, d, k        int
		gflops, gbytes float64
	}{
		{0, 1, 1, 1, 1}, {1, 0, 1, 1, 1}, {1, 1, 0, 1, 1}, {1, -1, 1, 1, 1},
		{1, 1, 1, 0, 1}, {1, 1, 1, 1, 0}, {1, 1, 1, -1, 1}, {1, 1, 1, nan, 1}, {1, 1, 1, 1, nan}, {1, 1, 1, inf, 1}, {1, 1, 1, 1, inf},
	}
	for _, c := range cases {
		if got, by := Bound(c.n, c.d, c.k, c.gflops, c.gbytes); !math.IsNaN(got) || by != "" {
			t.Errorf("Bound%v: got %g by %q, want NaN", c, got, by)
		}
	}
}

func TestAFractionAboveOneIsAnError(t *testing.T) {
	cases := []struct {
		measured, bound, want float64
		impossible            bool
		fails                 bool
	}{
		{4, 1, 0.25, false, false},
		{1, 1, 1, false, false},
		{math.Nextafter(1, 0), 1, 0, true, true},
		{1, 2, 0, true, true},
		{0, 1, 0, false, true},
		{-1, 1, 0, false, true},
		{1, 0, 0, false, true},
		{math.NaN(), 1, 0, false, true},
		{1, math.NaN(), 0, false, true},
		{math.Inf(1), 1, 0, false, true},
		{1, math.Inf(1), 0, false, true},
	}
	for _, c := range cases {
		got, err := Fraction(c.measured, c.bound)
		if got != c.want || (err != nil) != c.fails || errors.Is(err, ErrImpossible) != c.impossible {
			t.Errorf("Fraction(%g, %g): got %g and %v, want %g, an error: %v, ErrImpossible: %v", c.measured, c.bound, got, err, c.want, c.fails, c.impossible)
		}
		if err != nil && fault.Code(err) != int(fault.Failed) {
			t.Errorf("Fraction(%g, %g): got exit code %d, want 1", c.measured, c.bound, fault.Code(err))
		}
	}
}
