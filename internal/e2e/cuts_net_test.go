//go:build linux

package e2e

import (
	"strconv"
	"testing"
	"time"
)

// bench is a cluster on a lan with a fit under way: a coordinator, where the fit was given, two slow workers, and one
// without a fail point, w3. Once the two have gone, the job ends in no time.
type bench struct {
	*testing.T
	lan         *lan
	center, far *machine // of the coordinator and of w3
	all         []*machine
	coordinator *daemon
	slow        []*daemon
	third       *daemon
	fit         fitting
}

// newBench returns once the fit iterates and w3 has part in it.
func newBench(t *testing.T) *bench {
	l := newLAN(t)
	b := &bench{T: t, lan: l, center: l.machine()}
	b.coordinator = b.center.coordinator()
	b.all = []*machine{b.center, l.machine(), l.machine(), l.machine()}
	b.far = b.all[3]
	for i, name := range []string{"w1", "w2"} {
		b.slow = append(b.slow, b.all[i+1].worker(name, b.center, slowRounds))
	}
	b.third = b.far.worker("w3", b.center, nil)
	until(t, 20*time.Second, "three workers are there", func() bool { return len(b.look().Workers) == 3 })
	b.fit = beginFit(t, b.center.place(), append([]string{"--cluster", b.center.at(rpcPort)}, longJob...)...)
	until(t, 20*time.Second, "the fit iterates on three workers", func() bool {
		v := b.look()
		return v.job().Iteration >= 2 && len(v.Workers) == 3 && v.Workers[2].Partitions > 0
	})
	return b
}

func (b *bench) look() view {
	b.Helper()
	return look(b.T, b.center.place(), b.center.at(rpcPort))
}

// iterates waits for some more rounds of the fit, which must not end meanwhile.
func (b *bench) iterates(rounds int) {
	b.Helper()
	first := b.look().job().Iteration
	until(b.T, 30*time.Second, "the fit goes on", func() bool {
		j := b.look().job()
		if j.State != "running" || j.Phase != "iterate" {
			b.Fatalf("the fit is %s (%s) after %d iterations, want it under way", j.State, j.Phase, j.Iteration)
		}
		return j.Iteration >= first+rounds
	})
}

// state waits until w3 is in one of the states.
func (b *bench) state(limit time.Duration, want ...string) string {
	b.Helper()
	var got string
	until(b.T, limit, "w3 becomes "+want[0], func() bool {
		got = b.look().worker("w3")
		for _, w := range want {
			if got == w {
				return true
			}
		}
		return false
	})
	return got
}

// ends has the job end on w3 alone, which so is seen to work, and compares the bits.
func (b *bench) ends() {
	b.Helper()
	b.iterates(1) // it is under way, and waits for all of its workers
	for _, d := range b.slow {
		d.kill()
	}
	if got, want := b.fit.digest(), digestHere(b.T, longJob...); got != want {
		b.Errorf("got digest %s, want that of one process, %s", got, want)
	}
}

func tcp(side string) []string { return []string{"ipproto", "tcp", side, strconv.Itoa(rpcPort)} }

// Whoever is cut off must be noticed within seconds, the others go on with its partitions, and once the cut heals it
// works again. In each case w3's cable or a direction of it is cut while it takes part in an iteration.
func TestAWorkerThatIsCutOffIsReplacedAndComesBack(t *testing.T) {
	cuts := map[string]struct {
		cut  func(b *bench) (heal []func())
		want []string // states of w3
	}{
		"in both directions": {func(b *bench) []func() {
			return []func(){b.center.deaf(b.far), b.far.deaf(b.center)}
		}, []string{"rpc-unreachable", "suspect"}},
		"answers are lost": {func(b *bench) []func() { return []func(){b.center.deaf(b.far)} }, []string{"rpc-unreachable", "suspect"}},
		"tasks are lost":   {func(b *bench) []func() { return []func(){b.far.deaf(b.center)} }, []string{"rpc-unreachable", "suspect"}},
		"gossip is alive, RPC is dead": {func(b *bench) []func() {
			return []func(){b.center.deaf(b.far, tcp("dport")...), b.far.deaf(b.center, tcp("sport")...)}
		}, []string{"rpc-unreachable"}},
		"the cable is pulled": {func(b *bench) []func() { return []func(){b.far.unplug()} }, []string{"suspect"}},
	}
	for name, c := range cuts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			before := b.center.dropped() + b.far.dropped()
			heal := c.cut(b)
			got := b.state(25*time.Second, c.want...)
			if taken := b.center.dropped() + b.far.dropped() - before; taken == 0 && name != "the cable is pulled" {
				t.Error("no packet was dropped: there was no fault")
			}
			if j := b.look().job(); j.Reassigned+j.Speculated == 0 {
				t.Error("none of its partitions went to others: w3 had nothing to do when it was cut off")
			}
			b.iterates(3)
			if name == "gossip is alive, RPC is dead" {
				got = b.look().worker("w3")
			}
			if v := b.look(); v.worker("w1") != "ready" || v.worker("w2") != "ready" || v.worker("w3") == "ready" {
				t.Errorf("got %+v, want w3 alone not ready (it was %s)", v.Workers, got)
			}
			for _, h := range heal {
				h()
			}
			b.state(40*time.Second, "ready")
			b.ends()
		})
	}
}
