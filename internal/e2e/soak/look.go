//go:build linux

package soak

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// quietWait is how long it may take until no job is left and all workers are ready: that of a job without a submitter
	// ends a minute after it.
	quietWait = 4 * time.Minute
	// settleWait is how long counts may take to come to rest after that: connections that nobody uses are closed in time.
	settleWait = 20 * time.Second
	// settled is for how many looks on end, a second apart, counts stay as they are.
	settled = 3
)

// sample looks at all processes, unless somebody wants quiet: to be looked at takes a connection and its goroutines.
func (w *world) sample(ctx context.Context) {
	w.looking.Lock()
	defer w.looking.Unlock()
	for _, place := range w.allPlaces() {
		if r, ok := w.look(ctx, place); ok {
			w.keep(r)
		}
	}
}

func (w *world) allPlaces() []string {
	return append(append([]string{headName}, places...), serverName)
}

func (w *world) keep(r Row) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Jobs = w.jobs
	w.rows = append(w.rows, r)
}

// look is one look at the process of a place; not ok: it is not there.
func (w *world) look(ctx context.Context, place string) (Row, bool) {
	w.mu.Lock()
	p, paused := w.here[place], w.paused[place]
	w.mu.Unlock()
	if p == nil || p.gone() {
		return Row{}, false
	}
	r := Row{At: time.Since(w.began), Process: place, Life: p.life}
	var err error
	if r.RSS, r.Descriptors, r.Threads, err = vitals(p.cmd.Process.Pid); err != nil || r.RSS == 0 {
		return Row{}, false // it is going away
	}
	if place == headName {
		r.State = sizeOf(w.state)
		if jobs, err := os.ReadDir(filepath.Join(w.state, "jobs")); err == nil {
			r.Kept = len(jobs)
		}
	}
	if paused {
		return r, true
	}
	// Who is stopped or killed in this moment does not answer, and that is no fault.
	if figures, err := w.figures(ctx, p, "/metrics", "go_goroutines ", "go_memstats_heap_inuse_bytes "); err == nil {
		r.Goroutines, r.Heap = int(figures[0]), int64(figures[1])
	}
	return r, true
}

// figures reads numbers that a process tells of itself: those after each of the words, at the beginning of a line.
func (w *world) figures(ctx context.Context, p *process, path string, words ...string) ([]float64, error) {
	scheme := "http://"
	if p.place == serverName {
		scheme = "https://"
	}
	text, err := w.get(ctx, scheme+p.http+path)
	if err != nil {
		return nil, err
	}
	found := make([]float64, len(words))
	seen := 0
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		for i, word := range words {
			if value, ok := strings.CutPrefix(lines.Text(), word); ok {
				if found[i], err = strconv.ParseFloat(strings.TrimSpace(value), 64); err != nil {
					return nil, err
				}
				seen++
			}
		}
	}
	if seen != len(words) {
		return nil, fmt.Errorf("%s of %s does not tell all of %q", path, p.name, words)
	}
	return found, nil
}

func (w *world) get(ctx context.Context, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	reply, err := w.client.Do(request)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	const most = 64 << 20
	text, err := io.ReadAll(io.LimitReader(reply.Body, most))
	if err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", address, reply.Status)
	}
	return string(text), err
}

// quiet waits until no job is left, all workers are ready and counts have come to rest, and takes a look at all. Nobody
// else does anything meanwhile.
func (w *world) quiet(ctx context.Context) error {
	w.looking.Lock()
	defer w.looking.Unlock()
	var s status
	err := until(ctx, quietWait, "no job is left and all workers are ready", func() (bool, error) {
		s = status{}
		if err := w.ask(ctx, &s, "status", "--json"); err != nil {
			return false, err
		}
		ready := 0
		for _, worker := range s.Workers {
			if worker.State == "ready" {
				ready++
			}
		}
		for _, j := range s.Jobs {
			if !j.over() {
				return false, nil
			}
		}
		return ready == len(places), nil
	})
	if err != nil {
		return fmt.Errorf("%w: %+v", err, s)
	}
	w.rest(ctx)
	for _, place := range w.allPlaces() {
		if err := w.moment(ctx, place); err != nil {
			return err
		}
	}
	return w.nothingLeft()
}

// moment takes the look of a quiet moment at a place.
func (w *world) moment(ctx context.Context, place string) error {
	r, ok := w.look(ctx, place)
	p := w.at(place)
	if !ok || r.Goroutines == 0 {
		return fmt.Errorf("%s does not answer in a quiet moment", place)
	}
	for range 3 { // what lies in pools goes with the second collection
		live, err := w.figures(ctx, p, "/debug/pprof/heap?gc=1&debug=1", "# HeapAlloc = ")
		if err != nil {
			return err
		}
		if r.Live == 0 || int64(live[0]) < r.Live {
			r.Live = int64(live[0])
		}
	}
	r.Quiet = true
	w.keep(r)
	return nil
}

// rest waits until the counts of goroutines and descriptors have stayed as they are for some seconds.
func (w *world) rest(ctx context.Context) {
	var before string
	same := 0
	for began := time.Now(); same < settled && time.Since(began) < settleWait && ctx.Err() == nil; pause(ctx, time.Second) {
		var now strings.Builder
		for _, place := range w.allPlaces() {
			r, _ := w.look(ctx, place)
			fmt.Fprint(&now, r.Goroutines, r.Descriptors, " ")
		}
		if same++; now.String() != before {
			same = 0
		}
		before = now.String()
	}
}

// nothingLeft looks for temporary files: nobody needs one when no job is there.
func (w *world) nothingLeft() error {
	left, err := os.ReadDir(w.tmp)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%d files are left in the temporary folder in a quiet moment, such as %s", len(left), left[0].Name())
	}
	return err
}
