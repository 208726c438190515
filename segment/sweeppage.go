package segment

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// maxCandidates bounds the table of a sweep. What is left out is said.
const maxCandidates = 300

// Render writes the sweep as one self-contained HTML page: the recommendation, a curve for every score, and a table. It
// loads nothing and runs nothing; names from files are escaped. The error is the Writer's.
func (s *Sweep) Render(w io.Writer) error {
	return writePage(w, "sweep.html", s.view())
}

// sweepView is what the page and the report show of a sweep.
type sweepView struct {
	Title    string
	Verdict  string // "Five segments"; the number that is recommended, in words for a heading
	Because  string
	On       string // what was looked at
	Features string
	Curves   []curveView
	Rows     []candidateView
	Omitted  string
	Sampled  bool
	Mark     string // what the marked k is
}

// candidateView is one row of the table.
type candidateView struct {
	K                                                       int
	Chosen                                                  bool
	Mark                                                    string
	Silhouette, Error, Stability, Inertia, Calinski, Davies string
	Smallest, SmallestShare                                 string
}

func (s *Sweep) view() *sweepView {
	v := &sweepView{Title: "How many segments?", Verdict: "No clear number of segments", Because: sentence(s.Recommended.Because),
		Features: clip(strings.Join(s.Features, ", ")), Curves: s.curves(), Sampled: s.sampled(), Mark: s.mark()}
	if k := s.Recommended.K; k > 0 && !s.Recommended.Unclear {
		v.Verdict = fmt.Sprintf("%s segments", count(int64(k)))
		if k == 1 {
			v.Verdict = "One segment"
		}
	}
	v.On = fmt.Sprintf("%s customers, %s columns.", count(s.Rows), count(int64(s.Columns)))
	if s.sampled() {
		v.On += fmt.Sprintf(" The silhouette comes from a sample of %s of them.", count(s.Sampled))
	}
	shown := s.Candidates[:min(len(s.Candidates), maxCandidates)]
	if len(shown) < len(s.Candidates) {
		v.Omitted = fmt.Sprintf("The first %d of %s.", len(shown), count(int64(len(s.Candidates))))
	}
	for i := range shown {
		v.Rows = append(v.Rows, s.candidateView(&shown[i]))
	}
	return v
}

// mark is what the marked k is: no more than the best there is, where none stands out.
func (s *Sweep) mark() string {
	if s.Recommended.Unclear {
		return "the best there is"
	}
	return "recommended"
}

// candidateView is one candidate as text; figures that one segment cannot have are dashes.
func (s *Sweep) candidateView(c *Candidate) candidateView {
	v := candidateView{K: c.K, Chosen: c.K == s.Recommended.K, Mark: s.mark(), Inertia: precise(c.Inertia), Smallest: count(c.Smallest),
		Silhouette: "–", Stability: "–", Calinski: "–", Davies: "–", SmallestShare: percent(math.NaN())}
	if s.Rows > 0 {
		v.SmallestShare = percent(float64(c.Smallest) / float64(s.Rows))
	}
	if c.K < 2 {
		return v
	}
	v.Silhouette, v.Stability, v.Calinski, v.Davies = precise(c.Silhouette), precise(c.Stability), precise(c.CalinskiHarabasz), precise(c.DaviesBouldin)
	if c.SilhouetteError > 0 {
		v.Error = precise(2 * c.SilhouetteError)
	}
	return v
}

// sentence is text from elsewhere as one sentence: it begins with a capital and ends with a full stop.
func sentence(text string) string {
	text = strings.TrimSpace(plain(text))
	if text == "" {
		return ""
	}
	if first := text[0]; first >= 'a' && first <= 'z' && !strings.HasPrefix(text, "k ") {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if !strings.ContainsAny(text[len(text)-1:], ".!?") {
		text += "."
	}
	return text
}
