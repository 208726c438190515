package secure

import (
	"log/slog"
	"sync"
	"time"
)

// recheck is how often the files are looked at, at most: three calls of stat a second cost nothing, three for each of
// a thousand workers that come back at once would be felt on a network file system.
const recheck = time.Second

// Notices are what an identity tells of itself. A nil function is not called; none may block.
type Notices struct {
	// Broken is told that the files have changed to something that cannot be used, once for each change. The identity
	// goes on with what it had. Without a function it is logged.
	Broken func(error)
	// Rejected is told of every peer that was turned away: in a handshake (method is empty) or by the guard of
	// ServerOptions. peer is its HOST:PORT.
	Rejected func(method, peer, reason string)
}

// Identity is a certificate with its key and the CA of its peers. Before each handshake it looks, at most once a
// second, whether the files have changed, and loads them anew. A nil Identity stands for no TLS; all methods take it.
// It is safe for concurrent use.
type Identity struct {
	files Files
	now   func() time.Time

	mu      sync.Mutex
	notices Notices
	looked  time.Time // when the files were last looked at
	seen    stamp     // what was there then
	broken  bool      // what was seen could not be used: it is read again, since it may have been half written
	held    *material
}

// Load reads the files. Without any it gives a nil Identity. A *fault.Error names the file and the next step, or the
// flag that is missing.
func Load(f Files) (*Identity, error) { return load(f, time.Now) }

func load(f Files, now func() time.Time) (*Identity, error) {
	given, err := f.given()
	if err != nil || !given {
		return nil, err
	}
	i := &Identity{files: f, now: now, looked: now(), seen: f.stamp()}
	if i.held, err = f.load(now()); err != nil {
		return nil, err
	}
	return i, nil
}

// Notify sets who is told of what happens. It replaces what was set before.
func (i *Identity) Notify(n Notices) {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.notices = n
}

// Roles are those of the certificate; all of them for a nil Identity.
func (i *Identity) Roles() []Role {
	if i == nil {
		return Roles()
	}
	return i.fresh().roles
}

// Expires is when the certificate in use ends; the zero time for a nil Identity.
func (i *Identity) Expires() time.Time {
	if i == nil {
		return time.Time{}
	}
	return i.fresh().certificate.Leaf.NotAfter
}

// fresh is what the next handshake uses.
func (i *Identity) fresh() *material {
	i.mu.Lock()
	err := i.look()
	held, tell := i.held, i.notices.Broken
	i.mu.Unlock()
	switch {
	case err == nil:
	case tell != nil:
		tell(err)
	default:
		slog.Warn("the TLS files have changed and cannot be used, the old ones stay in use", "error", err)
	}
	return held
}

// look loads the files anew if they have changed. An error is given once for each change. The stamp is taken before
// the files are read: what changes in between is seen as a change the next time.
func (i *Identity) look() error {
	now := i.now()
	if since := now.Sub(i.looked); since >= 0 && since < recheck {
		return nil
	}
	there := i.files.stamp()
	changed := !there.equal(i.seen)
	i.looked, i.seen = now, there
	if !changed && !i.broken {
		return nil
	}
	fresh, err := i.files.load(now)
	i.broken = err != nil
	if err == nil {
		i.held = fresh
		return nil
	}
	if !changed {
		return nil
	}
	return err
}

// reject tells of a peer that was turned away.
func (i *Identity) reject(method, peer, reason string) {
	if i == nil {
		return
	}
	i.mu.Lock()
	tell := i.notices.Rejected
	i.mu.Unlock()
	if tell != nil {
		tell(method, peer, reason)
	}
}
