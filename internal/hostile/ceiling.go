package hostile

import (
	"runtime"
	"testing"
)

// again is how often work that took too much is done once more: the runtime, and whatever else runs in the process,
// allocates now and then, which is no fault of the decoder.
const again = 2

// Allocated is how many bytes were allocated while work ran, by all goroutines.
func Allocated(work func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Ceiling does work, which decodes n bytes of input, and fails t where that allocates more than room bytes and each bytes
// for every byte of the input. Work that took more is done once or twice more, so that it must leave nothing behind that
// changes what it does; the least of its figures counts.
func Ceiling(t testing.TB, n int, room, each uint64, work func()) {
	t.Helper()
	most, least := room+each*uint64(n), uint64(0)
	for try := range 1 + again {
		if took := Allocated(work); try == 0 || took < least {
			least = took
		}
		if least <= most || t.Failed() {
			return
		}
	}
	t.Fatalf("%d bytes of input took %d bytes of memory, want at most %d", n, least, most)
}
