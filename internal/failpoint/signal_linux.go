//go:build failpoints

package failpoint

import (
	"runtime"
	"syscall"
)

var canStop error

func killSelf() { syscall.Kill(syscall.Getpid(), syscall.SIGKILL) }

// stopSelf sends SIGSTOP to the very thread that runs it: the signal is then taken before the call returns, whereas
// one to the process may be taken by any thread, a little later.
func stopSelf() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	syscall.Tgkill(syscall.Getpid(), syscall.Gettid(), syscall.SIGSTOP)
}
