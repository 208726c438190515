//go:build !race

package bubble

// alone is needed with the race detector only.
func alone() (end func()) { return func() {} }
