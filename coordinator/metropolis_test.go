package coordinator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// The clusters and columns of a metropolis. They are few, so that what is measured is the coordinator's books, which
// grow with workers and partitions, and not its sums, which grow with k × d.
const (
	metroK = 8
	metroD = 4
)

// metropolis is a town of any size around a Job: its workers compute nothing, for what they answer follows from the
// number of the partition and from the centroids alone, as a real worker's would from its rows. Each partition is metroK
// groups of rows that stay together; depending on the centroids a sixteenth of the partitions has each of its groups one
// cluster further on. So every answer is conserved, two workers agree about a partition, and a fit goes on to its limit.
//
// Meanwhile workers join, leave, are lost, answer late or twice, and lag behind, as often as churn says.
type metropolis struct {
	t        testing.TB
	r        *rand.Rand
	manifest *partition.Manifest
	input    *wire.Input
	rows     []uint8  // by partition and group
	values   []uint16 // by partition, group and column: what tells the group's rows from those of other partitions
	labels   bool
	churn    float64 // workers that go, and that come, in a round, as a share of those that are there
	fresh    *kmeans.Points

	job     *Job
	fit     *Fit
	meter   cityMeter
	names   []string // of those that are there
	joins   int
	flight  []Send  // tasks that somebody will answer
	late    []Event // answers that come with the next wave
	refused int
	err     error
	done    bool
}

// cityMeter is what the Job's steps took, by kind of event.
type cityMeter struct {
	events  map[string]int
	spent   map[string]time.Duration
	longest map[string]time.Duration
}

func newMetropolis(t testing.TB, partitions int, churn float64, seed uint64) *metropolis {
	m := &metropolis{t: t, r: rand.New(rand.NewPCG(seed, 99)), manifest: &partition.Manifest{}, labels: true, churn: churn,
		input: &wire.Input{Spec: &feature.Spec{Numeric: []string{"a", "b", "c", "d"}, Scale: "none", Missing: "fail"}, ID: "id",
			BadRows: wire.BadRowsFail, Duplicates: wire.DuplicatesFail},
		meter: cityMeter{events: make(map[string]int), spent: make(map[string]time.Duration), longest: make(map[string]time.Duration)}}
	made := rand.New(rand.NewPCG(5, 5)) // the same rows for every seed
	for id := range partitions {
		rows := int64(0)
		for range metroK {
			n := 1 + made.IntN(50)
			rows += int64(n)
			m.rows = append(m.rows, uint8(n))
			for range metroD {
				m.values = append(m.values, uint16(made.IntN(1<<16)))
			}
		}
		m.manifest.Partitions = append(m.manifest.Partitions, partition.Partition{ID: id, First: m.manifest.Rows, Rows: rows})
		m.manifest.Rows += rows
	}
	return m
}

// groupRows is how many rows a group of a partition has, and groupSum what they add up to in a column, in units of the grid.
func (m *metropolis) groupRows(id, group int) int64 { return int64(m.rows[id*metroK+group]) }
func (m *metropolis) groupSum(id, group, column int) int64 {
	return m.groupRows(id, group) * (int64(group)<<20 + int64(m.values[(id*metroK+group)*metroD+column]))
}

// begin makes the job of a fit of so many iterations and has its first workers join.
func (m *metropolis) begin(workers, iterations, window int) {
	var err error
	m.job, m.fit, err = NewFit(Config{Manifest: m.manifest, Workers: workers/2 + 1, Patient: true, Epoch: 1, Window: window},
		FitOptions{Input: m.input, K: metroK, Start: m.start().Centroids, Runs: 1, MaxIterations: iterations, Labels: m.labels})
	m.must(err)
	for range workers {
		m.join(len(m.names) < workers-1)
	}
}

// start is the given centroids: one for each group, in the units of the input.
func (m *metropolis) start() *Start {
	s := &Start{Name: "start.csv", K: metroK, Numeric: make([][]float64, metroD)}
	for c := range s.Numeric {
		for g := range metroK {
			s.Numeric[c] = append(s.Numeric[c], float64(g))
		}
	}
	return s
}

