package spill

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
)

func TestAReadOnlyFolderIsRefusedBeforeAnythingIsSpilled(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if inMemory(folder) {
		t.Skip("the temporary folder lies in memory")
	}
	if err := syscall.Mount(folder, folder, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("a folder cannot be mounted here: %v", err)
	}
	defer syscall.Unmount(folder, syscall.MNT_DETACH)
	if err := syscall.Mount("", folder, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("a mount cannot be made read-only here: %v", err)
	}
	_, _, err := Folder(folder)
	if err == nil || !errors.As(err, new(*Trouble)) || fault.Code(err) != int(fault.Failed) || !contains(err.Error(), folder, "read-only", "--spill") || strings.Contains(err.Error(), "free some room") {
		t.Errorf("got %v, want an error that says that %s is read-only", err, folder)
	}
	t.Setenv("TMPDIR", folder)
	if got, why, err := Folder(""); err != nil || got != "" || !contains(why, folder, "read-only") {
		t.Errorf("got %q, %q, %v, want none, since it is read-only", got, why, err)
	}
}

func TestTheFolderToSpillToIsLeftEmpty(t *testing.T) {
	folder := t.TempDir()
	if inMemory(folder) {
		t.Skip("the temporary folder lies in memory")
	}
	if got, why, err := Folder(folder); err != nil || got != folder {
		t.Fatalf("got %q, %q, %v, want %q", got, why, err, folder)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("got %v (%v) in the folder, want nothing", left, err)
	}
}
