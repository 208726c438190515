package worker

import (
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/numa"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// lattice is a Source of so many float32 columns of small whole numbers. It may be read side by side.
type lattice struct {
	people
	columns []string
}

func (s *lattice) Schema() *dataset.Schema {
	schema := &dataset.Schema{}
	for _, name := range s.columns {
		schema.Columns = append(schema.Columns, dataset.Column{Name: name, Float32: true})
	}
	return schema
}
func (s *lattice) Locate(r int64) fault.Place { return fault.Place{File: "lattice", Row: r} }
func (s *lattice) Read(_ context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	return &latticeReader{first, first + rows, fields}, nil
}

type latticeReader struct {
	at, stop int64
	fields   []dataset.Field
}

func (r *latticeReader) Close() error { return nil }
func (r *latticeReader) Next() (*dataset.Block, error) {
	if r.at == r.stop {
		return nil, io.EOF
	}
	b := &dataset.Block{First: r.at, Rows: int(min(1000, r.stop-r.at))}
	for _, f := range r.fields {
		values := make([]float32, b.Rows)
		for i := range values {
			values[i] = float32((r.at + int64(i)) * int64(7+f.Column*24) % 101)
		}
		b.Columns = append(b.Columns, dataset.Vector{Float32: values})
	}
	r.at += int64(b.Rows)
	return b, nil
}

// twoNodes are made up: both have the same processors, so that threads may be bound to them on any machine.
func twoNodes() []*numa.Node {
	return []*numa.Node{{ID: 0, CPUs: []int{0, 1}}, {ID: 1, CPUs: []int{0, 1}}}
}

// loadLattice is an Engine that has loaded all partitions of a lattice as they are.
func loadLattice(t *testing.T, c Config, columns ...string) *Engine {
	t.Helper()
	c.Source = &lattice{columns: columns}
	e, err := NewEngine(c)
	if err != nil {
		t.Fatal(err)
	}
	in := &wire.Input{Spec: &feature.Spec{Numeric: columns, Scale: feature.None, Missing: feature.Fail}}
	all := make([]int, len(c.Manifest.Partitions))
	for id := range all {
		all[id] = id
	}
	p, err := e.Do(t.Context(), &wire.Task{Epoch: 1, Round: 1, Kind: wire.Statistics, Input: in, Partitions: all})
	if err != nil || p.Fault != nil {
		t.Fatal(err, p)
	}
	transform, err := feature.Fit(in.Spec, p.Statistics, feature.NewQuantileSearch(in.Spec, p.Statistics))
	if err != nil {
		t.Fatal(err)
	}
	p, err = e.Do(t.Context(), &wire.Task{Epoch: 1, Round: 2, Kind: wire.Load, Input: in, Transform: transform, Partitions: all})
	if err != nil || p.Fault != nil {
		t.Fatal(err, p)
	}
	return e
}

// TestRoundsOverNodesAreThoseWithout holds whether rows have waited, lie in memory, on the disk or some of each.
func TestRoundsOverNodesAreThoseWithout(t *testing.T) {
	manifest := cutAt(6000, 4100, 13000)
	runs := []int{0, 1, 2, 3}
	rounds := func(e *Engine) map[int][]string {
		return drive(t, e, kmeans.Auto, runs, func(s []*wire.Task) []*wire.Partial { return doTogether(t, e, s).Strands })
	}
	want := rounds(loadLattice(t, Config{Manifest: manifest, Threads: 1, Nodes: []*numa.Node{}}, "x", "y"))
	for _, threads := range []int{1, 2, 3, 4, 7} {
		for _, raw := range []int64{0, 1 << 30} {
			for _, hot := range []int64{-1, 0, 100_000} {
				c := Config{Manifest: manifest, Threads: threads, Nodes: twoNodes(), Raw: raw}
				if hot >= 0 {
					c.Memory, c.Spill = 1<<30, t.TempDir()
					c.Divide = func(_ int64, h capacity.Holding) capacity.Division {
						return capacity.Division{Hot: hot, Spilled: max(0, h.Rows*h.Point-hot), Chunk: 40_000, Buffers: 3, Loads: 2}
					}
				}
				e := loadLattice(t, c, "x", "y")
				got := rounds(e)
				for _, n := range runs {
					if !slices.Equal(got[n], want[n]) {
						t.Errorf("%d threads, %d bytes for what waits, %d in memory, run %d: got %v, want %v", threads, raw, hot, n, got[n], want[n])
					}
				}
				for id, h := range e.held {
					if (h.node != nil) != (threads > 1) {
						t.Errorf("%d threads: partition %d lies on %v", threads, id, h.node)
					}
				}
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func TestEverySpanIsDoneOnceAndThoseOfTheOwnNodeFirst(t *testing.T) {
	for _, threads := range []int{2, 3, 4, 7} {
		e := loadLattice(t, Config{Manifest: cutAt(30000, 30000, 1, 0, 30000, 30000), Threads: threads, Nodes: twoNodes()}, "x")
		list, err := e.holdings([]int{0, 1, 2, 3, 4, 5})
		if err != nil {
			t.Fatal(err)
		}
		for _, anywhere := range []bool{false, true} {
			if anywhere { // whoever has put it there
				list[0].node = nil
				list[4].node = &numa.Node{}
			}
			spans := cut(list)
			got := make(map[span]int)
			var mu sync.Mutex
			first := firstSpans(t, e, spans, func(_ int, s span) {
				mu.Lock()
				defer mu.Unlock()
				got[s]++
			})
			for _, s := range spans {
				if got[s] != 1 {
					t.Errorf("%d threads: rows [%d,%d) of %d were done %d times", threads, s.lo, s.hi, s.h.id, got[s])
				}
			}
			for slot, s := range first {
				if node := e.threads[slot].node; node != nil && s.h.node != node {
					t.Errorf("%d threads: thread %d of node %d began with rows of %v", threads, slot, node.ID, s.h.node)
				}
			}
		}
	}
}

// firstSpans gives all spans to do, and says with which one each thread began. None goes on before all have begun.
func firstSpans(t *testing.T, e *Engine, spans []span, do func(slot int, s span)) []span {
	t.Helper()
	first, began := make([]span, len(e.threads)), make([]bool, len(e.threads))
	var waiting atomic.Int64
	waiting.Store(int64(len(e.threads)))
	all := make(chan bool)
	err := e.parallel(t.Context(), spans, func(_ *thread, slot int, s span) {
		if !began[slot] {
			first[slot], began[slot] = s, true
			if waiting.Add(-1) == 0 {
				close(all)
			}
			<-all
		}
		do(slot, s)
	})
	if err != nil {
		t.Fatal(err)
	}
	return first
}

func TestPartitionsAreDividedByThreadsAndStayWhereTheyAre(t *testing.T) {
	nodes := []*numa.Node{{ID: 0, CPUs: []int{0, 1, 2, 3, 4, 5}}, {ID: 1, CPUs: []int{6, 7}}}
	sizes := make([]int, 40)
	for id := range sizes {
		sizes[id] = 100 + id*id%17
	}
	e, err := NewEngine(Config{Manifest: cutAt(sizes...), Threads: 9, Nodes: nodes}) // 6 and 2, and one that is anywhere
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int, 40)
	for id := range ids {
		ids[id] = id
	}
	check := func(ids []int) {
		t.Helper()
		rows := make(map[*numa.Node]int64)
		for _, id := range ids {
			rows[e.nodeOf(id)] += int64(sizes[id])
			e.held[id] = &holding{id: id}
		}
		if len(rows) != 2 || rows[nodes[0]] < 3*(rows[nodes[1]]-117) || rows[nodes[0]]-117 > 3*rows[nodes[1]] {
			t.Errorf("got %d and %d rows, want three times as many on the first node", rows[nodes[0]], rows[nodes[1]])
		}
	}
	e.place(ids[:23])
	check(ids[:23])
	before := make([]*numa.Node, 23)
	for id := range before {
		before[id] = e.nodeOf(id)
	}
	e.place(ids[5:])
	check(ids)
	for id := range before {
		if e.nodeOf(id) != before[id] {
			t.Errorf("partition %d is to move", id)
		}
	}
	// What is here no more is forgotten, and its room is for others.
	for id := range ids[:30] {
		delete(e.held, id)
	}
	e.raw.rooms[3] = &kmeans.Room{}
	e.place(nil)
	if len(e.placed) != 11 || e.nodeOf(3) != before[3] {
		t.Errorf("got %d partitions placed, want the ten that are held and the one that waits", len(e.placed))
	}
	e.place(ids)
	check(ids)
}

func TestWhereThereAreNoNodesNothingIsDivided(t *testing.T) {
	e, err := NewEngine(Config{Manifest: &partition.Manifest{}, Threads: 3, Nodes: twoNodes()[:1]})
	if err != nil {
		t.Fatal(err)
	}
	spans := make([]span, 10)
	for i := range spans {
		spans[i] = span{h: &holding{}, lo: i}
	}
	at := 0
	for slot, s := range e.shares(spans) {
		if s.node != nil || len(s.spans) != []int{3, 3, 4}[slot] || s.spans[0].lo != at {
			t.Errorf("thread %d: got %d spans from %d on, want a contiguous third", slot, len(s.spans), s.spans[0].lo)
		}
		at += len(s.spans)
	}
	if at != len(spans) {
		t.Errorf("%d of %d spans were given to threads", at, len(spans))
	}
}

func TestThreadsHelpOnTheirNodeFirst(t *testing.T) {
	nodes := twoNodes()
	var shares []*share
	for _, node := range []*numa.Node{nodes[0], nodes[0], nodes[1], nodes[1], nil} {
		shares = append(shares, &share{node: node})
	}
	for slot, want := range [][]int{{0, 1, 2, 3, 4}, {1, 0, 2, 3, 4}, {2, 3, 4, 0, 1}, {3, 2, 4, 0, 1}, {4, 0, 1, 2, 3}} {
		var got []int
		for s := range inTurn(shares, slot, shares[slot].node) {
			got = append(got, slices.Index(shares, s))
		}
		if !slices.Equal(got, want) {
			t.Errorf("thread %d sees to %v, want %v", slot, got, want)
		}
	}
}
