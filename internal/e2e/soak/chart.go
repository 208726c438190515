package soak

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"
)

// The measures of the graph, in pixels.
const (
	wide, left, right = 960, 64, 24
	top, high, gap    = 108, 130, 46
	bucket            = 4 // of the looks within so many pixels the highest is drawn
)

// hues are the colours of the places, told apart also by those who see few; others are grey.
var hues = map[string]string{headName: "#0072b2", "w1": "#009e73", "w2": "#e69f00", "w3": "#cc79a7", "w4": "#999999", serverName: "#d55e00"}

// legend says what happens to whom.
var legend = []struct{ place, says string }{
	{headName, "coordinator"}, {"w1", "w1, never touched"}, {"w2", "w2, stopped at times"}, {"w3", "w3, killed and replaced"},
	{"w4", "w4, the same"}, {serverName, "serve"},
}

// panel is one of the graph's figures, over time.
type panel struct {
	title string
	quiet bool // of quiet moments alone
	of    func(Row) float64
	all   bool // one line for all places
}

var panels = []panel{
	{"resident memory, MiB", false, func(r Row) float64 { return mebibytes(r.RSS) }, false},
	{"live heap after a collection, in quiet moments, MiB", true, func(r Row) float64 { return mebibytes(r.Live) }, false},
	{"goroutines", false, func(r Row) float64 { return float64(r.Goroutines) }, false},
	{"open descriptors", false, func(r Row) float64 { return float64(r.Descriptors) }, false},
	{"the coordinator's folder, MiB", false, func(r Row) float64 { return mebibytes(r.State) }, false},
	{"jobs that have ended", false, func(r Row) float64 { return float64(r.Jobs) }, true},
}

// Draw is the graph of the rows, an SVG of its own: the same bytes for the same rows. Lines break where a place is filled
// anew; dashed lines are the coordinator's falls.
func Draw(rows []Row) []byte {
	var b bytes.Buffer
	height := top + len(panels)*(high+gap)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="12" fill="#333">`+"\n", wide, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", wide, height)
	end, jobs := time.Minute, 0
	for _, r := range rows {
		end, jobs = max(end, r.At), max(jobs, r.Jobs)
	}
	fmt.Fprintf(&b, `<text x="%d" y="30" font-size="18" font-weight="600">A cluster over %.0f minutes and %d jobs</text>`+"\n", left, end.Minutes(), jobs)
	fmt.Fprintf(&b, `<text x="%d" y="50">under kills, pauses, cancels, renewed certificates and exchanged models; dashed: the coordinator was killed</text>`+"\n", left)
	x := left
	for _, l := range legend {
		fmt.Fprintf(&b, `<path d="M%d 71h18" stroke="%s" stroke-width="3"/><text x="%d" y="75">%s</text>`+"\n", x, hues[l.place], x+24, l.says)
		x += 48 + 6*len(l.says)
	}
	s := axis{end: end.Minutes()}
	for i, p := range panels {
		s.y = float64(top + i*(high+gap))
		s.panel(&b, p, rows)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// axis leads from minutes and values to pixels.
type axis struct {
	end, peak float64 // minutes, and the panel's highest mark
	y         float64 // the panel's upper edge
}

func (s axis) px(minutes float64) float64 {
	return left + float64((wide-left-right)*minutes)/s.end
}

func (s axis) py(value float64) float64 { return s.y + high - float64(high*value)/s.peak }

func (s axis) panel(b *bytes.Buffer, p panel, rows []Row) {
	lines := p.lines(rows)
	s.peak = 0
	for _, l := range lines {
		for _, at := range l.points {
			s.peak = max(s.peak, at[1])
		}
	}
	step := niceStep(s.peak / 4)
	s.peak = step * max(1, math.Ceil(s.peak/step))
	fmt.Fprintf(b, `<text x="%d" y="%.0f" font-weight="600">%s</text>`+"\n", left, s.y-8, p.title)
	for v := 0.; v <= s.peak+step/2; v += step {
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="#e4e4e4"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left, s.py(v), wide-right, left-8, s.py(v)+4, number(v))
	}
	for m, step := 0., niceStep(s.end/10); m <= s.end; m += step {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle" fill="#666">%s</text>`+"\n", s.px(m), s.y+high+15, number(m)+minuteWord(m))
	}
	var down strings.Builder
	for _, m := range falls(rows) {
		fmt.Fprintf(&down, "M%.1f %.0fv%d", s.px(m), s.y, high)
	}
	fmt.Fprintf(b, `<path d="%s" stroke="%s" stroke-dasharray="3 4" opacity=".5"/>`+"\n", down.String(), hues[headName])
	s.draw(b, p, lines)
}

func minuteWord(m float64) string {
	if m == 0 {
		return " min"
	}
	return ""
}

// draw draws the curves, those of a place in one go.
func (s axis) draw(b *bytes.Buffer, p panel, lines []curve) {
	var path strings.Builder
	for i, l := range lines {
		for n, at := range l.points {
			fmt.Fprintf(&path, "%c%.0f %.1f", "ML"[min(n, 1)], s.px(at[0]), s.py(at[1]))
			if p.quiet {
				fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>`+"\n", s.px(at[0]), s.py(at[1]), hues[l.place])
			}
		}
		if i+1 == len(lines) || lines[i+1].place != l.place {
			fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.3" stroke-linejoin="round"/>`+"\n", path.String(), hues[l.place])
			path.Reset()
		}
	}
}

// curve is what one life of a place has come to, as minutes and values.
type curve struct {
	place  string
	points [][2]float64
}

// lines are the curves of a panel, those of the places that fall often first, so that the others lie above them.
func (p panel) lines(rows []Row) []curve {
	var all []curve
	for i := range legend {
		place := legend[len(legend)-1-i].place
		if p.all && place != headName {
			continue
		}
		life := -1
		for _, r := range rows {
			v := p.of(r)
			if r.Process != place || p.quiet != r.Quiet || v == 0 && !p.all {
				continue
			}
			if r.Life != life && !(p.all && life > 0) {
				all = append(all, curve{place: place})
				life = r.Life
			}
			all[len(all)-1].add(r.At.Minutes(), v, rows[len(rows)-1].At.Minutes())
		}
	}
	return all
}

// add puts a point at the end, or lifts the last one where both would lie in the same pixels.
func (c *curve) add(minutes, value, end float64) {
	per := end / float64((wide-left-right)/bucket)
	if n := len(c.points); n > 0 && math.Floor(c.points[n-1][0]/per) == math.Floor(minutes/per) {
		c.points[n-1][1] = max(c.points[n-1][1], value)
		return
	}
	c.points = append(c.points, [2]float64{minutes, value})
}

// falls are the minutes at which a new coordinator was first seen, the first one aside.
func falls(rows []Row) (minutes []float64) {
	life := 0
	for _, r := range rows {
		if r.Process != headName || r.Life == life {
			continue
		}
		if life > 0 {
			minutes = append(minutes, r.At.Minutes())
		}
		life = r.Life
	}
	return minutes
}

// niceStep is the least of 1, 2 and 5 times a power of ten that is not below the least step.
func niceStep(least float64) float64 {
	if least <= 0 {
		return 1
	}
	power := 1.
	for power > least {
		power /= 10
	}
	for float64(10*power) <= least {
		power *= 10
	}
	for _, n := range []float64{1, 2, 5} {
		if float64(n*power) >= least {
			return n * power
		}
	}
	return 10 * power
}

func number(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}
