package segment

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/exact"
)

// maxDots bounds what a scatter draws, and with it the size of the page.
const maxDots = 6000

// Scatter is a picture of a sample of customers in two dimensions. The sample is the caller's; of more than 6,000 points
// evenly spaced ones are drawn.
type Scatter struct {
	XName, YName string       // headings of the axes: column names, or see Components
	Points       [][2]float64 // one entry for each customer of the sample
	Labels       []int32      // their segments; as long as Points
	// Loadings are the two directions of Components, one entry for each column of its points; nil in other scatters.
	Loadings [2][]float64
}

// Axes picks the two numeric columns for a Scatter: recency and monetary value where there are both, else the two in
// which the segments differ most. ok is false where there are fewer than two that differ.
func (s *Summary) Axes() (x, y int, ok bool) {
	if r, m := s.withRole(roleRecency), s.withRole(roleMonetary); r >= 0 && m >= 0 {
		return r, m, true
	}
	strength := make([]float64, len(s.Columns))
	var order []int
	for j, c := range s.Columns {
		for i := range s.Segments {
			if e := s.Segments[i].Effect[j]; !c.Share && !math.IsNaN(e) {
				strength[j] += float64(s.Segments[i].Share * float64(e*e))
			}
		}
		if strength[j] > 0 {
			order = append(order, j)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(strength[b], strength[a]) })
	if len(order) < 2 {
		return 0, 0, false
	}
	return min(order[0], order[1]), max(order[0], order[1]), true
}

// The drawing's size in SVG units, and the plot's place in it.
const (
	plotWidth, plotHeight = 640.0, 430.0
	plotLeft, plotRight   = 78.0, 18.0
	plotTop, plotBottom   = 14.0, 58.0
	badgeRadius           = 13.0
	maxHeading            = 40 // terminal cells of an axis' name, so that it is no longer than the axis on a telephone
)

// scatterView is what the template draws.
type scatterView struct {
	Width, Height            float64
	Left, Right, Top, Bottom float64 // the plot's edges
	MidX, MidY               float64
	XName, YName             string
	XTicks, YTicks           []tick
	Clouds                   []cloud
	Badges                   []badge
	Note                     string
	ID, Heading              string // among the maps of a page
	Aloud                    string // for those who cannot see it
}

type tick struct {
	At   float64
	Text string
}

// cloud is all dots of one segment in one path: ten bytes for a customer.
type cloud struct {
	Swatch int
	Path   string
}

type badge struct {
	X, Y          float64
	Index, Swatch int
	Name          string
}

// view places points, ticks and badges; nil where there is nothing to draw.
func (c *Scatter) view(s *Summary) *scatterView {
	points, labels := c.thinned(len(s.Segments))
	if len(points) < 2 {
		return nil
	}
	x, y := newAxis(points, 0), newAxis(points, 1)
	x.from, x.to = plotLeft, plotWidth-plotRight
	y.from, y.to = plotHeight-plotBottom, plotTop
	v := &scatterView{Width: plotWidth, Height: plotHeight, Left: plotLeft, Right: x.to, Top: plotTop, Bottom: y.from,
		MidX: (plotLeft + x.to) / 2, MidY: (plotTop + y.from) / 2,
		XName: x.heading(c.XName), YName: y.heading(c.YName), XTicks: x.ticks(), YTicks: y.ticks()}
	clouds := make([]strings.Builder, len(s.Segments))
	centers := make([][2]float64, len(s.Segments))
	counts := make([]float64, len(s.Segments))
	for i, p := range points {
		px, py, l := x.place(p[0]), y.place(p[1]), labels[i]
		fmt.Fprintf(&clouds[l], "M%s %sh0", short(px), short(py))
		centers[l][0] += px
		centers[l][1] += py
		counts[l]++
	}
	for _, i := range s.byCount() {
		if counts[i] == 0 {
			continue
		}
		v.Clouds = append(v.Clouds, cloud{swatch(i), clouds[i].String()})
		v.Badges = append(v.Badges, badge{centers[i][0] / counts[i], centers[i][1] / counts[i], i, swatch(i), fit(plain(s.Segments[i].Name), maxLabel)})
	}
	v.spread()
	v.Aloud = v.aloud()
	v.Note = fmt.Sprintf("A sample of %s customers.", count(int64(len(points))))
	if x.clipped || y.clipped {
		v.Note += " The few beyond the edges are drawn on them."
	}
	return v
}

// drawable leaves out what is not finite and what features cannot be.
func drawable(v float64) bool { return math.Abs(v) <= feature.MaxMagnitude }

// thinned is at most maxDots of the drawable points that have a segment.
func (c *Scatter) thinned(k int) (points [][2]float64, labels []int32) {
	for i, p := range c.Points {
		if i < len(c.Labels) && c.Labels[i] >= 0 && int(c.Labels[i]) < k && drawable(p[0]) && drawable(p[1]) {
			points, labels = append(points, p), append(labels, c.Labels[i])
		}
	}
	if len(points) <= maxDots {
		return points, labels
	}
	for i := range maxDots {
		from := i * len(points) / maxDots
		points[i], labels[i] = points[from], labels[from]
	}
	return points[:maxDots], labels[:maxDots]
}

