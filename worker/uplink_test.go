package worker

import (
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/wire"
)

func TestSumsArePackedWhereTheNetworkIsSlow(t *testing.T) {
	for perSecond, want := range map[int]wire.Packing{1e9: "", s2Below + 1: "", s2Below - 1e6: "s2", zstdBelow + 1e6: "s2", zstdBelow - 1e6: "zstd", 1e6: "zstd"} {
		var r rate
		if got := r.packing(); got != "" {
			t.Errorf("before anything is known: got %q, want nothing packed", got)
		}
		r.add(measurable-1, time.Hour) // too small to say anything
		if got := r.packing(); got != "" {
			t.Errorf("after a small answer: got %q, want nothing packed", got)
		}
		r.add(10*perSecond, 10*time.Second)
		if got := r.packing(); got != want {
			t.Errorf("at %d bytes a second: got %q, want %q", perSecond, got, want)
		}
	}
}

func TestANetworkThatHasBecomeFastIsNoticed(t *testing.T) {
	var r rate
	r.add(10e6, 10*time.Second)
	plain := 0
	for range 30 * probeEvery {
		if r.packing() == "" {
			plain++
			r.add(10e6, time.Millisecond)
		}
	}
	if plain < 20*probeEvery {
		t.Errorf("%d of %d answers went out as they are, want most", plain, 30*probeEvery)
	}
}
