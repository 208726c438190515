package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// starts are centroids of several runs, of different numbers.
func starts() []*kmeans.Centroids {
	return []*kmeans.Centroids{
		{K: 3, D: 2, Values: []float32{0, 0, 50, 20, 100, 50}},
		{K: 5, D: 2, Values: []float32{90, 1, 2, 40, 30, 30, 3, 3, 60, 10}},
		{K: 3, D: 2, Values: []float32{7, 7, 90, 3, 20, 40}},
		{K: 4, D: 2, Values: []float32{10, 50, 99, 0, 1000, 1000, 50, 25}}, // one of them is empty
	}
}

// iterationsOf makes each run's state.
func iterationsOf(e *Engine) []*kmeans.Iteration {
	var list []*kmeans.Iteration
	for i, c := range starts() {
		list = append(list, kmeans.NewIteration(c, &kmeans.Space{Grid: e.held[0].points.Grid()}, 3+2*i, 0))
	}
	return list
}

// record is all that a round says of a run.
func record(p *wire.Partial) string {
	s := fmt.Sprint(p.Moved, p.Fresh, p.Intake.Kept)
	if p.Sums != nil {
		s += fmt.Sprint(p.Sums.Counts, p.Sums.Values)
	}
	if p.Inertia != nil {
		s += fmt.Sprint(p.Inertia.Float64(0))
	}
	if p.Farthest != nil {
		s += fmt.Sprint(p.Farthest.Rows())
	}
	return s
}

// drive takes runs through their rounds, those of do in one task each; it gives what each run was told, in order.
func drive(t *testing.T, e *Engine, algorithm kmeans.Algorithm, numbers []int, do func([]*wire.Task) []*wire.Partial) map[int][]string {
	t.Helper()
	iters, since, far := iterationsOf(e), make(map[int]uint64), make(map[int]*kmeans.Sums)
	done, told := make(map[int]bool), make(map[int][]string)
	ended := make(map[int]bool)
	for round := uint64(1); ; round++ {
		var strands []*wire.Task
		for _, n := range numbers {
			s := &wire.Task{Kind: wire.Iterate, Run: n, Centroids: iters[n].Centroids, Since: since[n], Round: round, Algorithm: algorithm}
			switch {
			case done[n]:
				continue
			case far[n] != nil:
				s.Kind, s.K = wire.Farthest, s.Centroids.K
			case ended[n]:
				s.Kind = wire.Score
			default:
				since[n] = round
			}
			strands = append(strands, s)
		}
		if len(strands) == 0 {
			return told
		}
		for i, p := range do(strands) {
			n := strands[i].Run
			told[n] = append(told[n], record(p))
			switch {
			case far[n] != nil:
				ended[n] = !iters[n].Update(far[n], p.Farthest.Rows())
				far[n] = nil
			case ended[n]:
				done[n] = true
			case len(p.Sums.Empty()) > 0:
				far[n] = p.Sums.Clone()
			default:
				ended[n] = !iters[n].Update(p.Sums.Clone(), nil)
			}
		}
	}
}

func TestRunsOfOneTaskComeToWhatEachComesToAlone(t *testing.T) {
	for _, name := range kmeans.Algorithms() {
		algorithm := kmeans.Algorithm(name)
		want := make(map[int][]string)
		for n := range starts() {
			e, _ := holdingEngine(t, 1)
			for run, list := range drive(t, e, algorithm, []int{n}, func(s []*wire.Task) []*wire.Partial {
				s[0].Partitions = []int{0, 1, 2}
				p, err := e.Do(t.Context(), s[0])
				if err != nil {
					t.Fatal(err)
				}
				return []*wire.Partial{p}
			}) {
				want[run] = list
			}
		}
		for _, threads := range []int{1, 2, 5} {
			e, _ := holdingEngine(t, threads)
			got := drive(t, e, algorithm, []int{0, 1, 2, 3}, func(s []*wire.Task) []*wire.Partial { return doTogether(t, e, s).Strands })
			for n := range starts() {
				if !slices.Equal(got[n], want[n]) {
					t.Errorf("%s, %d threads, run %d: got %v, want %v", name, threads, n, got[n], want[n])
				}
			}
		}
	}
}

