package sim

import (
	"context"
	"io"
	"iter"
	"strings"

	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/object/objecttest"
)

// bucket is one process's way to the object store.
type bucket struct {
	memory *objecttest.Memory
	h      *handle
}

// Stat implements object.Store.
func (b bucket) Stat(ctx context.Context, n object.Name) (object.Info, error) {
	if err := b.h.before(false); err != nil {
		return object.Info{}, err
	}
	return b.memory.Stat(ctx, n)
}

// ReadAt implements object.Store.
func (b bucket) ReadAt(ctx context.Context, info object.Info, p []byte, offset int64) error {
	if err := b.h.before(false); err != nil {
		return err
	}
	return b.memory.ReadAt(ctx, info, p, offset)
}

// Open implements object.Store.
func (b bucket) Open(ctx context.Context, info object.Info, offset, length int64) (io.ReadCloser, error) {
	if err := b.h.before(false); err != nil {
		return nil, err
	}
	return b.memory.Open(ctx, info, offset, length)
}

// List implements object.Store.
func (b bucket) List(ctx context.Context, n object.Name, after string, folders bool) iter.Seq2[object.Entry, error] {
	if err := b.h.before(false); err != nil {
		return func(yield func(object.Entry, error) bool) { yield(object.Entry{}, err) }
	}
	return b.memory.List(ctx, n, after, folders)
}

// Put implements object.Store.
func (b bucket) Put(ctx context.Context, n object.Name, body []byte, c object.Condition) (object.Info, error) {
	if err := b.h.before(true); err != nil {
		return object.Info{}, err
	}
	info, err := b.memory.Put(ctx, n, body, c)
	if err == nil {
		b.wrote(n)
		err = b.h.after()
	}
	return info, err
}

// wrote notes what was written last.
func (b bucket) wrote(n object.Name) {
	if strings.Contains(n.Key, "/objects/") {
		b.h.bed.newest = n.String()
	}
}

// Create implements object.Store.
func (b bucket) Create(ctx context.Context, n object.Name) (object.Upload, error) {
	if err := b.h.before(true); err != nil {
		return nil, err
	}
	u, err := b.memory.Create(ctx, n)
	return upload{u, b, n}, err
}

// upload is an object under way.
type upload struct {
	object.Upload
	b bucket
	n object.Name
}

// Commit implements object.Upload.
func (u upload) Commit(c object.Condition) (object.Info, error) {
	if err := u.b.h.before(true); err != nil {
		return object.Info{}, err
	}
	info, err := u.Upload.Commit(c)
	if err == nil {
		u.b.wrote(u.n)
		err = u.b.h.after()
	}
	return info, err
}

// Remove implements object.Store.
func (b bucket) Remove(ctx context.Context, n object.Name) error {
	if err := b.h.before(false); err != nil {
		return err
	}
	return b.memory.Remove(ctx, n)
}

// flipObject damages the object that was written last.
func (b *bed) flipObject(n int) bool {
	bucketName, key, _ := strings.Cut(strings.TrimPrefix(b.newest, object.Scheme), "/")
	name := object.Name{Bucket: bucketName, Key: key}
	data := b.memory.Body(name)
	if len(data) == 0 {
		return false
	}
	data[n*37%len(data)] ^= 1 << (n % 8)
	if _, err := b.memory.Put(context.Background(), name, data, object.Condition{}); err != nil {
		return false
	}
	b.damaged++
	return true
}
