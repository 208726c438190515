package csv

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/coterie-project/coterie/dataset/spool"
	"github.com/coterie-project/coterie/internal/fault"
)

// content is where the decoded bytes of a table lie. It is safe for concurrent use.
type content interface {
	// open gives a reader over the bytes, to read [from, to) of them from front to back; the caller closes it. A file that
	// changed since it was pinned is an error.
	open(ctx context.Context, from, to int64) (io.ReaderAt, io.Closer, error)
	size() int64
	// unchanged is an error if the bytes may no longer be those that were indexed.
	unchanged(ctx context.Context) error
	close() error
}

// plainFile is a file or an object read in place. It holds no descriptor of its own: a folder may hold more files than a
// process may open.
type plainFile struct {
	path, name string
	opener     pinned.Opener
	state      pinned.State // as it was when the file was pinned
}

func pin(ctx context.Context, path, name string, open pinned.Opener) (*plainFile, error) {
	p := &plainFile{path: path, name: name, opener: open}
	var err error
	if p.state, err = p.look(ctx); err != nil {
		return nil, unreadable(name, err)
	}
	return p, nil
}

// look says what lies under the path now.
func (p *plainFile) look(ctx context.Context) (pinned.State, error) {
	file, err := p.opener(ctx, p.path)
	if err != nil {
		return pinned.State{}, err
	}
	defer file.Close()
	return file.State()
}

func (p *plainFile) open(ctx context.Context, from, to int64) (io.ReaderAt, io.Closer, error) {
	file, err := p.handle(ctx)
	if err != nil {
		return nil, nil, err
	}
	file.Want([]pinned.Span{{From: from, To: to}})
	return file, file, nil
}

// headBytes is what is kept of an object while it is indexed: as a rule the header, and the rows that decide about kinds, of
// which bytes are looked at more than once.
const headBytes = 4 << 20

// whole gives a reader for the passes that find out what the file holds.
func (p *plainFile) whole(ctx context.Context) (io.ReaderAt, io.Closer, error) {
	file, err := p.handle(ctx)
	if err != nil || p.state.ETag == "" {
		return file, file, err
	}
	file.Keep() // the rows come after the index
	h := headed{Handle: file, head: make([]byte, min(p.state.Size, headBytes))}
	file.Want([]pinned.Span{{From: 0, To: p.state.Size}})
	if _, err := file.ReadAt(h.head, 0); err != nil {
		file.Close()
		return nil, nil, unreadable(p.name, err)
	}
	return h, file, nil
}

// headed is an object whose first bytes are kept.
type headed struct {
	pinned.Handle
	head []byte
}

func (h headed) ReadAt(b []byte, at int64) (n int, err error) {
	if at < int64(len(h.head)) {
		if n = copy(b, h.head[at:]); n == len(b) {
			return n, nil
		}
	}
	rest, err := h.Handle.ReadAt(b[n:], at+int64(n))
	return n + rest, err
}

// handle opens the file, which must be the one that was pinned.
func (p *plainFile) handle(ctx context.Context) (pinned.Handle, error) {
	file, err := p.opener(ctx, p.path)
	if err != nil {
		return nil, unreadable(p.name, err)
	}
	state, err := file.State()
	if err == nil && !p.state.Same(state) {
		err = p.changed()
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (p *plainFile) size() int64 { return p.state.Size }

// unchanged looks at a file again. Every byte of an object was asked of the one that was opened.
func (p *plainFile) unchanged(ctx context.Context) error {
	if p.state.ETag != "" {
		return nil
	}
	now, err := p.look(ctx)
	if err != nil || !p.state.Same(now) {
		return p.changed()
	}
	return nil
}

func (p *plainFile) changed() error {
	return fault.Inputf(fault.In(p.name), "changed while it was read").
		Do("run again when nothing writes to it; a writer should write elsewhere and rename")
}

func (p *plainFile) close() error { return nil }

// unreadable explains why a file cannot be opened or read. An error that is explained already stays as it is, and so does
// that of a context.
func unreadable(name string, err error) error {
	at := fault.In(name)
	switch {
	case pinned.Explained(err):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return fault.Inputf(at, "does not exist").Do("check the path")
	case errors.Is(err, fs.ErrPermission):
		return fault.Inputf(at, "may not be read: no permission").Do("change its rights")
	}
	return &fault.Error{Kind: fault.Input, Place: at, Problem: "cannot be read", Err: err}
}

// spooled is decompressed or piped data.
type spooled struct{ s *spool.Spool }

func (p spooled) open(context.Context, int64, int64) (io.ReaderAt, io.Closer, error) {
	return p.s, io.NopCloser(nil), nil
}
func (p spooled) size() int64                     { return p.s.Size() }
func (p spooled) unchanged(context.Context) error { return nil }
func (p spooled) close() error                    { return p.s.Close() }
