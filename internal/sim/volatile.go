package sim

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// node is a file or a folder as the operating system has it and as the disk has it: after a power failure there is of
// each file what was synced, or any beginning of what was written since, and of each name in a folder what it stood for at
// the folder's last sync, or later.
type node struct {
	data, synced []byte
	now, durable map[string]*node // of a folder; nil for a file
}

func newFolder() *node { return &node{now: make(map[string]*node), durable: make(map[string]*node)} }

// sync makes the names of a folder durable.
func (n *node) sync() { n.durable = maps.Clone(n.now) }

// parts are the names on the way from the bed's root to a path.
func (b *bed) parts(path string) []string {
	relative, err := filepath.Rel(b.root, path)
	if err != nil || relative == "." {
		return nil
	}
	return strings.Split(filepath.ToSlash(relative), "/")
}

// folderAt is the folder at a path. One that nobody has made through the bed is the machine's, and durable.
func (b *bed) folderAt(path string) *node {
	n := b.tree
	for _, part := range b.parts(path) {
		next := n.now[part]
		if next == nil {
			next = newFolder()
			n.now[part], n.durable[part] = next, next
		}
		n = next
	}
	return n
}

// at is the folder that a path lies in, and its name there.
func (b *bed) at(path string) (*node, string) {
	return b.folderAt(filepath.Dir(path)), filepath.Base(path)
}

// powerFails leaves of the folder what may be left.
func (b *bed) powerFails(r *rand.Rand) error {
	if b.memory != nil {
		return nil
	}
	list, err := os.ReadDir(b.root)
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := os.RemoveAll(filepath.Join(b.root, e.Name())); err != nil {
			return err
		}
	}
	return b.tree.fall(b.root, r)
}

// fall writes what is left of a node, which is all there is from then on.
func (n *node) fall(path string, r *rand.Rand) error {
	if n.now == nil {
		left := n.synced
		if len(n.data) > len(n.synced) && r.IntN(2) == 0 {
			left = n.data[:len(n.synced)+r.IntN(len(n.data)-len(n.synced)+1)]
		}
		n.data, n.synced = left, left
		return os.WriteFile(path, left, 0o600)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	all := maps.Clone(n.durable)
	maps.Copy(all, n.now)
	left := make(map[string]*node)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		survivor := n.durable[name]
		if r.IntN(2) == 0 {
			survivor = n.now[name]
		}
		if survivor == nil {
			continue
		}
		left[name] = survivor
		if err := survivor.fall(filepath.Join(path, name), r); err != nil {
			return err
		}
	}
	n.now, n.durable = left, maps.Clone(left)
	return nil
}
