package checkpoint

import (
	"errors"
	"io"
	"io/fs"

	"github.com/coterie-project/coterie/internal/object"
)

// stamp tells a file from what it was: its length and its header, whose SHA-256 covers the rest and whose generation
// tells two writings of the same content apart. The zero stamp is that of a file that does not exist.
type stamp struct {
	exists bool
	size   int64
	header header
	tag    string // which object it is; "" in a folder, and where that is not known
}

// same says whether two stamps are of one content, by one writer.
func (s stamp) same(t stamp) bool {
	s.tag, t.tag = "", ""
	return s == t
}

// stampOf reads the stamp of the file at path, whether it is valid or not.
func stampOf(at home, path string) (s stamp, err error) {
	for range rereads {
		if s, err = stampOnce(at, path); !errors.Is(err, object.ErrChanged) {
			break
		}
	}
	return s, err
}

func stampOnce(at home, path string) (stamp, error) {
	f, err := at.open(path, headerBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return stamp{}, nil
	}
	if err != nil {
		return stamp{}, err
	}
	defer f.Close()
	s := stamp{exists: true, size: f.size, tag: f.tag}
	if _, err := io.ReadFull(f, s.header[:min(f.size, headerBytes)]); err != nil {
		return stamp{}, err
	}
	return s, nil
}

// record is a file that is replaced by compare-and-swap. The lock on a folder keeps other coordinators out; where
// it does not (the lock file was deleted, or a network's file system that only pretends), the stale one finds here that the
// file is no longer the one it knew. Between the comparison and the rename another could still write: a folder
// has no better, object storage has If-Match.
type record struct {
	path  string
	kind  kind
	held  stamp // the file as it was last read or written
	tried stamp // what a swap that failed may have left; otherwise the same as held
}

// errLate is the error of a swap that found what another has written who may not do so any more: try again.
var errLate = errors.New("it was replaced meanwhile")

// lateTries bounds how often a swap is tried again: each of those who may not write does so once at most.
const lateTries = 8

// fresh looks whether the file is still the one that this store knows: ErrConflict if not.
func (r *record) fresh(at home) error {
	now, err := stampOf(at, r.path)
	if err != nil {
		return problem(r.path, err, "cannot be read before it is replaced")
	}
	if now != r.held && !now.same(r.tried) {
		if err := at.conflict(r.path); err != nil {
			return err
		}
	}
	r.held, r.tried = now, now
	return nil
}

// swap replaces the file if it is still the one that this store knows, and counts its generation up.
func (r *record) swap(at home, body []byte) error {
	for try := 1; ; try++ {
		err := r.fresh(at)
		if err == nil {
			err = r.restamp(at, body)
		}
		if !errors.Is(err, errLate) || try == lateTries {
			return err
		}
	}
}

// restamp is a swap without the look before it.
func (r *record) restamp(at home, body []byte) error {
	last := uint64(0) // also after a file that does not say which one it was
	if h := &r.held.header; r.held.exists && h.fits(r.kind, r.held.size, r.held.size) == nil {
		last = h.number()
	}
	h := seal(r.kind, at.generation(last), body)
	r.tried = stamp{exists: true, size: headerBytes + int64(len(body)), header: h}
	tag, err := at.replace(r.path, r.held, &h, body)
	if err != nil {
		return err
	}
	r.tried.tag = tag
	r.held = r.tried
	return nil
}

// load reads the record's body. Whatever the file holds is from now on what a swap expects.
func (r *record) load(at home, limit int64) ([]byte, error) {
	for try := 1; ; try++ {
		s, err := stampOf(at, r.path)
		if err != nil {
			return nil, err
		}
		r.held, r.tried = s, s
		h, body, err := readFile(at, r.path, r.kind, limit)
		if err == nil && h != s.header {
			if try < rereads {
				continue
			}
			err = ErrConflict // replaced between the two readings
		}
		return body, err
	}
}
