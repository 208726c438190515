package checkpoint

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/coterie-project/coterie/internal/failpoint"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// The state says whose customers were clustered and how: it is for the coordinator's user alone.
const (
	folderMode = 0o700
	fileMode   = 0o600
)

// files are the changes that the store makes to a disk. Tests put one in its place that fails, tears a write or is
// dead from an operation on; internal/store's Pending, which does the same steps, has no such seams. Reading goes to
// the operating system directly: it leaves nothing behind.
type files interface {
	mkdir(path string) error          // an error where it exists
	create(path string) (file, error) // an error where it exists
	rename(from, to string) error
	remove(path string) error // a file or an empty folder
	syncFolder(path string) error
}

// file is a new file. A Write that takes less than it was given is an error, also where it returns none.
type file interface {
	io.WriteCloser
	Sync() error
}

// disk are the files of the operating system.
type disk struct{}

func (disk) mkdir(path string) error      { return os.Mkdir(path, folderMode) }
func (disk) rename(from, to string) error { return os.Rename(from, to) }
func (disk) remove(path string) error     { return os.Remove(path) }

func (disk) create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err // not a nil *os.File in an interface
	}
	return f, nil
}

// syncFolder makes the names in a folder durable. File systems that cannot do it say so with EINVAL or ENOTSUP;
// there is nothing better to do on them, nor on Windows.
func (disk) syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		if errors.Is(err, os.ErrPermission) { // a folder that may be written but not read
			return nil
		}
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

const temporarySuffix = ".tmp"

// temporary is a fresh hidden name beside path.
func temporary(path string) string {
	var random [8]byte
	rand.Read(random[:]) // never fails
	return filepath.Join(filepath.Dir(path), ".coterie-"+hex.EncodeToString(random[:])+temporarySuffix)
}

func isTemporary(name string) bool {
	return strings.HasPrefix(name, ".coterie-") && strings.HasSuffix(name, temporarySuffix)
}

// place makes the file at path from parts, whole or not at all, durable when it returns. A file that may
// replace another is written here. point is the fail point before the rename, "" for none. An error is a *fault.Error that names path;
// after one from the folder's sync the file may be there.
func place(on files, path, point string, parts ...[]byte) error {
	temp := temporary(path)
	err := fill(on, temp, parts...)
	if err == nil {
		if point != "" {
			failpoint.Hit(point)
		}
		err = on.rename(temp, path)
	}
	if err != nil {
		on.remove(temp) // it may not exist; what cannot be removed is cleared by the next Open
		return store.Explain(path, err)
	}
	return store.Explain(path, on.syncFolder(filepath.Dir(path)))
}

// fill makes a new file of parts, synced.
func fill(on files, path string, parts ...[]byte) error {
	f, err := on.create(path)
	if err != nil {
		return err
	}
	for _, part := range parts {
		n, err := f.Write(part)
		if err == nil && n < len(part) {
			err = io.ErrShortWrite
		}
		if err != nil {
			f.Close()
			return err
		}
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// removeAll removes a folder and what is in it.
func removeAll(on files, path string) error {
	list, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, f := range list {
		inner := filepath.Join(path, f.Name())
		if f.IsDir() {
			err = removeAll(on, inner)
		} else {
			err = on.remove(inner)
		}
		if err != nil {
			return err
		}
	}
	return on.remove(path)
}

// problem is a failure of the machine or of the state at path.
func problem(path string, cause error, format string, args ...any) *fault.Error {
	e := fault.Failedf(cause, format, args...)
	e.Place = fault.In(path)
	return e
}
