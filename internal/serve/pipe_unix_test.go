//go:build unix

package serve

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-project/coterie/feature"
)

func TestAPipeInThePlaceOfTheModelIsRefusedAndReloadingGoesOn(t *testing.T) {
	quick := usual
	quick.poll, quick.again = 2*time.Millisecond, 2*time.Millisecond
	r := start(t, shop(feature.Mean, false), quick, nil)
	pipe := r.path + ".pipe"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.Rename(pipe, r.path); err != nil {
		t.Fatal(err)
	}
	until(t, "a look at the pipe", func() bool { return r.holder.problem.Load() != nil })
	tries := r.holder.refused.Load()
	until(t, "further attempts", func() bool { return r.holder.refused.Load() > tries+2 })
	if status, answer := r.call(t, "/readyz", ""); status != http.StatusOK || !strings.Contains(answer, "it is a pipe, not a file") {
		t.Errorf("/readyz says %d, %q", status, answer)
	}
	if said := strings.Count(r.log.String(), "cannot be used"); said != 1 {
		t.Errorf("%d lines of the log for one change", said)
	}
	next := shop(feature.Mean, true)
	if err := os.Remove(r.path); err != nil {
		t.Fatal(err)
	}
	put(t, r.path, next)
	until(t, "the new model", func() bool { return r.holder.current.Load().Digest() == next.Digest() })
}
