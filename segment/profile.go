package segment

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/model"
)

// Limits of a Profile: an exact sum takes two kilobytes, and there are two for each segment and numeric column.
const (
	maxProfileSums   = 1 << 20
	maxProfileLevels = feature.MaxLevels // different values of one categorical column
)

// Profile is exact counts and sums of labelled rows, for each segment. Profiles of parts of the rows can be merged in
// any order and grouping, and give the same bits. Its size does not depend on the number of rows. One is for one
// goroutine at a time.
type Profile struct {
	numeric, categorical []string
	counts               []int64
	moments              []exact.Moments     // k×len(numeric), row-major; nil until rows come
	levels               []map[string]*int64 // k×len(categorical), row-major: rows by text
	spreads              *sketches           // k×len(numeric), row-major; nil: not asked for

	order  []int32 // row numbers of a batch, segment by segment
	starts []int   // where a segment's rows begin in order
	values []float64
}

// NewProfile is an empty Profile of k segments. numeric and categorical name the columns of the batches to come; they
// need not be the features of the fit.
func NewProfile(k int, numeric, categorical []string) *Profile {
	return &Profile{
		numeric: slices.Clone(numeric), categorical: slices.Clone(categorical),
		counts: make([]int64, k), levels: make([]map[string]*int64, k*len(categorical)), starts: make([]int, k+1),
	}
}

