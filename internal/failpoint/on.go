//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const variable = "COTERIE_FAILPOINT"

// The bounds of the variable: nobody writes more by hand, and a test that hangs for hours is no test.
const (
	maxPoints = 16
	maxSleep  = time.Hour
)

var names = []string{
	"assign", "merge", "checkpoint-write", "manifest-swap", "label-commit",
	// a worker's, by the kind of its task in package wire
	"keys", "duplicates", "statistics", "quantiles", "directions", "load", "seed", "iterate", "farthest", "score",
	"prepare", "label", "commit",
}

type action int

const (
	kill action = iota
	stop
	sleep
)

// point is one fail point of the variable.
type point struct {
	name  string
	nth   uint64 // acts at this hit, the first being 1; sleep at the later ones too
	act   action
	pause time.Duration
}

// due says whether the point acts at a hit.
func (p point) due(hit uint64) bool { return hit == p.nth || p.act == sleep && hit > p.nth }

var armed = sync.OnceValue(func() []point {
	points, err := parse(os.Getenv(variable))
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", variable, err)
		os.Exit(2)
	}
	return points
})

var (
	guard sync.Mutex
	hits  = make(map[string]uint64)
)

// Hit marks the place called name, and does there what COTERIE_FAILPOINT asks for. It panics on a name that the
// project does not have.
func Hit(name string) {
	if !slices.Contains(names, name) {
		panic("failpoint: no fail point is called " + name)
	}
	points := armed()
	guard.Lock()
	hits[name]++
	hit := hits[name]
	guard.Unlock()
	for _, p := range points {
		if p.name == name && p.due(hit) {
			p.run()
		}
	}
}

func (p point) run() {
	switch p.act {
	case kill:
		killSelf()
		select {} // the signal is on its way: nothing behind the fail point may happen
	case stop:
		stopSelf()
	case sleep:
		time.Sleep(p.pause)
	}
}

// parse reads "name[:n[:stop|:sleep=duration]]", several joined by commas.
func parse(text string) ([]point, error) {
	if text == "" {
		return nil, nil
	}
	parts := strings.Split(text, ",")
	if len(parts) > maxPoints {
		return nil, fmt.Errorf("%d fail points; at most %d are allowed", len(parts), maxPoints)
	}
	points := make([]point, 0, len(parts))
	for _, part := range parts {
		p, err := parseOne(part)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", part, err)
		}
		points = append(points, p)
	}
	return points, nil
}

func parseOne(text string) (point, error) {
	fields := strings.Split(text, ":")
	p := point{name: fields[0], nth: 1}
	if !slices.Contains(names, p.name) {
		return p, fmt.Errorf("no fail point is called that; there are %s", strings.Join(names, ", "))
	}
	if len(fields) > 3 {
		return p, fmt.Errorf("too many colons; write name:n:action")
	}
	if len(fields) > 1 {
		n, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil || n == 0 {
			return p, fmt.Errorf("which hit %q is meant to be is not clear; write a number from 1", fields[1])
		}
		p.nth = n
	}
	if len(fields) < 3 {
		return p, nil
	}
	if fields[2] == "stop" {
		p.act = stop
		return p, canStop
	}
	pause, isSleep := strings.CutPrefix(fields[2], "sleep=")
	d, err := time.ParseDuration(pause)
	if !isSleep || err != nil || d <= 0 || d > maxSleep {
		return p, fmt.Errorf("unknown action %q; write stop or sleep=500ms (at most %v)", fields[2], maxSleep)
	}
	p.act, p.pause = sleep, d
	return p, nil
}
