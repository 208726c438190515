//go:build !windows

package spill

import "os"

// unlink takes the name of an open file away: its room is free once nobody has it open, also after a crash. A folder that
// does not let go of names keeps an empty one.
func unlink(name string) { _ = os.Remove(name) }

// remove is for systems where an open file keeps its name.
func remove(string) {}
