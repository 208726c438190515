//go:build unix

package secure

import "syscall"

// fileLimitOfProcess is how many files this process may have open; where that cannot be learnt, what systems give at least.
func fileLimitOfProcess() int {
	const usual = 1024
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return usual
	}
	return int(min(uint64(limit.Cur), 1<<30))
}
