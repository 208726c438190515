package segment

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/model"
)

func exp(x float64) float64 { return math.Exp(x) }

var pageOut = flag.String("page", "", "write example pages, and pictures of them, to files that begin so, to look at them")

func render(t testing.TB, p *Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Render(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// wellFormed walks the page as HTML that closes all its tags.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	page = regexp.MustCompile(`(?s)<style>.*</style>`).ReplaceAllString(page, "")
	page = regexp.MustCompile(`<meta ([^>]*)>`).ReplaceAllString(page, "<meta $1/>")
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity = xml.HTMLEntity
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("the page is not well formed: %v", err)
		}
	}
}

func TestPageHoldsEverySectionAndFigure(t *testing.T) {
	p := examplePage(t, 20000)
	page := render(t, p)
	wellFormed(t, page)
	for _, want := range []string{
		"<title>Customer segments</title>", "20,000 customers in 5 segments. “Champions” are 9.1 % of the customers and bring 49 % of the value.",
		"The segments", "Where the customers are", "How the segments differ", "Averages in the units of the input", "How this was made",
		`<td class="p5">&#43;2.4</td>`, "education: postgraduate", "monetary, logarithmic", "converged", "seed 42", p.Model.Digest(),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, g := range p.Summary.Segments {
		if n := strings.Count(page, ">"+g.Name+"<"); n < 4 {
			t.Errorf("%s stands there %d times, want table, legend, heat map and averages", g.Name, n)
		}
	}
	if n := strings.Count(page, `class="dots `); n != 5 {
		t.Errorf("%d clouds, want 5", n)
	}
}

func TestPageLoadsNothingAndRunsNothing(t *testing.T) {
	page := render(t, examplePage(t, 1000))
	for _, bad := range []string{"http:", "https:", "//", "<script", "<link", "<img", "@import", "url(", "@font-face", "src=", "ZgotmplZ", "NaN"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !strings.Contains(page, `content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"`) {
		t.Error("the page does not forbid loading")
	}
}

func TestHostileNamesAreEscapedOnThePage(t *testing.T) {
	const hostile = `"><script>alert(1)</script><b x='` + "\x1b\u202e"
	p := examplePage(t, 1000)
	p.Title, p.Generated = hostile, hostile
	p.Scatter.XName, p.Scatter.YName = hostile, hostile
	for j := range p.Summary.Columns {
		p.Summary.Columns[j].Name = fmt.Sprint(hostile, j)
		p.Summary.Columns[j].Input = p.Summary.Columns[j].Name
		p.Summary.Columns[j].Level = hostile
	}
	for i := range p.Summary.Segments {
		p.Summary.Segments[i].Name, p.Summary.Segments[i].ID = hostile, hostile
	}
	p.Model.Origin = model.Origin{Coterie: hostile, Init: hostile, Sources: []string{hostile}}
	p.Model.Transform.Numeric[0].Name = hostile
	page := render(t, p)
	wellFormed(t, page)
	for _, bad := range []string{"<script", "<b x", "\x1b", "\u202e", "ZgotmplZ"} {
		if strings.Contains(page, bad) {
			at := strings.Index(page, bad)
			t.Errorf("%q got through: …%s…", bad, page[max(0, at-60):min(len(page), at+60)])
		}
	}
}

func TestPageStaysUnderTwoMegabytes(t *testing.T) {
	s := wide(150, 80)
	for i := range s.Segments {
		s.Segments[i].Name = strings.Repeat("<&>", 200)
	}
	p := &Page{Title: "Large", Summary: s, Scatter: &Scatter{XName: "x0", YName: "x1"}}
	for i := range 100_000 {
		p.Scatter.Points = append(p.Scatter.Points, [2]float64{math.Sin(float64(i)), math.Cos(float64(7 * i))})
		p.Scatter.Labels = append(p.Scatter.Labels, int32(i%150))
	}
	page := render(t, p)
	wellFormed(t, page)
	if len(page) >= 2_000_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
	for _, want := range []string{"The 100 most important of 150 segments.", "Shown: 24 of 150 segments and 60 of 80 features.", "A sample of 6,000 customers."} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestPageOfTheModelAloneHasNoStandardDeviations(t *testing.T) {
	m := fitted(t, 1000)
	page := render(t, &Page{Title: "Model", Summary: FromModel(m), Model: m})
	wellFormed(t, page)
	if strings.Contains(page, "standard deviations") || !strings.Contains(page, "Centroids in the units of the input") {
		t.Error("the page takes centroids for averages")
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestErrorsOfTheWriterComeBack(t *testing.T) {
	if err := (&Page{Summary: wide(2, 2)}).Render(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("Render: got %v", err)
	}
	if err := wide(2, 2).Table(brokenWriter{}, 0); !errors.Is(err, errBroken) {
		t.Errorf("Table: got %v", err)
	}
}

func TestScatterPlacesEverythingInsideThePlot(t *testing.T) {
	s := wide(6, 2)
	for name, points := range map[string][][2]float64{
		"one place":  {{5, 5}, {5, 5}, {5, 5}, {5, 5}, {5, 5}, {5, 5}},
		"heavy tail": {{0, 1}, {1, 1}, {2, 1}, {3, 2}, {4, 1e12}, {1e9, 3}},
		"huge":       {{-1e308, 0}, {1e308, 1}, {-1e144, 0}, {1e144, 1}, {0, 0}, {1, 1}, {2, 2}, {3, 3}},
		"tiny":       {{1e-300, 0}, {2e-300, 1}, {3e-300, 0}, {1e-300, 1}, {0, 2}, {0, 3}},
		"not finite": {{math.NaN(), 0}, {math.Inf(1), 1}, {0, 0}, {1, 1}, {2, 2}, {3, 3}},
	} {
		v := (&Scatter{XName: "a", YName: "b", Points: points, Labels: []int32{0, 1, 2, 3, 4, 5, 0, 1}}).view(s)
		for _, b := range v.Badges {
			if !(b.X >= v.Left && b.X <= v.Right && b.Y >= v.Top && b.Y <= v.Bottom) {
				t.Errorf("%s: badge %d lies at %v, %v", name, b.Index, b.X, b.Y)
			}
		}
		for i, a := range v.Badges {
			for _, b := range v.Badges[i+1:] {
				if d := math.Hypot(a.X-b.X, a.Y-b.Y); d < 2*badgeRadius-1 {
					t.Errorf("%s: badges %d and %d are %.1f apart and cover each other", name, a.Index, b.Index, d)
				}
			}
		}
		if len(v.XTicks) > 14 || len(v.YTicks) > 14 {
			t.Errorf("%s: %d and %d ticks", name, len(v.XTicks), len(v.YTicks))
		}
	}
}

func TestComponentsFindTheLongDirectionFirst(t *testing.T) {
	const n, d = 200, 4
	points, labels := make([]float32, n*d), make([]int32, n)
	for i := range n {
		long, short := float32(math.Sin(float64(i)))*10, float32(math.Cos(float64(3*i)))
		points[i*d], points[i*d+2], points[i*d+1] = long, long, short
	}
	c := Components(points, d, labels)
	if !strings.HasPrefix(c.XName, "principal component 1, 100 %") && !strings.HasPrefix(c.XName, "principal component 1, 99 %") {
		t.Errorf("the first axis is %q", c.XName)
	}
	for i, p := range c.Points {
		if want := float64(points[i*d]) * math.Sqrt2; math.Abs(p[0]-want) > 0.1 {
			t.Fatalf("point %d lies at %v, want %v", i, p[0], want)
		}
	}
	if got := Components(points[:d], d, labels[:1]); got != nil {
		t.Error("one point has components")
	}
	if got := Components(make([]float32, 10*400), 400, labels[:10]); got == nil || got.view(wide(2, 2)) == nil {
		t.Error("400 constant columns cannot be drawn")
	}
	if got := Components(points[:n], 1, labels); got == nil {
		t.Error("one column has no component")
	}
}
