package objecttest

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
)

// Memory is the Store. The zero value is empty and ready.
type Memory struct {
	// Fault, where it is set, is asked before every call, by the method's name and the object's, and fails it.
	Fault func(method string, n object.Name) error
	// After, where it is set, is asked after a Put, Commit or Remove has taken effect, and lets its answer get lost.
	After func(method string, n object.Name) error

	mu      sync.Mutex
	objects map[object.Name]stored
	clock   int64
	calls   map[string]int
	read    int64
}

type stored struct {
	body []byte
	info object.Info
}

// Calls is how often a method was called.
func (m *Memory) Calls(method string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[method]
}

// BytesRead is how many bytes ReadAt and Open have given.
func (m *Memory) BytesRead() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.read
}

// Body is what an object holds; nil where there is none.
func (m *Memory) Body(n object.Name) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.objects[n].body)
}

// Keys lists the objects.
func (m *Memory) Keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for n := range m.objects {
		keys = append(keys, n.String())
	}
	slices.Sort(keys)
	return keys
}

// begin counts a call and holds the lock where it gives no error.
func (m *Memory) begin(ctx context.Context, method string, n object.Name) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.Fault != nil {
		if err := m.Fault(method, n); err != nil {
			return err
		}
	}
	m.mu.Lock()
	if m.calls == nil {
		m.calls, m.objects = make(map[string]int), make(map[object.Name]stored)
	}
	m.calls[method]++
	return nil
}

// Stat implements object.Store.
func (m *Memory) Stat(ctx context.Context, n object.Name) (object.Info, error) {
	if err := m.begin(ctx, "Stat", n); err != nil {
		return object.Info{}, err
	}
	defer m.mu.Unlock()
	s, ok := m.objects[n]
	if !ok {
		return object.Info{}, object.Failure(fault.Input, n, object.ErrNotFound, "does not exist", "check the key")
	}
	return s.info, nil
}

// bytes is a range of an object; the caller holds the lock.
func (m *Memory) bytes(info object.Info, offset, length int64) ([]byte, error) {
	s, ok := m.objects[info.Name]
	switch {
	case !ok:
		return nil, object.Failure(fault.Input, info.Name, object.ErrChanged, "has changed since it was opened", "start again")
	case info.ETag != "" && s.info.ETag != info.ETag:
		return nil, object.Failure(fault.Input, info.Name, object.ErrChanged, "has changed since it was opened", "start again")
	case offset < 0 || length < 0 || offset+length > int64(len(s.body)):
		return nil, object.Failure(fault.Input, info.Name, io.ErrUnexpectedEOF, "ends early", "is the upload complete?")
	}
	m.read += length
	return slices.Clone(s.body[offset : offset+length]), nil
}

// ReadAt implements object.Store.
func (m *Memory) ReadAt(ctx context.Context, info object.Info, p []byte, offset int64) error {
	if err := m.begin(ctx, "ReadAt", info.Name); err != nil {
		return err
	}
	defer m.mu.Unlock()
	b, err := m.bytes(info, offset, int64(len(p)))
	copy(p, b)
	return err
}

// Open implements object.Store.
func (m *Memory) Open(ctx context.Context, info object.Info, offset, length int64) (io.ReadCloser, error) {
	if err := m.begin(ctx, "Open", info.Name); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	b, err := m.bytes(info, offset, length)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// List implements object.Store.
func (m *Memory) List(ctx context.Context, n object.Name, after string, folders bool) iter.Seq2[object.Entry, error] {
	return func(yield func(object.Entry, error) bool) {
		if err := m.begin(ctx, "List", n); err != nil {
			yield(object.Entry{}, err)
			return
		}
		var found []object.Entry
		for name, s := range m.objects {
			if name.Bucket == n.Bucket && strings.HasPrefix(name.Key, n.Key) && name.Key > after {
				found = append(found, object.Entry{Info: s.info})
			}
		}
		m.mu.Unlock()
		slices.SortFunc(found, func(a, b object.Entry) int { return strings.Compare(a.Name.Key, b.Name.Key) })
		last := ""
		for _, e := range found {
			if head, _, deeper := strings.Cut(e.Name.Key[len(n.Key):], "/"); folders && deeper {
				prefix := n.Key + head + "/"
				if prefix == last {
					continue
				}
				last = prefix
				e = object.Entry{Folder: true, Info: object.Info{Name: object.Name{Bucket: n.Bucket, Key: prefix}}}
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Put implements object.Store.
func (m *Memory) Put(ctx context.Context, n object.Name, body []byte, c object.Condition) (object.Info, error) {
	if err := m.begin(ctx, "Put", n); err != nil {
		return object.Info{}, err
	}
	defer m.mu.Unlock()
	return m.answer("Put", n, body, c)
}

// answer is write, whose answer may get lost.
func (m *Memory) answer(method string, n object.Name, body []byte, c object.Condition) (object.Info, error) {
	info, err := m.write(n, body, c)
	if err == nil && m.After != nil {
		if err := m.After(method, n); err != nil {
			return object.Info{}, err
		}
	}
	return info, err
}

// write is Put under the lock.
func (m *Memory) write(n object.Name, body []byte, c object.Condition) (object.Info, error) {
	before, stands := m.objects[n]
	switch {
	case c.IfAbsent && stands:
		return object.Info{}, object.Failure(fault.Failed, n, object.ErrChanged, "stands there already", "look at what stands there")
	case c.IfMatch != "" && (!stands || before.info.ETag != c.IfMatch):
		return object.Info{}, object.Failure(fault.Failed, n, object.ErrChanged, "was changed by another writer", "look at what stands there")
	}
	m.clock++
	info := object.Info{Name: n, Size: int64(len(body)), ETag: fmt.Sprintf("%q", fmt.Sprintf("%x-%d", md5.Sum(body), m.clock)),
		Modified: time.Unix(1_700_000_000+m.clock, 0)}
	m.objects[n] = stored{slices.Clone(body), info}
	return info, nil
}

// Create implements object.Store.
func (m *Memory) Create(ctx context.Context, n object.Name) (object.Upload, error) {
	if err := m.begin(ctx, "Create", n); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return &upload{m: m, ctx: ctx, n: n}, nil
}

// Remove implements object.Store.
func (m *Memory) Remove(ctx context.Context, n object.Name) error {
	if err := m.begin(ctx, "Remove", n); err != nil {
		return err
	}
	defer m.mu.Unlock()
	delete(m.objects, n)
	if m.After != nil {
		return m.After("Remove", n)
	}
	return nil
}

var errFinished = errors.New("objecttest: the upload has ended")

type upload struct {
	m    *Memory
	ctx  context.Context
	n    object.Name
	body []byte
	done bool
}

func (u *upload) Write(p []byte) (int, error) {
	if u.done {
		return 0, errFinished
	}
	if err := u.m.begin(u.ctx, "Write", u.n); err != nil {
		return 0, err
	}
	defer u.m.mu.Unlock()
	u.body = append(u.body, p...)
	return len(p), nil
}

func (u *upload) Commit(c object.Condition) (object.Info, error) {
	if u.done {
		return object.Info{}, errFinished
	}
	if err := u.m.begin(u.ctx, "Commit", u.n); err != nil {
		return object.Info{}, err
	}
	defer u.m.mu.Unlock()
	u.done = true
	return u.m.answer("Commit", u.n, u.body, c)
}

func (u *upload) Abort() { u.done, u.body = true, nil }
