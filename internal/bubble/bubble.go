package bubble

import (
	"testing"
	"testing/synctest"
)

// Test is synctest.Test. With the race detector the program has one processor meanwhile: all timers of a bubble share one context
// of the detector, and where two threads fire timers of it at once, which needs two processors, the detector itself crashes, with
// "CHECK failed" or a signal in __tsan (https://github.com/golang/go/issues/78156). It misses nothing for that: a race to it
// is what nothing orders, whether or not it happened at the same time.
func Test(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	defer alone()()
	synctest.Test(t, f)
}