// Add counts the rows of a batch; labels[i] is the segment of row i, and a negative one, as well as b.Skip, leaves a row
// out. Missing values count as rows, but enter no mean. The error is of kind Input: a label that is no segment, a
// column of too many levels.
func (p *Profile) Add(labels []int32, b *feature.Batch) error {
	if n := len(p.counts) * len(p.numeric); n > maxProfileSums {
		return fault.Inputf(fault.Place{Row: fault.NoRow}, "a profile of %d segments by %d columns would need %d exact sums, at most %d are allowed",
			len(p.counts), len(p.numeric), n, maxProfileSums).Do("profile fewer columns")
	}
	if p.moments == nil {
		p.moments = make([]exact.Moments, len(p.counts)*len(p.numeric))
	}
	if err := p.sort(labels, b); err != nil {
		return err
	}
	for s := range p.counts {
		rows := p.order[p.starts[s]:p.starts[s+1]]
		if len(rows) == 0 {
			continue
		}
		p.counts[s] += int64(len(rows))
		for j := range p.numeric {
			values := p.gather(b, j, rows)
			p.moments[s*len(p.numeric)+j].AddSlice(values)
			if p.spreads != nil {
				p.spreads.add(s*len(p.numeric)+j, values)
			}
		}
		for c := range p.categorical {
			if err := p.addLevels(s, c, &b.Text[c], rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// sort puts the row numbers in the order of their segments, so that each sum takes its values in one go.
func (p *Profile) sort(labels []int32, b *feature.Batch) error {
	k := len(p.counts)
	clear(p.starts)
	counted := func(i int) bool { return labels[i] >= 0 && (b.Skip == nil || !b.Skip[i]) }
	for i := range b.Rows {
		if !counted(i) {
			continue
		}
		if int(labels[i]) >= k {
			return fault.Inputf(fault.Place{Row: int64(i)}, "the label %d is not one of %d segments", labels[i], k).
				Do("use labels and model of the same fit")
		}
		p.starts[labels[i]+1]++
	}
	for s := range k {
		p.starts[s+1] += p.starts[s]
	}
	p.order = slices.Grow(p.order[:0], p.starts[k])[:p.starts[k]]
	next := slices.Clone(p.starts)
	for i := range b.Rows {
		if counted(i) {
			p.order[next[labels[i]]] = int32(i)
			next[labels[i]]++
		}
	}
	return nil
}

// gather is the finite values of numeric column j in the given rows; infinities are bad values, never numbers.
func (p *Profile) gather(b *feature.Batch, j int, rows []int32) []float64 {
	p.values = p.values[:0]
	for _, i := range rows {
		var v float64
		if j < len(b.Numeric32) && b.Numeric32[j] != nil {
			v = float64(b.Numeric32[j][i])
		} else {
			v = b.Numeric[j][i]
		}
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			p.values = append(p.values, v)
		}
	}
	return p.values
}

func (p *Profile) addLevels(s, c int, text *feature.TextColumn, rows []int32) error {
	at := s*len(p.categorical) + c
	if p.levels[at] == nil {
		p.levels[at] = make(map[string]*int64)
	}
	for _, i := range rows {
		if text.Missing == nil || !text.Missing(int(i)) {
			p.addLevel(at, text.At(int(i)), 1)
		}
	}
	return p.checkLevels(at)
}

// addLevel counts rows of a level; looking up one that is known makes no copy of its text.
func (p *Profile) addLevel(at int, text []byte, rows int64) {
	if n := p.levels[at][string(text)]; n != nil {
		*n += rows
		return
	}
	first := rows // rows itself would be allocated in every call
	p.levels[at][string(text)] = &first
}

func (p *Profile) checkLevels(at int) error {
	if len(p.levels[at]) <= maxProfileLevels {
		return nil
	}
	return fault.Inputf(fault.Place{Row: fault.NoRow, Column: p.categorical[at%len(p.categorical)]},
		"more than %d different values in a categorical column", maxProfileLevels).Do("leave the column out of the profile")
}

// Merge adds the rows of o, a Profile of the same segments and columns; o stays as it is.
func (p *Profile) Merge(o *Profile) error {
	if len(p.counts) != len(o.counts) || !slices.Equal(p.numeric, o.numeric) || !slices.Equal(p.categorical, o.categorical) {
		return fmt.Errorf("profiles of %d and %d segments, columns %q %q and %q %q, cannot be merged",
			len(p.counts), len(o.counts), p.numeric, p.categorical, o.numeric, o.categorical)
	}
	for s, n := range o.counts {
		p.counts[s] += n
	}
	if p.spreads != nil && o.spreads != nil {
		p.spreads.merge(o.spreads)
	}
	if o.moments != nil && p.moments == nil {
		p.moments = make([]exact.Moments, len(o.moments))
	}
	for i := range o.moments {
		p.moments[i].Merge(&o.moments[i])
	}
	for at, levels := range o.levels {
		if len(levels) > 0 && p.levels[at] == nil {
			p.levels[at] = make(map[string]*int64, len(levels))
		}
		for level, n := range levels {
			p.addLevel(at, []byte(level), *n)
		}
		if err := p.checkLevels(at); err != nil {
			return err
		}
	}
	return nil
}

// Summary is means, spreads, effects and value shares of what was counted. segments gives ids and names, nil for none;
// value names the column that holds what a customer is worth, "" for DefaultValue.
func (p *Profile) Summary(segments []model.Segment, value string) *Summary {
	if value == "" {
		value = DefaultValue(p.numeric)
	}
	s := newSummary(p.counts, segments)
	s.Measured = true
	s.Value = slices.Index(p.numeric, value)
	k, total, worth := len(p.counts), 0.0, make([]float64, len(p.counts))
	bases, parts := make([]exact.Moments, len(p.numeric)), make([][]exact.Moments, len(p.numeric))
	for j, name := range p.numeric {
		s.Columns = append(s.Columns, Column{Name: name, Input: name})
		var base exact.Moments
		each := make([]exact.Moments, k)
		for i := range p.moments[:min(len(p.moments), k)] {
			each[i] = p.moments[i*len(p.numeric)+j]
			base.Merge(&each[i])
		}
		s.addNumeric(&base, each)
		bases[j], parts[j] = base, each
		if j == s.Value {
			total = base.Sum.Float64()
			for i := range each {
				worth[i] = each[i].Sum.Float64()
			}
		}
	}
	for c, name := range p.categorical {
		for _, level := range p.allLevels(c) {
			s.Columns = append(s.Columns, Column{Name: name + "=" + level, Input: name, Level: level, Share: true})
			s.addShare(func(i int) int64 { return p.rowsOf(i, c, level) })
		}
	}
	s.setValueShares(total, worth)
	p.summarise(s, bases, parts)
	return s
}

// rowsOf is the rows of segment i at a level of categorical column c.
func (p *Profile) rowsOf(i, c int, level string) int64 {
	if n := p.levels[i*len(p.categorical)+c][level]; n != nil {
		return *n
	}
	return 0
}

// allLevels is every value of a categorical column, in any segment, sorted bytewise.
func (p *Profile) allLevels(c int) []string {
	all := map[string]bool{}
	for i := range p.counts {
		for level := range p.levels[i*len(p.categorical)+c] {
			all[level] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// newSummary is a Summary with sizes and names, and without columns.
func newSummary(counts []int64, segments []model.Segment) *Summary {
	s := &Summary{Base: Group{Index: -1}, Segments: make([]Group, len(counts)), Value: -1}
	for _, n := range counts {
		s.Base.Count += n
	}
	for i, n := range counts {
		g := &s.Segments[i]
		g.Index, g.Count = i, n
		if i < len(segments) {
			g.ID, g.Name = segments[i].ID, segments[i].Name
		}
		if s.Base.Count > 0 {
			g.Share = float64(n) / float64(s.Base.Count)
			s.Base.Share = 1
		}
	}
	return s
}

// addNumeric appends the figures of one numeric column.
func (s *Summary) addNumeric(base *exact.Moments, each []exact.Moments) {
	mean, std := momentsOf(base)
	s.Base.append(mean, std, 0)
	for i := range s.Segments {
		m, d := momentsOf(&each[i])
		s.Segments[i].append(m, d, effect(m, mean, std))
	}
}

// addShare appends the figures of one level, of which a segment has count(i) rows.
func (s *Summary) addShare(count func(i int) int64) {
	var total int64
	for i := range s.Segments {
		total += count(i)
	}
	mean, std := shareOf(total, s.Base.Count)
	s.Base.append(mean, std, 0)
	for i := range s.Segments {
		m, d := shareOf(count(i), s.Segments[i].Count)
		s.Segments[i].append(m, d, effect(m, mean, std))
	}
}

func (g *Group) append(mean, std, effect float64) {
	g.Mean, g.Std, g.Effect = append(g.Mean, mean), append(g.Std, std), append(g.Effect, effect)
}

func momentsOf(m *exact.Moments) (mean, std float64) {
	if m.N == 0 {
		return math.NaN(), math.NaN()
	}
	return m.Mean(), m.StdDev()
}

// shareOf is the mean and standard deviation of n ones among rows zeros and ones.
func shareOf(n, rows int64) (mean, std float64) {
	if rows == 0 {
		return math.NaN(), math.NaN()
	}
	mean = float64(n) / float64(rows)
	return mean, math.Sqrt(mean * (float64(rows-n) / float64(rows)))
}

// effect is the distance from the base in units of spread; NaN where there is no spread to measure by.
func effect(mean, base, spread float64) float64 {
	if !(spread > 0) {
		return math.NaN()
	}
	return (mean - base) / spread
}
