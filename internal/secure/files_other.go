//go:build !unix

package secure

// fileLimitOfProcess is how many files this process may have open: there is no limit that matters here.
func fileLimitOfProcess() int { return 1 << 30 }
