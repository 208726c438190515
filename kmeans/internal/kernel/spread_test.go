package kernel

import (
	"runtime"
	"sync"
	"testing"
)

func TestWhatIsSpreadOutIsDoneOnce(t *testing.T) {
	defer Processors.Store(0)
	for _, most := range []int32{0, 1, 2} {
		Processors.Store(most)
		for _, n := range []int{1, 2, 3, 1000} {
			var mu sync.Mutex
			done, calls := make([]int, n), 0
			SpreadOut(n, spreadValues, func(lo, hi int) {
				mu.Lock()
				defer mu.Unlock()
				calls++
				for i := lo; i < hi; i++ {
					done[i]++
				}
			})
			for i, times := range done {
				if times != 1 {
					t.Fatalf("%d items on at most %d processors: item %d is done %d times", n, most, i, times)
				}
			}
			if want := min(n, runtime.GOMAXPROCS(0)); most == 1 && calls != 1 || most == 0 && calls != want {
				t.Errorf("%d items on at most %d processors: in %d calls", n, most, calls)
			}
		}
	}
}
