//go:build unix

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// even is a fit of seven partitions, some seeding rounds, and twenty iterations of which each takes some milliseconds.
var even = task{"fit", "synth://uniform?rows=400000&seed=5&d=32", "-k", "6", "--tol", "0", "--max-iter", "20"}

// slowly makes a worker wait in each iteration, so that a fault finds one under way: even takes four seconds then.
var slowly = fmt.Sprintf("iterate:1:sleep=%v", withDetector(200*time.Millisecond))

// verySlowly is for faults that take some seconds to be seen. Who uses it ends such workers in time.
const verySlowly = "iterate:1:sleep=1s"

// A worker is killed when it has begun with its task of a kind: its partitions are outstanding then, and nobody else
// has them. Others take them over.
func TestAWorkerKilledInAnyPhaseIsReplaced(t *testing.T) {
	model := modelFile(t)
	tangled := task{"fit", peopleFile(t), "-k", "5", "--max-iter", "5", "--duplicates", "first", "--missing", "drop", "--bad-rows", "quarantine"}
	label := task{"assign", "synth://uniform?rows=400000&seed=6&d=32", "--model", model, "--detail"}
	cases := []struct {
		point string
		task  task
		phase string // of the job, as its client hears of it
	}{
		{"iterate:4", even, "iterate"},
		{"statistics", even, "read"},
		{"load", even, "read"},
		{"keys", tangled, "read"},
		{"duplicates", tangled, "read"},
		{"seed:3", even, "seed"},
		{"score", even, "iterate"},
		{"label:2", even, "write"},
		{"label", label, "write"},
	}
	if testing.Short() {
		cases = cases[:1]
	}
	for _, c := range cases {
		t.Run(c.task[0]+" "+c.point, func(t *testing.T) {
			t.Parallel()
			cl := newCluster(t, "", 2)
			doomed := cl.worker("w3", c.point)
			cl.present(3)
			run := c.task.start(cl)
			doomed.falls(t, run)
			order := []string{"", "read", "seed", "iterate", "write"}
			if got := run.phase(); slices.Index(order, got) > slices.Index(order, c.phase) {
				t.Errorf("the worker fell in phase %q, want %q", got, c.phase)
			}
			same(t, c.point, run.bits(), c.task.here(t))
			if j := cl.show(cl.job()); j.Reassigned+j.Speculated == 0 {
				t.Errorf("got %+v, want partitions that have been reassigned: the worker had nothing to do", j)
			}
			if log := cl.head.log.String(); !strings.Contains(log, `msg="worker lost" worker=w3 `) {
				t.Errorf("the log does not say that w3 was lost: %s", tail(log))
			}
		})
	}
}

// stopped says whether a process is stopped by a signal.
func stopped(t *testing.T, d *daemon) bool {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid))
	if err != nil {
		t.Skipf("what state a process is in cannot be told here: %v", err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "T")
}

// A worker stops with an iteration begun, and goes on after its partitions have been given to others and their round is
// over: its answer comes too late then.
func TestAWorkerThatStopsAndGoesOnDoesNotCountTwice(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "", 0)
	frozen := c.worker("w1", "iterate:3:stop")
	c.worker("w2", verySlowly)
	c.worker("w3", verySlowly)
	c.present(3)
	run := even.start(c)
	until(t, soon, "w1 stops", func() bool { return stopped(t, frozen) })
	id := c.job()
	at := c.show(id)
	if at.Phase != "iterate" || at.Iteration != 2 || at.Reassigned+at.Speculated != 0 {
		t.Fatalf("w1 has stopped with the job at %+v, want it in the third iteration", at)
	}
	until(t, soon, "w1 is suspected, and the others go on", func() bool {
		j := c.show(id)
		return j.Iteration >= 4 && c.look().worker("w1") != "ready"
	})
	if j := c.show(id); j.State != "running" || j.Reassigned+j.Speculated == 0 {
		t.Fatalf("got %+v, want the job under way with partitions reassigned", j)
	}
	frozen.signal(t, syscall.SIGCONT)
	until(t, soon, "w1 is back", func() bool { return c.look().worker("w1") == "ready" })
	until(t, soon, "its late answer is refused", func() bool {
		return c.metric(c.head, `answers_total{outcome="stale"}`)+float64(c.show(id).Refused) > 0
	})
	c.workers["w2"].kill() // the rest would take its time
	c.workers["w3"].kill()
	same(t, "after a stop", run.bits(), even.here(t))
}

