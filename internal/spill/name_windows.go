package spill

import "os"

// unlink is for systems that can take the name of an open file away.
func unlink(string) {}

// remove takes the name of a closed file away.
func remove(name string) { _ = os.Remove(name) }
