package pinned

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
)

func TestAFileThatIsNotTheSameAnyMoreIsRefused(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"longer":  func(path string) error { return os.WriteFile(path, []byte("abcd"), 0o600) },
		"touched": func(path string) error { return os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)) },
		"replaced by one of the same size and time": func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			other := path + ".new"
			if err := os.WriteFile(other, []byte("xyz"), 0o600); err != nil {
				return err
			}
			if err := os.Chtimes(other, time.Time{}, info.ModTime()); err != nil {
				return err
			}
			return os.Rename(other, path)
		},
		"gone": os.Remove,
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
			t.Fatal(err)
		}
		f, handle, err := Open(t.Context(), path, "a file", nil)
		if err != nil {
			t.Fatal(err)
		}
		handle.Close()
		again, err := f.Reopen(t.Context())
		if err != nil {
			t.Fatalf("%s: unchanged: %v", name, err)
		}
		again.Close()
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Reopen(t.Context()); fault.Code(err) != int(fault.Input) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error of kind Input that names the file", name, err)
		}
	}
}

func TestWhatCannotBeOpenedIsNamedWithTheNextStep(t *testing.T) {
	folder := t.TempDir()
	for path, want := range map[string]string{
		folder:                          "is a folder, not a file (name the file in it)",
		filepath.Join(folder, "nobody"): "cannot be read: no such file or directory (check the path and its rights)",
	} {
		if _, _, err := Open(t.Context(), path, "a file", nil); err == nil || err.Error() != path+": "+want {
			t.Errorf("got %v, want %s: %s", err, path, want)
		}
	}
}
