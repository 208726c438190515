package segment

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/model"
)

// kind is a group of made-up customers: the share of all, and centre and spread of each figure (logarithms for
// frequency and monetary).
type kind struct {
	share                            float64
	recency, frequency, money        float64
	age, income, women, postgraduate float64
}

var kinds = []kind{
	{0.40, 210, 0.35, 5.0, 47, 41000, 0.5, 0.1},
	{0.09, 11, 2.9, 8.7, 44, 72000, 0.55, 0.4},
	{0.17, 34, 2.0, 7.4, 41, 52000, 0.6, 0.2},
	{0.21, 19, 0.3, 4.9, 29, 35000, 0.7, 0.15},
	{0.13, 140, 1.9, 7.3, 55, 58000, 0.3, 0.3},
}

var numericColumns = []string{"recency_days", "frequency", "monetary", "age", "income"}
var categoricalColumns = []string{"gender", "education"}

// customers are rows of made-up customers with the kind that they are of.
func customers(n int, seed uint64) (labels []int32, b *feature.Batch) {
	r := rand.New(rand.NewPCG(seed, 7))
	b = &feature.Batch{Rows: n, Numeric: make([][]float64, 5)}
	gender, education := make([][]byte, n), make([][]byte, n)
	for i := range n {
		u, k := r.Float64(), 0
		for k < len(kinds)-1 && u >= kinds[k].share {
			u -= kinds[k].share
			k++
		}
		c := kinds[k]
		labels = append(labels, int32(k))
		for j, v := range []float64{
			max(0, float64(int(c.recency*(0.25+1.5*r.Float64())))), float64(1 + int(exp(c.frequency+0.4*r.NormFloat64()))),
			float64(int(100*exp(c.money+0.6*r.NormFloat64()))) / 100, max(18, float64(int(c.age+9*r.NormFloat64()))), max(8000, c.income*(1+0.25*r.NormFloat64())),
		} {
			b.Numeric[j] = append(b.Numeric[j], v)
		}
		gender[i], education[i] = pick(r, c.women, "female", "male"), pick(r, c.postgraduate, "postgraduate", pickName(r))
	}
	for _, column := range [][][]byte{gender, education} {
		b.Text = append(b.Text, feature.TextColumn{At: func(i int) []byte { return column[i] }})
	}
	return labels, b
}

func pick(r *rand.Rand, share float64, a, b string) []byte {
	if r.Float64() < share {
		return []byte(a)
	}
	return []byte(b)
}

func pickName(r *rand.Rand) string { return []string{"school", "graduate"}[r.IntN(2)] }

func profiled(t testing.TB, n int) *Profile {
	t.Helper()
	labels, b := customers(n, 1)
	p := NewProfile(len(kinds), numericColumns, categoricalColumns)
	if err := p.Add(labels, b); err != nil {
		t.Fatal(err)
	}
	return p
}

func named(t testing.TB, n int) *Summary {
	t.Helper()
	s := profiled(t, n).Summary(nil, "")
	s.Rename(s.Names())
	return s
}

// fitted is a model with the customers' means as centroids.
func fitted(t testing.TB, n int) *model.Model {
	t.Helper()
	labels, b := customers(n, 1)
	spec := &feature.Spec{Numeric: numericColumns, Categorical: categoricalColumns, Log1p: []string{"frequency", "monetary"},
		Scale: feature.Standard, Missing: feature.Fail}
	statistics := feature.NewStatistics(spec)
	if err := statistics.Add(b); err != nil {
		t.Fatal(err)
	}
	transform, err := feature.Fit(spec, statistics, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := transform.Width()
	points := make([][]float32, d)
	for j := range points {
		points[j] = make([]float32, n)
	}
	keep := make([]bool, n)
	if _, err := transform.Apply(b, points, keep); err != nil {
		t.Fatal(err)
	}
	k := len(kinds)
	m := &model.Model{K: k, Metric: model.Euclidean, Transform: transform, Centroids: make([]float32, k*d), Counts: make([]int64, k),
		Rows: int64(n), Inertia: 18342.52, Iterations: 14, Converged: true, Segments: model.NewSegments(k),
		Origin: model.Origin{Coterie: "0.1.0", Arithmetic: "1", Created: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), Seed: 42,
			Init: "k-means-parallel", Runs: 1, Tolerance: 1e-4, Algorithm: "auto", Sources: []string{"customers.parquet"}}}
	for _, l := range labels {
		m.Counts[l]++
	}
	for j := range d {
		for i, l := range labels {
			m.Centroids[int(l)*d+j] += points[j][i] / float32(m.Counts[l])
		}
	}
	return m
}

func examplePage(t testing.TB, n int) *Page {
	t.Helper()
	labels, b := customers(n, 1)
	s := named(t, n)
	x, y, ok := s.Axes()
	if !ok {
		t.Fatal("no axes")
	}
	scatter := &Scatter{XName: s.Columns[x].Name, YName: s.Columns[y].Name}
	for i := range min(n, 4000) {
		scatter.Points = append(scatter.Points, [2]float64{b.Numeric[x][i], b.Numeric[y][i]})
		scatter.Labels = append(scatter.Labels, labels[i])
	}
	return &Page{Title: "Customer segments", Generated: "1 July 2026", Summary: s, Model: fitted(t, n), Scatter: scatter}
}

// wide is a Summary of k segments and d unrelated columns.
func wide(k, d int) *Summary {
	r := rand.New(rand.NewPCG(3, 4))
	var names []string
	b := &feature.Batch{Rows: 3 * k}
	labels := make([]int32, b.Rows)
	for i := range labels {
		labels[i] = int32(i % k)
	}
	for j := range d {
		names = append(names, fmt.Sprintf("x%d", j))
		column := make([]float64, b.Rows)
		for i := range column {
			column[i] = r.NormFloat64()
		}
		b.Numeric = append(b.Numeric, column)
	}
	p := NewProfile(k, names, nil)
	if err := p.Add(labels, b); err != nil {
		panic(err)
	}
	s := p.Summary(nil, "")
	s.Rename(s.Names())
	return s
}
