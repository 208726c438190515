package sim

import (
	"slices"
	"time"
)

// maxShrinks bounds how many runs a shrinking takes.
const maxShrinks = 2000

// Shrink cuts a script whose run breaks something to a shorter one that does: without faults, workers, partitions and
// options that it does not take. It gives that script and how many runs it took; nil where the script breaks nothing.
func Shrink(s *Script) (*Script, int) {
	k := &shrinker{}
	if !k.fails(s) {
		return nil, k.runs
	}
	for again := true; again && k.runs < maxShrinks; {
		again = false
		for _, smaller := range smaller(s) {
			if k.fails(smaller) {
				s, again = smaller, true
				break
			}
		}
	}
	return s, k.runs
}

type shrinker struct{ runs int }

func (k *shrinker) fails(s *Script) bool {
	k.runs++
	r, err := Run(s, nil)
	return err == nil && r.Err != nil
}

// smaller are the scripts that are one step shorter, the largest steps first.
func smaller(s *Script) []*Script {
	var list []*Script
	try := func(change func(*Script)) {
		c := *s
		c.Faults = slices.Clone(s.Faults)
		change(&c)
		list = append(list, &c)
	}
	for n := len(s.Faults) / 2; n > 0; n /= 2 {
		for i := 0; i+n <= len(s.Faults); i += n {
			try(func(c *Script) { c.Faults = slices.Delete(c.Faults, i, i+n) })
		}
	}
	less := func(n *int, least int, set func(*Script, int)) {
		for _, to := range []int{least, *n / 2, *n - 1} {
			if to >= least && to < *n {
				try(func(c *Script) { set(c, to) })
			}
		}
	}
	less(&s.Workers, 1, func(c *Script, n int) { c.Workers = n; c.Least = min(c.Least, n) })
	less(&s.Least, 1, func(c *Script, n int) { c.Least = n })
	less(&s.Partitions, 1, func(c *Script, n int) { c.Partitions = n })
	less(&s.Job.Runs, 1, func(c *Script, n int) { c.Job.Runs = n; c.Job.Abreast = min(c.Job.Abreast, n) })
	less(&s.Job.Iterations, 1, func(c *Script, n int) { c.Job.Iterations = n })
	for _, option := range []func(*Script) *bool{
		func(c *Script) *bool { return &c.Job.Labels }, func(c *Script) *bool { return &c.Job.Parts }, func(c *Script) *bool { return &c.Job.Weights },
		func(c *Script) *bool { return &c.Job.Bad }, func(c *Script) *bool { return &c.Job.Twice }, func(c *Script) *bool { return &c.Job.ID },
		func(c *Script) *bool { return &c.Objects },
	} {
		if *option(s) {
			try(func(c *Script) { *option(c) = false })
		}
	}
	for i := range s.Faults {
		for _, n := range []int{0, s.Faults[i].After / 2} {
			if n < s.Faults[i].After {
				try(func(c *Script) { c.Faults[i].After = n })
			}
		}
		if d := (s.Faults[i].For / 2).Truncate(time.Millisecond); d > 100*time.Millisecond {
			try(func(c *Script) { c.Faults[i].For = d })
		}
	}
	return list
}