// byCount gives the segments largest first, so that small clouds are drawn on top of large ones.
func (s *Summary) byCount() []int {
	order := make([]int, len(s.Segments))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.Segments[b].Count, s.Segments[a].Count) })
	return order
}

// spread pushes badges apart that cover each other, a little in each round, and keeps them in the plot.
func (v *scatterView) spread() {
	const rounds, apart = 60, 2*badgeRadius + 2
	for range rounds {
		for a := range v.Badges {
			for b := a + 1; b < len(v.Badges) && len(v.Badges) <= maxRows; b++ {
				p, q := &v.Badges[a], &v.Badges[b]
				dx, dy := q.X-p.X, q.Y-p.Y
				distance := math.Sqrt(float64(dx*dx) + float64(dy*dy))
				if distance >= apart {
					continue
				}
				if distance < 0.01 {
					dx, dy, distance = 1, 0, 1
				}
				push := (apart - min(distance, apart)) / 2 / distance
				dx, dy = float64(dx*push), float64(dy*push)
				p.X, p.Y, q.X, q.Y = p.X-dx, p.Y-dy, q.X+dx, q.Y+dy
			}
		}
		for i := range v.Badges {
			b := &v.Badges[i]
			b.X = tenth(max(v.Left+badgeRadius, min(b.X, v.Right-badgeRadius)))
			b.Y = tenth(max(v.Top+badgeRadius, min(b.Y, v.Bottom-badgeRadius)))
		}
	}
}

// axis leads values to places on the page, by way of a logarithm where a few large values would press all others
// into a corner.
type axis struct {
	low, high float64 // of the values drawn, after the logarithm
	log       bool
	clipped   bool
	from, to  float64 // on the page
}

func newAxis(points [][2]float64, dimension int) *axis {
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = p[dimension]
	}
	slices.Sort(values)
	n := len(values) - 1
	median, top := values[n/2], values[n-n/200]
	a := &axis{log: values[0] >= 0 && top > 12*max(median, 0.05)}
	// One customer in 500 at either end may be far out: the picture is for the others.
	cut := n / 500
	a.clipped = values[cut] > values[0] || values[n-cut] < values[n]
	a.low, a.high = a.scale(values[cut]), a.scale(values[n-cut])
	if least := max(1, math.Abs(a.low)) * 1e-6; a.high-a.low < least {
		a.low, a.high = a.low-least, a.high+least
	}
	margin := (a.high - a.low) * 0.03
	a.low, a.high = a.low-margin, a.high+margin
	return a
}

func (a *axis) scale(v float64) float64 {
	if a.log {
		return exact.Log1p(v)
	}
	return v
}

func (a *axis) place(v float64) float64 {
	share := (a.scale(v) - a.low) / (a.high - a.low)
	return a.from + float64(max(0, min(1, share))*(a.to-a.from))
}

func (a *axis) heading(name string) string {
	words := Column{Name: name, Input: name}.label()
	if a.log {
		words += ", logarithmic"
	}
	return fit(words, maxHeading)
}

// ticks are round numbers, about five of them.
func (a *axis) ticks() []tick {
	var ticks []tick
	add := func(v float64) {
		if s := a.scale(v); s >= a.low && s <= a.high {
			ticks = append(ticks, tick{tenth(a.place(v)), brief(v)})
		}
	}
	if a.log {
		add(0)
		for v := 1.0; v < 1e300 && a.scale(v) <= a.high; v *= 10 {
			add(v)
		}
		for len(ticks) > 7 {
			ticks = everySecond(ticks)
		}
		if len(ticks) >= 3 {
			return ticks
		}
		ticks = nil
		for _, v := range []float64{0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000} {
			add(v)
		}
		return ticks
	}
	step := roundStep((a.high - a.low) / 5)
	for n := math.Ceil(a.low / step); n*step <= a.high && len(ticks) < 12; n++ {
		add(n * step)
	}
	return ticks
}

func everySecond(ticks []tick) (half []tick) {
	for i := 0; i < len(ticks); i += 2 {
		half = append(half, ticks[i])
	}
	return half
}

// roundStep is 1, 2 or 5 times a power of ten, at least step.
func roundStep(step float64) float64 {
	_, exponent, _ := strings.Cut(strconv.FormatFloat(step, 'e', 0, 64), "e")
	power, err := strconv.ParseFloat("1e"+exponent, 64)
	if err != nil || power == 0 {
		return step
	}
	for _, m := range []float64{1, 2, 5} {
		if m*power >= step {
			return m * power
		}
	}
	return 10 * power
}

// brief is a number in a few characters, for ticks.
func brief(v float64) string {
	a := math.Abs(v)
	switch {
	case a >= 1e12:
		return fmt.Sprintf("%.0e", v)
	case a >= 1e9:
		return number(v/1e9) + "G"
	case a >= 1e6:
		return number(v/1e6) + "M"
	case a >= 1e3:
		return number(v/1e3) + "k"
	}
	return number(v)
}

// tenth is a coordinate to a tenth of a unit.
func tenth(v float64) float64 { return math.Round(v*10) / 10 }

// short is a coordinate to half a unit, which the eye cannot tell from more.
func short(v float64) string {
	return trimZeros(fmt.Sprintf("%.1f", math.Round(v*2)/2))
}
