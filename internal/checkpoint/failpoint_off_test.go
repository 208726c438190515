//go:build !failpoints

package checkpoint

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// The fail points need a build of their own; the test of them runs here too, so that nobody has to think of the tag.
func TestTheFailPointsOfSave(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("builds the package again, and needs signals")
	}
	os.ReadFile("failpoint_on_test.go") // go test notes what is read, and runs this anew where it has changed
	if out, err := exec.Command("go", "test", "-count=1", "-tags", "failpoints", "-run", "FailPoint", ".").CombinedOutput(); err != nil {
		t.Errorf("go test -tags failpoints: %v\n%s", err, out)
	}
}
