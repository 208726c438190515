//go:build unix

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// detached starts a task that nobody follows, and gives the job's id. Its labels go to the folder, "" for none.
func (k task) detached(c *cluster, labels string) string {
	c.Helper()
	run := k.begin(c.T, nil, labels, "--detach", "--cluster", c.head.rpc)
	if code := run.code(); code != 0 {
		c.Fatalf("--detach: exit code %d: %s", code, run.log.String())
	}
	var d struct{ Job string }
	decode(c.T, run.out.String(), &d)
	return d.Job
}

// digests are those of a task in one process and of a job that is done.
func sameDigest(c *cluster, what string, id string, k task) {
	c.Helper()
	j := c.show(id, "-o", filepath.Join(c.TempDir(), "shown.json"))
	if want := k.here(c.T).Result; j.State != "done" || j.Digest == "" || !strings.HasPrefix(want, j.Digest) {
		c.Errorf("%s: got %s (%s) with digest %q, want the model of one process, %s", what, j.State, j.Reason, j.Digest, want)
	}
}

func TestADetachedJobNeedsNobody(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "", 2)
	parts := filepath.Join(c.root, "labels.csv") + "/"
	id := even.detached(c, parts)
	if j := c.ends(id); j.State != "done" {
		t.Fatalf("got %+v, want it done", j)
	}
	sameDigest(c, "detached", id, even)
	if got, want := sumOf(t, parts), even.here(t).Labels; got != want {
		t.Errorf("got labels %s, want those of one process, %s", got, want)
	}
}

// Who is interrupted cancels its job, says how it can go on, and it does.
func TestAnInterruptedFitGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "", 0)
	c.worker("w1", slowly)
	c.worker("w2", slowly)
	c.present(2)
	run := even.begin(t, nil, "", "--cluster", c.head.rpc)
	id := c.job()
	c.under(id, "iterate", 3)
	run.signal(t, syscall.SIGINT)
	if code := run.code(); code != 130 {
		t.Errorf("after SIGINT: got exit code %d, want 130", code)
	}
	if want := "coterie jobs resume " + id; !strings.Contains(run.log.String(), want) {
		t.Errorf("got %s, want it to say %q", tail(run.log.String()), want)
	}
	if j := c.ends(id); j.State != "cancelled" || j.Phase != "iterate" {
		t.Fatalf("got %+v, want it cancelled in its iterations", j)
	}
	for _, name := range []string{"w1", "w2"} {
		until(t, soon, name+" holds nothing any more", func() bool { return c.holds(name) == 0 })
	}
	worked(t, nil, "jobs", "resume", id, "--cluster", c.head.rpc)
	if j := c.ends(id); j.State != "done" {
		t.Fatalf("got %+v, want it done", j)
	}
	sameDigest(c, "resumed", id, even)
	if log := c.head.log.String(); !strings.Contains(log, "resumed from checkpoint") {
		t.Errorf("the log does not say that the job went on from a checkpoint: %s", tail(log))
	}
}

func TestACancelledJobFreesItsWorkers(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short")
	}
	t.Parallel()
	c := newCluster(t, "", 0)
	c.worker("w1", verySlowly)
	c.worker("w2", verySlowly)
	c.present(2)
	run := even.start(c)
	id := c.job()
	c.under(id, "iterate", 2)
	for _, name := range []string{"w1", "w2"} {
		until(t, soon, name+" holds partitions", func() bool { return c.holds(name) > 0 })
	}
	c.under(id, "iterate", 3) // it is not over
	worked(t, nil, "jobs", "cancel", id, "--cluster", c.head.rpc)
	if code := run.code(); code != 1 || !strings.Contains(run.log.String(), "cancelled") {
		t.Errorf("the client of a cancelled job: got exit code %d, want 1 and the reason: %s", code, tail(run.log.String()))
	}
	if j := c.show(id); j.State != "cancelled" {
		t.Errorf("got %+v, want it cancelled", j)
	}
	for _, name := range []string{"w1", "w2"} {
		until(t, soon, name+" holds nothing any more", func() bool { return c.holds(name) == 0 })
	}
}

// Several jobs share the workers, and more than the coordinator runs at once wait for their turn.
func TestJobsSideBySideAndInAQueueKeepTheirBits(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short")
	}
	t.Parallel()
	c := newCluster(t, "", 0, "--jobs", "2")
	slow := []*daemon{c.worker("w1", verySlowly), c.worker("w2", verySlowly)}
	c.present(2)
	var tasks []task
	var runs []*running
	for k := 4; k <= 7; k++ {
		task := task{"fit", fmt.Sprintf("synth://uniform?rows=200000&seed=%d&d=32", k), "-k", fmt.Sprint(k), "--tol", "0", "--max-iter", "15"}
		tasks = append(tasks, task)
		runs = append(runs, task.start(c))
	}
	until(t, soon, "two jobs run and two wait", func() bool {
		states := make(map[string]int)
		for _, j := range c.look().Jobs {
			states[j.State]++
		}
		if states["done"] > 0 {
			t.Fatalf("got %v before all were there", states)
		}
		return states["running"] == 2 && states["queued"] == 2
	})
	c.worker("w3", "")
	c.worker("w4", "")
	for _, w := range slow { // the rest would take its time
		w.kill()
	}
	for i, run := range runs {
		same(t, strings.Join(tasks[i], " "), run.bits(), tasks[i].here(t))
	}
}
