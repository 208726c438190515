package coordinator

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is the processor time that this thread has taken: what others do on the machine does not show in it.
func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
