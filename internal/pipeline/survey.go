package pipeline

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// mostLevels is how many levels of a text column are counted.
const mostLevels = 10000

// survey reads all columns twice: first for means, then for what is relative to them. Its sums are exact, so that
// what it says does not depend on threads.
type survey struct {
	source dataset.Source
	input  *wire.Input
	fields []dataset.Field
	whole  surveyPart
	mean   []float64 // by column, known after the first pass
	std    []float64
	sample surveySample
}

// surveyPart is the mergeable figures.
type surveyPart struct {
	columns  []columnFigures
	bad      int64
	firstBad *dataset.BadRow
	firstRow int64
}

type columnFigures struct {
	missing  int64
	moments  exact.Moments
	scaled   exact.Moments // after log1p where the feature has it
	cubes    exact.Sum     // Σ ((x − mean) / std)³
	outliers int64
	levels   map[string]*int64 // rows by text; mostLevels of them at most, and then not all rows are counted
}

// counts are the rows of each level; nil if there are too many levels to count them.
func (c *columnFigures) counts() map[string]int64 {
	if len(c.levels) >= mostLevels {
		return nil
	}
	counts := make(map[string]int64, len(c.levels))
	for level, rows := range c.levels {
		counts[level] = *rows
	}
	return counts
}

func newSurvey(s dataset.Source, in *wire.Input) *survey {
	v := &survey{source: s, input: in}
	for i, c := range s.Schema().Columns {
		if c.Unusable != "" {
			continue
		}
		as := dataset.AsText
		if c.Kind == dataset.Number {
			as = dataset.AsNumber
		}
		v.fields = append(v.fields, dataset.Field{Column: i, As: as})
	}
	v.whole = v.part()
	return v
}

func (s *survey) part() surveyPart {
	p := surveyPart{columns: make([]columnFigures, len(s.source.Schema().Columns))}
	for i := range p.columns {
		p.columns[i].levels = make(map[string]*int64)
	}
	return p
}

func (s *survey) isFeature(name string) bool {
	return slices.Contains(s.input.Spec.Numeric, name) || slices.Contains(s.input.Spec.Categorical, name)
}

func (s *survey) hasLog(name string) bool { return slices.Contains(s.input.Spec.Log1p, name) }

// read makes both passes and takes the sample.
func (s *survey) read(ctx context.Context, e *Engine) error {
	e.Reporter.Phase("read", s.source.Rows())
	err := s.pass(ctx, e, (*surveyPart).first)
	if err != nil {
		return err
	}
	for i := range s.whole.columns {
		mean, std := 0.0, 0.0
		if m := &s.whole.columns[i].moments; m.N > 0 {
			mean, std = m.Mean(), m.StdDev()
		}
		s.mean, s.std = append(s.mean, mean), append(s.std, std)
	}
	e.Reporter.Phase("read again", s.source.Rows())
	if err = s.pass(ctx, e, (*surveyPart).second); err != nil {
		return err
	}
	s.sample, err = s.takeSample(ctx)
	return err
}

// pass reads all rows in pieces, on all threads.
func (s *survey) pass(ctx context.Context, e *Engine, visit func(*surveyPart, *survey, *dataset.Block)) error {
	manifest, err := cut(s.source, s.input)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	return eachPartition(ctx, manifest, e.threads(), func(ctx context.Context, p partition.Partition) error {
		part := s.part()
		err := readRows(ctx, s.source, p, s.fields, func(b *dataset.Block) error {
			visit(&part, s, b)
			e.Reporter.Add(int64(b.Rows))
			return nil
		})
		mu.Lock()
		defer mu.Unlock()
		s.whole.merge(&part)
		return err
	})
}

func (p *surveyPart) merge(o *surveyPart) {
	if o.firstBad != nil && (p.firstBad == nil || o.firstRow < p.firstRow) {
		p.firstBad, p.firstRow = o.firstBad, o.firstRow
	}
	p.bad += o.bad
	for i := range p.columns {
		a, b := &p.columns[i], &o.columns[i]
		a.missing += b.missing
		a.moments.Merge(&b.moments)
		a.scaled.Merge(&b.scaled)
		a.cubes.Merge(&b.cubes)
		a.outliers += b.outliers
		for level, rows := range b.levels {
			a.add([]byte(level), *rows)
		}
	}
}

// add counts rows of a level, unless there are too many levels already. Looking one up makes no copy of its text; of texts
// that are too long for a level only the beginning is told apart.
func (c *columnFigures) add(text []byte, rows int64) {
	text = text[:min(len(text), feature.MaxLevelText)]
	if n := c.levels[string(text)]; n != nil {
		*n += rows
	} else if len(c.levels) < mostLevels {
		first := rows // the parameter's own address would cost an allocation in every call
		c.levels[string(text)] = &first
	}
}

// badRows are the rows of a block that cannot be read.
func badRows(b *dataset.Block) map[int]bool {
	bad := make(map[int]bool, len(b.Bad))
	for i := range b.Bad {
		bad[b.Bad[i].Index] = true
	}
	return bad
}

// first counts what is missing and bad, and gathers the moments.
func (p *surveyPart) first(s *survey, b *dataset.Block) {
	p.bad += int64(len(b.Bad))
	bad := badRows(b)
	for i := range b.Bad {
		if p.firstBad == nil {
			one := b.Bad[i]
			p.firstBad, p.firstRow = &one, b.First+int64(one.Index)
		}
	}
	var kept, logs []float64
	for f := range b.Columns {
		column := &p.columns[s.fields[f].Column]
		v := &b.Columns[f]
		if v.Text.Offsets != nil {
			column.texts(v, b.Rows, bad)
			continue
		}
		log := s.hasLog(s.source.Schema().Columns[s.fields[f].Column].Name)
		kept, logs = kept[:0], logs[:0]
		for i := range b.Rows {
			x := numberAt(v, i)
			switch {
			case bad[i], math.IsInf(x, 0):
			case x != x:
				column.missing++
			default:
				kept = append(kept, x)
				if log && x > -1 {
					logs = append(logs, exact.Log1p(x))
				}
			}
		}
		column.moments.AddSlice(kept)
		if log {
			column.scaled.AddSlice(logs)
		} else {
			column.scaled.AddSlice(kept)
		}
	}
}

func (c *columnFigures) texts(v *dataset.Vector, rows int, bad map[int]bool) {
	for i := range rows {
		switch {
		case bad[i]:
		case v.Missing != nil && v.Missing[i] || len(v.Text.At(i)) == 0:
			c.missing++
		default:
			c.add(v.Text.At(i), 1)
		}
	}
}

// second gathers what is relative to mean and standard deviation.
func (p *surveyPart) second(s *survey, b *dataset.Block) {
	for f := range b.Columns {
		at := s.fields[f].Column
		mean, std := s.mean[at], s.std[at]
		if b.Columns[f].Text.Offsets != nil || std == 0 {
			continue
		}
		column := &p.columns[at]
		for i := range b.Rows {
			z := (numberAt(&b.Columns[f], i) - mean) / std
			if z != z || math.IsInf(z, 0) {
				continue
			}
			column.cubes.Add(float64(float64(z*z) * z))
			if math.Abs(z) > outlierSigmas {
				column.outliers++
			}
		}
	}
}
