package loopback

import "syscall"

// attributes give a process a group of its own, so that a terminal's signals do not reach it past its starter, and have it
// die with the thread that starts it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