// doTogether does strands, of which the first says the round and how.
func doTogether(t *testing.T, e *Engine, s []*wire.Task) *wire.Partial {
	t.Helper()
	p, err := e.Do(t.Context(), &wire.Task{Kind: wire.Together, Round: s[0].Round, Algorithm: s[0].Algorithm, Partitions: []int{0, 1, 2}, Strands: s})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Strands) != len(s) {
		t.Fatalf("%d answers to %d strands", len(p.Strands), len(s))
	}
	return p
}

func iteratingOver(runs ...int) []*wire.Task {
	var list []*wire.Task
	for _, n := range runs {
		list = append(list, &wire.Task{Kind: wire.Iterate, Run: n, Centroids: starts()[n]})
	}
	return list
}

// Workers that hold partitions alike must tell a partition's digest alike, whichever others they did with it.
func TestTheDigestOfAPartitionIsThatOfAllItsRuns(t *testing.T) {
	one, _ := holdingEngine(t, 1)
	all := doTogether(t, one, iteratingOver(0, 1)).Digests
	other, _ := holdingEngine(t, 2)
	for id, want := range all {
		p, err := other.Do(t.Context(), &wire.Task{Kind: wire.Together, Partitions: []int{id}, Strands: iteratingOver(0, 1)})
		if err != nil || p.Digests[id] != want {
			t.Errorf("partition %d: got %x (%v), want %x", id, p.Digests[id], err, want)
		}
	}
	spoiled, _ := holdingEngine(t, 1)
	strands := iteratingOver(0, 1)
	strands[1].Centroids.Values[0] = -80
	if got := doTogether(t, spoiled, strands).Digests; len(got) != 3 || got[0] == all[0] {
		t.Errorf("with another second run: got %v, want others than %v", got, all)
	}
}

func TestARunThatIsOverIsForgotten(t *testing.T) {
	e, _ := holdingEngine(t, 2)
	doTogether(t, e, iteratingOver(0, 1, 2))
	_, three := e.Held()
	doTogether(t, e, iteratingOver(1))
	_, one := e.Held()
	rows := int64(18000)
	if got, want := three-one, 2*rows*int64(kmeans.Auto.TrackBytes(3, 2)); got != want {
		t.Errorf("two runs less: %d bytes fewer, want %d", got, want)
	}
	for id, h := range e.held {
		if len(h.tracks) != 1 || h.tracks[1] == nil || len(e.cohorts) != 1 {
			t.Errorf("partition %d: tracks of %v, %d cohorts, want those of run 1", id, h.tracks, len(e.cohorts))
		}
	}
	if p := doTogether(t, e, iteratingOver(0, 1)); !p.Strands[0].Fresh || p.Strands[1].Fresh {
		t.Errorf("fresh: got %v and %v, want only the run that was forgotten", p.Strands[0].Fresh, p.Strands[1].Fresh)
	}
}

// A run that sits out a round counts from other labels than the task means; its neighbour does not.
func TestEachRunCountsMovesFromItsOwnLastRound(t *testing.T) {
	e, _ := holdingEngine(t, 2)
	round := func(number uint64, since ...uint64) []bool {
		strands := iteratingOver(0, 1)
		for i := range strands {
			strands[i].Since, strands[i].Round = since[i], number
		}
		p := doTogether(t, e, strands)
		return []bool{p.Strands[0].Fresh, p.Strands[1].Fresh}
	}
	round(7, 0, 0)
	if got, want := round(8, 7, 7), []bool{false, false}; !slices.Equal(got, want) {
		t.Errorf("since the last round: fresh %v, want %v", got, want)
	}
	if got, want := round(11, 10, 8), []bool{true, false}; !slices.Equal(got, want) {
		t.Errorf("the first since one that it has not seen: fresh %v, want %v", got, want)
	}
}