func TestAWorkerThatJoinsInTheMiddleTakesPart(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short")
	}
	t.Parallel()
	c := newCluster(t, "", 0)
	first := c.worker("w1", verySlowly)
	c.present(1)
	run := even.start(c)
	id := c.job()
	c.under(id, "iterate", 2)
	c.worker("w2", "")
	until(t, soon, "w2 holds partitions", func() bool { return c.holds("w2") > 0 })
	c.under(id, "iterate", 3) // it is not over
	first.kill()
	same(t, "with a worker that came in the middle", run.bits(), even.here(t))
}

// All workers go while an iteration is under way; the job waits, which anybody can see, and goes on with others.
func TestAJobOutlivesAllItsWorkers(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short")
	}
	for _, how := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(how.String(), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, "", 0)
			leaving := []*daemon{c.worker("w1", slowly), c.worker("w2", slowly)}
			c.present(2)
			run := even.start(c)
			id := c.job()
			c.under(id, "iterate", 3)
			for _, w := range leaving {
				w.signal(t, how)
			}
			for _, w := range leaving {
				s := w.status(t)
				if how == syscall.SIGTERM && s.ExitStatus() != 0 {
					t.Errorf("after SIGTERM %s ended with %v, want exit code 0", w.name, w.cmd.ProcessState)
				}
			}
			until(t, soon, "the job waits", func() bool {
				j := c.show(id)
				return j.State == "waiting" && strings.Contains(j.Reason, "0/1 workers")
			})
			at := c.show(id)
			if at.Phase != "iterate" {
				t.Fatalf("the job waits in phase %s, want it in iterate", at.Phase)
			}
			c.worker("w3", "")
			c.worker("w4", "")
			same(t, "with other workers", run.bits(), even.here(t))
			if !strings.Contains(run.log.String(), "0/1 workers") {
				t.Errorf("the client does not say that the job waits: %s", tail(run.log.String()))
			}
		})
	}
}

// A worker that is asked to leave hands its partitions over and ends well, and the job does not wait for anything.
func TestAWorkerLeavesInOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short")
	}
	t.Parallel()
	c := newCluster(t, "", 0)
	leaving := c.worker("w1", verySlowly)
	c.worker("w2", "")
	c.present(2)
	run := even.start(c)
	id := c.job()
	until(t, soon, "w1 holds partitions", func() bool { return c.holds("w1") > 0 })
	c.under(id, "iterate", 1)
	leaving.signal(t, syscall.SIGTERM)
	if s := leaving.status(t); s.ExitStatus() != 0 {
		t.Errorf("after SIGTERM w1 ended with %v, want exit code 0: %s", leaving.cmd.ProcessState, tail(leaving.log.String()))
	}
	same(t, "with a worker less", run.bits(), even.here(t))
	if j := c.show(id); j.Reassigned == 0 {
		t.Errorf("got %+v, want partitions that were given to w2", j)
	}
	if log := c.head.log.String(); !strings.Contains(log, "left=true") {
		t.Errorf("the log does not say that w1 left in order: %s", tail(log))
	}
}

// While a job runs, a worker comes and another is killed, again and again.
func TestAJobOutlivesWorkersThatComeAndGo(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short")
	}
	t.Parallel()
	c := newCluster(t, "", 0)
	alive := []*daemon{c.worker("w1", slowly), c.worker("w2", slowly)}
	c.present(2)
	run := even.start(c)
	id := c.job()
	c.under(id, "iterate", 1)
	replaced := 0
	for ; replaced < 4 && c.show(id).State == "running"; replaced++ {
		alive = append(alive, c.worker(fmt.Sprintf("w%d", replaced+3), slowly))
		alive[0].kill()
		alive = alive[1:]
	}
	if replaced < 2 {
		t.Fatalf("the job is over after %d workers have been replaced, want 2", replaced)
	}
	same(t, "with workers that come and go", run.bits(), even.here(t))
	if j := c.show(id); j.Reassigned == 0 {
		t.Errorf("got %+v, want partitions reassigned", j)
	}
}
