package segment

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/internal/exact"
)

// SpreadError is the relative error of a quartile, at most, as long as the buckets need not become coarser; each time that
// they do, it doubles. Magnitudes below 1e-305 are as good as 0.
const SpreadError = 1.0 / (1 << bucketBits)

// Histograms have about histogramBins bars where they are cut evenly, and mostEdges edges at most where they are not.
const (
	histogramBins = 20
	mostEdges     = 25 // eight decades
)

// KeepSpreads has the Profile keep quartiles and histograms too, from the rows that are added afterwards. It does nothing
// where there are more than 65,536 segments times numeric columns.
func (p *Profile) KeepSpreads() {
	if n := len(p.counts) * len(p.numeric); n > 0 && n <= maxSpreads {
		p.spreads = newSketches(n)
	}
}

// summarise fills in the quartiles of a Summary and its histograms.
func (p *Profile) summarise(s *Summary, bases []exact.Moments, each [][]exact.Moments) {
	if p.spreads == nil {
		return
	}
	s.Histograms = make([]Histogram, len(s.Columns))
	s.Base.Q1, s.Base.Median, s.Base.Q3 = nans(len(s.Columns)), nans(len(s.Columns)), nans(len(s.Columns))
	for i := range s.Segments {
		g := &s.Segments[i]
		g.Q1, g.Median, g.Q3 = nans(len(s.Columns)), nans(len(s.Columns)), nans(len(s.Columns))
	}
	for j := range p.numeric {
		var at []int
		for i := range p.counts {
			at = append(at, i*len(p.numeric)+j)
		}
		base := p.spreads.together(at)
		s.Base.quartiles(j, base, &bases[j])
		h := &s.Histograms[j]
		if h.Edges = readableEdges(base, &bases[j]); h.Edges != nil {
			h.Base = h.count(base)
		}
		for i := range p.counts {
			own := p.spreads.counted(at[i])
			s.Segments[i].quartiles(j, own, &each[j][i])
			if h.Edges != nil {
				h.Segments = append(h.Segments, h.count(own))
			}
		}
	}
}

func nans(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

// quartiles takes a column's from its sketch. A bucket may reach beyond what there is: the exact ends are known.
func (g *Group) quartiles(j int, c *counted, m *exact.Moments) {
	for _, q := range []struct {
		share float64
		to    []float64
	}{{0.25, g.Q1}, {0.5, g.Median}, {0.75, g.Q3}} {
		if v := c.quantile(q.share); m.N > 0 && v == v {
			q.to[j] = max(m.Min, min(digits(v, 5), m.Max))
		}
	}
}

// digits rounds to so many significant digits, through text: the same on every processor.
func digits(x float64, n int) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', n-1, 64), 64)
	if err != nil {
		return x // beyond the largest number
	}
	return rounded
}

// count puts buckets into bins. What lies beyond the edges, by the width of a bucket, belongs to the bin at the end.
func (h *Histogram) count(c *counted) []int64 {
	counts := make([]int64, len(h.Edges)-1)
	at := 0
	for i, n := range c.n {
		for at+1 < len(counts) && c.value(i) >= h.Edges[at+1] {
			at++
		}
		counts[at] += n
	}
	return counts
}

// readableEdges cuts the values of a column at readable numbers: evenly, or at 1, 2, 5, 10, … where values above zero
// spread over decades. Nil where there is nothing to cut.
func readableEdges(base *counted, m *exact.Moments) []float64 {
	if m.N == 0 || m.Min == m.Max || base.total == 0 {
		return nil
	}
	low, middle, high := base.quantile(0.005), base.quantile(0.5), base.quantile(0.995)
	if m.Min >= 0 && high > 8*middle {
		return byDecades(base, m)
	}
	return evenly(low, high, base.whole(), m)
}

// whole says whether all values may be whole numbers.
func (c *counted) whole() bool {
	for i := range c.n {
		if v := c.value(i); v != math.Trunc(v) {
			return false
		}
	}
	return true
}

// evenly is multiples of a readable step from low to high; the first and the last bin reach as far as there are values.
func evenly(low, high float64, whole bool, m *exact.Moments) []float64 {
	if !(high > low) {
		low, high = m.Min, m.Max
	}
	step := readable((high/2 - low/2) / (histogramBins / 2))
	if whole {
		step = max(step, 1)
	}
	if !(step > 0) || math.IsInf(step, 0) || max(math.Abs(low), math.Abs(high))/step > 1<<44 {
		return []float64{m.Min, m.Max} // too close together, or too far apart, for steps
	}
	first, last := math.Floor(low/step), math.Floor(high/step)+1
	var edges []float64
	for n := first; n <= last; n++ {
		edges = append(edges, max(-math.MaxFloat64, min(digits(n*step, 15), math.MaxFloat64)))
	}
	edges[0] = min(edges[0], m.Min)
	edges[len(edges)-1] = max(edges[len(edges)-1], m.Max)
	return slices.Compact(edges)
}

// byDecades is 1, 2 and 5 times powers of ten, from where the values begin, but for the lowest hundredth, to where they
// end; what lies below is one bin from 0.
func byDecades(base *counted, m *exact.Moments) []float64 {
	low := base.positive().quantile(0.01)
	edges := []float64{readable(m.Max)}
	for len(edges) < mostEdges && edges[0] > low && edges[0] > m.Min {
		edges = append([]float64{below(edges[0])}, edges...)
	}
	if m.Min < edges[0] {
		edges = append([]float64{0}, edges...)
	}
	return edges
}

// positive is the buckets above zero.
func (c *counted) positive() *counted {
	p := &counted{}
	for i, n := range c.n {
		if c.high[i] > 0 {
			p.low, p.high, p.n, p.total = append(p.low, c.low[i]), append(p.high, c.high[i]), append(p.n, n), p.total+n
		}
	}
	return p
}

// ladder is the digits that readable numbers begin with.
var ladder = []float64{1, 2, 5}

// parts writes x > 0 as digit × 10^exponent with a digit of at least 1 and below 10.
func parts(x float64) (digit float64, exponent int) {
	text := strconv.FormatFloat(x, 'e', -1, 64)
	mantissa, power, _ := strings.Cut(text, "e")
	digit, _ = strconv.ParseFloat(mantissa, 64)
	exponent, _ = strconv.Atoi(power)
	return digit, exponent
}

func compose(digit float64, exponent int) float64 {
	x, err := strconv.ParseFloat(fmt.Sprintf("%ge%d", digit, exponent), 64)
	if err != nil {
		return math.MaxFloat64
	}
	return x
}

// readable is the least of 1, 2 and 5 times powers of ten that is not below x; 0 where x is not above 0.
func readable(x float64) float64 {
	if !(x > 0) {
		return 0
	}
	digit, exponent := parts(min(x, math.MaxFloat64))
	for _, d := range ladder {
		if digit <= d {
			return compose(d, exponent)
		}
	}
	return compose(1, exponent+1)
}

// below is the readable number before one.
func below(x float64) float64 {
	digit, exponent := parts(x)
	for i := len(ladder) - 1; i >= 0; i-- {
		if ladder[i] < digit {
			return compose(ladder[i], exponent)
		}
	}
	return compose(5, exponent-1)
}
