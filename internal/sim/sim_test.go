package sim

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// runsOf drives seeds on all processors, and adds up what came of them.
func runsOf(t *testing.T, first uint64, runs int) *Tally {
	t.Helper()
	var (
		wait  sync.WaitGroup
		mu    sync.Mutex
		tally Tally
	)
	seeds := make(chan uint64, runs)
	for i := range runs {
		seeds <- first + uint64(i)
	}
	close(seeds)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for seed := range seeds {
				r, err := Run(Draw(seed), nil)
				mu.Lock()
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
				} else if tally.Add(r); r.Err != nil {
					t.Errorf("seed %d: %v; replay it with go run ./internal/sim/simulate --replay %d", seed, r.Err, seed)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return &tally
}

// TestNoInvariantBreaksUnderAnyFaultInAnyPhase takes 1,000 seeds where COTERIE_SIM asks for them; the check "simulation" of
// .ci/run does. Otherwise a few.
func TestNoInvariantBreaksUnderAnyFaultInAnyPhase(t *testing.T) {
	if os.Getenv("COTERIE_SIM") == "" {
		runsOf(t, 1, 60)
		return
	}
	tally := runsOf(t, 1, 1000)
	if missing := tally.Missing(); len(missing) > 0 {
		t.Errorf("no fault fell in these cells of the table, and it must: %v", missing)
	}
	workers, partitions, faults := tally.Medians()
	if workers < 4 || partitions < 16 || faults < 5 {
		t.Errorf("the median run has %d workers, %d partitions and %d faults, want at least 4, 16 and 5", workers, partitions, faults)
	}
	t.Logf("%d runs, %d events, %d faults; median run: %d workers, %d partitions, %d faults\n%s", tally.Runs, tally.Events, tally.Faults, workers, partitions,
		faults, tally.Table())
}

func TestASeedGivesTheSameTraceEachTimeAndOnAnyNumberOfProcessors(t *testing.T) {
	hashes := func(procs int) (list []uint64) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		for seed := range uint64(12) {
			r, err := Run(Draw(300+seed), nil)
			if err != nil || r.Err != nil {
				t.Fatalf("seed %d: %v, %v", 300+seed, err, r.Err)
			}
			list = append(list, r.Hash)
		}
		return list
	}
	want := hashes(1)
	for _, procs := range []int{1, 4} {
		for i, got := range hashes(procs) {
			if got != want[i] {
				t.Errorf("seed %d on %d processors: trace %x, want %x", 300+i, procs, got, want[i])
			}
		}
	}
}

// TestScripts runs what stands in testdata: stories that a person has written down, and bugs that were found, each with its name.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		r, err := Run(s, nil)
		if err != nil || s.Name == "" {
			t.Errorf("%s (%s): %v", file, s.Name, err)
			continue
		}
		if broken := r.Err != nil; broken != (s.Break != "") {
			t.Errorf("%s: %s: got %v (deliberate mistake: %q)", file, s.Name, r.Err, s.Break)
		}
		if r.Faults != len(s.Faults) && r.Err == nil {
			t.Errorf("%s: %s: %d of %d faults fell: the script does not tell its story", file, s.Name, r.Faults, len(s.Faults))
		}
	}
}

func TestAScriptThatIsWrittenIsReadAsItWas(t *testing.T) {
	for seed := range uint64(200) {
		s := Draw(seed)
		again, err := Parse([]byte(s.String()))
		if err != nil || again.String() != s.String() || len(again.Faults) != len(s.Faults) {
			t.Fatalf("seed %d: %v\ngot\n%v\nwant\n%v", seed, err, again, s)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"workers 3", "line 1"},
		{"seed one", "invalid syntax"},
		{"\nfault dragon at load", "line 2"},
		{"fault worker-crash on 2", "at which phase"},
		{"fault worker-crash at lunch", "no phase"},
		{"fault worker-crash at load on", "what?"},
		{"cluster seed=4", "known are"},
		{"cluster workers=0", "between 1 and 64"},
		{"cluster workers=65", "between 1 and 64"},
		{"job rows=99999999", "between"},
		{"job colour=red", "not known"},
		{"break everything", "known are"},
		{strings.Repeat("#", maxScript+1), "at most"},
		{strings.Repeat("fault worker-crash at load\n", maxFaults+1), "number of faults"},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: got %v, want an error with %q", c.text, err, c.want)
		}
	}
}

// TestMistakesAreCaughtAndCutToAShortScript has the simulator make mistakes itself.
func TestMistakesAreCaughtAndCutToAShortScript(t *testing.T) {
	for _, mistake := range []string{BreakRounds, BreakSync} {
		caught := false
		for seed := uint64(61); seed < 461 && !caught; seed++ {
			s := Draw(seed)
			s.Break = mistake
			r, err := Run(s, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Err == nil {
				continue
			}
			caught = true
			short, runs := Shrink(s)
			if short == nil || len(short.Faults) > 2 || short.Workers > 4 || len(short.Faults) >= len(s.Faults) {
				t.Errorf("%s: seed %d breaks (%v), and %d runs cut it to\n%v", mistake, seed, r.Err, runs, short)
				continue
			}
			t.Logf("%s: seed %d (%v) cut in %d runs to\n%v", mistake, seed, r.Err, runs, short)
			if again, err := Run(short, nil); err != nil || again.Err == nil {
				t.Errorf("%s: the short script breaks nothing: %v", mistake, err)
			}
		}
		if !caught {
			t.Errorf("%s: nothing is broken in 400 seeds", mistake)
		}
	}
}

func TestEveryKindOfFaultHasAnEffectAndALine(t *testing.T) {
	seen := make(map[Kind]bool)
	for _, f := range Faults() {
		if _, worker := onWorkers[f.Kind]; worker == (onOthers[f.Kind] != nil) {
			t.Errorf("%s: it befalls a worker, or others: not both, not neither", f.Kind)
		}
		if f.Says == "" || seen[f.Kind] {
			t.Errorf("%s: stands twice, or says nothing", f.Kind)
		}
		seen[f.Kind] = true
	}
	if want := len(onWorkers) + len(onOthers); len(seen) != want {
		t.Errorf("%d kinds are listed, %d can fall", len(seen), want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(Draw(1).String()))
	f.Add([]byte("name x\nseed 1\nbreak forget-to-sync\nfault power-failure at iterate+3 on 1 for 2s n=4\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse([]byte(s.String()))
		if err != nil || again.String() != s.String() {
			t.Errorf("%v: written and read again:\n%v\nwant\n%v", err, again, s)
		}
	})
}
