//go:build linux

package e2e

import (
	"testing"
	"time"
)

// wideJob has sums of 1000 × 200, more than a megabyte for each answer.
var wideJob = []string{"synth://uniform?rows=20000&seed=5&d=200", "-k", "1000", "--init", "random", "--tol", "0", "--max-iter", "6"}

func TestASlowLinkGivesTheSameBitsInFewerBytes(t *testing.T) {
	t.Parallel()
	bytes := make(map[int]int)
	for _, megabits := range []int{0, 20} {
		l := newLAN(t)
		center, far := l.machine(), l.machine()
		center.coordinator()
		far.worker("w1", center, nil)
		if megabits > 0 {
			center.throttle(megabits)
			far.throttle(megabits)
		}
		began, before := time.Now(), far.sent()
		fit := beginFit(t, center.place(), append([]string{"--cluster", center.at(rpcPort)}, wideJob...)...)
		if got, want := fit.digest(), digestHere(t, wideJob...); got != want {
			t.Errorf("%d Mbit/s: got digest %s, want that of one process, %s", megabits, got, want)
		}
		bytes[megabits] = far.sent() - before
		t.Logf("%d Mbit/s: %d bytes from the worker in %v", megabits, bytes[megabits], time.Since(began))
	}
}
