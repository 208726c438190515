package roofline

import (
	"errors"
	"math"

	"github.com/coterie-project/coterie/internal/fault"
)

// What limits a pass, as Bound names it.
const (
	ByArithmetic = "arithmetic"
	ByMemory     = "memory"
)

// A vector operation is 16 multiply-adds of float32; a multiply-add counts as two operations of floating point, as is
// the custom.
const (
	vectorLanes = 16
	vectorFlop  = 2 * vectorLanes
)

// ErrImpossible is wrapped by the error of Fraction for a measurement that beats its bound.
var ErrImpossible = errors.New("faster than the machine's own limit")

// Bound is the shortest time in nanoseconds for each of n rows of d columns to meet k centroids, given gflops (10⁹
// float32 operations a second, a multiply-add being two) and gbytes (10⁹ bytes read from memory a second): the larger
// of k(d+3)/16 vector operations and 4d+1 bytes. by is what it is limited by: ByArithmetic or ByMemory. Of the
// operations d are the chain's multiply-adds and three the comparison and its two choices.
// The bound is that of a row whatever n is; rows must be there, and more than the caches hold, for it to mean anything.
//
// Where n, d or k is less than 1 or a rate is not a positive number, there is no bound: NaN and "".
func Bound(n, d, k int, gflops, gbytes float64) (nsPerPoint float64, by string) {
	if n < 1 || d < 1 || k < 1 || !positive(gflops) || !positive(gbytes) {
		return math.NaN(), ""
	}
	operations := float64(k) * (float64(d) + 3) / vectorLanes
	arithmetic := operations * vectorFlop / gflops
	memory := (4*float64(d) + 1) / gbytes
	if arithmetic >= memory {
		return arithmetic, ByArithmetic
	}
	return memory, ByMemory
}

// Fraction is how much of the bound a measurement reaches, from 0 to 1; both are times in the same unit. A measurement
// that is faster than the bound says that the probe is wrong: the error wraps ErrImpossible.
func Fraction(measured, bound float64) (float64, error) {
	if !positive(measured) || !positive(bound) {
		return 0, fault.Failedf(nil, "a time of %g against a bound of %g has no fraction", measured, bound).Do("both must be positive and finite")
	}
	if measured < bound {
		return 0, fault.Failedf(ErrImpossible, "%.4g against a bound of %.4g is %.1f %%", measured, bound, 100*bound/measured).
			Do("measure both again in one run, on a machine that does nothing else")
	}
	return bound / measured, nil
}

func positive(x float64) bool { return x > 0 && !math.IsInf(x, 1) }
