package checkpoint

import (
	"errors"
	"io"
	"io/fs"
)

// stamp tells a file from what it was: its length and its header, whose SHA-256 covers the rest and whose generation
// tells two writings of the same content apart. The zero stamp is that of a file that does not exist.
type stamp struct {
	exists bool
	size   int64
	header header
}

// stampOf reads the stamp of the file at path, whether it is valid or not.
func stampOf(path string) (stamp, error) {
	f, size, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return stamp{}, nil
	}
	if err != nil {
		return stamp{}, err
	}
	defer f.Close()
	s := stamp{exists: true, size: size}
	if _, err := io.ReadFull(f, s.header[:min(size, headerBytes)]); err != nil {
		return stamp{}, err
	}
	return s, nil
}

// record is a file that is replaced by compare-and-swap. The lock on the folder keeps other coordinators out; where
// it does not (the lock file was deleted, or a network's file system that only pretends), the stale one finds here that the
// file is no longer the one it knew. Between the comparison and the rename another could still write: a folder
// has no better, object storage has If-Match.
type record struct {
	path  string
	kind  kind
	held  stamp // the file as it was last read or written
	tried stamp // what a swap that failed may have left; otherwise the same as held
}

// fresh looks whether the file is still the one that this store knows: ErrConflict if not.
func (r *record) fresh() error {
	now, err := stampOf(r.path)
	if err != nil {
		return problem(r.path, err, "cannot be read before it is replaced")
	}
	if now != r.held && now != r.tried {
		return problem(r.path, ErrConflict, "is not replaced").
			Do("stop one of the two coordinators that write to this folder, and start the other one again")
	}
	r.held, r.tried = now, now
	return nil
}

// swap replaces the file if it is still the one that this store knows, and counts its generation up.
func (r *record) swap(on files, body []byte) error {
	if err := r.fresh(); err != nil {
		return err
	}
	generation := uint64(1) // also after a file that does not say which one it was
	if h := &r.held.header; r.held.exists && h.fits(r.kind, r.held.size, r.held.size) == nil {
		generation = h.number() + 1
	}
	h := seal(r.kind, generation, body)
	r.tried = stamp{exists: true, size: headerBytes + int64(len(body)), header: h}
	if err := place(on, r.path, "", h[:], body); err != nil {
		return err
	}
	r.held = r.tried
	return nil
}

// load reads the record's body. Whatever the file holds is from now on what a swap expects.
func (r *record) load(limit int64) ([]byte, error) {
	s, err := stampOf(r.path)
	if err != nil {
		return nil, err
	}
	r.held, r.tried = s, s
	h, body, err := readFile(r.path, r.kind, limit)
	if err == nil && h != s.header {
		err = ErrConflict // replaced between the two readings
	}
	return body, err
}
