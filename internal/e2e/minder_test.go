//go:build unix

package e2e

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// minder is a process that outlives this one by a moment, and ends those of its children that are still there: a test run
// that reaches its time limit, or is killed, does not come to its cleanups, and clusters would stay for good. It reads the
// numbers of processes that begin, and of those that have ended with a minus before them, until this process is gone. It
// has a group of its own, so that Ctrl-C does not end it before its work.
var minder = sync.OnceValues(func() (io.Writer, error) {
	const script = `here=" "
while read -r p; do
	case $p in
	-*) here="${here%% ${p#-} *} ${here#* ${p#-} }" ;;
	*) here="$here$p " ;;
	esac
done
for p in $here; do kill -9 "$p"; done 2>/dev/null`
	sh := exec.Command("sh", "-c", script)
	sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := sh.StdinPipe()
	if err != nil {
		return nil, err
	}
	return in, sh.Start()
})

// mind has a child of this process end with it; gone is to be called once it has ended by itself.
func mind(pid int) (gone func(), err error) {
	w, err := minder()
	if err == nil {
		_, err = fmt.Fprintln(w, pid)
	}
	return func() { _, _ = fmt.Fprintln(w, -pid) }, err // without a minder there is nobody to tell
}
