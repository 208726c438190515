package pipeline

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset/moves"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/segment"
)

// Months says what has become of the segments of the model that a fit goes on from. Segments are by the index that they have
// in their own model.
type Months struct {
	Matched []Matched `json:"matched"`
	Born    []Known   `json:"born"`   // new segments
	Died    []Known   `json:"died"`   // old segments
	Split   []Split   `json:"split"`  // old segments whose customers are mainly in several new ones
	Merged  []Merged  `json:"merged"` // new segments in which several old ones have ended
	// Drift is, by feature, how the rows have changed; null where the old model does not tell.
	Drift []Drift `json:"drift"`
	// MatchedBy says what the matching went by: "customers", or "centroids" without labels or common customers.
	MatchedBy string `json:"matched_by"`
	// Shared counts the customers of both months, and Agreement is the share of them whose segment goes on from the one they
	// were in; null without labels or common customers.
	Shared    *int64   `json:"shared"`
	Agreement *float64 `json:"agreement"`
	// InertiaGrowth is how much the inertia of a row has grown in the scaled space of the old model; null unless a gate asks.
	InertiaGrowth *float64 `json:"inertia_growth"`
	File          string   `json:"from"` // of the old model
}

// Known is a segment with its names.
type Known struct {
	Segment int    `json:"segment"`
	ID      string `json:"id"`
	Name    string `json:"name"`
	Rows    int64  `json:"rows"`
}

// Matched is a new segment that goes on from an old one.
type Matched struct {
	Known
	From     int     `json:"from"`
	Distance float64 `json:"distance"` // of the centroids, in the scaled space of the old model; under cosine 1 − cos
	// Way is the distance as a part of the one from the old centroid to its nearest neighbour.
	Way float64 `json:"way"`
	// Shared counts the customers who were in the old segment and are in the new one; null without labels.
	Shared *int64 `json:"shared"`
	// Renamed is the old name where it has changed; empty: it has not.
	Renamed string `json:"was,omitempty"`
}

// Split is an old segment and the new ones that it has come apart into.
type Split struct {
	From Known   `json:"from"`
	Into []Known `json:"into"`
}

// Merged is a new segment and the old ones that are in it.
type Merged struct {
	From []Known `json:"from"`
	Into Known   `json:"into"`
}

// settle makes the model of a result. Where the fit goes on from a model, segments are matched and get their indices, ids and
// names; whatever gates ask for is held. After it labels are written, but not yet in their place.
func (f *fit) settle(ctx context.Context, result *coordinator.FitResult) (*model.Model, *Months, error) {
	m := f.model(result)
	if f.stash != nil {
		if err := f.stash.close(m.Rows); err != nil {
			return nil, nil, err
		}
	}
	order := identity(m.K)
	if f.last != nil {
		if err := f.match(ctx, m); err != nil {
			return nil, nil, err
		}
		order = f.last.matched.Order(f.last.K)
		f.last.matched = f.last.matched.Reorder(order)
	}
	if !slices.Equal(order, identity(m.K)) {
		arrange(m, order)
		if err := f.labelAnew(ctx, m); err != nil {
			return nil, nil, err
		}
	}
	if err := f.hold(ctx, m); err != nil {
		return nil, nil, err
	}
	if err := f.handOver(ctx, m); err != nil {
		return nil, nil, err
	}
	if f.last == nil {
		return m, nil, nil
	}
	nameSegments(m)
	renamed := f.last.carry(m)
	m.SetParent(f.last.Model, filepath.Base(f.last.file))
	return m, f.months(m, renamed, result.Sample), nil
}

func identity(k int) []int {
	order := make([]int, k)
	for i := range order {
		order[i] = i
	}
	return order
}

// arrange brings the segments of a model into another order.
func arrange(m *model.Model, order []int) {
	centroids, counts := make([]float32, 0, len(m.Centroids)), make([]int64, 0, m.K)
	for _, j := range order {
		centroids, counts = append(centroids, m.Centroid(j)...), append(counts, m.Counts[j])
	}
	m.Centroids, m.Counts = centroids, counts
}

// match finds the segments that go on.
func (f *fit) match(ctx context.Context, m *model.Model) error {
	l := f.last
	if f.old != nil {
		if err := f.join(ctx, m); err != nil {
			return err
		}
	}
	var err error
	l.matched, err = segment.Match(l.Model, m, l.overlap)
	return err
}

// join counts the customers of both months.
func (f *fit) join(ctx context.Context, m *model.Model) error {
	rows := f.old.Source.Rows() + m.Rows
	if err := enoughMemory(migrateBytes(f.old.Source.Rows(), m.Rows, 0, false), spill.Whole()); err != nil {
		return err
	}
	f.request.Engine.Reporter.Phase("match", rows)
	joined, err := moves.Join(ctx, f.old, &moves.Labels{Source: f.stash, ID: 0, Segment: 1, Segments: m.K, Whose: "the fit"}, nil,
		moves.Options{Threads: f.request.Engine.threads(), Read: f.request.Engine.Reporter.Add})
	if err != nil {
		return err
	}
	o := &segment.Overlap{Arrived: joined.Arrived, Left: joined.Left}
	for i := range joined.From {
		o.Matrix = append(o.Matrix, joined.Matrix[i*joined.To:(i+1)*joined.To])
	}
	if o.Shared() == 0 {
		return fault.Inputf(fault.In(f.request.FromLabels), "none of its customers is in %s", firstName(f.source)).
			Do("give the labels of the same customers; ids are compared as they are written, zeros in front included")
	}
	f.last.overlap = o
	return nil
}

func known(m *model.Model, i int) Known {
	return Known{Segment: i, ID: m.Segments[i].ID, Name: m.Segments[i].Name, Rows: m.Counts[i]}
}

func knowns(m *model.Model, list []int) []Known {
	all := []Known{}
	for _, i := range list {
		all = append(all, known(m, i))
	}
	return all
}

// months is what there is to tell.
func (f *fit) months(m *model.Model, renamed []string, sample [][]float32) *Months {
	l, g := f.last, f.last.matched
	o := &Months{Matched: []Matched{}, Born: []Known{}, Died: knowns(l.Model, g.Died(l.K)), Split: []Split{}, Merged: []Merged{},
		MatchedBy: "centroids", File: l.file, InertiaGrowth: l.growth, Drift: []Drift{}}
	if g.ByCustomers {
		o.MatchedBy = "customers"
	}
	for j, i := range g.From {
		if i < 0 {
			o.Born = append(o.Born, known(m, j))
			continue
		}
		matched := Matched{Known: known(m, j), From: i, Distance: g.Distance[j], Way: g.Way[j], Renamed: renamed[j]}
		if l.overlap != nil {
			matched.Shared = &l.overlap.Matrix[i][j]
		}
		o.Matched = append(o.Matched, matched)
	}
	for _, s := range g.Splits {
		o.Split = append(o.Split, Split{From: known(l.Model, s.From), Into: knowns(m, s.Into)})
	}
	for _, s := range g.Merges {
		o.Merged = append(o.Merged, Merged{From: knowns(l.Model, s.From), Into: known(m, s.Into)})
	}
	if n, share, ok := l.agreement(); ok {
		o.Shared, o.Agreement = &n, &share
	}
	o.Drift = driftBetween(l.Model, m, sample)
	return o
}
