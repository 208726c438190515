package modelcheck

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// explored goes through all states of a configuration.
func explored(t *testing.T, c Config) *Report {
	t.Helper()
	r, err := Explore(c.System())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNoStateOfTheModelBreaksAnInvariantAndEachHasAWayToAnEnd(t *testing.T) {
	sizes := []Config{
		{Workers: 1, Partitions: 3, Iterations: 2, Need: 1, Lives: 3, Stale: 1, Flight: 2, Takeovers: true, Resumes: true},
		{Workers: 2, Partitions: 3, Iterations: 2, Need: 1, Lives: 2, Stale: 1, Flight: 2},
		{Workers: 2, Partitions: 3, Iterations: 2, Need: 2, Lives: 1, Stale: 1, Flight: 2},
	}
	if os.Getenv("COTERIE_MODEL") != "" {
		sizes = append(sizes,
			Config{Workers: 2, Partitions: 3, Iterations: 2, Need: 1, Lives: 1, Stale: 2, Flight: 4},
			Config{Workers: 2, Partitions: 3, Iterations: 1, Need: 1, Lives: 2, Stale: 1, Flight: 2, Takeovers: true, Resumes: true})
	}
	for _, c := range sizes {
		r := explored(t, c)
		if r.Counter != nil || r.Ends == 0 {
			t.Errorf("%v: %v", &c, r)
		}
		t.Logf("%v: %v", &c, r)
	}
}

// A checker that finds nothing is worth what it finds when there is something.
func TestWithoutAnyOfItsGuardsTheModelBreaks(t *testing.T) {
	why := map[Guard]string{
		EpochCheck:       "an answer to another coordinator is counted in round 1",
		RoundCheck:       "an answer to iteration 1 is counted in iteration 2",
		OverlapCheck:     "are counted twice in round",
		WholeAnswers:     "are counted twice in round",
		RaisedEpoch:      "an answer to another coordinator is counted",
		CountedRounds:    "an answer to another coordinator is counted",
		Fence:            "after coordinator 1 has taken over",
		NewestCheckpoint: "begins after iteration 0, and the checkpoint is of iteration 1",
		FullLedger:       "ends without partitions",
		Reassignment:     "no end can be reached",
		AskingAgain:      "no end can be reached",
		Reminders:        "no end can be reached",
		Waking:           "no end can be reached",
	}
	for _, g := range Guards() {
		c := Config{Workers: 2, Partitions: 2, Iterations: 2, Need: 1, Lives: 2, Stale: 1, Flight: 2, Takeovers: true, Resumes: true, Without: g}
		if why[g] == "no end can be reached" {
			c.Lives = 1 // one is enough to be stuck, and all states have to be seen
		}
		r := explored(t, c)
		switch {
		case why[g] == "":
			t.Errorf("without %v: nobody has said what breaks", g)
		case r.Counter == nil || !strings.Contains(r.Counter.Why, why[g]):
			t.Errorf("without %v: got %v, want %q", g, r, why[g])
		default:
			t.Logf("without %v, after %d states:\n%v", g, r.States, r.Counter)
		}
	}
}

// What is folded must not hide anything: with the names told apart there are more states, and the same verdict.
func TestFoldingNamesChangesNoVerdict(t *testing.T) {
	for _, g := range []Guard{Nothing, OverlapCheck, Reassignment} {
		c := Config{Workers: 2, Partitions: 2, Iterations: 2, Need: 1, Lives: 1, Stale: 1, Flight: 2, Without: g}
		folded, system := explored(t, c), c.System()
		same := c.turns()[0]
		system.Key = func(s State) (k Key) { same.key(&s, &k); return k }
		plain, err := Explore(system)
		if err != nil {
			t.Fatal(err)
		}
		if (plain.Counter == nil) != (folded.Counter == nil) || plain.Depth != folded.Depth || plain.States <= folded.States || plain.States > 4*folded.States {
			t.Errorf("without %v: got %v, and with names folded %v", g, plain, folded)
		}
		if plain.Counter != nil && len(plain.Counter.Steps) != len(folded.Counter.Steps) {
			t.Errorf("without %v: got %v, and with names folded %v", g, plain, folded)
		}
	}
}

func TestAMessageIsKnownByItsPlace(t *testing.T) {
	seen := make(map[Message]bool)
	for at := range MaxLives * MaxIterations * MaxWorkers * subsets {
		m := messageAt(at)
		if seen[m] || m.at() != at || m.Over == 0 {
			t.Fatalf("place %d is that of %+v, which has place %d", at, m, m.at())
		}
		seen[m] = true
		var s messages
		s.add(m)
		if !s.has(m) {
			t.Fatalf("%+v is not in the set that it was added to", m)
		}
		if s.remove(m); s != (messages{}) {
			t.Fatalf("%+v leaves something behind", m)
		}
	}
}

// count is a system of numbers: from n to n+1, and from 3 to a trap.
type count int

func (c count) String() string { return fmt.Sprintf("to %d", int(c)) }

func counting(most int, trap bool) *System[count, count, count] {
	return &System[count, count, count]{Key: func(c count) count { return c }, Ended: func(c count) bool { return c == 5 }, Most: most,
		Calm: func(_, _ count) bool { return true },
		Next: func(c count, visit func(count, count, error)) {
			if c >= 0 {
				visit(c+1, c+1, nil)
			}
			if c == 3 && trap {
				visit(-1, -1, nil)
			}
		}}
}

func TestExploreCountsAndStopsAtItsLimit(t *testing.T) {
	if r, err := Explore(counting(6, false)); err != nil || r.States != 6 || r.Transitions != 5 || r.Depth != 5 || r.Ends != 1 || r.Counter != nil {
		t.Errorf("got %v and %v, want 6 states, 5 transitions, depth 5, 1 end", r, err)
	}
	if r, err := Explore(counting(5, false)); !errors.Is(err, ErrTooMany) {
		t.Errorf("with one state too many: got %v and %v, want %v", r, err, ErrTooMany)
	}
	r, err := Explore(counting(0, true))
	if err != nil || r.Counter == nil || strings.Join(r.Counter.Steps, ", ") != "to 1, to 2, to 3, to -1" {
		t.Errorf("with a trap: got %v and %v, want the way into it", r, err)
	}
}
