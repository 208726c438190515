package pinned

import (
	"context"
	"errors"
	"io/fs"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

// File is a file or an object as it was when Open found it.
type File struct {
	Path  string
	Size  int64 // bytes
	state State
	open  Opener
}

// Open opens what lies at path and notes what it is; kind names it for the message about a folder ("a Parquet file").
// open is asked each time that it is opened; nil: OpenLocal. The caller closes the handle. Errors are of kind Input.
func Open(ctx context.Context, path, kind string, open Opener) (*File, Handle, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if open == nil {
		open = OpenLocal
	}
	handle, err := open(ctx, path)
	if err != nil {
		return nil, nil, Unreadable(path, err)
	}
	state, err := handle.State()
	switch {
	case err != nil:
		err = Unreadable(path, err)
	case state.IsDir():
		err = fault.Inputf(fault.In(path), "is a folder, not %s", kind).Do("name the file in it")
	default:
		return &File{Path: path, Size: state.Size, state: state, open: open}, handle, nil
	}
	handle.Close()
	return nil, nil, err
}

// Reopen opens it again; it is an error of kind Input if it has changed. The caller closes the handle, whose reads end with
// ctx.
func (f *File) Reopen(ctx context.Context) (Handle, error) {
	handle, err := f.open(ctx, f.Path)
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
func (f *File) Pins() []dataset.Pin { return []dataset.Pin{f.state.Pin(f.Path)} }

// Unchanged is an error of kind Input if what is open is not what Open found.
func (f *File) Unchanged(handle Handle) error {
	state, err := handle.State()
	if err != nil {
		return Unreadable(f.Path, err)
	}
	if !state.Same(f.state) {
		return fault.Inputf(fault.In(f.Path), "has changed since it was opened").
			Do("leave the file alone until the run has ended, then start again")
	}
	return nil
}

// Unreadable is the error of kind Input of a file that the system does not let be read. An error that is explained
// already stays as it is, and so does that of a context.
func Unreadable(path string, err error) error {
	if Explained(err) {
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

// Explained says whether an error has its message already, or is that of a context that has ended.
func Explained(err error) bool {
	var known *fault.Error
	return errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
