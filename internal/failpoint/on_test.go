//go:build failpoints

package failpoint

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/internal/wire"
)

// script makes the test binary a program that hits fail points: COTERIE_HITS=merge,merge,load.
const script = "COTERIE_HITS"

func TestMain(m *testing.M) {
	hits := os.Getenv(script)
	if hits == "" {
		os.Exit(m.Run())
	}
	for _, name := range strings.Split(hits, ",") {
		os.Stdout.WriteString(name + " ")
		Hit(name)
	}
	os.Stdout.WriteString("end")
}

// hitting is a process that hits fail points with the variable set.
func hitting(t *testing.T, value, hits string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), variable+"="+value, script+"="+hits)
	var out strings.Builder
	command.Stdout, command.Stderr = &out, &out
	return command, &out
}

func TestTheNthHitOfANameKills(t *testing.T) {
	for _, c := range []struct{ value, hits, reached string }{
		{"merge", "load,merge,load", "load merge "},
		{"merge:1", "merge,load", "merge "},
		{"merge:3", "merge,load,merge,merge,merge", "merge load merge merge "},
		{"merge:3", "merge,merge", "merge merge end"},
		{"merge:3,load:1", "merge,load,merge", "merge load "},
		{"load:2,load:3:sleep=1ns", "load,load,load", "load load "},
		{"", "merge,load", "merge load end"},
	} {
		command, out := hitting(t, c.value, c.hits)
		err := command.Run()
		if out.String() != c.reached {
			t.Errorf("%s with hits %s reached %q, want %q", c.value, c.hits, out, c.reached)
		}
		if survives := strings.HasSuffix(c.reached, "end"); (err == nil) != survives {
			t.Errorf("%s with hits %s ended with %v, want it to survive: %v", c.value, c.hits, err, survives)
		}
		if err != nil && !killed(command.ProcessState) {
			t.Errorf("%s with hits %s ended with %v, want SIGKILL", c.value, c.hits, err)
		}
	}
}

func TestAMisspeltFailPointEndsTheProcess(t *testing.T) {
	for value, want := range map[string]string{
		"mergee":           "no fail point is called that",
		"merge,":           "no fail point is called that",
		"merge:0":          "number from 1",
		"merge:-1":         "number from 1",
		"merge:stop":       "number from 1",
		"merge:1:explode":  "unknown action",
		"merge:1:sleep":    "unknown action",
		"merge:1:sleep=-1": "unknown action",
		"merge:1:sleep=2h": "unknown action",
		"merge:1:stop:2":   "too many colons",
		strings.Repeat("merge,", maxPoints) + "merge": "at most 16",
	} {
		command, out := hitting(t, value, "load,load")
		command.Run()
		if code := command.ProcessState.ExitCode(); code != 2 || !strings.Contains(out.String(), want) || strings.Contains(out.String(), "end") {
			t.Errorf("%s: exit code %d with %q, want 2 with %q", value, code, out, want)
		}
	}
}

func TestTheVariableIsReadInFull(t *testing.T) {
	got, err := parse("merge:2,iterate:3:sleep=1h," + strings.Repeat("load,", maxPoints-3) + "label-commit")
	if err != nil || len(got) != maxPoints {
		t.Fatalf("got %d points, %v, want %d", len(got), err, maxPoints)
	}
	want := []point{{name: "merge", nth: 2}, {name: "iterate", nth: 3, act: sleep, pause: time.Hour}, {name: "load", nth: 1}}
	if diff := cmp.Diff(want, got[:3], cmp.AllowUnexported(point{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A worker hits the kind of each of its tasks, and a name that is missing here would end it.
func TestEveryKindOfTaskIsAName(t *testing.T) {
	for _, kind := range []wire.Kind{wire.Keys, wire.Duplicates, wire.Statistics, wire.Quantiles, wire.Directions, wire.Load, wire.Seed,
		wire.Iterate, wire.Farthest, wire.Score, wire.Prepare, wire.Label, wire.Commit} {
		Hit(string(kind))
	}
}

func TestSleepActsFromTheNthHitOn(t *testing.T) {
	p := point{name: "iterate", nth: 2, act: sleep}
	q := point{name: "iterate", nth: 2, act: stop}
	for hit, want := range map[uint64][2]bool{1: {false, false}, 2: {true, true}, 3: {true, false}, 9: {true, false}} {
		if got := [2]bool{p.due(hit), q.due(hit)}; got != want {
			t.Errorf("hit %d: sleep and stop are due %v, want %v", hit, got, want)
		}
	}
}

func TestAnUnknownNameInTheCodePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("got no panic, want one")
		}
	}()
	Hit("no such name")
}
