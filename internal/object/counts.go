package object

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Count is what a process has asked of object stores since it began.
type Count struct {
	// Requests by method of the service and outcome: "ok", "missing", "denied", "changed", "failed" or "cancelled". Each try counts.
	Requests map[[2]string]int64
	Retries  int64
	// Bytes of bodies.
	ReadBytes, WrittenBytes int64
}

var counted struct {
	mu                  sync.Mutex
	requests            map[[2]string]int64
	retries, read, sent atomic.Int64
}

// Counts are those of the process so far.
func Counts() Count {
	counted.mu.Lock()
	defer counted.mu.Unlock()
	return Count{Requests: maps.Clone(counted.requests), Retries: counted.retries.Load(), ReadBytes: counted.read.Load(),
		WrittenBytes: counted.sent.Load()}
}

func countRequest(method, outcome string) {
	counted.mu.Lock()
	defer counted.mu.Unlock()
	if counted.requests == nil {
		counted.requests = make(map[[2]string]int64)
	}
	counted.requests[[2]string{method, outcome}]++
}
