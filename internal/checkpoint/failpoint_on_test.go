//go:build failpoints && unix

package checkpoint

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestAKillAtAFailPointOfSaveKeepsTheOldCheckpoint(t *testing.T) {
	for point, want := range map[string]struct {
		temporary, objects int // in the folder of objects when the process is dead
		sequence           uint64
	}{
		"checkpoint-write":   {1, 2, 41},
		"manifest-swap":      {0, 3, 41},
		"checkpoint-write:2": {0, 2, 42}, // there is only one: the process lives
	} {
		folder := running(t)
		command := exec.CommandContext(t.Context(), os.Args[0])
		command.Env = append(os.Environ(), saver+"="+folder, "COTERIE_FAILPOINT="+point)
		out, _ := command.CombinedOutput()
		status := command.ProcessState.Sys().(syscall.WaitStatus)
		if killed := status.Signaled() && status.Signal() == syscall.SIGKILL; killed != (want.sequence == 41) {
			t.Errorf("%s: killed is %v\n%s", point, killed, out)
		}
		list, _ := os.ReadDir(folder + "/jobs/a/objects")
		temporaries, objects := 0, 0
		for _, f := range list {
			if strings.HasSuffix(f.Name(), temporarySuffix) {
				temporaries++
			} else {
				objects++
			}
		}
		if temporaries != want.temporary || objects != want.objects {
			t.Errorf("%s: left %d temporary files and %d objects, want %d and %d", point, temporaries, objects, want.temporary, want.objects)
		}
		s := opened(t, folder)
		wantLoad(t, s, want.sequence)
		wantTidy(t, folder)
	}
}
