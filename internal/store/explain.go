package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/coterie-project/coterie/internal/fault"
)

// failed is an error of the machine at path.
func failed(path string, cause error, problem string) *fault.Error {
	e := fault.Failedf(cause, "%s", problem)
	e.Place.File = path
	return e
}

// Explain is what Pending does with an error of the operating system, for those who write a file beside one of theirs.
// An error that is explained already stays as it is.
func Explain(path string, err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return explain(path, err)
}

// explain turns an error of the operating system around path into one that says what to do. The names of
// temporary files are left out: the caller does not know them.
func explain(path string, err error) *fault.Error {
	cause := err
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		cause = pathErr.Err
	case errors.As(err, &linkErr):
		cause = linkErr.Err
	}
	folder := filepath.Dir(path)
	switch {
	case errors.Is(cause, syscall.ENOTDIR):
		return failed(path, nil, "cannot be written: part of its path is a file, not a folder").Do("choose another folder")
	case errors.Is(cause, fs.ErrNotExist):
		return failed(path, nil, "cannot be written: the folder "+folder+" does not exist").Do("make it first: mkdir -p %s", folder)
	case errors.Is(cause, syscall.EROFS):
		return failed(path, nil, "cannot be written: the file system is read-only").Do("choose another folder")
	case errors.Is(cause, fs.ErrPermission):
		return failed(path, nil, "cannot be written: no permission to write in "+folder).Do("choose another folder or change its rights")
	case errors.Is(cause, syscall.ENOSPC), errors.Is(cause, syscall.EDQUOT):
		return failed(path, cause, "cannot be written: the disk is full").Do("free some space or write to another disk")
	case errors.Is(cause, syscall.EFBIG):
		return failed(path, cause, "cannot be written: the file is larger than is allowed here").Do("raise the limit (ulimit -f) or write to another disk")
	case errors.Is(cause, syscall.ENAMETOOLONG):
		return failed(path, nil, "cannot be written: its name is too long").Do("choose a shorter name")
	case errors.Is(cause, syscall.EPIPE):
		return failed(path, cause, "was closed by its reader before everything was written")
	}
	return failed(path, cause, "cannot be written")
}

// syncFolder makes a rename in folder durable. File systems that cannot sync a folder say so with EINVAL or
// ENOTSUP; there is nothing better to do on them.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(folder)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) { // a folder that may be written but not read
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
