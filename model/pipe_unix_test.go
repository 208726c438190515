//go:build unix

package model

import (
	"os"
	"syscall"
	"testing"
)

// pipe makes a pipe with a name. release lets go of an open that waits for its other side.
func pipe(t *testing.T, path string) (release func()) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	return func() {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
	}
}
