//go:build unix

package loopback

import "syscall"

// Faults are those that this system has.
func Faults() []Fault { return []Fault{Kill, Stop, Terminate} }

// signal does something to the process.
func (p *process) signal(f Fault) error {
	s := syscall.SIGKILL
	switch f {
	case Stop:
		s = syscall.SIGSTOP
	case Terminate:
		s = syscall.SIGTERM
	}
	return p.cmd.Process.Signal(s)
}

// resume lets a process that stands still go on.
func (p *process) resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }
