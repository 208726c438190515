package wire

import (
	"errors"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans"
)

// There are distances of as many clusters as were asked for, or none.
func TestDistancesAreOfTheClustersThatWereAskedFor(t *testing.T) {
	sums := kmeans.NewSums(3, 2, false)
	for _, c := range []struct {
		asked  bool
		spread []exact.Bins
		ok     bool
	}{{false, nil, true}, {true, make([]exact.Bins, 3), true}, {true, nil, false}, {true, make([]exact.Bins, 2), false},
		{true, make([]exact.Bins, 4), false}, {false, make([]exact.Bins, 1), false}, {false, make([]exact.Bins, 2), false}} {
		data := encodedPartial(t, &Partial{Sums: sums, Inertia: new(exact.Bins), Spread: c.spread}, PackNone)
		_, err := DecodePartial(data, Context{Kind: Score, K: 3, D: 2, Spread: c.asked})
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("asked = %v, %d clusters: got %v, want taken = %v", c.asked, len(c.spread), err, c.ok)
		}
	}
	if _, err := DecodeTask(encodedTask(t, &Task{Kind: Iterate, Centroids: kmeans.NewCentroids(3, 2), Spread: true})); !errors.Is(err, ErrFormat) {
		t.Errorf("distances of an iteration: got %v, want ErrFormat", err)
	}
}
