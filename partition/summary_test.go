package partition

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func samplePlan() (*Plan, *Manifest, []Worker) {
	m := manifestOf(1000, 1000, 1000, 1000, 1000, 500)
	workers := []Worker{{Name: "w10", Weight: 2}, {Name: "w9", Memory: 5 << 20}, {Name: "idle"}}
	return &Plan{Owners: []string{"w9", "w10", "w9", "w9", "lost\x1b[2J", ""}}, m, workers
}

func TestThePlanIsATableToRead(t *testing.T) {
	p, m, workers := samplePlan()
	var b strings.Builder
	if err := p.Write(&b, m, workers, 64); err != nil {
		t.Fatal(err)
	}
	want := `
worker    weight  partitions   rows      bytes    memory    share  which
w9             1           3  3,000  187.5 KiB   5.0 MiB   54.5 %  0, 2–3
w10            2           1  1,000   62.5 KiB  no limit   18.2 %  1
idle           1           0      0        0 B  no limit    0.0 %
lost?[2J    gone           1  1,000   62.5 KiB             18.2 %  4
(nobody)    gone           1    500   31.2 KiB              9.1 %  5
all                        6  5,500  343.8 KiB            100.0 %
`
	if got := "\n" + b.String(); got != want {
		t.Errorf("got%swant%s", got, want)
	}
}

func TestTheSummaryAsJSON(t *testing.T) {
	p, m, workers := samplePlan()
	got, err := json.Marshal(p.Summary(m, workers[1:], 0))
	if err != nil {
		t.Fatal(err)
	}
	start := `{"partitions":6,"rows":5500,"bytes":0,"workers":[{"worker":"w9","weight":1,"partitions":3,` +
		`"runs":[{"first":0,"last":0},{"first":2,"last":3}],"rows":3000,"bytes":0,"memory":5242880,"share":0.545`
	idle := `{"worker":"idle","weight":1,"partitions":0,"runs":[],"rows":0,"bytes":0,"memory":0,"share":0}`
	if !strings.HasPrefix(string(got), start) || !strings.Contains(string(got), idle) {
		t.Errorf("got %s\nwant it to begin with %s\nand to have %s", got, start, idle)
	}
	empty, err := json.Marshal((&Plan{}).Summary(&Manifest{}, nil, 0))
	if want := `{"partitions":0,"rows":0,"bytes":0,"workers":[]}`; err != nil || string(empty) != want {
		t.Errorf("an empty plan: got %s, %v, want %s", empty, err, want)
	}
}

func TestWhichAbbreviates(t *testing.T) {
	for want, runs := range map[string][]Run{
		"":                                  nil,
		"7":                                 {{7, 7}},
		"0–18, 21":                          {{0, 18}, {21, 21}},
		"0, 2, 4, 6, 8, 10":                 {{0, 0}, {2, 2}, {4, 4}, {6, 6}, {8, 8}, {10, 10}},
		"0, 2, 4, 6, 8, 10 and 1 more run":  {{0, 0}, {2, 2}, {4, 4}, {6, 6}, {8, 8}, {10, 10}, {12, 13}},
		"0, 2, 4, 6, 8, 10 and 2 more runs": {{0, 0}, {2, 2}, {4, 4}, {6, 6}, {8, 8}, {10, 10}, {12, 13}, {15, 15}},
	} {
		if got := which(runs); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The lines add up to the whole, whatever the plan.
func TestTheSummaryAccountsForEveryRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, workers := drawManifest(t), drawWorkers(t, "workers", noLimit)
		p := mustPlace(t, m, workers, 0)
		s := p.Summary(m, workers, 8)
		partitions, inRuns, rows, bytes := 0, 0, int64(0), int64(0)
		for _, h := range s.Workers {
			partitions, rows, bytes = partitions+h.Partitions, rows+h.Rows, bytes+h.Bytes
			for i, r := range h.Runs {
				if inRuns += r.Last - r.First + 1; i > 0 && r.First <= h.Runs[i-1].Last+1 {
					t.Fatalf("runs that touch: %v", h.Runs)
				}
			}
		}
		if partitions != s.Partitions || inRuns != s.Partitions || rows != m.Rows || bytes != s.Bytes || len(s.Workers) != len(workers) {
			t.Fatalf("%d partitions, %d in runs, %d rows, %d bytes of %+v", partitions, inRuns, rows, bytes, s)
		}
	})
}

type brokenPipe struct{}

var errPipe = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

func TestWriteReturnsTheWritersError(t *testing.T) {
	p, m, workers := samplePlan()
	if err := p.Write(brokenPipe{}, m, workers, 1); !errors.Is(err, errPipe) {
		t.Errorf("got %v, want the writer's error", err)
	}
}

func TestAMemoryErrorSaysWhatWouldDo(t *testing.T) {
	for want, e := range map[string]MemoryError{
		"not enough memory for the data: it takes 3.0 GiB, the workers have 2.0 GiB; 1.6 GiB for each of 2 would do":                                 {-1, 2, 3 << 30, 2 << 30, 1<<30 + 600<<20},
		"not enough memory for the data: partition 4 takes 3.0 GiB, the largest worker has 1.0 KiB; 3.0 GiB for each of 9 would do":                  {4, 9, 3 << 30, 1 << 10, 3 << 30},
		"not enough memory for the data: it takes 800 B of 900 B, but its partitions do not go into the workers whole; 500 B for each of 2 would do": {-1, 2, 800, 900, 500},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
