//go:build !linux

package coordinator

import "time"

var threadBegun = time.Now()

// threadTime is the time that has passed, where a thread's own is not at hand.
func threadTime() time.Duration { return time.Since(threadBegun) }
