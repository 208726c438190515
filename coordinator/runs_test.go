package coordinator

import (
	"errors"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

func TestAsManyRunsGoAbreastAsTheirLabelsTakeRoom(t *testing.T) {
	const many = 10_000_000
	for _, c := range []struct {
		runs, k, d int
		rows       int64
		algorithm  kmeans.Algorithm
		want       int
	}{
		{10, 8, 8, many, kmeans.Auto, 6},
		{4, 8, 8, many, kmeans.Auto, 4},
		{10, 8, 8, many, kmeans.Activity, 4},
		{10, 8, 2, many, kmeans.Auto, 3},
		{1, 8, 8, many, kmeans.Auto, 1},
		{50, 4, 3, 4338, kmeans.Auto, wire.MaxStrands},
		{100, 100, 64, many, kmeans.Auto, 10},
		{100, 512, 64, many, kmeans.Auto, 2},
		{100, 513, 64, many, kmeans.Auto, 1},
		{100, 65536, 64, many, kmeans.Auto, 1},
		{100, 65536, 4096, many, kmeans.Auto, 1}, // one run is always possible
		{7, 3, 1, 0, kmeans.Auto, 7},
	} {
		if got := Abreast(c.runs, c.k, c.d, c.rows, c.algorithm); got != c.want {
			t.Errorf("%+v: got %d", c, got)
		}
	}
}

// strandsOf counts the runs of the tasks that are sent.
func strandsOf(actions []Action) int {
	n := 0
	for _, a := range actions {
		if s, is := a.(Send); is {
			n = max(n, 1, len(s.Task.Strands))
		}
	}
	return n
}

// Where memory is short fewer runs go abreast, from the start or once workers have gone, and the bits stay.
func TestFewerRunsGoAbreastWhereMemoryIsShort(t *testing.T) {
	_, _, want := stages(t, 1)
	each := int64(kmeans.Auto.TrackBytes(3, 2))
	for _, c := range []struct {
		name       string
		memory     int64 // of each of two workers, in rows of one run
		most, left int   // runs in one task, with both workers and with one
		lost       bool
	}{
		{name: "no limit", most: 3, left: 3},
		{name: "room for one", memory: RowBytes(2, testInput(), int(each)), most: 1, left: 1},
		{name: "room for two", memory: RowBytes(2, testInput(), int(2*each)), most: 2, left: 2},
		{name: "a worker goes", memory: 2 * RowBytes(2, testInput(), int(each)), most: 3, left: 1, lost: true},
	} {
		w := newTown(t, populationParts)
		o := populationFit()
		o.Abreast = populationRuns
		memory := c.memory * (w.manifest.Rows + 110) / 2 // of partitions that cannot be halved
		if c.lost {
			memory = c.memory * w.manifest.Rows / 2
		}
		j, f, err := NewFit(Config{Manifest: w.manifest, Workers: 1, Epoch: 1, Window: 3}, o)
		w.must(err)
		w.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: "a", Memory: memory, Weight: 1}, More: true}))
		w.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: "b", Memory: memory, Weight: 1}}))
		most, left, rounds := 0, 0, 0
		for !w.done {
			s := w.pending[0]
			w.pending = w.pending[1:]
			actions := j.Step(Answered{Answer: w.finished(s)})
			w.take(actions)
			if c.lost && len(j.workers) == 1 {
				left = max(left, strandsOf(actions))
			} else {
				most = max(most, strandsOf(actions))
			}
			if rounds++; c.lost && len(j.workers) == 2 && j.task.Kind == wire.Together && j.task.Strands[0].Kind == wire.Iterate {
				w.pending = without(w.pending, "b")
				w.take(j.Step(WorkerLost{Name: "b"}))
			}
		}
		if !c.lost {
			left = most
		}
		if w.ended != nil || !same(f.Result, want) || most != c.most || left != c.left {
			t.Errorf("%s: got %d runs in a task and %d in the end (%v), inertia %v, want %d and %d, %v", c.name, most, left, w.ended, f.Result.Inertia,
				c.most, c.left, want.Inertia)
		}
	}
}

