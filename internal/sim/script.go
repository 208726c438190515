package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/coterie-project/coterie/internal/wire"
)

// Script is one run: a job, a cluster, and what befalls it. The seed decides the rest, such as how long each message
// takes; the same script gives the same run, event by event.
type Script struct {
	Name       string // for people; may be empty
	Seed       uint64
	Job        JobSpec
	Workers    int // at the start
	Least      int // --min-workers
	Partitions int
	Window     int
	Objects    bool          // the state is a prefix of an object store; otherwise a folder
	Checkpoint time.Duration // between two checkpoints
	Wait       time.Duration // --worker-wait
	Faults     []Fault
	// Break is what the simulator itself does wrong, to see it caught; empty: nothing.
	Break string
}

// Fault is one fault: it falls when so many events have come to pass in a phase.
type Fault struct {
	Kind  Kind
	Phase Phase
	After int
	On    int           // which worker, counted round those that are there
	For   time.Duration // how long it lasts, where it lasts
	N     int           // which operation, for faults of the disk
}

// The bounds of scripts, which are far above what Draw draws.
const (
	maxWorkers    = 64
	maxPartitions = 512
	maxRows       = 1 << 14
	maxFaults     = 64
	maxFor        = 5 * time.Minute
	maxAfter      = 1 << 16
)

// Draw makes the script of a seed.
func Draw(seed uint64) *Script { return DrawOf(seed, nil) }

// DrawOf is Draw with faults of some kinds only; none named: all.
func DrawOf(seed uint64, kinds []Kind) *Script {
	r := rand.New(rand.NewPCG(seed, 0x73637269))
	s := &Script{Seed: seed, Job: SpecOf(r.IntN(jobSpecs)), Objects: r.IntN(3) == 0}
	s.Workers = 2 + r.IntN(6)
	s.Least = 1 + r.IntN(min(3, s.Workers))
	s.Partitions = min(6+r.IntN(24), s.Job.Rows)
	s.Window = 1 + r.IntN(2*s.Workers)
	s.Checkpoint = time.Duration(50+r.IntN(1500)) * time.Millisecond
	s.Wait = time.Duration(20+r.IntN(40)) * time.Second
	if len(kinds) == 0 {
		for _, f := range faults {
			kinds = append(kinds, f.Kind)
		}
	}
	phases := s.phases()
	for range 4 + r.IntN(6) {
		f := Fault{Kind: kinds[r.IntN(len(kinds))], Phase: phases[r.IntN(len(phases))], On: r.IntN(8), For: time.Duration(500+r.IntN(9000)) * time.Millisecond,
			N: r.IntN(40), After: r.IntN(4)}
		if r.IntN(2) == 0 {
			f.After = r.IntN(25)
		}
		switch f.Phase {
		case PhaseResult, PhaseCheckpoint, PhaseCommit, PhaseWait: // they are short
			f.After = r.IntN(3)
		}
		if f.Phase == PhaseWait { // somebody has to be missed
			s.Faults = append(s.Faults, Fault{Kind: AllWorkersLost, Phase: phases[r.IntN(len(phases))], After: r.IntN(6), For: 2*time.Second + f.For/2})
		}
		s.Faults = append(s.Faults, f)
	}
	return s
}

// phases are those that the job has.
func (s *Script) phases() []Phase {
	j := &s.Job
	ids := j.ID && (j.Duplicates != wire.DuplicatesFail || j.Twice || j.Assign && !j.Parts)
	list := []Phase{PhaseStart, PhaseResult, PhaseWait, PhaseWait, PhaseWait} // few workers are there to be befallen while others are waited for
	if ids {
		list = append(list, PhaseIDs, PhaseIDs, PhaseIDs) // they are rarer than others, and so are commits
	}
	if j.Parts {
		list = append(list, PhaseCommit, PhaseCommit)
	}
	if j.Assign {
		if j.Weights {
			list = append(list, PhaseRead)
		}
		return append(list, PhaseLabel)
	}
	list = append(list, PhaseRead, PhaseLoad, PhaseIterate, PhaseScore, PhaseCheckpoint)
	if !j.Far {
		list = append(list, PhaseSeed, PhaseSeed)
	}
	if j.Labels {
		list = append(list, PhaseLabel)
	}
	return list
}

// check says what of a script is out of bounds.
func (s *Script) check() error {
	within := func(what string, n, least, most int) error {
		if n < least || n > most {
			return fmt.Errorf("%s: %d is not between %d and %d", what, n, least, most)
		}
		return nil
	}
	j := &s.Job
	checks := []error{
		within("workers", s.Workers, 1, maxWorkers), within("least", s.Least, 1, maxWorkers), within("rows", j.Rows, 1, maxRows),
		within("partitions", s.Partitions, 1, min(maxPartitions, j.Rows)), within("window", s.Window, 1, maxPartitions),
		within("checkpoint", int(s.Checkpoint), 0, int(maxFor)), within("wait", int(s.Wait), int(time.Second), int(maxFor)),
		within("k", j.K, 1, 16), within("runs", j.Runs, 1, 8), within("abreast", j.Abreast, 0, 8), within("iterations", j.Iterations, 1, 50),
		within("number of faults", len(s.Faults), 0, maxFaults),
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		checks = append(checks, within("after", f.After, 0, maxAfter), within("on", f.On, 0, maxWorkers), within("for", int(f.For), 0, int(maxFor)),
			within("n", f.N, 0, maxAfter))
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}
