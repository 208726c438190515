//go:build failpoints && unix && !linux

package failpoint

import "syscall"

var canStop error

func killSelf() { syscall.Kill(syscall.Getpid(), syscall.SIGKILL) }
func stopSelf() { syscall.Kill(syscall.Getpid(), syscall.SIGSTOP) }
