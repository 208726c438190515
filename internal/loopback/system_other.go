//go:build !unix

package loopback

import "syscall"

// Faults are those that this system has.
func Faults() []Fault { return []Fault{Kill} }

// signal ends the process: there are no others here.
func (p *process) signal(Fault) error { return p.cmd.Process.Kill() }

// resume has nothing to do: no process stands still.
func (p *process) resume() error { return nil }

// attributes are none.
func attributes() *syscall.SysProcAttr { return nil }
