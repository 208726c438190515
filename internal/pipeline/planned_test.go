package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/progress"
)

func TestAPlanForAClusterTellsTheLimitsThatThereAreAndWhatFitSays(t *testing.T) {
	const rows = "synth://load?rows=20000000&d=8&seed=1"
	for _, workers := range []int{1, 3} {
		c := newCamp(t)
		c.memory = 64 << 20
		for i := range workers {
			c.worker(fmt.Sprintf("w%d", i), 1)
		}
		engine := Engine{Cluster: c.cluster(workers), Threads: 1, Reporter: progress.New(progress.None, nil), Silent: true}
		waitForWorkers(t, engine.Cluster, workers)
		p, err := Plan(t.Context(), &PlanRequest{Data: Data{Files: []string{rows}}, Engine: engine, K: 5, Workers: 1})
		if err != nil {
			t.Fatalf("%d workers: %v", workers, err)
		}
		for _, w := range p.Placement.Workers {
			if w.Memory != c.memory {
				t.Errorf("%d workers: got a limit of %d bytes for %s, want the %d that it has", workers, w.Memory, w.Worker, c.memory)
			}
		}
		if m := p.Memory; m.Enough || m.Limit != c.memory || m.Least <= m.Limit {
			t.Errorf("%d workers: got %+v, want a limit that is too small", workers, m)
		}
		if workers > 1 {
			continue // who refuses need not be the fullest
		}
		_, err = Fit(t.Context(), &FitRequest{Data: Data{Files: []string{rows}}, Engine: engine, K: 5, Init: "random", Runs: 1, MaxIter: 1})
		if least := fmt.Sprintf(" %dMiB", (p.Memory.Least+1<<20-1)>>20); fault.Code(err) != int(fault.Unavailable) || !strings.Contains(err.Error(), least) {
			t.Errorf("got %v, want it to name the least that plan names,%s", err, least)
		}
	}
}

func TestAPlanForAClusterShowsTheWorkerThatLacksTheMost(t *testing.T) {
	c := newCamp(t)
	for name, memory := range map[string]int64{"large": 2 << 30, "small": 64 << 20} {
		c.memory = memory
		c.worker(name, 1)
	}
	engine := Engine{Cluster: c.cluster(2), Threads: 1, Reporter: progress.New(progress.None, nil), Silent: true}
	waitForWorkers(t, engine.Cluster, 2)
	p, err := Plan(t.Context(), &PlanRequest{Data: Data{Files: []string{"synth://load?rows=20000000&d=8&seed=1"}}, Engine: engine, K: 5, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if m := p.Memory; m.Limit != 64<<20 || m.Enough || p.TooFew {
		t.Errorf("got %+v, too few: %v, want the small one, and room with both", m, p.TooFew)
	}
}
