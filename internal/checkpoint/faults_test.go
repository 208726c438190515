package checkpoint

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var errDead = errors.New("the process is dead")

// faulty are files that count their operations and do not do the at-th, from 0.
type faulty struct {
	under files
	at    int // −1: none
	fault error
	dead  bool // the operations after it are not done either, as after a kill
	full  bool // as on a full disk: those after it that need space fail too, and removing never does
	torn  bool // half of a failed write is done
	mute  bool // a failed write returns no error, only a low count

	mu   sync.Mutex
	done int
	hit  string // the operation that failed first
}

// step counts an operation and says whether it fails.
func (f *faulty) step(operation string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.done
	f.done++
	due := n == f.at || f.at >= 0 && n > f.at && (f.dead || f.full && operation != "rename")
	if !due || operation == "remove" && !f.dead {
		return nil
	}
	if f.hit == "" {
		f.hit = operation
	}
	return f.fault
}

func (f *faulty) mkdir(path string) error {
	if err := f.step("mkdir"); err != nil {
		return err
	}
	return f.under.mkdir(path)
}

func (f *faulty) rename(from, to string) error {
	if err := f.step("rename"); err != nil {
		return err
	}
	return f.under.rename(from, to)
}

func (f *faulty) remove(path string) error {
	if err := f.step("remove"); err != nil {
		return err
	}
	return f.under.remove(path)
}

func (f *faulty) syncFolder(path string) error {
	if err := f.step("sync of a folder"); err != nil {
		return err
	}
	return f.under.syncFolder(path)
}

func (f *faulty) create(path string) (file, error) {
	if err := f.step("create"); err != nil {
		return nil, err
	}
	inner, err := f.under.create(path)
	if err != nil {
		return nil, err
	}
	return &faultyFile{file: inner, on: f}, nil
}

type faultyFile struct {
	file
	on *faulty
}

func (f *faultyFile) Write(b []byte) (int, error) {
	first := f.on.hit == ""
	err := f.on.step("write")
	if err == nil {
		return f.file.Write(b)
	}
	n := 0
	if f.on.torn && first {
		n, _ = f.file.Write(b[:len(b)/2])
	}
	if f.on.mute && n < len(b) {
		err = nil
	}
	return n, err
}

func (f *faultyFile) Sync() error {
	if err := f.on.step("sync"); err != nil {
		return err
	}
	return f.file.Sync()
}

func (f *faultyFile) Close() error {
	err := f.on.step("close")
	return errors.Join(err, f.file.Close()) // the descriptor goes back in any case
}

// swift are the operating system's files without the syncs, which take most of the time and mean nothing to a test
// that only kills processes.
type swift struct{ disk }

func (swift) syncFolder(string) error { return nil }
func (s swift) create(path string) (file, error) {
	f, err := s.disk.create(path)
	return swiftFile{f}, err
}

type swiftFile struct{ file }

func (swiftFile) Sync() error { return nil }

// volatile are files of which it is known what a power failure may leave: of a file what was synced, or any beginning
// of it; of each name in a folder what it stood for at the folder's last sync, or now.
type volatile struct {
	swift
	root string
	tree *node
	mu   sync.Mutex
}

type node struct {
	data, synced []byte
	now, durable map[string]*node // of a folder; nil for a file
}

func newVolatile(root string) *volatile {
	return &volatile{root: root, tree: &node{now: map[string]*node{}, durable: map[string]*node{}}}
}

// at is the folder that path lies in, and its name there.
func (v *volatile) at(path string) (*node, string) {
	relative, err := filepath.Rel(v.root, path)
	if err != nil {
		panic(err)
	}
	n := v.tree
	parts := strings.Split(filepath.ToSlash(relative), "/")
	for _, part := range parts[:len(parts)-1] {
		n = n.now[part]
	}
	return n, parts[len(parts)-1]
}

// change does an operation on the real files, and if that went well on the tree.
func (v *volatile) change(err error, do func()) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err == nil {
		do()
	}
	return err
}

func (v *volatile) mkdir(path string) error {
	return v.change(v.swift.mkdir(path), func() {
		in, name := v.at(path)
		in.now[name] = &node{now: map[string]*node{}, durable: map[string]*node{}}
	})
}

func (v *volatile) rename(from, to string) error {
	return v.change(v.swift.rename(from, to), func() {
		in, old := v.at(from)
		out, name := v.at(to)
		out.now[name] = in.now[old]
		delete(in.now, old)
	})
}

func (v *volatile) remove(path string) error {
	return v.change(v.swift.remove(path), func() {
		in, name := v.at(path)
		delete(in.now, name)
	})
}

func (v *volatile) syncFolder(path string) error {
	return v.change(nil, func() {
		n := v.tree
		if path != v.root {
			in, name := v.at(path)
			n = in.now[name]
		}
		n.durable = map[string]*node{}
		for name, inner := range n.now {
			n.durable[name] = inner
		}
	})
}

func (v *volatile) create(path string) (file, error) {
	f, err := v.swift.create(path)
	n := &node{}
	v.change(err, func() {
		in, name := v.at(path)
		in.now[name] = n
	})
	return &volatileFile{f, v, n}, err
}

type volatileFile struct {
	file
	on *volatile
	n  *node
}

func (f *volatileFile) Write(b []byte) (int, error) {
	n, err := f.file.Write(b)
	f.on.change(nil, func() { f.n.data = append(f.n.data, b[:n]...) })
	return n, err
}

func (f *volatileFile) Sync() error {
	return f.on.change(nil, func() { f.n.synced = append([]byte(nil), f.n.data...) })
}

// fail writes to folder what a power failure may leave; draw decides.
func (v *volatile) fail(t *testing.T, folder string, draw *rand.Rand) {
	t.Helper()
	v.tree.write(t, folder, draw)
}

func (n *node) write(t *testing.T, path string, draw *rand.Rand) {
	t.Helper()
	if n.now == nil {
		left := n.synced
		if len(n.data) > len(n.synced) && draw.IntN(2) == 0 {
			left = n.data[:draw.IntN(len(n.data)+1)]
			if len(left) < len(n.synced) {
				left = n.synced
			}
		}
		if err := os.WriteFile(path, left, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for name := range n.now {
		all[name] = true
	}
	for name := range n.durable {
		all[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(all)) { // in order, so that a seed says what happens
		left := n.durable[name]
		if draw.IntN(2) == 0 {
			left = n.now[name]
		}
		if left != nil {
			left.write(t, filepath.Join(path, name), draw)
		}
	}
}
