package pipeline

import (
	"math"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

// FuzzGates gives any text to the readers of --gate and of new names of segments. A bound that is taken is a finite number of at
// least 0, and a name one that can be shown.
func FuzzGates(f *testing.F) {
	for _, text := range []string{"min-size=5%", "max-inertia-growth=1e300", "min-agreement=101%", "rows=1e6", "rows=1.5", "bad-rows=0.1%", "drift=0.25", "drift=5%", "findings=0",
		"=", "rows", "rows==1", " unseen = 3 % ", "missing=0x1p4", "missing=-0", "rows=nan", "rows=1e999", "3=Big spenders", "a=\x00", "1=" + strings.Repeat("é", 81), "=x", "1=\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hostile.Ceiling(t, len(text), 64<<10, 64, func() {
			if g, err := ParseFitGate(text); err == nil && (!(g.Bound >= 0) || math.IsInf(g.Bound, 0) || g.Name != gateGrowth && g.Bound > 1) {
				t.Fatalf("%q is a gate of %v", text, g.Bound)
			}
			if g, err := ParseCheckGate(text); err == nil && (!(g.Bound >= 0) || math.IsInf(g.Bound, 0)) {
				t.Fatalf("%q is a gate of %v", text, g.Bound)
			}
			r, err := ParseRename(text)
			if err != nil {
				if fault.Code(err) != 2 {
					t.Fatalf("%q: got %v, want a wrong call", text, err)
				}
				return
			}
			if r.Segment == "" || r.Name == "" || utf8.RuneCountInString(r.Name) > maxSegmentName || strings.ContainsFunc(r.Name, unicode.IsControl) {
				t.Fatalf("%q renames %q to %q", text, r.Segment, r.Name)
			}
			if again, err := ParseRename(r.Segment + "=" + r.Name); err != nil || again != r {
				t.Fatalf("%+v is read as %+v, %v", r, again, err)
			}
		})
	})
}
