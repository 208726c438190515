package bubble_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/bubble"
)

// With two processors the race detector crashes over this within seconds.
func TestManyTimersOfABubbleAtOnce(t *testing.T) {
	for range 150 {
		bubble.Test(t, manyTimers)
	}
}

func TestBubblesGiveTheProcessorsBack(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Run("together", func(t *testing.T) {
		for range 4 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				bubble.Test(t, manyTimers)
			})
		}
	})
	if after := runtime.GOMAXPROCS(0); after != before {
		t.Errorf("got %d processors afterwards, want the %d of before", after, before)
	}
}

func manyTimers(t *testing.T) {
	began := time.Now()
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() { wait(i) })
	}
	all.Wait()
	if took := time.Since(began); took != waits*time.Millisecond {
		t.Errorf("got %v of made time, want %d ms", took, waits)
	}
}

const waits = 200

// wait fires two timers at once, again and again, in 200 ms.
func wait(i int) {
	for j := range waits {
		a, b := time.NewTimer(time.Duration(1+(i+j)%3)*time.Millisecond), time.NewTimer(time.Millisecond)
		select {
		case <-a.C:
		case <-b.C:
		}
		a.Stop()
		b.Reset(0)
		<-b.C
	}
}
