package segment

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/internal/hostile"
)

func TestWhatSweepsAndMigrationsWriteIsRead(t *testing.T) {
	sweep := &Sweep{Candidates: []Candidate{{K: 2, Inertia: 3, Smallest: 4}, {K: 3, Inertia: 2, Smallest: 1}}, Recommended: Recommendation{K: 2, Because: "it is"},
		Rows: 10, Columns: 2, Features: []string{"a"}, Sampled: 10}
	text, _ := json.Marshal(sweep)
	if got, err := ReadSweep(bytes.NewReader(text)); err != nil || cmp.Diff(sweep, got) != "" {
		t.Errorf("sweep: got %+v, %v", got, err)
	}
	m := &Migration{From: []Flow{{Name: "a"}, {Name: "b"}}, To: []Flow{{Name: "a"}}, Matrix: [][]int64{{5}, {2}}, Arrived: []int64{1}, Left: []int64{0, 3}, Match: []int{0},
		Moved: 2, Flows: []Move{{From: 1, To: 0, Rows: 2}}}
	text, _ = json.Marshal(m)
	if got, err := ReadMigration(bytes.NewReader(text)); err != nil || cmp.Diff(m, got) != "" {
		t.Errorf("migration: got %+v, %v", got, err)
	}
	for _, c := range []struct{ from, to string }{
		{`"matrix":[[5],[2]]`, `"matrix":[[5]]`}, {`"matrix":[[5],[2]]`, `"matrix":[[5],[2,3]]`}, {`"matrix":[[5],[2]]`, `"matrix":[[5],[-2]]`},
		{`"matrix":[[5],[2]]`, `"matrix":[[9223372036854775807],[2]]`}, {`"match":[0]`, `"match":[2]`}, {`"match":[0]`, `"match":[-2]`}, {`"match":[0]`, `"match":[]`},
		{`"arrived":[1]`, `"arrived":[-1]`}, {`"left":[0,3]`, `"left":[0]`}, {`"from":1`, `"from":2`},
	} {
		if changed := strings.Replace(string(text), c.from, c.to, 1); changed == string(text) {
			t.Errorf("%s does not have %s", text, c.from)
		} else if got, err := ReadMigration(strings.NewReader(changed)); err == nil {
			t.Errorf("%s: got %+v", c.to, got)
		}
	}
	for _, wrong := range []string{"", "[]", `{"candidates":[]}`, `{"candidates":[{"k":2},{"k":2}],"rows":5}`, `{"candidates":[{"k":0}],"rows":5}`, `{"candidates":[{"k":2,"smallest":6}],"rows":5}`} {
		if got, err := ReadSweep(strings.NewReader(wrong)); err == nil {
			t.Errorf("%s: got %+v", wrong, got)
		}
	}
}

// What is read can be shown, whatever it says.
func FuzzReadDocuments(f *testing.F) {
	f.Add([]byte(`{"candidates":[{"k":2,"inertia":1e308,"smallest":1}],"rows":5,"recommended":{"k":7}}`))
	f.Add([]byte(`{"from_segments":[{},{}],"to_segments":[{}],"matrix":[[5],[2]],"arrived":[1],"left":[0,3],"match":[0],"flows":[{"from":1,"to":0}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		// What is read is shown: a page of some tables.
		hostile.Ceiling(t, len(data), 4<<20, 2<<10, func() {
			page := &Page{Summary: &Summary{}}
			if s, err := ReadSweep(bytes.NewReader(data)); err == nil {
				page.Sweep = s
			}
			if m, err := ReadMigration(bytes.NewReader(data)); err == nil && len(m.From)*len(m.To) < 1000 {
				page.Flows = m
			}
			if page.Sweep != nil || page.Flows != nil {
				if err := page.Render(io.Discard); err != nil {
					t.Error(err)
				}
			}
		})
	})
}
