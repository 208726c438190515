package segment

import (
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"

	"github.com/coterie-project/coterie/internal/exact"
)

// Quartiles and histograms come from sketches with fixed buckets, so that merging gives the same in any order (C. Masson,
// J. Rim, H. Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019).
const (
	// SpreadError is the relative error of a quartile, at most.
	SpreadError = 0.005
	// spreadBins bounds the buckets of a sketch, for values above and below zero each. Smaller values than those of the
	// largest 2,048 buckets, some nine decades below the largest value, share one.
	spreadBins = 2048
	// maxSpreads bounds the sketches, one for each segment and numeric column: 512 MiB at most, where values lie that far
	// apart. Beyond it a Profile has no quartiles and histograms.
	maxSpreads = 1 << 14
	// histogramBins is how many bars a histogram has at most.
	histogramBins = 18
)

// spreads are the sketches of a Profile: k×len(numeric), row-major.
type spreads []*ddsketch.DDSketch

// KeepSpreads has the Profile keep quartiles and histograms too, from the rows that are added afterwards. It does nothing
// where there are too many segments and columns.
func (p *Profile) KeepSpreads() {
	if n := len(p.counts) * len(p.numeric); n > 0 && n <= maxSpreads {
		p.spreads = make(spreads, n)
	}
}

func newSpread() *ddsketch.DDSketch {
	buckets, err := mapping.NewLinearlyInterpolatedMapping(SpreadError)
	if err != nil {
		panic(err) // SpreadError is not between 0 and 1
	}
	return ddsketch.NewDDSketch(buckets, store.NewCollapsingLowestDenseStore(spreadBins), store.NewCollapsingLowestDenseStore(spreadBins))
}

// add counts finite values.
func (s spreads) add(at int, values []float64) {
	if s == nil || len(values) == 0 {
		return
	}
	if s[at] == nil {
		s[at] = newSpread()
	}
	most := s[at].IndexMapping.MaxIndexableValue()
	for _, v := range values {
		// It fails for values that have no bucket only, and none is left.
		_ = s[at].Add(max(-most, min(v, most)))
	}
}

func (s spreads) merge(o spreads) error {
	if len(s) != len(o) {
		return nil // one of them was not asked for any
	}
	for at := range o {
		switch {
		case o[at] == nil:
			continue
		case s[at] == nil:
			s[at] = newSpread()
		}
		if err := s[at].MergeWith(o[at]); err != nil {
			return err
		}
	}
	return nil
}

// of is the sketches of a numeric column by segment, and that of all segments.
func (s spreads) of(column, columns int) (each []*ddsketch.DDSketch, base *ddsketch.DDSketch) {
	base = newSpread()
	for at := column; at < len(s); at += columns {
		each = append(each, s[at])
		if s[at] != nil {
			_ = base.MergeWith(s[at]) // both have the same buckets
		}
	}
	return each, base
}

// summarise fills in the quartiles of a Summary and its histograms.
func (p *Profile) summarise(s *Summary, bases []exact.Moments, each [][]exact.Moments) {
	if p.spreads == nil {
		return
	}
	s.Histograms = make([]Histogram, len(s.Columns))
	groups := append([]*Group{&s.Base}, pointers(s.Segments)...)
	for _, g := range groups {
		g.Q1, g.Median, g.Q3 = nans(len(s.Columns)), nans(len(s.Columns)), nans(len(s.Columns))
	}
	for j := range p.numeric {
		own, base := p.spreads.of(j, len(p.numeric))
		s.Base.quartiles(j, base, &bases[j])
		for i := range own {
			s.Segments[i].quartiles(j, own[i], &each[j][i])
		}
		s.Histograms[j] = histogramOf(base, own, &bases[j])
	}
}

