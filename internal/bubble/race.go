//go:build race

package bubble

import (
	"runtime"
	"sync"
)

// bubbles are those under way: tests run side by side.
var bubbles struct {
	sync.Mutex
	count, processors int
}

// alone sees to it that one goroutine runs at a time, until what it gives is called as often as it was.
func alone() (end func()) {
	bubbles.Lock()
	defer bubbles.Unlock()
	if bubbles.count++; bubbles.count == 1 {
		bubbles.processors = runtime.GOMAXPROCS(1)
	}
	return func() {
		bubbles.Lock()
		defer bubbles.Unlock()
		if bubbles.count--; bubbles.count == 0 {
			runtime.GOMAXPROCS(bubbles.processors)
		}
	}
}
