package lookup

import (
	"errors"
	"math"
	"sync"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/model"
)

// Finder is a model made ready for questions. It may be used by any number of goroutines at once.
type Finder struct {
	model    *model.Model
	digest   string
	features []string
	columns  map[string]Column
	grid     []int
	assigner *kmeans.Assigner
	scratch  sync.Pool // of *kmeans.Scratch
}

// New makes a Finder. The model is not copied and must not change any more.
func New(m *model.Model) *Finder {
	f := &Finder{model: m, digest: m.Digest(), features: m.Features(), columns: make(map[string]Column),
		assigner: kmeans.NewAssigner(&kmeans.Centroids{K: m.K, D: m.Width(), Values: m.Centroids})}
	f.scratch.New = func() any { return new(kmeans.Scratch) }
	for j := range m.Transform.Numeric {
		c := Column{Kind: Number, index: j}
		if order := m.Transform.Numeric[j].Order; len(order) > 0 {
			c.Kind, c.order = Ordered, make(map[string]float64, len(order))
			for at, text := range order {
				c.order[text] = float64(at)
			}
		}
		f.columns[m.Transform.Numeric[j].Name] = c
	}
	for i := range m.Transform.Categorical {
		f.columns[m.Transform.Categorical[i].Name] = Column{Kind: Categorical, index: i}
	}
	for _, g := range m.Transform.Grids() {
		f.grid = append(f.grid, g.Exponent)
	}
	return f
}

// Model is the model that was given to New.
func (f *Finder) Model() *model.Model { return f.model }

// Digest is the model's.
func (f *Finder) Digest() string { return f.digest }

// None is the segment of a row that the model leaves out, and the second segment where there is one segment alone.
const None = -1

// Answers are where the rows of a Table belong, row by row. Distances are as labels have them: Euclidean and not squared, or
// 1 − cos, in the scaled space.
type Answers struct {
	Segment        []int32   // None: a value is missing, and the model's policy is drop
	Second         []int32   // None: the model has one segment alone
	Distance       []float32 // NaN where Segment is None
	SecondDistance []float32 // +Inf where Second is None
	finder         *Finder
	table          *Table
	points         *kmeans.Points
}

// Find places the rows of a Table, which must be of this Finder. The error is an *Error for the first bad value.
func (f *Finder) Find(t *Table) (*Answers, error) {
	if err := f.fits(t.Rows); err != nil {
		return nil, err
	}
	t.fill()
	points, keep, err := f.points(t)
	if err != nil {
		return nil, err
	}
	n := t.Rows
	both, distances := make([]int32, 2*n), make([]float32, 2*n)
	a := &Answers{Segment: both[:n:n], Second: both[n:], Distance: distances[:n:n], SecondDistance: distances[n:], finder: f, table: t, points: points}
	scratch := f.scratch.Get().(*kmeans.Scratch)
	defer f.scratch.Put(scratch)
	for lo := 0; lo < n; lo += kmeans.SpanRows {
		hi := min(lo+kmeans.SpanRows, n)
		first, second, squared, secondSquared := f.assigner.TwoNearest(points, lo, hi, scratch)
		copy(a.Segment[lo:], first)
		copy(a.Second[lo:], second)
		for i := range first {
			a.Distance[lo+i], a.SecondDistance[lo+i] = f.written(squared[i]), f.written(secondSquared[i])
		}
	}
	for i, kept := range keep {
		if !kept {
			a.Segment[i], a.Second[i] = None, None
			a.Distance[i], a.SecondDistance[i] = float32(math.NaN()), float32(math.Inf(1))
		}
	}
	return a, nil
}

// points makes Points of all rows; those that do not count are zero, and false in keep.
func (f *Finder) points(t *Table) (points *kmeans.Points, keep []bool, err error) {
	batch := feature.Batch{Rows: t.Rows, Numeric: t.Numbers}
	for _, column := range t.Texts {
		batch.Text = append(batch.Text, feature.TextColumn{At: func(i int) []byte { return []byte(column[i].Value) },
			Missing: func(i int) bool { return !column[i].Given }})
	}
	d := f.model.Width()
	values, columns := make([]float32, d*t.Rows), make([][]float32, d)
	for i := range columns {
		columns[i] = values[i*t.Rows : (i+1)*t.Rows]
	}
	keep = make([]bool, t.Rows)
	if _, err = f.model.Transform.Apply(&batch, columns, keep); err != nil {
		return nil, nil, f.explain(err)
	}
	if points, err = kmeans.NewPoints(t.Rows, d, 0, f.grid); err == nil {
		err = points.Append(columns, t.Rows, 0, nil, nil)
	}
	return points, keep, err
}

// explain makes an *Error of what is wrong with a value.
func (f *Finder) explain(err error) error {
	var value *feature.ValueError
	if !errors.As(err, &value) {
		return err
	}
	e := &Error{Row: value.Row, Feature: value.Column, Problem: value.Problem(), Remedy: "correct the value"}
	switch {
	case value.Column == "":
		e.Remedy = value.Remedy
	case math.IsNaN(value.Value):
		e.Absent, e.Remedy = true, "the model needs a value for "+f.listed()
	}
	return e
}

// written is a squared distance as labels have it.
func (f *Finder) written(squared float32) float32 {
	if f.model.Metric == model.Cosine {
		return squared / 2
	}
	return float32(math.Sqrt(float64(squared)))
}