// Runs end in any order; of equal ones the first counts all the same.
func TestTheEarliestOfEqualRunsWinsWhoeverEndsFirst(t *testing.T) {
	later := 0 // runs that ended before one of a lower number
	for seed := range uint64(8) {
		var want *kmeans.Centroids
		for abreast := 1; abreast <= populationRuns; abreast++ {
			w := newTown(t, 3)
			level := func(p *wire.Partial) {
				p.Inertia = new(exact.Bins)
				p.Inertia.AddSlice([]float32{5})
			}
			w.spoil = func(task *wire.Task, p *wire.Partial) {
				if task.Kind == wire.Score {
					level(p)
				}
				for i, s := range task.Strands {
					if s.Kind == wire.Score {
						level(p.Strands[i])
						if s.Run > task.Strands[0].Run && task.Strands[0].Kind != wire.Score {
							later++
						}
					}
				}
			}
			o := populationFit()
			o.Abreast, o.Seed, o.Labels = abreast, seed, false
			f := w.runs(o)
			if f.best != 0 || want != nil && !f.Result.Centroids.Equal(want) {
				t.Errorf("seed %d, %d abreast: run %d won with %v, want the first with %v", seed, abreast, f.best, f.Result.Centroids, want)
			}
			want = f.Result.Centroids
		}
	}
	if later == 0 {
		t.Error("no later run ended first")
	}
}

// runs takes a fit to its end on one worker that answers for all.
func (w *town) runs(o FitOptions) *Fit {
	j, f, err := NewFit(Config{Manifest: w.manifest, Workers: 1, Epoch: 1, Window: 3}, o)
	w.must(err)
	w.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: "a"}}))
	for !w.done {
		s := w.pending[0]
		w.pending = w.pending[1:]
		w.take(j.Step(Answered{Answer: w.finished(s)}))
	}
	w.must(w.ended)
	return f
}

// Workers are told, for each run, from which round on its rows count as moved.
func TestEachRunsMovesAreCountedFromItsOwnLastAssignment(t *testing.T) {
	for abreast := 1; abreast <= populationRuns; abreast++ {
		w, last := newTown(t, 3), make(map[int]uint64)
		counted := 0
		w.spoil = func(task *wire.Task, _ *wire.Partial) {
			strands := task.Strands
			if task.Kind != wire.Together {
				strands = []*wire.Task{task}
			}
			for _, s := range strands {
				if s.Kind != wire.Iterate {
					continue
				}
				if s.Since != last[s.Run] {
					t.Errorf("%d abreast, round %d, run %d: since round %d, want %d", abreast, task.Round, s.Run, s.Since, last[s.Run])
				}
				last[s.Run] = task.Round
				counted++
			}
		}
		o := populationFit()
		o.Abreast, o.Labels = abreast, false
		if w.runs(o); counted < 3*populationRuns || len(last) != populationRuns {
			t.Errorf("%d abreast: %d assignments of %d runs", abreast, counted, len(last))
		}
	}
}

// Each run's sums are held against the data by themselves: what one lacks another cannot make up for.
func TestALossInOneRunIsNotMadeUpForByAnother(t *testing.T) {
	w := newTown(t, 4)
	w.spoil = func(task *wire.Task, p *wire.Partial) {
		if task.Kind == wire.Together && task.Strands[1].Kind == wire.Iterate {
			p.Strands[0].Sums.Counts[0]++
			p.Strands[1].Sums.Counts[0]--
		}
	}
	j, _ := w.fit(1)
	for !w.done {
		s := w.pending[0]
		w.pending = w.pending[1:]
		w.take(j.Step(Answered{Answer: w.answer(s)}))
	}
	if !errors.Is(w.ended, kmeans.ErrConservation) {
		t.Errorf("got %v, want %v", w.ended, kmeans.ErrConservation)
	}
}
