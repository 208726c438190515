package csv

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/coterie-project/coterie/dataset/spool"
	"github.com/coterie-project/coterie/internal/fault"
)

// content is where the decoded bytes of a table lie. It is safe for concurrent use.
type content interface {
	// open gives a reader over the bytes; the caller closes it. A file that changed since it was pinned is an error.
	open() (io.ReaderAt, io.Closer, error)
	size() int64
	// unchanged is an error if the bytes may no longer be those that were indexed.
	unchanged() error
	close() error
}

// plainFile is a file read in place. It holds no descriptor of its own: a folder may hold more files than a process
// may open.
type plainFile struct {
	path, name string
	opener     pinned.Opener
	info       fs.FileInfo // as it was when the file was pinned
}

func pin(path, name string, open pinned.Opener) (*plainFile, error) {
	p := &plainFile{path: path, name: name, opener: open}
	var err error
	if p.info, err = p.stat(); err != nil {
		return nil, unreadable(name, err)
	}
	return p, nil
}

// stat looks at what lies under the path now.
func (p *plainFile) stat() (fs.FileInfo, error) {
	file, err := p.opener(p.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.Stat()
}

func (p *plainFile) open() (io.ReaderAt, io.Closer, error) {
	file, err := p.handle()
	if err != nil {
		return nil, nil, err
	}
	return file, file, nil
}

// handle opens the file, which must be the one that was pinned.
func (p *plainFile) handle() (*os.File, error) {
	file, err := p.opener(p.path)
	if err != nil {
		return nil, unreadable(p.name, err)
	}
	info, err := file.Stat()
	if err == nil && !p.same(info) {
		err = p.changed()
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (p *plainFile) size() int64 { return p.info.Size() }

func (p *plainFile) same(now fs.FileInfo) bool {
	return os.SameFile(p.info, now) && now.Size() == p.info.Size() && now.ModTime().Equal(p.info.ModTime())
}

func (p *plainFile) unchanged() error {
	now, err := p.stat()
	if err != nil || !p.same(now) {
		return p.changed()
	}
	return nil
}

func (p *plainFile) changed() error {
	return fault.Inputf(fault.In(p.name), "changed while it was read").
		Do("run again when nothing writes to it; a writer should write elsewhere and rename")
}

func (p *plainFile) close() error { return nil }

// unreadable explains why a file cannot be opened or read. An error that is explained already stays as it is.
func unreadable(name string, err error) error {
	at := fault.In(name)
	var known *fault.Error
	switch {
	case errors.As(err, &known):
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

func (p spooled) open() (io.ReaderAt, io.Closer, error) { return p.s, io.NopCloser(nil), nil }
func (p spooled) size() int64                           { return p.s.Size() }
func (p spooled) unchanged() error                      { return nil }
func (p spooled) close() error                          { return p.s.Close() }
