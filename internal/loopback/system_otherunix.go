//go:build unix && !linux

package loopback

import "syscall"

// attributes give a process a group of its own, so that a terminal's signals do not reach it past its starter.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
