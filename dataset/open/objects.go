package open

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
)

// maxObjects is how many objects one name may stand for. Each takes some 400 bytes while the data is open (its key, twice,
// and its ETag), and what the file's own header holds.
const maxObjects = 250_000

// objects lists what s3://bucket/… names: an object, what lies below a prefix, or what matches a pattern. The rules are
// those of folders; the order is that of the keys.
func (f finder) objects(d string) ([]item, error) {
	n, err := object.Parse(d)
	if err != nil {
		return nil, err
	}
	if f.guarded && !f.mayList(n) {
		return nil, outside(d)
	}
	store, err := object.Default(f.ctx)
	if err != nil {
		return nil, object.Placed(fault.Input, d, err)
	}
	f.store = store
	if n.Key != "" && !strings.HasSuffix(n.Key, "/") && byName(n.Key) != unknownFormat {
		info, err := store.Stat(f.ctx, n)
		if err == nil {
			return f.items([]object.Info{info})
		}
		if !errors.Is(err, object.ErrNotFound) {
			return nil, err
		}
	}
	if strings.ContainsAny(n.Key, "*?[") {
		return f.objectsLike(d, n)
	}
	below := n
	if below.Key = strings.TrimSuffix(n.Key, "/"); below.Key != "" {
		below.Key += "/"
	}
	found, err := f.below(below, nil)
	if err == nil {
		found, err = f.wholeLabels(below, found)
	}
	if err != nil {
		return nil, rename(err, below.String(), d) // it was named without the slash
	}
	if found, err = layer(d, below.Key, found); err != nil || len(found) > 0 {
		if err != nil {
			return nil, err
		}
		return f.items(found)
	}
	return nil, f.nothing(d, n, below)
}

// nothing explains why a name stands for no data.
func (f finder) nothing(d string, n, below object.Name) error {
	for _, err := range f.store.List(f.ctx, below, "", true) {
		if err != nil {
			return err
		}
		return fault.Inputf(fault.In(d), "holds no data files").Do("supported are %s", supported)
	}
	if n.Key == "" || strings.HasSuffix(n.Key, "/") {
		return fault.Inputf(fault.In(d), "holds no objects").Do("check the bucket and the prefix")
	}
	_, err := f.store.Stat(f.ctx, n)
	switch {
	case err == nil:
		return fault.Inputf(fault.In(d), "is not a kind of file that is known").Do("supported are %s", supported)
	case errors.Is(err, object.ErrNotFound):
		return fault.Inputf(fault.In(d), "does not exist, as an object or as a folder of objects").Do("check the key; %s* is all that begins with it", d)
	}
	return err
}

// below lists the objects below a prefix that may be data: of those that keep refuses, and of hidden names, nothing is kept.
func (f finder) below(prefix object.Name, keep func(key string) bool) ([]object.Info, error) {
	var found []object.Info
	for e, err := range f.store.List(f.ctx, prefix, "", false) {
		if err != nil {
			return nil, err
		}
		if byName(e.Name.Key) == unknownFormat || strings.HasSuffix(e.Name.Key, "/") || keep != nil && !keep(e.Name.Key) {
			continue
		}
		if slices.ContainsFunc(strings.Split(e.Name.Key[folderEnd(prefix.Key):], "/"), hidden) {
			continue
		}
		if found = append(found, e.Info); len(found) > maxObjects {
			return nil, fault.Inputf(fault.In(prefix.String()), "holds more than %d data files", maxObjects).
				Do("name folders below it one by one, or write fewer, larger files: some 100 MB each read fastest")
		}
	}
	return found, nil
}

// folderEnd is where the last name of a key begins.
func folderEnd(key string) int { return strings.LastIndexByte(key, '/') + 1 }

// layer keeps, of the objects below a folder in the order of their keys, those that are read: the files that lie in it, or, if there are none,
// those of the folders in it, by the same rule.
func layer(where, folder string, found []object.Info) ([]object.Info, error) {
	direct := slices.DeleteFunc(slices.Clone(found), func(i object.Info) bool { return strings.Contains(i.Name.Key[len(folder):], "/") })
	if len(direct) > 0 || len(found) == 0 {
		return direct, unique(where, direct)
	}
	var kept []object.Info
	for len(found) > 0 {
		name, _, _ := strings.Cut(found[0].Name.Key[len(folder):], "/")
		sub := folder + name + "/"
		n := slices.IndexFunc(found, func(i object.Info) bool { return !strings.HasPrefix(i.Name.Key, sub) })
		if n < 0 {
			n = len(found)
		}
		inner, err := layer(object.Name{Bucket: found[0].Name.Bucket, Key: sub}.String(), sub, found[:n])
		if err != nil {
			return nil, err
		}
		kept = append(kept, inner...)
		found = found[n:]
	}
	return kept, oneKind(where, kept)
}

// unique refuses what pick refuses in a folder.
func unique(where string, found []object.Info) error {
	keys := make([]string, len(found))
	for i := range found {
		keys[i] = found[i].Name.Key
	}
	_, err := pick(where, keys)
	return err
}

func oneKind(where string, found []object.Info) error {
	items := make([]item, len(found))
	for i := range found {
		items[i] = item{path: found[i].Name.Key, format: byName(found[i].Name.Key)}
	}
	return oneFamily(where, items)
}

