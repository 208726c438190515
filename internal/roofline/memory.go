package roofline

import (
	"context"
	"fmt"
	"runtime"

	"github.com/coterie-project/coterie/internal/fault"
)

// How much memory is read.
const (
	goodBytes  = 512 << 20 // by each thread, where there is room
	leastBytes = 64 << 20  // less than that may lie in a cache as a whole
	// allBytes are enough for all threads together: more would not lie any less in the caches, and takes time to fill.
	allBytes = 16 << 30
	// memoryShare is the part of the available memory that is taken, 1/memoryShare.
	memoryShare = 4
	// unknownMemory is what a machine is taken to have available that does not say.
	unknownMemory = 2 << 30
	// mostBytes is what a Config may ask for, for one thread: 1 TiB.
	mostBytes = 1 << 40
	// farLarger is how many times the last-level cache a buffer should be: then at most a quarter of it is found there.
	farLarger = 4
)

// bufferBytes is how many bytes each of threads reads from on a machine with so much memory available (0: not known).
func bufferBytes(available int64, threads int) (int64, error) {
	if available <= 0 {
		available = unknownMemory
	}
	n := int64(max(threads, 1))
	share := available / memoryShare / n
	bytes := min(goodBytes, share, max(leastBytes, allBytes/n)) / (8 * bufferUnit) * (8 * bufferUnit)
	if bytes < leastBytes {
		return 0, fault.Failedf(nil, "the memory's speed cannot be measured: a quarter of the %d MiB available is %d MiB for each of %d threads",
			available>>20, share>>20, n).Do("it takes %d MiB for each; end what else needs memory", leastBytes>>20)
	}
	return bytes, nil
}

// ranShare is how much of a window each thread has a core for where nothing else goes on; 99 % and more were seen.
const ranShare = 0.95

// notes are what the reader of the figures has to know.
func notes(rows []Row, portable bool, bytes, cache int64) []string {
	var list []string
	for _, r := range rows {
		if r.share < ranShare {
			list = append(list, fmt.Sprintf("the processor was busy: even at best %d threads had %.0f %% of their time on a core, so the figures are too low; measure again when it is quiet",
				r.Threads, 100*r.share))
		}
	}
	if portable {
		list = append(list, "portable loops, in plain Go: an estimate, which vector instructions would exceed")
	}
	if bytes < farLarger*cache {
		list = append(list, fmt.Sprintf("%d MiB a thread are not far more than the last cache's %d MiB: part of the bandwidth is the cache's",
			bytes>>20, cache>>20))
	}
	return list
}

// acquire gives every member a buffer of words, which it fills itself. It is an error if there is no memory or ctx ends.
func (g *gang) acquire(ctx context.Context, words int) error {
	failed := make([]error, len(g.members))
	g.do(len(g.members), func(m *member) {
		memory, release, err := acquire(words)
		if err != nil {
			failed[m.number] = err
			return
		}
		m.words, m.release, m.first = memory, release, uint64(m.number)*uint64(words)
		for from := 0; from < words && ctx.Err() == nil; from += bufferUnit {
			fill(memory[from:from+bufferUnit], m.first+uint64(from))
		}
	})
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// release gives the members' buffers back.
func (g *gang) release() {
	for _, m := range g.members {
		if m.release != nil {
			m.release()
		}
	}
}

// unnamed is a processor that does not say its name.
func unnamed() string { return runtime.GOARCH + " processor" }
