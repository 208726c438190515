//go:build !failpoints

package failpoint

// Hit marks the place called name. In this build it does nothing.
func Hit(name string) {}
