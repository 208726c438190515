package worker

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// people is a Source in memory: an id and a number for each row.
type people struct {
	ids   []string
	x     []float64
	reads atomic.Int64
}

func (s *people) Schema() *dataset.Schema {
	return &dataset.Schema{Columns: []dataset.Column{{Name: "id", Kind: dataset.Text}, {Name: "x"}}}
}
func (s *people) Rows() int64                { return int64(len(s.ids)) }
func (s *people) Cuts() []int64              { return []int64{0} }
func (s *people) Locate(r int64) fault.Place { return fault.Place{File: "people", Row: r} }
func (s *people) Bytes() int64               { return 0 }
func (s *people) Names() []string            { return []string{"people"} }
func (s *people) Close() error               { return nil }
func (s *people) Read(_ context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	s.reads.Add(1)
	return &peopleReader{s, first, first + rows, fields}, nil
}

type peopleReader struct {
	s        *people
	at, stop int64
	fields   []dataset.Field
}

func (r *peopleReader) Close() error { return nil }
func (r *peopleReader) Next() (*dataset.Block, error) {
	if r.at == r.stop {
		return nil, io.EOF
	}
	n := min(3, r.stop-r.at)
	b := &dataset.Block{First: r.at, Rows: int(n)}
	for _, f := range r.fields {
		if f.Column == 1 {
			b.Columns = append(b.Columns, dataset.Vector{Float64: slices.Clone(r.s.x[r.at : r.at+n])})
			continue
		}
		text := dataset.Strings{Offsets: []int{0}}
		for _, id := range r.s.ids[r.at : r.at+n] {
			text.Data = append(text.Data, id...)
			text.Offsets = append(text.Offsets, len(text.Data))
		}
		b.Columns = append(b.Columns, dataset.Vector{Text: text})
	}
	r.at += n
	return b, nil
}

// peopleOf has the given ids, and small numbers.
func peopleOf(ids ...string) *people {
	s := &people{ids: ids}
	for i := range ids {
		s.x = append(s.x, float64(i%5))
	}
	return s
}

// cutAt makes partitions of so many rows each.
func cutAt(sizes ...int) *partition.Manifest {
	m := &partition.Manifest{}
	for id, n := range sizes {
		m.Partitions = append(m.Partitions, partition.Partition{ID: id, First: m.Rows, Rows: int64(n)})
		m.Rows += int64(n)
	}
	return m
}

// circle is engines that ask each other, by name. Some do not answer.
type circle struct {
	engines map[string]*Engine
	via     Peers // how they ask; nil: by calls

	mu   sync.Mutex
	deaf map[string]bool // answers nothing
	cut  map[string]bool // is lost after the first part of an answer
	lost []string        // owners that were given up
	asks []string        // "owner: what", for every question to another
}

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func newCircle(t tester, s dataset.Source, m *partition.Manifest, names ...string) *circle {
	t.Helper()
	c := &circle{engines: make(map[string]*Engine), deaf: make(map[string]bool), cut: make(map[string]bool)}
	for _, name := range names {
		c.start(t, s, m, name)
	}
	return c
}

// start starts an engine that knows nothing yet.
func (c *circle) start(t tester, s dataset.Source, m *partition.Manifest, name string) {
	t.Helper()
	e, err := NewEngine(Config{Source: s, Manifest: m, Threads: 2, Self: name, Peers: c, Job: "job", Labels: discard{},
		Lost: func(owner string, _ error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.lost = append(c.lost, owner)
		}})
	if err != nil {
		t.Fatal(err)
	}
	c.engines[name] = e
}

type discard struct{}

func (discard) Put(context.Context, *Labels) error { return nil }

func (c *circle) ask(owner, what string) (Peers, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asks = append(c.asks, owner+": "+what)
	if c.deaf[owner] {
		return nil, io.ErrUnexpectedEOF
	}
	if c.via != nil {
		return c.via, nil
	}
	return direct(c.engines), nil
}

func (c *circle) IDs(ctx context.Context, owner string, r IDsRequest, visit func(IDPart) error) error {
	p, err := c.ask(owner, "ids")
	if err != nil {
		return err
	}
	parts := 0
	return p.IDs(ctx, owner, r, func(p IDPart) error {
		if parts++; c.cut[owner] && parts > 1 {
			return io.ErrUnexpectedEOF
		}
		return visit(p)
	})
}

func (c *circle) Dropped(ctx context.Context, owner string, r DroppedRequest, visit func([]int64) error) error {
	p, err := c.ask(owner, "dropped")
	if err != nil {
		return err
	}
	return p.Dropped(ctx, owner, r, visit)
}

// direct asks by calls.
type direct map[string]*Engine

func (d direct) IDs(ctx context.Context, owner string, r IDsRequest, visit func(IDPart) error) error {
	return d[owner].IDs(ctx, r, visit)
}

func (d direct) Dropped(ctx context.Context, owner string, r DroppedRequest, visit func([]int64) error) error {
	return d[owner].Dropped(ctx, r, visit)
}

// do has a task done by the owner of each number, and merges.
func (c *circle) do(t tester, ctx context.Context, task wire.Task, owners []string) *wire.Partial {
	t.Helper()
	whole := &wire.Partial{}
	for name, e := range c.engines {
		task := task
		task.Partitions = nil
		for n, owner := range owners {
			if owner == name {
				task.Partitions = append(task.Partitions, n)
			}
		}
		if len(task.Partitions) == 0 {
			continue
		}
		p, err := e.Do(ctx, &task)
		if err != nil {
			t.Fatalf("%s by %s: %v", task.Kind, name, err)
		}
		whole.Merge(p)
	}
	return whole
}

func peopleInput(policy wire.DuplicateIDs) *wire.Input {
	return &wire.Input{Spec: &feature.Spec{Numeric: []string{"x"}, Scale: feature.None, Missing: feature.Fail}, ID: "id",
		BadRows: wire.BadRowsFail, Duplicates: policy}
}

// whole is what dataset.Duplicates finds among all ids in one place.
func (s *people) whole(m *partition.Manifest, policy wire.DuplicateIDs) (*dataset.Duplicate, []int64, int64) {
	var parts []dataset.IDPart
	for _, p := range m.Partitions {
		ids := &dataset.IDs{}
		for _, id := range s.ids[p.First : p.First+p.Rows] {
			ids.AppendText([]byte(id))
		}
		parts = append(parts, dataset.IDPart{IDs: ids, Row: func(i int) int64 { return p.First + int64(i) }})
	}
	return dataset.Duplicates(parts, keeps(policy))
}

func names(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("w%d", i))
	}
	return list
}
