package partition

import (
	"errors"
	"fmt"
)

// ErrMemory is a data set that the workers' memory does not hold; the error that wraps it is a *MemoryError.
var ErrMemory = errors.New("not enough memory for the data")

// MemoryError says how much memory is missing. All numbers are bytes, the largest int64 standing for more.
type MemoryError struct {
	Partition int   // the partition that fits no worker; -1: it is all of them together
	Workers   int   // how many workers there are
	Need      int64 // what the partition, or all of them, take
	Have      int64 // what the largest worker, or all of them, may use
	PerWorker int64 // with so much for each of these workers everything fits, whatever the sizes of the partitions
}

// Error implements error.
func (e *MemoryError) Error() string {
	would := fmt.Sprintf("%s for each of %d would do", inBytes(e.PerWorker), e.Workers)
	switch {
	case e.Partition >= 0:
		return fmt.Sprintf("%v: partition %d takes %s, the largest worker has %s; %s", ErrMemory, e.Partition, inBytes(e.Need),
			inBytes(e.Have), would)
	case e.Need <= e.Have:
		return fmt.Sprintf("%v: it takes %s of %s, but its partitions do not go into the workers whole; %s", ErrMemory,
			inBytes(e.Need), inBytes(e.Have), would)
	}
	return fmt.Sprintf("%v: it takes %s, the workers have %s; %s", ErrMemory, inBytes(e.Need), inBytes(e.Have), would)
}

// Unwrap is ErrMemory.
func (e *MemoryError) Unwrap() error { return ErrMemory }

// inBytes renders a size in binary units: 812 B, 3.1 MiB, 12.3 GiB.
func inBytes(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/(1<<10), 0
	for value >= 1024 && unit < 5 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[unit])
}