func pointers(list []Group) []*Group {
	out := make([]*Group, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

func nans(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

// quartiles takes a column's from its sketch. A bucket may reach beyond what there is: the exact ends are known.
func (g *Group) quartiles(j int, s *ddsketch.DDSketch, m *exact.Moments) {
	if s == nil || s.IsEmpty() || m.N == 0 {
		return
	}
	for _, q := range []struct {
		at float64
		to []float64
	}{{0.25, g.Q1}, {0.5, g.Median}, {0.75, g.Q3}} {
		if v, err := s.GetValueAtQuantile(q.at); err == nil {
			q.to[j] = tidy(max(m.Min, min(v, m.Max)))
		}
	}
}

// tidy rounds what stands for a bucket to four digits where that stays within the bucket's error: 37 rather than 36.9871.
func tidy(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) {
		return v
	}
	if whole := math.Round(v); math.Abs(whole-v) <= SpreadError*math.Abs(v) && whole != 0 {
		return whole
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-3)
	if unit == 0 || math.IsInf(v/unit, 0) {
		return v
	}
	return math.Round(v/unit) * unit
}

// histogramOf counts the buckets of all and of each segment in bins that a person can read.
func histogramOf(base *ddsketch.DDSketch, each []*ddsketch.DDSketch, m *exact.Moments) Histogram {
	if base.IsEmpty() || m.N == 0 || m.Min == m.Max {
		return Histogram{}
	}
	h := Histogram{Edges: readableEdges(base, m)}
	bins := len(h.Edges) - 1
	h.Base = h.count(base, bins, m)
	for _, s := range each {
		h.Segments = append(h.Segments, h.count(s, bins, m))
	}
	return h
}

func (h *Histogram) count(s *ddsketch.DDSketch, bins int, m *exact.Moments) []int64 {
	counts := make([]int64, bins)
	if s == nil {
		return counts
	}
	s.ForEach(func(v, n float64) bool {
		v = tidy(max(m.Min, min(v, m.Max)))
		at := 0
		for at+1 < bins && v >= h.Edges[at+1] {
			at++
		}
		counts[at] += int64(n)
		return false
	})
	return counts
}

// readableEdges cuts what lies between the 1st and the 99th percentile at readable numbers: evenly, or, where values
// spread over decades, at 1, 2, 5, 10, …; the first and the last bin take the rest.
func readableEdges(base *ddsketch.DDSketch, m *exact.Moments) []float64 {
	quantile := func(q float64) float64 {
		v, err := base.GetValueAtQuantile(q)
		if err != nil {
			return m.Min
		}
		return max(m.Min, min(v, m.Max))
	}
	low, middle, high := quantile(0.01), quantile(0.5), quantile(0.99)
	inner := evenly(low, high)
	if low >= 0 && middle > 0 && high > 10*middle {
		inner = byDecades(max(low, middle/1000), high)
	}
	edges := []float64{m.Min}
	for _, e := range inner {
		if e > edges[len(edges)-1] && e < m.Max && len(edges) < histogramBins {
			edges = append(edges, e)
		}
	}
	return append(edges, m.Max)
}

// evenly is multiples of a readable step between low and high.
func evenly(low, high float64) []float64 {
	if !(high > low) || math.IsInf(high-low, 0) {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/(histogramBins-2))))
	for _, f := range []float64{1, 2, 5, 10} {
		if (high-low)/(f*step) <= histogramBins-2 {
			step *= f
			break
		}
	}
	var edges []float64
	for n := math.Ceil(low / step); n*step <= high && len(edges) < histogramBins; n++ {
		edges = append(edges, n*step)
	}
	return edges
}

// byDecades is 1, 2 and 5 times powers of ten between low and high, or powers of ten alone where those are too many.
func byDecades(low, high float64) []float64 {
	for _, digits := range [][]float64{{1, 2, 5}, {1, 3}, {1}} {
		var edges []float64
		for e := math.Floor(math.Log10(low)); e <= math.Log10(high); e++ {
			for _, d := range digits {
				if v := d * math.Pow(10, e); v >= low && v <= high {
					edges = append(edges, v)
				}
			}
		}
		if len(edges) <= histogramBins-2 {
			return edges
		}
	}
	return evenly(low, high)
}
