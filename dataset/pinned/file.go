package pinned

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/coterie-project/coterie/internal/fault"
)

// File is a file as it was when Open found it.
type File struct {
	Path string
	Size int64 // bytes
	info fs.FileInfo
}

// Open opens the file at path and notes what it is; kind names it for the message about a folder ("a Parquet file").
// The caller closes the handle. Errors are of kind Input.
func Open(ctx context.Context, path, kind string) (*File, *os.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	handle, err := os.Open(path)
	if err != nil {
		return nil, nil, Unreadable(path, err)
	}
	info, err := handle.Stat()
	switch {
	case err != nil:
		err = Unreadable(path, err)
	case info.IsDir():
		err = fault.Inputf(fault.In(path), "is a folder, not %s", kind).Do("name the file in it")
	default:
		return &File{Path: path, Size: info.Size(), info: info}, handle, nil
	}
	handle.Close()
	return nil, nil, err
}

// Reopen opens the file again; it is an error of kind Input if it has changed. The caller closes the handle.
func (f *File) Reopen() (*os.File, error) {
	handle, err := os.Open(f.Path)
	if err != nil {
		return nil, Unreadable(f.Path, err)
	}
	if err := f.Unchanged(handle); err != nil {
		handle.Close()
		return nil, err
	}
	return handle, nil
}

// Unchanged is an error of kind Input if what is open is not the file that Open found.
func (f *File) Unchanged(handle *os.File) error {
	info, err := handle.Stat()
	if err != nil {
		return Unreadable(f.Path, err)
	}
	if !os.SameFile(info, f.info) || info.Size() != f.Size || !info.ModTime().Equal(f.info.ModTime()) {
		return fault.Inputf(fault.In(f.Path), "has changed since it was opened").
			Do("leave the file alone until the run has ended, then start again")
	}
	return nil
}

// Unreadable is the error of kind Input of a file that the system does not let be read.
func Unreadable(path string, err error) error {
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err // the place names the file already
	}
	e := fault.Inputf(fault.In(path), "cannot be read").Do("check the path and its rights")
	e.Err = err
	return e
}
