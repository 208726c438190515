//go:build !linux

package roofline

import "time"

// acquire gets words of memory that nobody has touched: the system gives pages when they are written.
func acquire(words int) (memory []uint64, release func(), err error) {
	return make([]uint64, words), func() {}, nil
}

// Neither is asked of other systems: 0 is "not known".
func availableMemory() int64 { return 0 }
func lastCache() int64       { return 0 }

// threadTime is how long this thread has run on a core, as if it always did: other systems are not asked.
func threadTime() time.Duration { return wallTime() }
