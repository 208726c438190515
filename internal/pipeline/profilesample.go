package pipeline

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/segment"
	"github.com/coterie-project/coterie/worker"
)

const (
	// profileSample is how many rows rules and the grid of recency and frequency are made from, give or take a few. With
	// more than 100 columns there are fewer: profileCells bounds the memory.
	profileSample = 20000
	profileCells  = 2 << 20
	// profileExamples is how many customers are named for a segment.
	profileExamples = 5
	// purposeProfile tells the draws of this sample from those of fits.
	purposeProfile = 64
)

// sampling decides by a row's number alone whether it is in the sample, and which of those are on the maps.
type sampling struct{ all, mapped uint64 } // a row is, if its draw of 32 bits is below

func newSampling(rows int64, columns int) sampling {
	share := func(most int64) uint64 {
		if rows <= most {
			return 1 << 32
		}
		return uint64(float64(most) / float64(rows) * (1 << 32))
	}
	most := min(profileSample, profileCells/int64(columns))
	return sampling{share(most), share(min(most, scatterRows))}
}

// profileRows are rows of the sample, in row order.
type profileRows struct {
	segment.Sample
	mapped []int     // positions of those that are on the maps
	points []float32 // theirs, n×d row-major
}

// sampled keeps the rows of a block that are in the sample.
func (s *profileScan) sampled(r *worker.Rows) {
	o := s.rows
	if o.Numeric == nil {
		o.Numeric, o.Categorical = make([][]float64, len(s.numeric)), make([][]string, len(s.categorical))
	}
	quad, words := uint64(math.MaxUint64), [4]uint32{}
	for i := range r.Rows {
		row := uint64(r.First) + uint64(i)
		if row/4 != quad {
			quad = row / 4
			words = exact.Draw4(0, purposeProfile, 0, quad)
		}
		draw := uint64(words[row%4])
		if draw >= s.sampling.all || s.labels[i] < 0 {
			continue
		}
		for j := range s.numeric {
			o.Numeric[j] = append(o.Numeric[j], s.numberAt(j, i))
		}
		for c := range s.categorical {
			text := ""
			if t := &r.Text[c]; t.Missing == nil || !t.Missing(i) {
				bytes := t.At(i)
				text = string(bytes[:min(len(bytes), feature.MaxLevelText)])
			}
			o.Categorical[c] = append(o.Categorical[c], text)
		}
		if draw < s.sampling.mapped {
			o.mapped = append(o.mapped, len(o.Labels))
			for t := range s.columns {
				o.points = append(o.points, s.columns[t][i])
			}
		}
		o.Labels = append(o.Labels, s.labels[i])
	}
}

// numberAt is row i's number in a numeric column.
func (s *profileScan) numberAt(j, i int) float64 {
	if x := s.batch.Numeric32[j]; x != nil {
		return float64(x[i])
	}
	return s.batch.Numeric[j][i]
}

// sample is all rows of the sample.
func (p *profiling) sample() *profileRows {
	if p.gathered != nil {
		return p.gathered
	}
	all := &profileRows{Sample: segment.Sample{Numeric: make([][]float64, len(p.numeric)), Categorical: make([][]string, len(p.categorical))}}
	for i := range p.samples {
		rows := &p.samples[i]
		for _, at := range rows.mapped {
			all.mapped = append(all.mapped, len(all.Labels)+at)
		}
		for j := range rows.Numeric {
			all.Numeric[j] = append(all.Numeric[j], rows.Numeric[j]...)
		}
		for c := range rows.Categorical {
			all.Categorical[c] = append(all.Categorical[c], rows.Categorical[c]...)
		}
		all.Labels, all.points = append(all.Labels, rows.Labels...), append(all.points, rows.points...)
	}
	p.gathered = all
	return all
}

// examples are the customers nearest to the centre of each segment, the nearest first, equals by row.
type examples [][]example

type example struct {
	squared float32
	row     int64
	id      string
}

func compareExamples(a, b example) int {
	return cmp.Or(cmp.Compare(a.squared, b.squared), cmp.Compare(a.row, b.row))
}

// admits says whether a row at such a distance would be among the nearest.
func (e examples) admits(segment int, x example) bool {
	list := e[segment]
	return len(list) < profileExamples || compareExamples(x, list[len(list)-1]) < 0
}

func (e examples) offer(segment int, x example) {
	if !e.admits(segment, x) {
		return
	}
	at, _ := slices.BinarySearchFunc(e[segment], x, compareExamples)
	list := slices.Insert(e[segment], at, x)
	e[segment] = list[:min(len(list), profileExamples)]
}

// example offers row i; its id is looked at only if it is wanted.
func (s *profileScan) example(r *worker.Rows, i int) {
	x := example{squared: s.squared[i], row: r.First + int64(i)}
	if !s.part.examples.admits(int(s.labels[i]), x) {
		return
	}
	x.id = strconv.FormatInt(x.row, 10)
	if r.IDs != nil {
		x.id = string(appendID(nil, r.IDs, i))
	}
	s.part.examples.offer(int(s.labels[i]), x)
}

// list is the examples with distances as labels have them.
func (e examples) list(m *model.Model) [][]segment.Example {
	out := make([][]segment.Example, len(e))
	for s := range e {
		for _, x := range e[s] {
			d := math.Sqrt(float64(x.squared))
			if m.Metric == model.Cosine {
				d = float64(x.squared / 2)
			}
			out[s] = append(out[s], segment.Example{ID: x.id, Distance: d})
		}
	}
	return out
}
