package segment

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The size of one curve in SVG units, which are about pixels wherever it is drawn, and the plot's place in it.
const (
	curveWidth, curveHeight = 320.0, 200.0
	curveLeft, curveRight   = 50.0, 14.0
	curveTop, curveBottom   = 26.0, 40.0
	maxCurveDots            = 60 // beyond it the line stands alone
)

// measure is one figure of the candidates of a sweep, and how it is shown.
type measure struct {
	id, name  string
	says      string // what it is and which way is better, in one line for people
	of        func(*Candidate) float64
	deviation func(*Candidate) float64 // half the band's height; nil: no band
	fromZero  bool
	percent   bool
	single    bool // has a meaning for one segment
}

// measures is the curves in the order of the page: what leads the recommendation first.
func (s *Sweep) measures() []measure {
	says := "How much nearer customers are to their own segment than to the next one. Higher is better, 1 at most."
	if s.sampled() {
		says += " The band is two standard errors of the sample to either side."
	}
	return []measure{
		{id: "silhouette", name: "Silhouette", says: says,
			of:        func(c *Candidate) float64 { return c.Silhouette },
			deviation: func(c *Candidate) float64 { return 2 * c.SilhouetteError }},
		{id: "stability", name: "Stability", single: false,
			says: "How alike the segments come out when other samples of the customers are used. Higher is better: 1 is the same, 0 is chance.",
			of:   func(c *Candidate) float64 { return c.Stability }},
		{id: "inertia", name: "Inertia", fromZero: true, single: true,
			says: "How far customers lie from the middle of their segment, squared and added up. It always falls with k: look for the bend.",
			of:   func(c *Candidate) float64 { return c.Inertia }},
		{id: "calinski", name: "Calinski-Harabasz",
			says: "How far apart the segments lie for their width. Higher is better.",
			of:   func(c *Candidate) float64 { return c.CalinskiHarabasz }},
		{id: "davies", name: "Davies-Bouldin",
			says: "How much each segment runs into the one most like it. Lower is better.",
			of:   func(c *Candidate) float64 { return c.DaviesBouldin }},
		{id: "smallest", name: "Smallest segment", fromZero: true, percent: true, single: true,
			says: "The share of the customers in the smallest segment. A very small one is seldom worth a campaign.",
			of: func(c *Candidate) float64 {
				if s.Rows <= 0 {
					return math.NaN()
				}
				return 100 * float64(c.Smallest) / float64(s.Rows)
			}},
	}
}

// sampled is true where the silhouette is an estimate.
func (s *Sweep) sampled() bool { return s.Sampled > 0 && s.Sampled < s.Rows }

// at is the figure of a candidate; NaN where it has no meaning.
func (m *measure) at(c *Candidate) float64 {
	if v := m.of(c); (c.K > 1 || m.single) && drawable(v) {
		return v
	}
	return math.NaN()
}

// curveView is one curve as the template draws it.
type curveView struct {
	ID, Name, Says, Aloud    string
	Width, Height            float64
	Left, Right, Top, Bottom float64
	MidX                     float64
	XTicks, YTicks           []tick
	Line, Band               string
	Dots                     [][2]float64
	Chosen                   *chosenView
}

// chosenView marks the recommended k.
type chosenView struct {
	X, Y   float64
	LabelX float64
	Text   string
}

// curves draws every measure of which there is something to see.
func (s *Sweep) curves() []curveView {
	var drawn []curveView
	for _, m := range s.measures() {
		if v, ok := s.curve(&m); ok {
			drawn = append(drawn, v)
		}
	}
	return drawn
}

// curve places one measure. ok is false where it was measured for no k: a figure that is 0 everywhere was not.
func (s *Sweep) curve(m *measure) (v curveView, ok bool) {
	x := axis{low: math.Inf(1), high: math.Inf(-1), from: curveLeft + 10, to: curveWidth - curveRight - 10}
	y := axis{low: math.Inf(1), high: math.Inf(-1), from: curveHeight - curveBottom, to: curveTop}
	var ks []int
	for i := range s.Candidates {
		c := &s.Candidates[i]
		at := m.at(c)
		if math.IsNaN(at) {
			continue
		}
		ks = append(ks, c.K)
		ok = ok || at != 0
		x.low, x.high = min(x.low, float64(c.K)), max(x.high, float64(c.K))
		y.low, y.high = min(y.low, at-m.spread(c)), max(y.high, at+m.spread(c))
	}
	if !ok {
		return v, false
	}
	x.widen(0)
	if m.fromZero {
		y.low = 0
	}
	y.widen(0.08)
	if m.fromZero {
		y.low = 0
	}
	v = curveView{ID: m.id, Name: m.name, Says: m.says, Aloud: s.aloud(m), Width: curveWidth, Height: curveHeight,
		Left: curveLeft, Right: curveWidth - curveRight, Top: curveTop, Bottom: curveHeight - curveBottom,
		MidX: (curveLeft + curveWidth - curveRight) / 2, XTicks: kTicks(ks, &x), YTicks: y.evenTicks(m.percent)}
	s.trace(m, &v, &x, &y)
	return v, true
}

// spread is half the height of the band.
func (m *measure) spread(c *Candidate) float64 {
	if m.deviation == nil {
		return 0
	}
	if d := m.deviation(c); drawable(d) && d > 0 {
		return d
	}
	return 0
}

