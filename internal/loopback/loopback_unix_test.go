//go:build unix

package loopback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// standIn makes this test's binary a process of a cluster: it says that it is ready, as its arguments want it, and waits
// for SIGTERM.
const standIn = "LOOPBACK_STAND_IN"

func TestMain(m *testing.M) {
	switch os.Getenv(standIn) {
	case "":
		os.Exit(m.Run())
	case "starter":
		starterOfOthers()
	case "sick":
		fmt.Fprintln(os.Stderr, "first line\nno room")
		os.Exit(1)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	}
	if slices.Contains(os.Environ(), "COTERIE_SEED=1") {
		fmt.Println("settings of the command that starts a cluster are not for its workers")
		os.Exit(1)
	}
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGTERM)
	fmt.Printf("ready rpc=127.0.0.1:1 gossip=127.0.0.1:2 http=127.0.0.1:3\n")
	if os.Getenv(standIn) == "stubborn" {
		signal.Ignore(syscall.SIGTERM)
	}
	<-caught
}

// starterOfOthers starts a cluster, says who is in it, and waits to be killed.
func starterOfOthers() {
	os.Setenv(standIn, "well")
	c, err := Start(context.Background(), Config{Binary: os.Args[0], Workers: 2, Threads: 1})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(c.head.cmd.Process.Pid, c.workers[0].cmd.Process.Pid, c.workers[1].cmd.Process.Pid)
	select {}
}

// started is a cluster of stand-ins.
func started(t *testing.T, health string, workers int) *Cluster {
	t.Helper()
	t.Setenv(standIn, health)
	t.Setenv("COTERIE_SEED", "1")
	c, err := Start(t.Context(), Config{Binary: os.Args[0], Workers: workers, Threads: 1, Memory: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// alive says whether a process that is not waited for by this one is there; of its own children those that have ended are
// gone once they were waited for.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestFallenWorkersAreMended(t *testing.T) {
	c := started(t, "well", 2)
	if c.Address() != "127.0.0.1:1" || c.Workers() != 2 || c.Name(1) != "w2" {
		t.Errorf("got %s, %d workers, %s", c.Address(), c.Workers(), c.Name(1))
	}
	for _, f := range Faults() {
		old := c.workers[1]
		if err := c.Do(1, f); err != nil {
			t.Fatal(err)
		}
		if f != Stop {
			<-old.ended
			if err := c.Do(1, f); err != nil {
				t.Errorf("%s of one that is gone: got %v, want nothing to happen", f, err)
			}
		}
		if err := c.Mend(t.Context(), 1, f); err != nil {
			t.Fatal(err)
		}
		if now := c.workers[1]; (now == old) != (f == Stop) || now.gone() || !alive(now.cmd.Process.Pid) {
			t.Errorf("%s: got the process %d after %d, gone: %v; want the same after a stop alone", f, now.cmd.Process.Pid, old.cmd.Process.Pid, now.gone())
		}
	}
}

func TestCloseEndsAllAlsoWhoStandsStillOrDoesNotListen(t *testing.T) {
	c := started(t, "well", 3)
	if err := errors.Join(c.Do(0, Stop), c.Do(1, Kill)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	for _, p := range append(c.workers, c.head) {
		if !p.gone() || alive(p.cmd.Process.Pid) {
			t.Errorf("%s is there still", p.name)
		}
	}
	if _, err := os.Stat(c.folder); !os.IsNotExist(err) {
		t.Errorf("got %v for the coordinator's folder, want it gone", err)
	}
	stubborn := started(t, "stubborn", 1)
	stubborn.patience = time.Millisecond
	stubborn.Close()
	if p := stubborn.workers[0]; !p.gone() || alive(p.cmd.Process.Pid) {
		t.Error("who does not listen is there still")
	}
}

func TestWhoCannotStartSaysWhyAndLeavesNothing(t *testing.T) {
	t.Setenv(standIn, "sick")
	t.Setenv("TMPDIR", t.TempDir())
	_, err := Start(t.Context(), Config{Binary: os.Args[0], Workers: 2, Threads: 1})
	if err == nil || !strings.Contains(err.Error(), "the coordinator did not start: no room") {
		t.Errorf("got %v, want the last line of its log", err)
	}
	if left, _ := os.ReadDir(os.TempDir()); len(left) != 0 {
		t.Errorf("got %v left behind", left)
	}
	if _, err := Start(t.Context(), Config{Binary: "/no/such/program", Workers: 2, Threads: 1}); err == nil || !strings.Contains(err.Error(), "cannot be started") {
		t.Errorf("got %v for a program that is not there", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	t.Setenv(standIn, "well")
	if c, err := Start(ctx, Config{Binary: os.Args[0], Workers: 2, Threads: 1}); !errors.Is(err, context.Canceled) && c == nil {
		t.Errorf("got %v, want that it was cancelled", err)
	} else if c != nil {
		c.Close() // all were ready before anybody looked
	}
	for _, workers := range []int{0, MaxWorkers + 1} {
		if _, err := Start(t.Context(), Config{Binary: os.Args[0], Workers: workers, Threads: 1}); err == nil {
			t.Errorf("%d workers are started", workers)
		}
	}
}

func TestAClusterDiesWithWhoWasKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system does not end the children of who is killed")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), standIn+"=starter")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids [3]int
	_, scanned := fmt.Fscan(out, &pids[0], &pids[1], &pids[2])
	if err := errors.Join(scanned, cmd.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	for _, pid := range pids {
		for began := time.Now(); alive(pid) && !orphanEnded(pid); time.Sleep(10 * time.Millisecond) {
			if time.Since(began) > 30*time.Second {
				for _, left := range pids {
					_ = syscall.Kill(left, syscall.SIGKILL) // they were started here
				}
				t.Fatalf("process %d is there still", pid)
			}
		}
	}
}

// orphanEnded says whether a process has ended and only waits for whoever has it now to hear of it.
func orphanEnded(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(stat), ") ")
	return err != nil || strings.HasPrefix(after, "Z")
}

func TestALogKeepsItsEnd(t *testing.T) {
	var l tail
	for range 1000 {
		fmt.Fprintln(&l, strings.Repeat("x", 100))
	}
	fmt.Fprint(&l, "the last\n")
	if len(l.text) != tailBytes || l.String() != "the last" {
		t.Errorf("got %d bytes, the last line %q; want %d and the line", len(l.text), l.String(), tailBytes)
	}
}
