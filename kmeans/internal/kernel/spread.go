package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Processors is how many processors SpreadOut may use; 0: all.
var Processors atomic.Int32

// spreadValues is how many values make it worth while to start goroutines.
const spreadValues = 1 << 16

// SpreadOut calls do for ranges that make up [0,n), side by side on the processors that there are where n items of size values are worth it, and
// returns when all are done. It is for what happens between passes, when the threads of passes stand still.
func SpreadOut(n, size int, do func(lo, hi int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if most := int(Processors.Load()); most > 0 {
		workers = min(workers, most)
	}
	if workers < 2 || n*size < spreadValues {
		do(0, n)
		return
	}
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() { do(w*n/workers, (w+1)*n/workers) })
	}
	wait.Wait()
}
