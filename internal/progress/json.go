package progress

import (
	"encoding/json"
	"io"
	"math"
	"time"
)

// eventsPerSecond bounds phases and rows; iterations have a line each, and a note is never held back.
const eventsPerSecond = 10

// event is one line of the JSON report. What is not known is absent.
type event struct {
	Event     string   `json:"event"` // phase, rows, iteration, note, end
	Phase     string   `json:"phase,omitempty"`
	Run       *int     `json:"run,omitempty"` // of an iteration, from 0
	Iteration int      `json:"iteration,omitempty"`
	Inertia   *float64 `json:"inertia,omitempty"`
	Moved     *int64   `json:"moved,omitempty"`
	Rows      int64    `json:"rows,omitempty"`
	Total     int64    `json:"total,omitempty"`
	Speed     *float64 `json:"rows_per_second,omitempty"`
	Seconds   *float64 `json:"seconds,omitempty"` // since the phase began
	Text      string   `json:"text,omitempty"`
}

// jsonSink writes one object a line, each with a single Write, so that lines of several writers do not mix.
type jsonSink struct {
	w    io.Writer
	sent [eventsPerSecond]time.Time // a ring of the last bounded events
	next int
	rows int64 // rows at the last "rows" event, to stay silent while nothing happens
}

// allow says whether one more bounded event fits into the last second, and books it.
func (j *jsonSink) allow() bool {
	now := time.Now()
	if oldest := j.sent[j.next]; !oldest.IsZero() && now.Sub(oldest) < time.Second {
		return false
	}
	j.sent[j.next] = now
	j.next = (j.next + 1) % len(j.sent)
	return true
}

func (j *jsonSink) phase(_, opened reading) {
	j.rows = 0
	if j.allow() {
		j.write(event{Event: "phase", Phase: opened.phase, Total: opened.total})
	}
}

func (j *jsonSink) tick(r reading) {
	if r.iteration > 0 || r.done == j.rows || !j.allow() {
		return
	}
	j.rows = r.done
	e := event{Event: "rows", Phase: r.phase, Rows: r.done, Total: r.total}
	e.measure(r)
	j.write(e)
}

func (j *jsonSink) iteration(r reading) {
	e := event{Event: "iteration", Phase: r.phase, Run: &r.run, Iteration: r.iteration, Inertia: finite(r.inertia)}
	if r.moved >= 0 {
		e.Moved = &r.moved
	}
	e.measure(r)
	j.write(e)
}

func (j *jsonSink) note(phase, text string) { j.write(event{Event: "note", Phase: phase, Text: text}) }

func (j *jsonSink) close(reading) {}

// measure fills in the speed and the time.
func (e *event) measure(r reading) {
	if r.speed > 0 {
		e.Speed = finite(r.speed)
	}
	e.Seconds = finite(r.elapsed.Seconds())
}

// finite is a pointer to x, or nil for what JSON cannot hold.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

func (j *jsonSink) write(e event) {
	line, err := json.Marshal(e)
	if err != nil {
		return // no field of event can fail
	}
	_, _ = j.w.Write(append(line, '\n'))
}
