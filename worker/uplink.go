package worker

import (
	"time"

	"github.com/coterie-project/coterie/internal/wire"
)

// The speeds, in bytes a second, below which compressing byte planes is faster than sending them as they are. S2
// packs about 1 GB/s a core to some 60 % of exact sums, zstd about 250 MB/s to half.
const (
	s2Below   = 400e6
	zstdBelow = 40e6
	// probeEvery is how many answers are packed before one goes out as it is, to be measured by.
	probeEvery = 50
	// measurable is how large an answer must be for its time to say something of the network.
	measurable = 1 << 20
)

// rate is how fast answers have gone out lately. On loopback and on fast networks nothing is compressed.
type rate struct {
	perSecond float64 // a moving average; 0: not known yet
	packed    int     // answers since one went out as it is
}

// add takes an answer in: its bytes, and how long they took once the coordinator had room for them.
func (r *rate) add(bytes int, took time.Duration) {
	if bytes < measurable || took <= 0 {
		return
	}
	now := float64(bytes) / took.Seconds()
	if r.perSecond == 0 {
		r.perSecond = now
		return
	}
	r.perSecond += (now - r.perSecond) / 4
}

// packing is how the next answer's sums travel.
func (r *rate) packing() wire.Packing {
	if r.packed++; r.packed > probeEvery {
		r.packed = 0
		return "" // the network may be faster by now, and what is packed may be too small to tell
	}
	switch {
	case r.perSecond == 0 || r.perSecond > s2Below:
		r.packed = 0
		return ""
	case r.perSecond > zstdBelow:
		return "s2"
	}
	return "zstd"
}
