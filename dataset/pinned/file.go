package pinned

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

// Opener opens a file to read it. A *fault.Error of it is passed on as it is.
type Opener func(path string) (*os.File, error)

// File is a file as it was when Open found it.
type File struct {
	Path string
	Size int64 // bytes
	info fs.FileInfo
	open Opener
}

// Open opens the file at path and notes what it is; kind names it for the message about a folder ("a Parquet file").
// open is asked each time that the file is opened; nil: os.Open. The caller closes the handle. Errors are of kind Input.
func Open(ctx context.Context, path, kind string, open Opener) (*File, *os.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if open == nil {
		open = os.Open
	}
	handle, err := open(path)
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
		return &File{Path: path, Size: info.Size(), info: info, open: open}, handle, nil
	}
	handle.Close()
	return nil, nil, err
}

// Reopen opens the file again; it is an error of kind Input if it has changed. The caller closes the handle.
func (f *File) Reopen() (*os.File, error) {
	handle, err := f.open(f.Path)
	if err != nil {
		return nil, Unreadable(f.Path, err)
	}
	if err := f.Unchanged(handle); err != nil {
		handle.Close()
		return nil, err
	}
	return handle, nil
}

// Pins is the one file.
func (f *File) Pins() []dataset.Pin { return []dataset.Pin{PinOf(f.Path, f.info)} }

// PinOf is the pin of a file of which the system says info.
func PinOf(path string, info fs.FileInfo) dataset.Pin {
	return dataset.Pin{Path: path, Size: info.Size(), Modified: info.ModTime().UnixNano()}
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

// Unreadable is the error of kind Input of a file that the system does not let be read. An error that is explained
// already stays as it is.
func Unreadable(path string, err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err // the place names the file already
	}
	e := fault.Inputf(fault.In(path), "cannot be read").Do("check the path and its rights")
	e.Err = err
	return e
}
