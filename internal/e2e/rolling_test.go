//go:build unix

package e2e

import (
	"syscall"
	"testing"
	"time"
)

// grace is how long a pod or a unit has from SIGTERM to SIGKILL, as deploy/ has it: what takes longer loses work.
const grace = 30 * time.Second

// roll ends a process as an update does, with SIGTERM, waits for it to leave in order, and gives how long that took.
func roll(t *testing.T, d *daemon) time.Duration {
	t.Helper()
	began := time.Now()
	d.signal(t, syscall.SIGTERM)
	if s := d.status(t); !s.Exited() || s.ExitStatus() != 0 {
		t.Fatalf("after SIGTERM %s ended with %v, want exit code 0: %s", d.name, d.cmd.ProcessState, tail(d.log.String()))
	}
	return time.Since(began)
}

// A rolling update in the middle of a job, as a StatefulSet does it: worker after worker gets SIGTERM, leaves, comes back
// under its name at another address, and is ready before the next one goes; then the coordinator, on its state. The job is
// under way all the time and ends with the same bits.
func TestARollingUpdateInTheMiddleOfAJob(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short")
	}
	t.Parallel()
	c := newCluster(t, "", 0)
	names := []string{"w1", "w2", "w3"}
	for _, name := range names {
		c.worker(name, verySlowly) // twenty seconds for the job: the update takes a fraction of that
	}
	c.present(len(names))
	run := even.start(c)
	id := c.job()
	c.under(id, "iterate", 1)
	slowest := time.Duration(0)
	for _, name := range names {
		until(t, soon, name+" holds partitions", func() bool { return c.holds(name) > 0 })
		slowest = max(slowest, roll(t, c.workers[name]))
		c.worker(name, verySlowly)
		c.present(len(names))
		c.under(id, "iterate", 1) // it is not over
	}
	if j := c.show(id); j.Reassigned == 0 {
		t.Errorf("got %+v before the coordinator goes, want partitions that were given to others", j)
	}
	slowest = max(slowest, roll(t, c.head))
	c.restart("")
	c.present(len(names))
	c.under(id, "iterate", 1)
	c.worker("w4", "") // the rest would take its time
	c.present(len(names) + 1)
	for _, name := range names {
		c.workers[name].kill()
	}
	same(t, "after a rolling update", run.bits(), even.here(t))
	if got := c.epoch(); got != 2 {
		t.Errorf("got epoch %d, want 2", got)
	}
	if slowest > grace {
		t.Errorf("a process took %v to leave, and would have been killed after %v", slowest, grace)
	}
}
