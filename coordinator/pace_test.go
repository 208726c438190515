package coordinator

import (
	"slices"
	"testing"
	"time"
)

// rounds lets workers of these speeds, in rows a second, do n rounds over equal shares, and gives what is proposed last.
func rounds(p *pace, n int, speeds map[string]float64) (last []Measured) {
	for range n {
		for worker, speed := range speeds {
			p.add(worker, 1_000_000, time.Duration(1e6/speed*float64(time.Second)))
		}
		if m := p.turn(); m != nil {
			last = m
		}
	}
	return last
}

func TestSharesFollowTheSpeedOfWorkers(t *testing.T) {
	for name, c := range map[string]struct {
		speeds map[string]float64
		rounds int
		want   []Measured
	}{
		"alike":               {map[string]float64{"a": 1e6, "b": 1.2e6}, 20, nil},
		"one is half as fast": {map[string]float64{"a": 1e6, "b": 2e6}, 20, []Measured{{"a", 500}, {"b", 1000}}},
		"not for long enough": {map[string]float64{"a": 1e6, "b": 2e6}, paceRounds - 1, nil},
		"a single one":        {map[string]float64{"a": 1e6}, 20, nil},
		"too short to tell":   {map[string]float64{"a": 1e9, "b": 2e9}, 20, nil},
	} {
		if got := rounds(&pace{}, c.rounds, c.speeds); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestOneSlowRoundMovesNothing(t *testing.T) {
	p := &pace{}
	for i := range 40 {
		speeds := map[string]float64{"a": 1e6, "b": 1e6}
		if i%4 == 0 {
			speeds["b"] = 2e5
		}
		if got := rounds(p, 1, speeds); got != nil {
			t.Fatalf("round %d: got %v, want nothing", i, got)
		}
	}
}

func TestSharesThatWereProposedAreNotProposedAgain(t *testing.T) {
	p := &pace{}
	speeds := map[string]float64{"a": 1e6, "b": 3e6}
	if rounds(p, paceRounds, speeds) == nil {
		t.Fatal("nothing is proposed")
	}
	if got := rounds(p, 10*paceRounds, speeds); got != nil {
		t.Errorf("got %v, want nothing: the shares are right now", got)
	}
}
