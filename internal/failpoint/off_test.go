//go:build !failpoints

package failpoint

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnOrdinaryBuildIgnoresTheVariable(t *testing.T) {
	t.Setenv("COTERIE_FAILPOINT", "merge")
	Hit("merge")
	Hit("no such name")
}

func TestHitIsRemovedByTheCompiler(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := "can inline Hit"; !strings.Contains(string(out), want) {
		t.Errorf("the compiler says %q, want it to say %q", out, want)
	}
}

// The other build has tests of its own; they run here too, so that nobody has to think of the tag.
func TestTheBuildWithTheTagPassesItsTests(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the package again")
	}
	list, _ := filepath.Glob("*.go")
	for _, name := range list { // go test notes what is read, and runs this anew where it has changed
		os.ReadFile(name)
	}
	command := exec.Command("go", "test", "-count=1", "-tags", "failpoints", ".")
	command.Env = append(os.Environ(), "COTERIE_FAILPOINT=")
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("go test -tags failpoints: %v\n%s", err, out)
	}
}