func (m *metropolis) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// step gives the Job an event, takes the time, and sees to what it asks for.
func (m *metropolis) step(kind string, e Event) []Action {
	begun := threadTime()
	actions := m.job.Step(e)
	took := threadTime() - begun
	m.meter.events[kind]++
	m.meter.spent[kind] += took
	m.meter.longest[kind] = max(m.meter.longest[kind], took)
	for _, a := range actions {
		switch a := a.(type) {
		case Send:
			m.flight = append(m.flight, a)
		case Failed:
			m.err, m.done = a.Err, true
		case Finished:
			m.done = true
		case Refused:
			m.refused++
		}
	}
	return actions
}

// join brings a new worker.
func (m *metropolis) join(more bool) {
	m.joins++
	name := fmt.Sprintf("worker-%d", m.joins)
	m.names = append(m.names, name)
	m.step("join", WorkerJoined{Worker: partition.Worker{Name: name, Weight: 2}, More: more})
}

// answer is what a worker makes of a task, as the coordinator reads it from the network.
func (m *metropolis) answer(s Send) *wire.Answer {
	a := &wire.Answer{Epoch: s.Task.Epoch, Round: s.Task.Round, Worker: s.Worker, Covered: s.Task.Partitions, Partial: m.compute(s.Task)}
	for _, id := range a.Covered {
		a.Digests = append(a.Digests, exact.Draw(3, uint32(s.Task.Round), 0, uint64(id)))
	}
	data, err := wire.EncodePartial(a.Partial, wire.PackNone)
	m.must(err)
	a.Partial, err = wire.DecodePartial(data, s.Task.Context(len(m.manifest.Partitions)))
	m.must(err)
	return a
}

func (m *metropolis) compute(task *wire.Task) *wire.Partial {
	p := &wire.Partial{}
	for _, id := range task.Partitions {
		p.Intake.Read += m.manifest.Partitions[id].Rows
	}
	p.Intake.Kept = p.Intake.Read
	switch task.Kind {
	case wire.Statistics:
		p.Statistics = feature.NewStatistics(m.input.Spec)
		b := &feature.Batch{Rows: 2}
		for range metroD {
			b.Numeric = append(b.Numeric, []float64{0, 100})
		}
		m.must(p.Statistics.Add(b))
	case wire.Load:
		m.loaded(task, p)
	case wire.Iterate, wire.Score:
		m.assigned(task, p)
	case wire.Duplicates, wire.Label:
	default:
		m.t.Fatalf("unexpected task %s", task.Kind)
	}
	return p
}

// loaded is the answer about partitions that were read. Their ids are in no order, so that they are compared.
func (m *metropolis) loaded(task *wire.Task, p *wire.Partial) {
	p.Totals, p.Distinct = kmeans.NewTotals(metroD), kmeans.NewDistinct(task.K)
	for _, id := range task.Partitions {
		p.IDs = append(p.IDs, wire.IDSummary{Partition: id, Count: m.manifest.Partitions[id].Rows, Integers: true})
		for g := range metroK {
			n := m.groupRows(id, g)
			p.Totals.Rows += n
			p.Totals.Weight = p.Totals.Weight.AddInt64(n)
			for c := range metroD {
				s := m.groupSum(id, g, c)
				p.Totals.Sums[c] = p.Totals.Sums[c].AddInt64(s)
				p.Totals.Plain[c] = p.Totals.Plain[c].AddInt64(s)
				p.Totals.Squares[c] = p.Totals.Squares[c].AddInt64(s)
			}
		}
	}
	if m.fresh == nil {
		var out [][]float32
		var grids []int
		for _, g := range task.Transform.Grids() {
			grids = append(grids, g.Exponent)
			out = append(out, []float32{0, 1, 2, 3, 4, 5, 6, 7})
		}
		points, err := kmeans.NewPoints(metroK, metroD, 0, grids)
		m.must(err)
		m.must(points.Append(out, metroK, 0, nil, nil))
		m.fresh = points
	}
	p.Distinct.Add(m.fresh)
}

