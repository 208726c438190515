package soak

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

// even are twenty quiet moments of a cluster in which nothing grows after the warm-up, with a busy look before each; change
// alters the row of a moment.
func even(change func(moment int, r *Row)) []Row {
	var rows []Row
	for moment := range 20 {
		for _, place := range []string{serverName, "w1", headName} {
			r := Row{At: time.Duration(moment) * time.Minute, Process: place, Life: 1, Jobs: 60 * moment, RSS: 40 << 20, Heap: 8 << 20,
				Goroutines: 90, Descriptors: 60, Threads: 9}
			if place == headName {
				r.State, r.Kept = 30<<20, min(100, r.Jobs)
			}
			rows = append(rows, r)
			r.Quiet, r.Live, r.Goroutines, r.Descriptors = true, 3<<20+int64(moment%2)<<16, 40+moment%3, 15+moment%2
			if change != nil {
				change(moment, &r)
			}
			rows = append(rows, r)
		}
	}
	return rows
}

func TestWhatGrowsIsNamed(t *testing.T) {
	w1 := func(alter func(moment int, r *Row)) func(int, *Row) {
		return func(moment int, r *Row) {
			if r.Process == "w1" {
				alter(moment, r)
			}
		}
	}
	cases := map[string]struct {
		change func(int, *Row)
		want   string // empty: nothing is found
	}{
		"nothing":                                                    {nil, ""},
		"what grows before the warm-up alone":                        {w1(func(m int, r *Row) { r.Live += int64(min(m, 2)) << 22 }), ""},
		"a peak in the middle":                                       {w1(func(m int, r *Row) { r.Goroutines += 100 * (m % 10 / 9 * (19 - m) / 10) }), ""},
		"as many goroutines more as may be":                          {w1(func(m int, r *Row) { r.Goroutines = 40 + m/10*slackCount }), ""},
		"one goroutine more than may be":                             {w1(func(m int, r *Row) { r.Goroutines = 40 + m/10*(slackCount+1) }), "w1: 40 goroutines after the warm-up, 49 at the end"},
		"a descriptor for each moment":                               {w1(func(m int, r *Row) { r.Descriptors += m }), "w1: 19 descriptors after the warm-up, 33 at the end"},
		"as much live heap as may be":                                {w1(func(m int, r *Row) { r.Live = 3<<20 + slopeBound*int64(r.Jobs) }), ""},
		"a little more for each job":                                 {w1(func(m int, r *Row) { r.Live = 3<<20 + (slopeBound+10)*int64(r.Jobs) }), "w1: live heap grows by 1034 bytes a job over 1020 jobs"},
		"a folder with too many jobs":                                {func(m int, r *Row) { r.Kept = keptBound + 1 }, "the coordinator's folder held 105 jobs"},
		"a worker that fell in the middle, of which nothing is said": {w1(func(m int, r *Row) { r.Life, r.Goroutines = 1+m/10, 40*m }), ""},
	}
	for name, c := range cases {
		j := Judge(even(c.change))
		got := strings.Join(j.Problems, "; ")
		if !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") || !j.Warm {
			t.Errorf("%s: got %q, warm %v; want %q and warm", name, got, j.Warm, c.want)
		}
	}
	for more, want := range map[int]int{coldSlack: 0, coldSlack + 1: 1} {
		cold := even(w1(func(m int, r *Row) { r.Jobs, r.Goroutines = 0, 40+m/10*more }))
		for i := range cold {
			cold[i].Jobs = i / 6
		}
		if got := Judge(cold); got.Warm || len(got.Problems) != want {
			t.Errorf("%d goroutines more before the warm-up: got %q, warm %v; want %d problems", more, got.Problems, got.Warm, want)
		}
	}
	if got := Judge(nil).Problems; len(got) != 1 || !strings.Contains(got[0], "too short") {
		t.Errorf("nothing at all: got %q, want it to be too short", got)
	}
	var names []string
	for _, l := range Judge(even(nil)).Lines {
		names = append(names, l.Process)
	}
	if got := strings.Join(names, " "); got != "coordinator w1 serve" {
		t.Errorf("got the lines of %s, want those of coordinator w1 serve", got)
	}
}

func TestRowsComeBackAsTheyWere(t *testing.T) {
	rows := even(nil)
	var b bytes.Buffer
	if err := WriteRows(&b, rows); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	got, err := ReadRows(&b)
	if err != nil || !reflect.DeepEqual(got, rows) {
		t.Errorf("got %v, %v; want the rows that were written", got, err)
	}
	for _, bad := range []string{strings.Replace(text, ",8388608,", ",8388608x,", 1), strings.Replace(text, ",false,", ",", 1)} {
		if _, err := ReadRows(strings.NewReader(bad)); err == nil {
			t.Errorf("damaged rows are read: %.200s", bad)
		}
	}
}

func TestTheGraphIsTheSameForTheSameRows(t *testing.T) {
	rows := even(func(m int, r *Row) {
		if r.Process == headName && m > 3 {
			r.Life = 2
		}
	})
	drawn := Draw(rows)
	if !bytes.Equal(drawn, Draw(rows)) {
		t.Error("two graphs of the same rows are not the same bytes")
	}
	for d := xml.NewDecoder(bytes.NewReader(drawn)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the graph is no XML: %v", err)
		}
	}
	for _, want := range []string{"19 minutes and 1140 jobs", "stroke-dasharray", "goroutines", ">w1, never touched<"} {
		if !strings.Contains(string(drawn), want) {
			t.Errorf("the graph does not say %q", want)
		}
	}
	for _, bad := range []string{"NaN", "Inf"} {
		if strings.Contains(string(Draw(nil)), bad) {
			t.Errorf("the graph of nothing holds %s", bad)
		}
	}
	if got := Account(Report{Rows: rows, Tally: map[string]int{"fits": 3}}, Judge(rows)); !strings.Contains(got, "3  fits") || !strings.Contains(got, "0 problems") {
		t.Errorf("got the account %s, want the fits and no problem", got)
	}
}