// trace writes the line, its band, the dots and the mark of the recommended k.
func (s *Sweep) trace(m *measure, v *curveView, x, y *axis) {
	var line, upper strings.Builder
	var lower []string
	band := false
	for i := range s.Candidates {
		c := &s.Candidates[i]
		at := m.at(c)
		if math.IsNaN(at) {
			continue
		}
		px, py, d := tenth(x.place(float64(c.K))), tenth(y.place(at)), m.spread(c)
		fmt.Fprintf(&line, "%v,%v ", px, py)
		fmt.Fprintf(&upper, "%v,%v ", px, tenth(y.place(at+d)))
		lower = append(lower, fmt.Sprintf("%v,%v ", px, tenth(y.place(at-d))))
		band = band || d > 0
		v.Dots = append(v.Dots, [2]float64{px, py})
		if c.K == s.Recommended.K {
			text := "k = " + strconv.Itoa(c.K)
			half := 4.2 * float64(len(text)) // of the text's width at 13 px, generously
			v.Chosen = &chosenView{X: px, Y: py, LabelX: max(v.Left+half, min(px, v.Right-half)), Text: text}
		}
	}
	v.Line = strings.TrimSpace(line.String())
	if band {
		for i := len(lower) - 1; i >= 0; i-- {
			upper.WriteString(lower[i])
		}
		v.Band = strings.TrimSpace(upper.String())
	}
	if len(v.Dots) > maxCurveDots {
		v.Dots = nil
	}
}

// aloud is the curve for those who cannot see it.
func (s *Sweep) aloud(m *measure) string {
	best, first, last := -1, -1, -1
	for i := range s.Candidates {
		at := m.at(&s.Candidates[i])
		if math.IsNaN(at) {
			continue
		}
		if first < 0 {
			first = i
		}
		last = i
		if s.Candidates[i].K == s.Recommended.K {
			best = i
		}
	}
	say := func(i int) string {
		text := fmt.Sprintf("%s at k = %d", precise(m.at(&s.Candidates[i])), s.Candidates[i].K)
		if m.percent {
			text = fmt.Sprintf("%s at k = %d", percent(m.at(&s.Candidates[i])/100), s.Candidates[i].K)
		}
		return text
	}
	text := m.name + " against the number of segments: " + say(first)
	if last > first {
		text += ", " + say(last)
	}
	if best >= 0 && best != first && best != last {
		text += "; " + s.mark() + ", " + say(best)
	}
	return text + ". The table has every figure."
}

// widen gives the axis room on both sides, and some length where all values are the same.
func (a *axis) widen(share float64) {
	room := (a.high - a.low) * share
	if least := max(math.Abs(a.low), math.Abs(a.high), 1e-9) * 1e-6; a.high-a.low < least {
		room = max(math.Abs(a.high)/2, least)
	}
	a.low, a.high = a.low-room, a.high+room
}

// evenTicks are about five round numbers, written with as many decimals as tell them apart.
func (a *axis) evenTicks(percent bool) (ticks []tick) {
	step := roundStep((a.high - a.low) / 4)
	unit, suffix := 1.0, " %"
	if !percent {
		unit, suffix = unitOf(max(math.Abs(a.low), math.Abs(a.high)))
	}
	decimals := max(0, int(math.Ceil(-math.Log10(step/unit)-1e-9)))
	for n := math.Ceil(a.low/step - 1e-9); n*step <= a.high+step*1e-9 && len(ticks) < 8; n++ {
		v := float64(n * step)
		text := strconv.FormatFloat(math.Abs(v)/unit, 'f', decimals, 64)
		switch {
		case v != 0 && (decimals > 4 || a.high >= 1e15 || a.low <= -1e15):
			text = strconv.FormatFloat(math.Abs(v), 'e', 1, 64)
		case decimals == 0:
			text = commas(text)
		case v == 0:
			text = "0"
		}
		if v < 0 && n != 0 {
			text = minus + text
		}
		ticks = append(ticks, tick{tenth(a.place(v)), text + suffix})
	}
	return ticks
}

// unitOf is the thousands, millions and so on in which ticks up to top are short.
func unitOf(top float64) (unit float64, suffix string) {
	switch {
	case top >= 1e15 || top < 1e4:
		return 1, ""
	case top >= 1e12:
		return 1e12, "T"
	case top >= 1e9:
		return 1e9, "G"
	case top >= 1e6:
		return 1e6, "M"
	}
	return 1e3, "k"
}

// kTicks are whole numbers of segments, every one where there is room for it.
func kTicks(ks []int, x *axis) (ticks []tick) {
	const room = 17 // for two digits
	step, last := 1, math.Inf(-1)
	span := ks[len(ks)-1] - ks[0]
	for span > 0 && (x.to-x.from)*float64(step)/float64(span) < room*float64(len(strconv.Itoa(ks[len(ks)-1])))/2 {
		step++
	}
	for _, k := range ks {
		if (k-ks[0])%step == 0 && x.place(float64(k))-last >= room {
			last = x.place(float64(k))
			ticks = append(ticks, tick{tenth(last), strconv.Itoa(k)})
		}
	}
	return ticks
}
