package store

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
)

// Stdout is the path that stands for standard output. It is written through, without a temporary name or a sync.
const Stdout = "-"

const (
	newFileMode  = 0o666 // less the umask, as any program's output
	nameAttempts = 100
	bufferBytes  = 64 << 10
)

var errFinished = errors.New("the file is already finished")

// Pending is a file, or an object, on its way. Write to it, then Commit or Abort; nothing is visible under its path before
// Commit. It is not safe for concurrent use and not buffered.
type Pending struct {
	path     string   // as the caller wrote it, for messages
	target   string   // where the file will be: path, or what the symbolic link at path points to
	temp     string   // the temporary name; empty where the output is written straight through
	file     *os.File // nil once finished
	standard bool     // file is os.Stdout, which is not ours to close
	err      error    // the first failed Write: Commit refuses after it

	object *pendingObject // in place of all the others, where path is one
}

// WriteFile writes the file at path through write, whole or not at all. An error of write is returned as it is.
// The writer that write gets is buffered.
func WriteFile(path string, write func(io.Writer) error) error {
	return WriteFileContext(ProcessContext(), path, write)
}

// WriteFileContext is WriteFile, and the upload of an object ends with ctx.
func WriteFileContext(ctx context.Context, path string, write func(io.Writer) error) error {
	p, err := CreateContext(ctx, path)
	if err != nil {
		return err
	}
	defer p.Abort()
	buffered := bufio.NewWriterSize(p, bufferBytes)
	if err := write(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	return p.Commit()
}

// Create begins the file at path. A missing folder, a folder in the file's place or a lack of permission is found
// here, before any work is done. Devices and pipes (/dev/null) are written straight through; a symbolic link stays
// a link, and the file that it names is replaced. Of an object (s3://BUCKET/KEY) it is looked at here whether there is
// such a bucket; its upload ends with the context of Until.
func Create(path string) (*Pending, error) { return CreateContext(ProcessContext(), path) }

// CreateContext is Create, and the upload of an object ends with ctx.
func CreateContext(ctx context.Context, path string) (*Pending, error) {
	if path == Stdout {
		return &Pending{path: "standard output", file: os.Stdout, standard: true}, nil
	}
	if object.Is(path) {
		o, err := createObject(ctx, path)
		if err != nil {
			return nil, err
		}
		return &Pending{path: path, object: o}, nil
	}
	p := &Pending{path: path, target: path}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		p.target = resolved
	}
	mode := fs.FileMode(newFileMode)
	replaces := false
	switch info, err := os.Stat(p.target); {
	case path == "":
		return nil, fault.Usagef("the name of the output file is empty")
	case err == nil && info.IsDir():
		return nil, failed(path, nil, "is a folder").Do("name a file inside it")
	case err == nil && !info.Mode().IsRegular():
		file, err := os.OpenFile(p.target, os.O_WRONLY, 0)
		if err != nil {
			return nil, explain(path, err)
		}
		p.file = file
		return p, nil
	case err == nil:
		mode, replaces = info.Mode().Perm(), true
	case !errors.Is(err, fs.ErrNotExist):
		return nil, explain(path, err)
	}
	if err := p.openTemporary(); err != nil {
		return nil, explain(path, err)
	}
	if replaces { // keep the rights that the user gave to the file
		if err := p.file.Chmod(mode); err != nil {
			p.Abort()
			return nil, explain(path, err)
		}
	}
	return p, nil
}

// openTemporary creates a file under a fresh hidden name beside the target. The name is short and does not grow
// with the target's, which may already be as long as the file system allows.
func (p *Pending) openTemporary() error {
	folder := filepath.Dir(p.target)
	for attempt := 0; ; attempt++ {
		var random [8]byte
		if _, err := rand.Read(random[:]); err != nil {
			return err
		}
		name := filepath.Join(folder, ".coterie-"+hex.EncodeToString(random[:])+".tmp")
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, newFileMode)
		if errors.Is(err, fs.ErrExist) && attempt < nameAttempts {
			continue
		}
		if err != nil {
			return err
		}
		p.temp, p.file = name, file
		return nil
	}
}

// Write appends to the file that is not visible yet.
func (p *Pending) Write(b []byte) (int, error) {
	if p.object != nil {
		return p.object.write(b)
	}
	if p.file == nil {
		return 0, failed(p.path, errFinished, "cannot be written")
	}
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.file.Write(b)
	if err != nil {
		p.err = explain(p.path, err)
		return n, p.err
	}
	return n, nil
}

// Commit makes the file visible under its path, replacing what was there. On an error the old file, if any, is
// still there and nothing else is left.
func (p *Pending) Commit() error {
	if p.object != nil {
		return p.object.commit(object.Condition{})
	}
	if p.file == nil {
		return failed(p.path, errFinished, "cannot be committed")
	}
	if p.err != nil {
		p.Abort()
		return p.err
	}
	if p.standard {
		p.file = nil
		return nil
	}
	if p.temp == "" { // a device or a pipe
		err := p.file.Close()
		p.file = nil
		if err != nil {
			return explain(p.path, err)
		}
		return nil
	}
	if err := p.file.Sync(); err != nil {
		p.Abort()
		return explain(p.path, err)
	}
	err := p.file.Close()
	p.file = nil
	if err == nil {
		err = os.Rename(p.temp, p.target)
	}
	if err != nil {
		os.Remove(p.temp)
		return explain(p.path, err)
	}
	if err := syncFolder(filepath.Dir(p.target)); err != nil {
		return failed(p.path, err, "is written, but its folder could not be synced, so a power failure may lose it")
	}
	return nil
}

// Abort drops the file. After a Commit or another Abort it does nothing, so that it can be deferred.
func (p *Pending) Abort() {
	if p.object != nil {
		p.object.abort()
		return
	}
	if p.file == nil {
		return
	}
	if !p.standard {
		p.file.Close()
	}
	p.file = nil
	if p.temp != "" {
		os.Remove(p.temp)
	}
}
