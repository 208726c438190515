//go:build failpoints

package failpoint

import (
	"errors"
	"os"
)

var canStop = errors.New("a process cannot stop itself on Windows")

func killSelf() { os.Exit(137) } // what a shell reports of a process that SIGKILL ended
func stopSelf() {}
