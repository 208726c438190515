package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
)

// until is the context of those who give none.
var until atomic.Pointer[context.Context]

// Until says which context ends the transfers of Create, WriteFile and Check, so that Ctrl-C ends an upload and
// removes what it has sent. It is called once, by main; without it they end by the limits of package object alone.
func Until(ctx context.Context) { until.Store(&ctx) }

// ProcessContext is the context of Until; context.Background() before it was called.
func ProcessContext() context.Context {
	if ctx := until.Load(); ctx != nil {
		return *ctx
	}
	return context.Background()
}

// pendingObject is the part of a Pending whose output is an object.
type pendingObject struct {
	path   string
	upload object.Upload
	err    error // sticks
	ended  bool
}

// createObject begins the object at path. That there is such a bucket, and credentials, is found here.
func createObject(ctx context.Context, path string) (*pendingObject, error) {
	n, err := nameOf(path)
	if err != nil {
		return nil, err
	}
	s, err := object.Default(ctx)
	if err != nil {
		return nil, object.Placed(fault.Failed, path, err)
	}
	upload, err := s.Create(ctx, n)
	if err != nil {
		return nil, err
	}
	return &pendingObject{path: path, upload: upload}, nil
}

// nameOf is the object at a path, which must be one and no prefix.
func nameOf(path string) (object.Name, error) {
	n, err := object.Parse(path)
	if err == nil && (n.Key == "" || strings.HasSuffix(n.Key, "/")) {
		err = failed(path, nil, "names a folder of objects, not an object").Do("name an object inside it")
	}
	return n, err
}

func (p *pendingObject) write(b []byte) (int, error) {
	if p.ended {
		return 0, failed(p.path, errFinished, "cannot be written")
	}
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.upload.Write(b)
	p.err = explained(p.path, err)
	return n, p.err
}

func (p *pendingObject) commit(c object.Condition) error {
	if p.ended {
		return failed(p.path, errFinished, "cannot be committed")
	}
	if p.err != nil {
		p.abort()
		return p.err
	}
	_, err := p.upload.Commit(c)
	if err != nil {
		p.abort()
		return explained(p.path, err)
	}
	p.ended = true
	return nil
}

func (p *pendingObject) abort() {
	if !p.ended {
		p.ended = true
		p.upload.Abort()
	}
}

// explained is Explain, but leaves the end of a context what it is: no trouble with the object.
func explained(path string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return Explain(path, err)
}

// Check looks whether an object could be written at path, before any work is done for it: whether the name is one, and
// its bucket, and the credentials are there. Whether they allow it is known only when it is written.
func Check(path string) error {
	p, err := createObject(ProcessContext(), path)
	if err == nil {
		p.abort()
	}
	return err
}

// ReadObject reads the whole object at path, of at most limit bytes: documents, which are small. Errors are of kind Input,
// but for a service that cannot be reached.
func ReadObject(ctx context.Context, path string, limit int64) ([]byte, object.Info, error) {
	n, err := object.Parse(path)
	if err != nil {
		return nil, object.Info{}, err
	}
	if n.Key == "" || strings.HasSuffix(n.Key, "/") {
		return nil, object.Info{}, fault.Inputf(fault.In(path), "names a folder of objects, not an object").Do("name an object inside it")
	}
	s, err := object.Default(ctx)
	if err != nil {
		return nil, object.Info{}, object.Placed(fault.Input, path, err)
	}
	info, err := s.Stat(ctx, n)
	if err != nil {
		return nil, info, err
	}
	if info.Size > limit {
		return nil, info, fault.Inputf(fault.In(path), "has %d bytes, and at most %d are read", info.Size, limit).Do("is it the right object?")
	}
	data := make([]byte, info.Size)
	return data, info, s.ReadAt(ctx, info, data, 0)
}

// OpenDocument opens a small document, a file or an object, to read it. Of an object at most limit bytes are read; who
// reads a file holds to a limit of its own. Errors are those of OpenInput and ReadObject.
func OpenDocument(path string, limit int64) (io.ReadCloser, error) {
	if !object.Is(path) {
		in, err := OpenInput(ProcessContext(), path)
		if err != nil {
			return nil, err // not a nil *Input in an interface
		}
		return in, nil
	}
	data, _, err := ReadObject(ProcessContext(), path, limit)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// ReplaceObject writes the object at path where what stands there is still what was read (its ETag): another writer's
// change is not lost. Else the error wraps object.ErrChanged.
func ReplaceObject(ctx context.Context, path string, read object.Info, data []byte) error {
	p, err := createObject(ctx, path)
	if err != nil {
		return err
	}
	defer p.abort()
	if _, err := p.write(data); err != nil {
		return err
	}
	err = p.commit(object.Condition{IfMatch: read.ETag})
	if errors.Is(err, object.ErrChanged) {
		return object.Failure(fault.Failed, read.Name, err, fmt.Sprintf("was changed by another writer after it was read, at %s or later",
			read.Modified.UTC().Format("2006-01-02 15:04:05 UTC")), "do it again on what stands there now")
	}
	return err
}
