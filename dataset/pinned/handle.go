package pinned

import (
	"context"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/coterie-project/coterie/dataset"
)

// Handle is a file or an object that is open. ReadAt is safe for concurrent use.
type Handle interface {
	io.ReaderAt
	io.Closer
	// State is what is open, as it is now. It cannot be known to have changed for an object: each read of it asks for
	// the object that was opened.
	State() (State, error)
	// Want says which bytes will be read next, in about that order, each of them once. It forgets what was announced before.
	// An object's are fetched ahead of the reads; a file's are left to the system.
	Want(spans []Span)
	// Keep says that what is read from now on will be read once more: an object's bytes stay in memory for that, as far as
	// there is room.
	Keep()
}

// Span is the bytes [From, To).
type Span struct{ From, To int64 }

// Opener opens a file or an object to read it. The reads of an object end with ctx. A *fault.Error of it is passed on as it is.
type Opener func(ctx context.Context, path string) (Handle, error)

// State is what a file or object was at some moment.
type State struct {
	Size int64  // bytes
	ETag string // of an object; "" says that it is a file
	info fs.FileInfo
}

// StateOf is the state of a file of which the system says info.
func StateOf(info fs.FileInfo) State { return State{Size: info.Size(), info: info} }

// IsDir says whether it is a folder.
func (s State) IsDir() bool { return s.info != nil && s.info.IsDir() }

// Same says whether both are of one file or object that has not changed in between.
func (s State) Same(o State) bool {
	if s.Size != o.Size || s.ETag != o.ETag || (s.info == nil) != (o.info == nil) {
		return false
	}
	return s.info == nil || os.SameFile(s.info, o.info) && s.info.ModTime().Equal(o.info.ModTime())
}

// Pin is the pin of what lies at path in this state.
func (s State) Pin(path string) dataset.Pin {
	p := dataset.Pin{Path: path, Size: s.Size, ETag: s.ETag}
	if s.info != nil {
		p.Modified = s.info.ModTime().UnixNano()
	}
	return p
}

// Local is the Handle of a file.
func Local(file *os.File) Handle { return local{file} }

type local struct{ *os.File }

func (l local) State() (State, error) {
	info, err := l.Stat()
	if err != nil {
		return State{}, err
	}
	return StateOf(info), nil
}

func (l local) Want([]Span) {}
func (l local) Keep()       {}

// OpenFile is os.Open, but that it does not wait for the other side of a pipe, should one have been put in the place of the file.
func OpenFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// OpenLocal opens a file of this machine, as OpenFile does.
func OpenLocal(_ context.Context, path string) (Handle, error) {
	file, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	return local{file}, nil
}
