//go:build failpoints && unix

package failpoint

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func killed(state *os.ProcessState) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// TestStopWaitsForSIGCONT asks the kernel for the change of state, so that no time decides.
func TestStopWaitsForSIGCONT(t *testing.T) {
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), variable+"=assign:2:stop", script+"=assign,assign,assign")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	command.Stdout = w
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	pid := command.Process.Pid
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("the process is in state %#x (%v), want it stopped", status, err)
	}
	buffer := make([]byte, 100)
	n, _ := r.Read(buffer)
	if got, want := string(buffer[:n]), "assign assign "; got != want {
		t.Errorf("at the stop it had reached %q, want %q", got, want)
	}
	syscall.Kill(pid, syscall.SIGCONT)
	if err := command.Wait(); err != nil {
		t.Errorf("after SIGCONT it ended with %v, want success", err)
	}
	n, _ = r.Read(buffer)
	if got := string(buffer[:n]); !strings.HasSuffix(got, "end") {
		t.Errorf("after SIGCONT it reached %q, want the end", got)
	}
}
