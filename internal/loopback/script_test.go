package loopback

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"
)

// The script that starts a cluster for people must not promise its workers more memory than the machine has.
func TestWorkersOfTheScriptShareTheMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the stub is of a shell's")
	}
	dir := t.TempDir()
	stub := filepath.Join(dir, "stub")
	if err := os.WriteFile(stub, []byte("#!/bin/sh\necho ready $*\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	memory := func(workers int, env ...string) int {
		cmd := exec.CommandContext(t.Context(), "bash", "../../deploy/loopback.sh", strconv.Itoa(workers))
		cmd.Env = append(append(os.Environ(), "MEMORY=", "BIN="+stub, "STATE="+dir, "ROOT="+dir), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		log, err := os.ReadFile(filepath.Join(dir, "worker-"+strconv.Itoa(workers)+".log"))
		found := regexp.MustCompile(`--memory (\d+)KiB`).FindSubmatch(log)
		if err != nil || found == nil {
			t.Fatalf("got %q, %v, want --memory", log, err)
		}
		n, _ := strconv.Atoi(string(found[1]))
		return n
	}
	one, three := memory(1), memory(3)
	if off := one - 3*three; one > 256<<10 && (off < 0 || off > 2) {
		t.Errorf("got %d KiB for one worker and %d for each of three, want a third", one, three)
	}
	if got := memory(2, "MEMORY=123KiB"); got != 123 {
		t.Errorf("got %d KiB, want what was said", got)
	}
}
