package cluster

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"time"
)

const (
	firstRetry = 200 * time.Millisecond // after the first attempt that nobody answered; it doubles
	lastRetry  = 5 * time.Second        // and stays there
	confirm    = time.Second            // until a seed that answered should be among the members
	maxTargets = 8                      // addresses of an attempt: each waits up to dialTimeout, and one a side heals a split
	complainIn = time.Minute            // between two warnings that no seed answers
)

// joiner keeps trying the seeds that are not among the members: at once and with short waits until one answers, then
// every so often, because a split does not heal by itself, and again at once when somebody has gone, who may have been
// the seed. In a cluster that is whole it only looks up names.
type joiner struct {
	seeds    []string
	self     string // our own gossip address: a seed for the others perhaps, never for us
	every    time.Duration
	join     func(address string) error                                   // exchanges members with one address
	lookup   func(ctx context.Context, host string) ([]netip.Addr, error) // addresses of a name
	present  func() map[string]bool                                       // the gossip addresses of the members
	departed <-chan struct{}
	log      *slog.Logger

	complained time.Time
}

// outcome is what came of an attempt.
type outcome int

const (
	silent   outcome = iota // no seed is a member, and none answered
	answered                // one answered that was not a member
	settled                 // a seed is a member; of the others none answered
)

// run tries until ctx ends.
func (j *joiner) run(ctx context.Context) {
	retry, confirmed := firstRetry, false
	for {
		got := j.attempt(ctx)
		var wait time.Duration
		switch {
		case got == silent:
			wait = spread(retry, 0.5)
			retry = min(2*retry, lastRetry)
		case got == answered && !confirmed:
			// After a split each side may hold the other for dead at the same count, and then the first exchange only makes
			// both raise theirs; the second one is believed. Where a seed's address is not the one it advertises, this is
			// one exchange too many.
			wait, confirmed, retry = confirm, true, firstRetry
		default:
			wait, confirmed, retry = spread(j.every, 0.2), false, firstRetry
		}
		if j.sleep(ctx, wait) {
			retry, confirmed = firstRetry, false
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// sleep waits; it wakes early, after a moment, and says so when a member has gone.
func (j *joiner) sleep(ctx context.Context, wait time.Duration) (woken bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return false
	case <-j.departed:
	}
	timer.Reset(min(wait, spread(firstRetry, 0.5)))
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return true
}

// attempt tries up to maxTargets addresses of seeds that are not members, in no particular order.
func (j *joiner) attempt(ctx context.Context) outcome {
	targets, among, trouble := j.targets(ctx)
	got := silent
	if among {
		got = settled
	}
	for _, address := range targets {
		if ctx.Err() != nil {
			return got
		}
		if err := j.join(address); err != nil {
			trouble = err
			continue
		}
		got = answered
	}
	j.report(ctx, got, trouble)
	return got
}

// targets are the addresses to try; among says whether some seed is a member already, err is the last name that was not
// found.
func (j *joiner) targets(ctx context.Context) (targets []string, among bool, err error) {
	present := j.present()
	seen := map[string]bool{j.self: true}
	for _, seed := range j.seeds {
		host, port, problem := hostPort(seed)
		if problem != nil {
			err = problem
			continue
		}
		found, problem := j.lookup(ctx, host)
		if problem != nil {
			err = problem
			continue
		}
		for _, ip := range found {
			address := netip.AddrPortFrom(ip, port).String()
			among = among || present[address]
			if !seen[address] && !present[address] {
				targets = append(targets, address)
			}
			seen[address] = true
		}
	}
	rand.Shuffle(len(targets), func(a, b int) { targets[a], targets[b] = targets[b], targets[a] })
	return targets[:min(len(targets), maxTargets)], among, err
}

// report says that no seed answers, now and then, and that one does again.
func (j *joiner) report(ctx context.Context, got outcome, trouble error) {
	switch {
	case ctx.Err() != nil:
	case got != silent:
		if !j.complained.IsZero() {
			j.log.Info("a seed answers", "seeds", j.seeds)
		}
		j.complained = time.Time{}
	case trouble != nil && time.Since(j.complained) >= complainIn:
		if inner := errors.Unwrap(trouble); inner != nil {
			trouble = inner // the library's list of one error reads better without its heading
		}
		j.log.Warn("no seed answers; trying again", "seeds", j.seeds, "error", trouble)
		j.complained = time.Now()
	}
}

// spread varies a wait by up to share of it to either side, so that machines that lost a seed together do not all come
// back at once.
func spread(wait time.Duration, share float64) time.Duration {
	return wait + time.Duration((2*rand.Float64()-1)*share*float64(wait))
}
