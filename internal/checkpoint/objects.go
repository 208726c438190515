package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/coterie-project/coterie/internal/failpoint"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
)

const (
	// callWait bounds one call of the object store, all its tries included; what has a body gets as long as a slow line
	// (slowest bytes a second) takes for it beyond that.
	callWait = 2 * time.Minute
	slowest  = 1 << 20
	// skew is how far the clocks of an object store's machines may be apart. What is older than this coordinator's epoch by
	// more than that, and is not named by any manifest, is left over; what is younger may be its successor's.
	skew = time.Minute
	// maxListed bounds a listing: ten times the jobs that a state may hold.
	maxListed = 100_000
	// looksAtOnce is how many jobs are looked at side by side at a start: each takes half a dozen calls, one after another.
	looksAtOnce = 16
)

// objectHome is a prefix of an object store. There is no lock: who begins the newest epoch is the one that may write.
//
// Each record is replaced by a conditional write (If-Match), and a coordinator that starts first begins an epoch and
// then writes all records anew, so that no write of one before it can succeed any more. Numbers of records carry the
// epoch in their upper half: no two coordinators ever write the same record, and who has lost the answer to a write
// sees by reading whether it has happened.
type objectHome struct {
	root   string // without a slash at its end
	store  object.Store
	owner  Owner
	slack  time.Duration
	looks  int    // jobs that are looked at side by side at a start
	token  string // who this is: the content of epoch.N
	mu     sync.Mutex
	epoch  uint64    // the one begun last
	given  bool      // NextEpoch has returned it
	since  time.Time // when that began, by the store's clock
	loser  sync.Once
	lost   chan struct{} // closed when another coordinator has begun a later epoch
	reason error         // set before
}

// openObjects is the home that Open takes for a name that begins with s3://.
func openObjects(folder string, o Options) (string, *objectHome, error) {
	root := strings.TrimRight(folder, "/")
	if _, err := object.Parse(folder); err != nil {
		return "", nil, err
	}
	h := &objectHome{root: root, store: o.in, owner: o.Owner, slack: o.slack, looks: cmp.Or(o.looks, looksAtOnce), lost: make(chan struct{}), token: newToken()}
	if h.store == nil {
		ctx, cancel := h.patience(0)
		defer cancel()
		var err error
		if h.store, err = object.Default(ctx); err != nil {
			return "", nil, problem(folder, err, "cannot be used")
		}
		h.slack = skew
	}
	return root, h, nil
}

// patience is the context of one call that carries size bytes. It does not end with the process's: who is told to stop
// still writes where it has come to.
func (o *objectHome) patience(size int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), callWait+time.Duration(size/slowest)*time.Second)
}

func (o *objectHome) at(path string, names ...string) string {
	return strings.Join(append([]string{path}, names...), "/")
}

// name is the object of a path.
func name(path string) object.Name {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, object.Scheme), "/")
	return object.Name{Bucket: bucket, Key: key}
}

// unread says of an error of reading whether there is nothing, or whether nothing is known.
func unread(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, object.ErrNotFound):
		return fs.ErrNotExist
	}
	return unreadable{err}
}

// unreadable is an error of the object store that says nothing about what lies there.
type unreadable struct{ err error }

func (u unreadable) Error() string   { return said(u.err) }
func (u unreadable) Unwrap() []error { return []error{errUnread, u.err} }

// said is an error of the object store without its place, which the message has already.
func said(err error) string {
	var known *fault.Error
	if !errors.As(err, &known) {
		return err.Error()
	}
	bare := *known
	bare.Place = fault.Place{Row: fault.NoRow}
	return bare.Error()
}

func (o *objectHome) open(path string, most int64) (content, error) {
	ctx, cancel := o.patience(0)
	info, err := o.store.Stat(ctx, name(path))
	cancel()
	if err != nil {
		return content{}, unread(err)
	}
	length := min(info.Size, most)
	ctx, cancel = o.patience(length)
	body, err := o.store.Open(ctx, info, 0, length)
	if err != nil {
		cancel()
		return content{}, unread(err)
	}
	return content{&reader{body, cancel}, info.Size, info.ETag}, nil
}

// reader ends its context when it is closed.
type reader struct {
	body   io.ReadCloser
	cancel context.CancelFunc
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if err != nil && err != io.EOF {
		err = unread(err)
	}
	return n, err
}

func (r *reader) Close() error {
	defer r.cancel()
	return r.body.Close()
}

func (o *objectHome) list(path string) ([]item, error) {
	var list []item
	prefix := name(path + "/")
	err := o.each(path, true, func(e object.Entry) error {
		list = append(list, item{strings.TrimSuffix(e.Name.Key[len(prefix.Key):], "/"), e.Folder})
		return nil
	})
	return list, err
}

