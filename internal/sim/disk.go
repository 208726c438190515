package sim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/object/objecttest"
)

// bed is what keeps the state: a folder, of which it is known what a power failure would leave, or an object store in
// memory. It outlives coordinators.
type bed struct {
	w       *world
	root    string
	tree    *node
	memory  *objecttest.Memory // nil: a folder
	full    time.Duration      // until when nothing new finds room
	slow    time.Duration      // … writes take seconds
	fails   time.Duration      // … operations fail now and then
	loses   time.Duration      // … are done, and said to have failed
	harmed  time.Duration      // until when an error is nobody's fault
	damaged int                // bits flipped so far
	newest  string             // the object written last
}

// stateKey is where the state lies in a bucket.
const stateKey = "s3://box/state"

// newBed makes a place for the state. Folders are made in memory where the machine has that.
func newBed(w *world) (*bed, error) {
	if w.script.Objects {
		return &bed{w: w, root: stateKey, memory: &objecttest.Memory{}}, nil
	}
	root, err := os.MkdirTemp("/dev/shm", "coterie-sim-")
	if err != nil {
		root, err = os.MkdirTemp("", "coterie-sim-")
	}
	return &bed{w: w, root: root, tree: newFolder()}, err
}

// remove takes it away after the run.
func (b *bed) remove() {
	if b.memory == nil {
		_ = os.RemoveAll(b.root)
	}
}

// folder is the state's name.
func (b *bed) folder() string {
	if b.memory != nil {
		return b.root
	}
	return filepath.Join(b.root, "state")
}

// troubled says whether operations may fail now, or did so a moment ago.
func (b *bed) troubled() bool { return b.w.now <= b.harmed }

// harm lets operations fail for a while.
func (b *bed) harm(until *time.Duration, d time.Duration) {
	*until = b.w.now + d
	b.harmed = max(b.harmed, *until)
}

// open opens the real Store on it, for one process.
func (b *bed) open() (*checkpoint.Store, *handle, error) {
	h := &handle{bed: b, dieAt: -1}
	if b.memory != nil {
		s, err := checkpoint.OpenSimulated(b.folder(), checkpoint.Limits{}, nil, bucket{b.memory, h})
		return s, h, err
	}
	s, err := checkpoint.OpenSimulated(b.folder(), checkpoint.Limits{}, h, nil)
	return s, h, err
}

// handle is one process's way to the bed, which ends with it.
type handle struct {
	bed   *bed
	dead  bool
	dieAt int // the operation at which the process dies, counted from when it was set; −1: none
	done  int
}

// The errors of operations.
var (
	errDead = errors.New("the process is dead")
	errDisk = fmt.Errorf("input/output error: %s", injectedError)
)

// doom has the process die at an operation to come.
func (h *handle) doom(n int) { h.dieAt, h.done = n, 0 }

// takes is how long a write takes.
func (h *handle) takes() time.Duration {
	w := h.bed.w
	if w.now < h.bed.slow {
		return w.between(time.Second, 4*time.Second)
	}
	return w.between(time.Millisecond, 40*time.Millisecond)
}

// before is asked before each operation. room says whether it needs space.
func (h *handle) before(room bool) error {
	b := h.bed
	switch {
	case h.dead:
		return errDead
	case h.dieAt >= 0 && h.done >= h.dieAt:
		h.dead = true
		return errDead
	}
	h.done++
	switch {
	case room && b.w.now < b.full:
		return syscall.ENOSPC
	case b.w.now < b.fails && b.w.rand.IntN(6) == 0:
		return errDisk
	}
	return nil
}

// after is asked when an operation has been done.
func (h *handle) after() error {
	if b := h.bed; b.w.now < b.loses && b.w.rand.IntN(6) == 0 {
		return errDisk
	}
	return nil
}

// Mkdir implements checkpoint.Disk.
func (h *handle) Mkdir(path string) error {
	if err := h.before(true); err != nil {
		return err
	}
	err := os.Mkdir(path, 0o700)
	if err == nil {
		in, name := h.bed.at(path)
		in.now[name] = newFolder()
	}
	return err
}

// Rename implements checkpoint.Disk.
func (h *handle) Rename(from, to string) error {
	if err := h.before(false); err != nil {
		return err
	}
	err := os.Rename(from, to)
	if err == nil {
		in, old := h.bed.at(from)
		out, name := h.bed.at(to)
		out.now[name] = in.now[old]
		delete(in.now, old)
		if strings.Contains(to, "objects") {
			h.bed.newest = to
		}
	}
	return err
}

// Remove implements checkpoint.Disk.
func (h *handle) Remove(path string) error {
	if h.dead {
		return errDead
	}
	err := os.Remove(path)
	if err == nil {
		in, name := h.bed.at(path)
		delete(in.now, name)
	}
	return err
}

// SyncFolder implements checkpoint.Disk.
func (h *handle) SyncFolder(path string) error {
	if err := h.before(false); err != nil {
		return err
	}
	if h.bed.w.script.Break != BreakSync {
		h.bed.folderAt(path).sync()
	}
	return h.after()
}

// Create implements checkpoint.Disk.
func (h *handle) Create(path string) (checkpoint.DiskFile, error) {
	if err := h.before(true); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	n := &node{}
	in, name := h.bed.at(path)
	in.now[name] = n
	return &diskFile{f, h, n}, nil
}

// diskFile is a file under way.
type diskFile struct {
	*os.File
	h *handle
	n *node
}

// Write writes half where the process dies in it, or the disk is full.
func (f *diskFile) Write(p []byte) (int, error) {
	err := f.h.before(true)
	if err != nil {
		p = p[:len(p)/2]
	}
	n, failed := f.File.Write(p)
	f.n.data = append(f.n.data, p[:n]...)
	return n, errors.Join(err, failed)
}

// Sync makes what was written survive a power failure.
func (f *diskFile) Sync() error {
	if err := f.h.before(false); err != nil {
		return err
	}
	if f.h.bed.w.script.Break != BreakSync {
		f.n.synced = append([]byte(nil), f.n.data...)
	}
	return f.h.after()
}

// flip damages the object that was written last.
func (b *bed) flip(n int) bool {
	if b.newest == "" {
		return false
	}
	if b.memory != nil {
		return b.flipObject(n)
	}
	data, err := os.ReadFile(b.newest)
	if err != nil || len(data) == 0 {
		return false
	}
	data[n*37%len(data)] ^= 1 << (n % 8)
	if os.WriteFile(b.newest, data, 0o600) != nil {
		return false
	}
	in, name := b.at(b.newest)
	if f := in.now[name]; f != nil {
		f.data, f.synced = data, data
	}
	b.damaged++
	return true
}
