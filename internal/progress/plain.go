package progress

import (
	"fmt"
	"io"
	"strings"
)

// plainSink writes sentences for a log. A run that is over before the first tick leaves no line at all; a phase
// that was mentioned once is also closed with a line, so that a log shows how long it took.
type plainSink struct {
	w         io.Writer
	mentioned bool // the current phase has a line
}

func (p *plainSink) phase(last, _ reading) { p.end(last) }

func (p *plainSink) tick(r reading) {
	p.mentioned = true
	fmt.Fprintf(p.w, "%s: %s\n", r.phase, strings.Join(r.words(), ", "))
}

// iteration is left to the ticker: a fast fit makes hundreds a second.
func (p *plainSink) iteration(reading) {}

func (p *plainSink) note(_, text string) { fmt.Fprintf(p.w, "%s\n", text) }

func (p *plainSink) close(last reading) { p.end(last) }

func (p *plainSink) end(last reading) {
	if p.mentioned {
		fmt.Fprintf(p.w, "%s: ended after %s\n", last.phase, clock(last.elapsed))
	}
	p.mentioned = false
}

// words are the parts of a sentence about a reading, most telling first.
func (r reading) words() []string {
	var parts []string
	if r.iteration > 0 {
		if r.run > 0 {
			parts = append(parts, fmt.Sprintf("run %d", r.run))
		}
		parts = append(parts, fmt.Sprintf("iteration %d", r.iteration), fmt.Sprintf("inertia %.6g", r.inertia))
		if r.moved >= 0 {
			parts = append(parts, Count(r.moved)+" rows moved")
		}
	} else {
		parts = append(parts, r.rows())
	}
	if r.speed > 0 {
		parts = append(parts, rate(r.speed))
	}
	if left, ok := r.left(); ok {
		return append(parts, clock(left)+" left")
	}
	return append(parts, clock(r.elapsed)+" so far")
}

// rows says how many rows of the pass are done.
func (r reading) rows() string {
	if r.total <= 0 {
		return Count(r.done) + " rows"
	}
	share := min(float64(r.done)/float64(r.total), 1)
	return fmt.Sprintf("%s of %s rows (%.0f %%)", Count(r.done), Count(r.total), 100*share)
}
