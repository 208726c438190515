package spill

import (
	"syscall"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
)

const unlinks = true

func TestAFullDiskIsSaidAndCostsNothing(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	defer syscall.Unmount(folder, syscall.MNT_DETACH)
	f, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	small := put(t, f, filled(page, 1))
	_, err = f.Put(filled(40*page, 2))
	if err == nil || fault.Code(err) != int(fault.Failed) || !contains(err.Error(), "the disk is full", folder, "--spill") {
		t.Errorf("got %v, want an error that says that the disk of %s is full", err, folder)
	}
	if f.Used() != page {
		t.Errorf("got %d bytes in use, want %d", f.Used(), page)
	}
	if _, err := f.Get(small, Buffer(page)); err != nil {
		t.Errorf("what was there before: %v", err)
	}
	if _, _, err := Folder(folder); err == nil || fault.Code(err) != int(fault.Usage) || !contains(err.Error(), folder, "memory") {
		t.Errorf("a folder in memory: got %v, want an error that says so", err)
	}
}

func TestAReadOnlyFolderIsAnError(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_RDONLY, "size=64k"); err != nil {
		t.Skipf("a file system that is read-only cannot be mounted here: %v", err)
	}
	defer syscall.Unmount(folder, syscall.MNT_DETACH)
	if _, err := Open(folder); err == nil || !contains(err.Error(), folder, "read-only") {
		t.Errorf("got %v, want an error that says that %s is read-only", err, folder)
	}
}

func TestAFolderThatTakesNoFilesIsNamed(t *testing.T) {
	if _, err := Open("/proc"); err == nil || !contains(err.Error(), "/proc: the folder to spill to takes no files", "--spill") {
		t.Errorf("got %v, want an error that says that /proc takes no files", err)
	}
}
