//go:build failpoints

package failpoint

import "os"

func killed(state *os.ProcessState) bool { return state.ExitCode() == 137 }