// objectsLike lists the objects whose keys match a pattern name by name; if only folders match, what is in them.
func (f finder) objectsLike(d string, n object.Name) ([]item, error) {
	if _, err := path.Match(n.Key, ""); err != nil {
		return nil, fault.Usagef("%s: %v", d, err)
	}
	names := strings.Count(n.Key, "/") + 1
	prefix := object.Name{Bucket: n.Bucket, Key: n.Key[:strings.IndexAny(n.Key, `*?[\`)]}
	found, err := f.below(prefix, func(key string) bool {
		ok, _ := path.Match(n.Key, firstNames(key, names))
		return ok
	})
	if err != nil {
		return nil, err
	}
	files := slices.DeleteFunc(slices.Clone(found), func(i object.Info) bool { return strings.Count(i.Name.Key, "/")+1 > names })
	if len(files) > 0 {
		if err := unique(d, files); err != nil {
			return nil, err
		}
		return f.items(files)
	}
	var kept []object.Info
	for len(found) > 0 {
		folder := firstNames(found[0].Name.Key, names) + "/"
		end := slices.IndexFunc(found, func(i object.Info) bool { return !strings.HasPrefix(i.Name.Key, folder) })
		if end < 0 {
			end = len(found)
		}
		inner, err := layer(object.Name{Bucket: n.Bucket, Key: folder}.String(), folder, found[:end])
		if err != nil {
			return nil, err
		}
		kept, found = append(kept, inner...), found[end:]
	}
	if len(kept) == 0 {
		return nil, fault.Inputf(fault.In(d), "no data file matches").Do("check the key; * does not reach over a /")
	}
	if err := oneKind(d, kept); err != nil {
		return nil, err
	}
	return f.items(kept)
}

// firstNames are the first n names of a key.
func firstNames(key string, n int) string {
	at := 0
	for ; n > 0; n-- {
		i := strings.IndexByte(key[at:], '/')
		if i < 0 {
			return key
		}
		at += i + 1
	}
	return key[:at-1]
}

// items are the objects, in the order of their keys.
func (f finder) items(found []object.Info) ([]item, error) {
	slices.SortFunc(found, func(a, b object.Info) int { return cmp.Compare(a.Name.Key, b.Name.Key) })
	items := make([]item, len(found))
	for i := range found {
		name := found[i].Name.String()
		if found[i].ETag == "" {
			return nil, fault.Inputf(fault.In(name), "has no ETag, so that a change in the middle would go unseen").Do("look at the object store, or copy the data to a folder")
		}
		items[i] = item{path: name, format: byName(name), object: &found[i]}
	}
	return items, nil
}

// mayList says whether all that a name can stand for lies below a root. Of a pattern the folder before its first sign counts.
func (f finder) mayList(n object.Name) bool {
	at := n.Key
	if i := strings.IndexAny(at, `*?[\`); i >= 0 {
		at = at[:folderEnd(at[:i])]
	}
	at = strings.TrimSuffix(at, "/") + "/"
	return slices.ContainsFunc(f.buckets, func(root object.Name) bool {
		return root.Bucket == n.Bucket && (root.Key == "" || strings.HasPrefix(at, root.Key))
	})
}

// splitRoots tells the prefixes of objects from the folders. The keys of the prefixes are empty or end in a slash.
func splitRoots(list []string) (folders []string, buckets []object.Name, err error) {
	folders = []string{} // not nil: nothing is not everything
	for _, root := range list {
		if !object.Is(root) {
			folders = append(folders, root)
			continue
		}
		n, err := ObjectRoot(root)
		if err != nil {
			return nil, nil, err
		}
		buckets = append(buckets, n)
	}
	return folders, buckets, nil
}

// ObjectRoot is the prefix below which a --data-root of the form s3://bucket/prefix lets objects be read. Its key is empty, for
// all of the bucket, or ends in a slash. The error is of kind Usage.
func ObjectRoot(root string) (object.Name, error) {
	n, err := object.Parse(root)
	if err != nil {
		return n, err
	}
	if strings.ContainsAny(n.Key, "*?[") {
		return n, fault.Usagef("--data-root: %s is a pattern", root).Do("name a prefix: all below it may be read")
	}
	if n.Key = strings.TrimSuffix(n.Key, "/"); n.Key != "" {
		n.Key += "/"
	}
	return n, nil
}

// handle opens the item, each time anew. Objects are read as they were when they were listed, and what several readers of one
// need is fetched once.
func (op *opener) handle(i item) pinned.Opener {
	if i.object == nil {
		return func(_ context.Context, path string) (pinned.Handle, error) {
			file, err := op.files.open(path)
			if err != nil {
				return nil, err
			}
			return pinned.Local(file), nil
		}
	}
	var mu sync.Mutex
	var open func(context.Context) pinned.Handle
	return func(ctx context.Context, _ string) (pinned.Handle, error) {
		mu.Lock()
		defer mu.Unlock()
		if open == nil {
			store, err := object.Default(ctx)
			if err != nil {
				return nil, err
			}
			open = pinned.Objects(store, *i.object)
		}
		return open(ctx), nil
	}
}