func TestASharedPassThatWasCutShortLeavesNoHalfSums(t *testing.T) {
	fresh, _ := holdingEngine(t, 1)
	want := doTogether(t, fresh, iteratingOver(0, 1))
	e, _ := holdingEngine(t, 2)
	doTogether(t, e, iteratingOver(0, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	moved := iteratingOver(0, 1)
	moved[0].Centroids.Values[0], moved[1].Centroids.Values[0] = 60, 5
	if _, err := e.Do(ctx, &wire.Task{Kind: wire.Together, Partitions: []int{0, 1, 2}, Strands: moved}); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: got %v", err)
	}
	got := doTogether(t, e, iteratingOver(0, 1))
	for i := range got.Strands {
		if !got.Strands[i].Fresh || !equalSums(got.Strands[i].Sums, want.Strands[i].Sums) {
			t.Errorf("run %d: fresh %v, got %v, want %v", i, got.Strands[i].Fresh, got.Strands[i].Sums, want.Strands[i].Sums)
		}
	}
}

// Seedings of several runs, of different k, go through memory together, each as it does alone.
func TestSeedingsOfOneTaskComeToWhatEachComesToAlone(t *testing.T) {
	for _, init := range []kmeans.Init{kmeans.InitParallel, kmeans.InitPlusPlus, kmeans.InitRandom} {
		seeders := func() []*kmeans.Seeder {
			var list []*kmeans.Seeder
			for i, k := range []int{9, 2, 40} {
				s, err := kmeans.NewSeeder(init, k, 2, []int{-8, -8}, exact.Draw(42, 1, uint32(i), 0))
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, s)
			}
			return list
		}
		var want []*kmeans.Centroids
		for _, s := range seeders() {
			e, _ := holdingEngine(t, 1)
			for task := s.Next(); task != nil; task = s.Next() {
				p, err := e.Do(t.Context(), &wire.Task{Kind: wire.Seed, Seed: task, Partitions: []int{0, 1, 2}})
				if err != nil {
					t.Fatal(err)
				}
				s.Take(p.Seed)
			}
			c, err := s.Result()
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, c)
		}
		e, _ := holdingEngine(t, 2)
		list := seeders()
		for {
			var strands []*wire.Task
			for n, s := range list {
				if task := s.Next(); task != nil {
					strands = append(strands, &wire.Task{Kind: wire.Seed, Run: n, Seed: task})
				}
			}
			if len(strands) == 0 {
				break
			}
			for i, p := range doTogether(t, e, strands).Strands {
				list[strands[i].Run].Take(p.Seed)
			}
		}
		for n, s := range list {
			if c, err := s.Result(); err != nil || !c.Equal(want[n]) {
				t.Errorf("%s, run %d: got %v (%v), want %v", init, n, c, err, want[n])
			}
		}
	}
}

func TestSeveralReclusteringsAreDoneSideBySide(t *testing.T) {
	e, _ := holdingEngine(t, 2)
	task := func(run int) *wire.Task {
		return &wire.Task{Kind: wire.Seed, Run: run, Seed: &kmeans.SeedTask{Candidates: starts()[1], Recluster: true,
			Masses: []uint64{1, 5, 9, 2, uint64(7 + run)}, K: 2, Grid: e.held[0].points.Grid()}}
	}
	p := doTogether(t, e, []*wire.Task{task(0), task(1), task(2)})
	for n := range 3 {
		want, err := kmeans.Recluster(task(n).Seed)
		if err != nil || !p.Strands[n].Seed.Centers.Equal(want) {
			t.Errorf("run %d: got %v, want %v (%v)", n, p.Strands[n].Seed.Centers, want, err)
		}
	}
	mixed := append([]*wire.Task{task(0)}, iteratingOver(1)...)
	if _, err := e.Do(t.Context(), &wire.Task{Kind: wire.Together, Partitions: []int{0}, Strands: mixed}); !errors.Is(err, errMixed) {
		t.Errorf("beside rows: got %v, want %v", err, errMixed)
	}
}