// each walks what lies below a path: right below it, or all of it.
func (o *objectHome) each(path string, folders bool, do func(e object.Entry) error) error {
	ctx, cancel := o.patience(maxListed << 10)
	defer cancel()
	n := 0
	for e, err := range o.store.List(ctx, name(path+"/"), "", folders) {
		if err != nil {
			return unreadable{err}
		}
		if n++; n > maxListed {
			return unreadable{fmt.Errorf("more than %d objects lie there", maxListed)}
		}
		if e.Name.Key == name(path+"/").Key {
			continue // a marker, as consoles make for a folder
		}
		if err := do(e); err != nil {
			return err
		}
	}
	return nil
}

func (o *objectHome) exists(path string) (bool, error) {
	ctx, cancel := o.patience(0)
	defer cancel()
	_, err := o.store.Stat(ctx, name(path))
	if err = unread(err); err == fs.ErrNotExist {
		return false, nil
	}
	return err == nil, err
}

func (o *objectHome) remove(path string) error {
	ctx, cancel := o.patience(0)
	defer cancel()
	return o.store.Remove(ctx, name(path))
}

// write puts an object of parts if the condition holds.
func (o *objectHome) write(path string, c object.Condition, parts ...[]byte) (object.Info, error) {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	ctx, cancel := o.patience(int64(size))
	defer cancel()
	if size <= object.PutBytes/8 {
		body := make([]byte, 0, size)
		for _, p := range parts {
			body = append(body, p...)
		}
		return o.store.Put(ctx, name(path), body, c)
	}
	upload, err := o.store.Create(ctx, name(path))
	if err != nil {
		return object.Info{}, err
	}
	defer upload.Abort()
	for _, p := range parts {
		if _, err := upload.Write(p); err != nil {
			return object.Info{}, err
		}
	}
	return upload.Commit(c)
}

// place writes what nobody else writes with another content: the name is that of the content.
func (o *objectHome) place(path, point string, parts ...[]byte) error {
	if point != "" {
		failpoint.Hit(point)
	}
	_, err := o.write(path, object.Condition{}, parts...)
	if err == nil {
		return nil
	}
	if now, e := stampOf(o, path); e == nil && string(now.header[:]) == string(parts[0]) {
		return nil // it has happened, and only the answer was lost; an object is whole or not there
	}
	return failedAt(path, err)
}

// failedAt is an error of a write.
func failedAt(path string, err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return problem(path, err, "cannot be written")
}

func (o *objectHome) generation(last uint64) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return max(last+1, o.epoch<<32)
}

func conditionOf(s stamp) object.Condition {
	if s.exists {
		return object.Condition{IfMatch: s.tag}
	}
	return object.Condition{IfAbsent: true}
}

func (o *objectHome) replace(path string, old stamp, h *header, body []byte) (string, error) {
	if err := o.current(); err != nil {
		return "", err
	}
	info, err := o.write(path, conditionOf(old), h[:], body)
	if err == nil {
		return info.ETag, nil
	}
	want := stamp{exists: true, size: headerBytes + int64(len(body)), header: *h}
	if now, e := stampOf(o, path); e == nil && now.same(want) {
		return now.tag, nil // it has happened, and only the answer was lost
	}
	if !errors.Is(err, object.ErrChanged) {
		return "", failedAt(path, err)
	}
	if err := o.current(); err != nil {
		return "", err
	}
	return "", errLate
}

// conflict is an error only for who has been overtaken: what the newest finds is a late write of one before it.
func (o *objectHome) conflict(string) error { return o.current() }

// current is an error if another coordinator has begun a later epoch.
func (o *objectHome) current() error {
	select {
	case <-o.lost:
		return o.reason
	default:
	}
	known, err := epochsIn(o, o.root)
	if err != nil {
		return err
	}
	o.mu.Lock()
	mine := o.epoch
	o.mu.Unlock()
	for _, n := range known {
		if n <= mine {
			continue
		}
		switch text, err := o.tokenOf(n); {
		case errors.Is(err, object.ErrChanged): // it has just been removed, by one with a later epoch
			o.yield(n)
			return o.reason
		case errors.Is(err, errUnread):
			return problem(o.epochPath(n), err, "cannot be read")
		case err != nil || text != o.token: // its own is one that it could not begin wholly
			o.yield(n)
			return o.reason
		}
	}
	return nil
}

// overtaken is an ErrConflict that reads like its *fault.Error alone.
type overtaken struct{ as *fault.Error }

func (e overtaken) Error() string        { return e.as.Error() }
func (e overtaken) Unwrap() error        { return e.as }
func (e overtaken) Is(target error) bool { return target == ErrConflict }

// yield notes that epoch n is another's.
func (o *objectHome) yield(n uint64) {
	o.loser.Do(func() {
		e := problem(o.root, nil, "another %s has taken over (epoch %d)%s", o.owner.name, n, o.holder(n)).
			Do("what it keeps goes on there; give this one a %s of its own if both are meant to run", o.owner.flag)
		e.Kind = fault.Unavailable // an exit code of its own: who is started again by a supervisor would take the state back
		o.reason = overtaken{e}
		close(o.lost)
	})
}

func (o *objectHome) close() error { return nil }
