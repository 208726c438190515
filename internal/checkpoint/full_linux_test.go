package checkpoint

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"
)

// TestARealFullDiskKeepsTheOldCheckpoint does on a file system of 64 KiB what the faulty files imitate.
func TestARealFullDiskKeepsTheOldCheckpoint(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a file system of 64 KiB cannot be mounted here: %v", err)
	}
	defer syscall.Unmount(folder, syscall.MNT_DETACH)
	s, err := Open(folder, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Create("a", []byte("spec"), []byte("running")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(saving("a", 40)(s), saving("a", 41)(s)); err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("x"), 60<<10)
	for range 3 { // what it wrote in vain is given back each time
		err := s.Save("a", 42, large)
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "disk is full") || !strings.Contains(err.Error(), "free some space") {
			t.Fatalf("got %v, want a full disk and the way out", err)
		}
		wantLoad(t, s, 41)
	}
	wantTidy(t, folder)
	if err := s.Save("a", 42, large[:30<<10]); err != nil {
		t.Errorf("what fits is refused: %v", err)
	}
	s.Close()
	again, err := Open(folder, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got, n, skipped, err := again.Load("a"); n != 42 || len(got) != 30<<10 || len(skipped) > 0 {
		t.Errorf("got %d with %d bytes (%v, %v), want 42", n, len(got), skipped, err)
	}
}
