package modelcheck

import (
	"errors"
	"fmt"
	"strings"
)

// ErrTooMany ends an exploration that has more states than it may have.
var ErrTooMany = errors.New("more states than the limit")

// System is what Explore goes through: states S, events E that lead from one to the next, and keys K by which states
// are the same.
type System[S any, E fmt.Stringer, K comparable] struct {
	Start S
	// Next calls visit for each event that can happen in a state, always in the same order. What an event breaks is told
	// with it, and ends the exploration.
	Next func(s S, visit func(e E, next S, broken error))
	// Key is what tells states apart. States of one key must allow the same events up to names.
	Key func(s S) K
	// Ended says whether a state is an end. Each state must have a way to one, of calm events alone: nobody has to fail, or
	// to come, for it.
	Ended func(s S) bool
	Calm  func(s S, e E) bool
	// Most is how many states there may be; 0: 1<<31-1.
	Most int
}

// Report is what an exploration has seen.
type Report struct {
	States, Transitions int
	Depth               int // events on the way to the state that is furthest away
	Ends                int
	// Counter is how an invariant is broken, on a shortest way; nil: none is.
	Counter *Counter
}

// String is the counts in a line, and the counterexample, if there is one, in lines of their own.
func (r *Report) String() string {
	text := fmt.Sprintf("%d states, %d transitions, depth %d, %d ends", r.States, r.Transitions, r.Depth, r.Ends)
	if r.Counter != nil {
		text += "\n" + r.Counter.String()
	}
	return text
}

// Counter is a counterexample: the events that lead to it, and what is wrong then.
type Counter struct {
	Steps []string
	Why   string
}

// String is a line for each step.
func (c *Counter) String() string {
	var b strings.Builder
	for i, step := range c.Steps {
		fmt.Fprintf(&b, "%3d. %s\n", i+1, step)
	}
	fmt.Fprintf(&b, "  => %s", c.Why)
	return b.String()
}

// explorer is an exploration under way.
type explorer[S any, E fmt.Stringer, K comparable] struct {
	*System[S, E, K]
	index  map[K]int32
	keys   []K
	parent []int32
	ends   []int32
	begins []int // by state: where its calm successors begin in next
	next   []int32
	report Report
}

// Explore goes through all states. The error is ErrTooMany; a broken invariant is part of the report.
func Explore[S any, E fmt.Stringer, K comparable](system *System[S, E, K]) (*Report, error) {
	x := &explorer[S, E, K]{System: system, index: make(map[K]int32)}
	if x.Most == 0 {
		x.Most = 1<<31 - 1
	}
	frontier := []S{x.Start}
	x.add(x.Key(x.Start), -1)
	done := 0 // states whose successors are known
	for depth := 0; len(frontier) > 0; depth++ {
		x.report.Depth = depth
		var following []S
		for _, s := range frontier {
			from := int32(done)
			done++
			x.begins = append(x.begins, len(x.next))
			if x.Ended(s) {
				x.ends = append(x.ends, from)
				continue
			}
			var broken error
			x.Next(s, func(e E, next S, err error) {
				if broken != nil {
					return
				}
				x.report.Transitions++
				if err != nil {
					broken = err
					x.report.Counter = &Counter{Steps: append(x.trace(from), e.String()), Why: err.Error()}
					return
				}
				key := x.Key(next)
				to, known := x.index[key]
				if !known {
					to = x.add(key, from)
					following = append(following, next)
				}
				if x.Calm(s, e) {
					x.next = append(x.next, to)
				}
			})
			if broken != nil || len(x.keys) > x.Most {
				return x.end(broken == nil)
			}
		}
		frontier = following
	}
	x.stuck()
	return x.end(false)
}

// end makes the report.
func (x *explorer[S, E, K]) end(tooMany bool) (*Report, error) {
	x.report.States, x.report.Ends = len(x.keys), len(x.ends)
	if tooMany {
		return &x.report, fmt.Errorf("%w: %d", ErrTooMany, x.Most)
	}
	return &x.report, nil
}

func (x *explorer[S, E, K]) add(key K, parent int32) int32 {
	at := int32(len(x.keys))
	x.index[key] = at
	x.keys = append(x.keys, key)
	x.parent = append(x.parent, parent)
	return at
}

// trace is the events to a state. They are found by walking there again, so that nothing has to be kept for them: along a
// way, names stay the same, whatever is folded.
func (x *explorer[S, E, K]) trace(at int32) []string {
	var way []int32
	for ; at > 0; at = x.parent[at] {
		way = append(way, at)
	}
	var steps []string
	s := x.Start
	for i := len(way) - 1; i >= 0; i-- {
		var then S
		found := false
		x.Next(s, func(e E, next S, err error) {
			if !found && err == nil && x.Key(next) == x.keys[way[i]] {
				found, then = true, next
				steps = append(steps, e.String())
			}
		})
		s = then
	}
	return steps
}

// stuck looks for states that no end can be reached from, backwards from the ends.
func (x *explorer[S, E, K]) stuck() {
	n := len(x.keys)
	x.begins = append(x.begins, len(x.next))
	// The transitions turned round: who leads to state i stands in before[first[i]:first[i+1]].
	first := make([]int, n+1)
	for _, to := range x.next {
		first[to+1]++
	}
	for i := range n {
		first[i+1] += first[i]
	}
	before := make([]int32, len(x.next))
	fill := append([]int(nil), first...)
	for from := range n {
		for _, to := range x.next[x.begins[from]:x.begins[from+1]] {
			before[fill[to]] = int32(from)
			fill[to]++
		}
	}
	reaches := make([]bool, n)
	list := append([]int32(nil), x.ends...)
	for _, at := range list {
		reaches[at] = true
	}
	for len(list) > 0 {
		at := list[len(list)-1]
		list = list[:len(list)-1]
		for _, from := range before[first[at]:first[at+1]] {
			if !reaches[from] {
				reaches[from] = true
				list = append(list, from)
			}
		}
	}
	for at, ok := range reaches {
		if !ok {
			x.report.Counter = &Counter{Steps: x.trace(int32(at)), Why: "no end can be reached from here, whatever arrives"}
			return
		}
	}
}
