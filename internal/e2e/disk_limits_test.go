//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// disk is a small file system for a coordinator's state.
type disk struct {
	t       *testing.T
	folder  string
	ballast int // files
}

// diskBytes has room for the job's specification and three checkpoints of bulkyRuns, of which two are kept.
const diskBytes = 4 << 20

func newDisk(t *testing.T) *disk {
	t.Helper()
	if testing.Short() {
		t.Skip("a job of some seconds: not with -short")
	}
	d := &disk{t: t, folder: t.TempDir()}
	if err := syscall.Mount("tmpfs", d.folder, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes)); err != nil {
		t.Skipf("a file system of %d bytes cannot be mounted here: %v", diskBytes, err)
	}
	t.Cleanup(func() { syscall.Unmount(d.folder, syscall.MNT_DETACH) })
	return d
}

// fill takes all the room that is left.
func (d *disk) fill() {
	d.t.Helper()
	d.ballast++
	file, err := os.Create(d.path(d.ballast))
	if err != nil {
		d.t.Fatal(err)
	}
	defer file.Close()
	page := make([]byte, os.Getpagesize())
	for range 2 * diskBytes / len(page) {
		if _, err := file.Write(page); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			d.t.Fatal(err)
		}
	}
	d.t.Fatal("the disk is never full")
}

func (d *disk) path(ballast int) string {
	return filepath.Join(d.folder, fmt.Sprintf("ballast%d", ballast))
}

// free gives back what fill has taken.
func (d *disk) free() {
	d.t.Helper()
	for i := range d.ballast {
		if err := os.Remove(d.path(i + 1)); err != nil {
			d.t.Fatal(err)
		}
	}
	d.ballast = 0
}

// checkpoints are the files of the job's checkpoints.
func (d *disk) checkpoints() []string {
	d.t.Helper()
	names, err := filepath.Glob(filepath.Join(d.folder, "state", "jobs", "*", "objects", "*.checkpoint"))
	if err != nil {
		d.t.Fatal(err)
	}
	return names
}

// lead starts a coordinator whose state lies on the disk, at the addresses of an earlier one if there was one.
func (d *disk) lead(before *daemon) *daemon {
	d.t.Helper()
	rpc, gossip := ownAddress(d.t), ownAddress(d.t)
	if before != nil {
		rpc, gossip = before.rpc, before.gossip
	}
	return serveFrom(d.t, "coordinator", nil, nil, coteriePath(d.t), "coordinator", "--state", filepath.Join(d.folder, "state"),
		"--listen", rpc, "--gossip", gossip, "--http", "127.0.0.1:0")
}

// bulkyRuns is a fit with checkpoints of 700 to 1,100 KiB, of which 512 are a sample of the rows, one at the end of each phase of its many short runs.
func bulkyRuns(runs string) []string {
	return []string{"synth://uniform?rows=17000&seed=3&d=200", "-k", "200", "--init", "random", "--tol", "0", "--max-iter", "3", "--runs", runs}
}

// fullUnder fills the disk until the job has said that it could not write a checkpoint.
func (d *disk) fullUnder(fit fitting) {
	d.t.Helper()
	until(d.t, 30*time.Second, "a checkpoint is written", func() bool { return len(d.checkpoints()) > 0 })
	until(d.t, 30*time.Second, "a checkpoint cannot be written", func() bool {
		d.fill() // again each time: what was under way may have left some room
		if fit.gone() {
			d.t.Fatalf("the fit ended before the disk was full: %s", fit.log.String())
		}
		return strings.Contains(fit.log.String(), "checkpoint not written, the one before it stays")
	})
	if !strings.Contains(fit.log.String(), "disk is full") || !strings.Contains(fit.log.String(), d.folder) {
		d.t.Errorf("got %s, want a message that says which disk is full", fit.log.String())
	}
}

func TestAFullDiskCostsAJobItsNextCheckpointAlone(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	head := d.lead(nil)
	slow := localWorker(t, "slow", head, slowRounds)
	job := bulkyRuns("24")
	fit := beginFit(t, nil, append([]string{"--cluster", head.rpc}, job...)...)
	d.fullUnder(fit)
	kept := d.checkpoints()
	if len(kept) == 0 {
		t.Fatal("there is no checkpoint left")
	}
	rounds := strings.Count(fit.log.String(), "iterate")
	until(t, 20*time.Second, "the job goes on without a checkpoint", func() bool { return strings.Count(fit.log.String(), "iterate") > rounds })

	head.kill()
	if now := d.checkpoints(); !slices.Equal(now, kept) {
		t.Errorf("got the checkpoints %v after the kill, want those from before the disk was full, %v", now, kept)
	}
	head = d.lead(head)
	until(t, 30*time.Second, "the job goes on from its checkpoint", func() bool { return strings.Contains(fit.log.String(), "resumed from checkpoint") })
	if said := fit.log.String(); strings.Contains(said, "invalid") || strings.Contains(said, "begins anew") {
		t.Errorf("got %s, want the newest checkpoint taken", said)
	}
	d.free()
	until(t, 30*time.Second, "a checkpoint is written again", func() bool {
		return slices.ContainsFunc(d.checkpoints(), func(name string) bool { return !slices.Contains(kept, name) })
	})
	if fit.gone() {
		t.Fatalf("the fit has ended before all of that: %s", fit.log.String())
	}
	localWorker(t, "fast", head, nil)
	slow.kill()
	if got, want := fit.digest(), digestHere(t, job...); got != want {
		t.Errorf("got digest %s, want that of one process, %s", got, want)
	}
}

// Where even the result cannot be written, the job fails, says of which disk, and can be resumed.
func TestAJobWhoseResultFindsNoRoomCanBeResumed(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	head := d.lead(nil)
	localWorker(t, "w1", head, slowRounds)
	job := bulkyRuns("3")
	fit := beginFit(t, nil, append([]string{"--cluster", head.rpc}, job...)...)
	d.fullUnder(fit)
	<-fit.ended
	if code, said := fit.cmd.ProcessState.ExitCode(), fit.log.String(); code != 1 || !strings.Contains(said, "disk is full") {
		t.Fatalf("got exit %d and %s, want exit 1 and a full disk", code, said)
	}
	j := look(t, nil, head.rpc).job()
	if j.State != "failed" || !strings.Contains(j.Reason, d.folder) {
		t.Errorf("got %+v, want a job that failed for its disk", j)
	}
	d.free()
	worked(t, nil, "jobs", "resume", j.ID, "--cluster", head.rpc)
	until(t, 30*time.Second, "the resumed job is done", func() bool { return look(t, nil, head.rpc).job().State == "done" })
	model := filepath.Join(t.TempDir(), "model.json")
	got, want := digestOf(t, worked(t, nil, "jobs", "show", j.ID, "--json", "-o", model, "--cluster", head.rpc)), digestHere(t, job...)
	if got != want {
		t.Errorf("got digest %s, want that of one process, %s", got, want)
	}
}
