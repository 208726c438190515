//go:build unix

package e2e

import "testing"

// The load test starts its own cluster, lets a worker fall, and comes to the same bits as undisturbed and as here.
func TestChaosOfTheLoadTestChangesNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts processes and waits until one is missed")
	}
	slots <- struct{}{}
	defer func() { <-slots }()
	same := []string{"loadtest", "--rows", "300k", "-d", "8", "-k", "6", "--max-iter", "6", "--workers", "2", "--json", "--quiet"}
	var doc struct {
		Where, Digest string
		Workers       int
		Scaling       *struct{ Efficiency float64 }
		Busy          float64 `json:"busy_share"`
		Chaos         struct {
			Undisturbed string `json:"undisturbed_digest"`
			Disturbed   string `json:"disturbed_digest"`
			Same        bool
			Missed      int
			Faults      []struct {
				Worker, Fault string
				Recovered     float64 `json:"recovered_seconds"`
			}
		}
	}
	decode(t, worked(t, nil, append(same, "--chaos", "--faults", "1")...), &doc)
	if c := doc.Chaos; doc.Where != "chaos" || doc.Workers != 2 || !c.Same || c.Undisturbed != doc.Digest || c.Disturbed != doc.Digest || len(c.Faults) != 1 || c.Missed != 0 {
		t.Errorf("got %+v, want one fault, and the same digest with it and without", doc)
	}
	if doc.Scaling == nil || doc.Scaling.Efficiency <= 0 || doc.Busy <= 0 || doc.Busy > 1 {
		t.Errorf("got the scaling %+v and a busy share of %v, want two workers held against one", doc.Scaling, doc.Busy)
	}
	here := doc
	decode(t, worked(t, nil, same...), &here)
	if here.Where != "embedded" || here.Digest != doc.Digest {
		t.Errorf("got %+v in one process, want the digest %s", here, doc.Digest)
	}
}