// assigned is the answer to an assignment.
func (m *metropolis) assigned(task *wire.Task, p *wire.Partial) {
	key := uint64(0)
	for _, v := range task.Centroids.Values {
		key = exact.Draw(key, 1, 0, uint64(int64(float64(v)*(1<<30))))
	}
	p.Sums = kmeans.NewSums(metroK, metroD, false)
	for _, id := range task.Partitions {
		shift := 0
		if exact.Draw(key, 2, 0, uint64(id))%16 == 0 {
			shift = 1
			p.Moved++
		}
		for g := range metroK {
			j := (g + shift) % metroK
			p.Sums.Counts[j] += m.groupRows(id, g)
			for c := range metroD {
				p.Sums.Values[j*metroD+c] = p.Sums.Values[j*metroD+c].AddInt64(m.groupSum(id, g, c))
			}
		}
	}
	if task.Kind == wire.Score {
		p.Inertia = new(exact.Bins)
		for range task.Partitions {
			p.Inertia.AddSlice([]float32{2})
		}
	}
}

// wave is the answers to all tasks under way, in any order: some come twice, some only with the next wave.
func (m *metropolis) wave() []Event {
	flight := m.flight
	events := m.late
	m.flight, m.late = nil, nil
	for _, s := range flight {
		a := m.answer(s)
		if m.r.Float64() < m.churn { // its receipt was lost
			again := *a
			again.Partial = m.answer(s).Partial
			events = append(events, Answered{Answer: &again})
		}
		if m.r.Float64() < m.churn {
			m.late = append(m.late, Answered{Answer: a})
			continue
		}
		events = append(events, Answered{Answer: a})
	}
	m.r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	return events
}

// run takes the fit to its end. around is called with the steps for a wave of answers, and how many these are.
func (m *metropolis) run(around func(events int, steps func())) {
	round := uint64(0)
	for !m.done {
		if len(m.flight)+len(m.late) == 0 {
			m.t.Fatalf("round %d (%s): nothing is under way", m.job.round, m.job.task.Kind)
		}
		slow := m.late
		events := m.wave()
		troubled := m.job.round != round
		round = m.job.round
		around(len(events), func() {
			for _, e := range slow { // whose answers come now, after those of all others
				m.step("straggling", Straggling{Worker: e.(Answered).Answer.Worker})
			}
			m.deliver(events, troubled)
		})
	}
	m.must(m.err)
}

// deliver gives the Job a wave of answers; in the middle of the first one of a round there is trouble. Of the workers that
// are lost then, every other one answers all the same: it was only cut off.
func (m *metropolis) deliver(events []Event, troubled bool) {
	silent := make(map[string]bool)
	for i, e := range events {
		if troubled && i == len(events)/2 {
			m.trouble(silent)
		}
		if m.done {
			return
		}
		if !silent[e.(Answered).Answer.Worker] {
			m.step(string(m.job.task.Kind), e)
		}
	}
}

// trouble is what happens in a round: workers are lost or leave, others join, and some turn out faster or slower.
func (m *metropolis) trouble(silent map[string]bool) {
	expected := m.churn * float64(len(m.names))
	times := int(expected)
	if m.r.Float64() < expected-float64(times) {
		times++
	}
	for range times {
		at := m.r.IntN(len(m.names))
		name := m.names[at]
		m.names = slices.Delete(m.names, at, at+1)
		silent[name] = m.r.IntN(2) == 0
		m.flight = without(m.flight, name)
		m.late = slices.DeleteFunc(m.late, func(e Event) bool { return silent[e.(Answered).Answer.Worker] })
		m.step("loss", WorkerLost{Name: name, Left: m.r.IntN(2) == 0, Begun: []int{}})
		m.join(false)
		m.step("measured", Measured{Worker: m.names[m.r.IntN(len(m.names))], Weight: 1 + m.r.IntN(3)})
	}
}
