//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cell is a control group whose processes may take few bytes of memory; the kernel kills one that takes more.
type cell struct {
	t      *testing.T
	folder string
	kills  string // the file that counts them
}

// cells are where groups can be made: what limits the memory and counts kills, by version of control groups.
var cells = []struct{ root, limit, kills string }{
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.oom_control"},
	{"/sys/fs/cgroup", "memory.max", "memory.events"},
}

func newCell(t *testing.T, name string, bytes int) *cell {
	t.Helper()
	if testing.Short() {
		t.Skip("a job of some seconds: not with -short")
	}
	if raced() {
		t.Skip("the limit would be one of what the race detector remembers")
	}
	for _, v := range cells {
		folder := filepath.Join(v.root, fmt.Sprintf("coterie-%d-%s", os.Getpid(), name))
		if err := os.Mkdir(folder, 0o755); err != nil {
			continue
		}
		c := &cell{t: t, folder: folder, kills: filepath.Join(folder, v.kills)}
		t.Cleanup(c.remove)
		if err := os.WriteFile(filepath.Join(folder, v.limit), []byte(strconv.Itoa(bytes)), 0o644); err == nil {
			return c
		}
	}
	t.Skip("no control group with a limit of memory can be made here")
	return nil
}

// remove waits for the kernel to have cleaned up after the processes.
func (c *cell) remove() {
	for range 50 {
		if err := os.Remove(c.folder); err == nil || os.IsNotExist(err) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// place enters the group before it becomes the program.
func (c *cell) place() place {
	return place{"sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(c.folder, "cgroup.procs")}
}

// killed is how many processes the kernel has killed for the limit.
func (c *cell) killed() int {
	c.t.Helper()
	text, err := os.ReadFile(c.kills)
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "oom_kill "); ok {
			if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
				return n
			}
		}
	}
	c.t.Skipf("the kernel does not count its kills: %s", text)
	return 0
}

// cellBytes is enough for a worker without rows, and not for a share of hungry.
const cellBytes = 64 << 20

// hungry is a fit of 19 partitions, of which each takes 8 MiB: 147 MiB in all.
var hungry = []string{"synth://uniform?rows=4800000&seed=6&d=8", "-k", "3", "--max-iter", "3"}

// overcommitted starts a worker that promises more memory than its group has.
func overcommitted(t *testing.T, c *cell, name string, of *daemon) *daemon {
	t.Helper()
	return serveFrom(t, name, c.place(), nil, coteriePath(t), "worker", "--join", of.gossip, "--name", name, "--threads", "1", "--memory", "4GiB")
}

// fell checks that the kernel has ended the worker for its memory.
func (c *cell) fell(d *daemon) {
	c.t.Helper()
	select {
	case <-d.ended:
	case <-time.After(commandLimit):
		c.t.Fatalf("%s lives with %d bytes", d.name, cellBytes)
	}
	if s, ok := d.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !s.Signaled() || s.Signal() != syscall.SIGKILL || c.killed() == 0 {
		c.t.Fatalf("%s ended with %v (%d killed for memory), want the kernel's SIGKILL: %s", d.name, d.cmd.ProcessState, c.killed(), d.log.String())
	}
}

func TestAWorkerThatRunsOutOfMemoryIsReplaced(t *testing.T) {
	t.Parallel()
	c := newCell(t, "one", cellBytes)
	head := leadOnLoopback(t)
	for _, name := range []string{"w1", "w2"} {
		localWorker(t, name, head, nil)
	}
	doomed := overcommitted(t, c, "w3", head)
	until(t, 20*time.Second, "three workers are there", func() bool { return len(look(t, nil, head.rpc).Workers) == 3 })
	fit := beginFit(t, nil, append([]string{"--cluster", head.rpc}, hungry...)...)
	c.fell(doomed)
	if fit.gone() {
		t.Fatal("the fit had ended before the worker was killed")
	}
	if got, want := fit.digest(), digestHere(t, hungry...); got != want {
		t.Errorf("got digest %s, want that of one process, %s", got, want)
	}
	if j := look(t, nil, head.rpc).job(); j.Reassigned == 0 {
		t.Errorf("got %+v, want partitions that were reassigned", j)
	}
}

// Three workers fall one after the other, each with the same partitions. The fourth is not tried.
func TestAJobThatBringsItsWorkersDownEndsAndSaysOverWhat(t *testing.T) {
	t.Parallel()
	c := newCell(t, "all", cellBytes)
	head := leadOnLoopback(t)
	fit := beginFit(t, nil, append([]string{"--cluster", head.rpc, "--worker-wait", "60s"}, hungry...)...)
	for _, name := range []string{"w1", "w2", "w3"} {
		if fit.gone() {
			t.Fatalf("the fit has ended before %s: %s", name, fit.log.String())
		}
		c.fell(overcommitted(t, c, name, head))
	}
	select {
	case <-fit.ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("the fit goes on: %s", fit.log.String())
	}
	code, said := fit.cmd.ProcessState.ExitCode(), fit.log.String()
	if code != 1 || !strings.Contains(said, "partition 0 (rows 0 to ") || !strings.Contains(said, "[w1 w2 w3]") || !strings.Contains(said, "lower their --memory") {
		t.Errorf("got exit %d and %s, want exit 1 and a message that names the partition, the workers and the way out", code, said)
	}
	if j := look(t, nil, head.rpc).job(); j.State != "failed" {
		t.Errorf("got %+v, want a job that failed", j)
	}
}

// spillBytes holds a quarter of the Points of wide.
const spillBytes = 128 << 20

// wide is a fit of 516 MiB of Points of which labels and bounds are little.
var wide = []string{"synth://uniform?rows=1082000&seed=6&d=125", "-k", "3", "--max-iter", "2"}

func TestAFitOfMoreRowsThanItsGroupHasMemoryForGivesTheSameFiles(t *testing.T) {
	t.Parallel()
	c := newCell(t, "spill", spillBytes)
	folder := t.TempDir()
	fit := func(from place, name string, flags ...string) string {
		labels := filepath.Join(folder, name+".csv")
		args := append([]string{"fit"}, wide...)
		args = append(args, "-o", filepath.Join(folder, name+".json"), "--labels", labels, "--threads", "2", "--quiet")
		command := append(append(place{}, from...), coteriePath(t))
		command = append(append(command, args...), flags...)
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v (%d killed for memory): %s", name, err, c.killed(), out)
		}
		text, err := os.ReadFile(labels)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	want := fit(nil, "roomy")
	if got := fit(c.place(), "tight", "--memory", fmt.Sprint(spillBytes), "--spill", os.TempDir()); got != want {
		t.Errorf("got %d bytes of labels, want the %d of a fit without a limit", len(got), len(want))
	}
	if n := c.killed(); n > 0 {
		t.Errorf("the kernel has killed %d processes for their memory, want none", n)
	}
}
