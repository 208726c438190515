package open

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/coterie-project/coterie/internal/fault"
)

// maxLinks is how many symbolic links a path may lead over, as on Linux.
const maxLinks = 40

// maxMatches is how many paths a pattern may match, at each of its names: links that point back up let them multiply.
const maxMatches = 100_000

// roots is the part of the file system below some folders. Paths are named by others, so nothing outside is touched, not
// even to learn whether it exists: a path is walked name by name, each link is read and judged before it is followed,
// and what is opened in the end is opened through os.Root, which does not leave the root even if a link is put
// into the way in between.
type roots []root

// root is one folder that may be read.
type root struct {
	given string // as it was named: absolute and clean
	real  string // without symbolic links
}

// newRoots looks at the folders, which must be there. The error is of kind Usage or Failed and names the folder.
func newRoots(folders []string) (roots, error) {
	list := make(roots, 0, len(folders))
	for _, folder := range folders {
		if !filepath.IsAbs(folder) {
			return nil, fault.Usagef("--data-root: %q is not an absolute path", folder)
		}
		given := filepath.Clean(folder)
		real, err := filepath.EvalSymlinks(given)
		if err == nil {
			var info fs.FileInfo
			if info, err = os.Stat(real); err == nil && !info.IsDir() {
				err = syscall.ENOTDIR
			}
		}
		if err != nil {
			return nil, fault.Failedf(bare(err), "--data-root: the folder %s cannot be used", folder).Do("make it, or name another")
		}
		list = append(list, root{given, real})
	}
	return list, nil
}

// bare is an error of the system without the path, which the message has already.
func bare(err error) error {
	var cause *fs.PathError
	if errors.As(err, &cause) {
		return cause.Err
	}
	return err
}

// ErrOutside is in the chain of the error about a path that does not lie within the Roots, whether or not there is such a
// file.
var ErrOutside = errors.New("outside of the data roots")

// outsideError is that error. It reads like its *fault.Error alone.
type outsideError struct{ as *fault.Error }

func (e outsideError) Error() string        { return e.as.Error() }
func (e outsideError) Unwrap() error        { return e.as }
func (e outsideError) Is(target error) bool { return target == ErrOutside }

func outside(path string) error {
	return outsideError{fault.Inputf(fault.In(path), "does not lie within a --data-root of this worker").
		Do("move it into one, or name it by a relative path, so that it is read from the submitting machine")}
}

// place is a path within a root, free of links when it was looked at.
type place struct {
	root root
	name string // relative to root.real
}

func (p place) path() string { return filepath.Join(p.root.real, p.name) }

// within is the root below which the link-free path lies.
func (r roots) within(path string) (place, bool) {
	for _, root := range r {
		if name, err := filepath.Rel(root.real, path); err == nil && filepath.IsLocal(name) {
			return place{root, name}, true
		}
	}
	return place{}, false
}

// real replaces a root by the folder that it leads to.
func (r roots) real(path string) string {
	for _, root := range r {
		if path == root.given {
			return root.real
		}
	}
	return path
}

// cover is the root below which the path as it is written lies, as it is written there, and what follows.
func (r roots) cover(path string) (folder, name string, ok bool) {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path {
		return "", "", false
	}
	for _, root := range r {
		for _, folder := range []string{root.given, root.real} {
			if name, err := filepath.Rel(folder, path); err == nil && filepath.IsLocal(name) {
				return folder, name, true
			}
		}
	}
	return "", "", false
}

// resolve follows a path to its end, which must lie within a root. The last name may be missing: then it is in the
// place that is returned, with an error that is fs.ErrNotExist.
func (r roots) resolve(path string) (place, error) {
	if _, _, ok := r.cover(path); !ok {
		return place{}, outside(path)
	}
	if !utf8.ValidString(path) {
		return place{}, fault.Inputf(fault.In(path), "has a name that is not UTF-8").Do("rename it")
	}
	volume := filepath.VolumeName(path) + string(filepath.Separator)
	at, ahead := volume, split(path[len(volume):])
	for links := 0; len(ahead) > 0; {
		name := ahead[0]
		ahead = ahead[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		at = r.real(filepath.Join(at, name))
		p, inside := r.within(at)
		if !inside || p.name == "." {
			continue // above the roots nothing is looked at; only where the path ends counts
		}
		target, err := p.follow()
		switch {
		case err != nil && len(ahead) == 0:
			return p, err
		case err != nil:
			return place{}, err
		case target == "":
			continue
		}
		if links++; links > maxLinks {
			return place{}, fault.Inputf(fault.In(path), "leads over more than %d symbolic links", maxLinks).Do("does a link point at itself?")
		}
		at = filepath.Dir(at)
		if filepath.IsAbs(target) {
			volume := filepath.VolumeName(target) + string(filepath.Separator)
			at, target = volume, target[len(volume):]
		}
		ahead = append(split(target), ahead...)
	}
	p, inside := r.within(at)
	if !inside {
		return place{}, outside(path)
	}
	return p, nil
}

// split gives the names of a relative path. "." and empty names mean nothing; ".." is kept, since what it leaves may
// have been a link.
func split(path string) []string {
	names := strings.Split(filepath.ToSlash(path), "/")
	return slices.DeleteFunc(names, func(name string) bool { return name == "" || name == "." })
}

// follow is where the symbolic link at the place leads; "" if it is none.
func (p place) follow() (target string, err error) {
	err = p.in(func(folder *os.Root) error {
		info, err := folder.Lstat(p.name)
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			target, err = folder.Readlink(p.name)
		}
		return err
	})
	return target, err
}

// in does something with the root, which is open only for that time.
func (p place) in(do func(folder *os.Root) error) error {
	folder, err := os.OpenRoot(p.root.real)
	if err != nil {
		return err
	}
	defer folder.Close()
	return do(folder)
}

// open opens what lies at the path to read it; it must be a regular file.
func (r roots) open(path string) (*os.File, error) {
	p, err := r.resolve(path)
	if err != nil {
		return nil, err
	}
	file, err := p.open()
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = special(path)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// special is the error about what is neither a file nor a folder: reading it could wait forever.
func special(path string) error {
	return fault.Inputf(fault.In(path), "is a device or a pipe, which workers do not read").Do("copy the data to a file")
}

// open does not wait for the other side of a pipe, should one have been put there.
func (p place) open() (file *os.File, err error) {
	err = p.in(func(folder *os.Root) error {
		file, err = folder.OpenFile(p.name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		return err
	})
	return file, err
}

func (r roots) stat(path string) (info fs.FileInfo, err error) {
	p, err := r.resolve(path)
	if err != nil {
		return nil, err
	}
	err = p.in(func(folder *os.Root) error {
		info, err = folder.Lstat(p.name)
		return err
	})
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = special(path)
	}
	return info, err
}

func (r roots) readDir(path string) ([]fs.DirEntry, error) {
	p, err := r.resolve(path)
	if err != nil {
		return nil, err
	}
	folder, err := p.open()
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	entries, err := folder.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// glob is filepath.Glob within the roots. A name that matches and leads out of them is an error, not a file less.
func (r roots) glob(pattern string) ([]string, error) {
	if _, err := filepath.Match(pattern, ""); err != nil {
		return nil, err
	}
	folder, names, ok := r.cover(pattern)
	if !ok {
		return nil, outside(pattern)
	}
	matches := []string{folder}
	for _, name := range split(names) {
		var next []string
		for _, folder := range matches {
			found, err := r.matching(folder, name)
			if err != nil {
				return nil, err
			}
			if next = append(next, found...); len(next) > maxMatches {
				return nil, fault.Inputf(fault.In(pattern), "matches more than %d files and folders", maxMatches).Do("name the folders")
			}
		}
		matches = next
	}
	return matches, nil
}

// matching lists the paths in a folder that match one name of a pattern.
func (r roots) matching(folder, pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, `*?[\`) {
		full := filepath.Join(folder, pattern)
		_, err := r.stat(full)
		return here([]string{full}, err)
	}
	info, err := r.stat(folder)
	if err != nil || !info.IsDir() {
		return here(nil, err)
	}
	entries, err := r.readDir(folder)
	if err != nil {
		return here(nil, err)
	}
	var found []string
	for _, e := range entries {
		if ok, _ := filepath.Match(pattern, e.Name()); ok {
			found = append(found, filepath.Join(folder, e.Name()))
		}
	}
	return found, nil
}

// here passes on what was found; an error of the system means that nothing was, as with filepath.Glob.
func here(found []string, err error) ([]string, error) {
	var explained *fault.Error
	if err == nil || errors.As(err, &explained) {
		return found, err
	}
	return nil, nil
}

// Within finds the place of an output within the roots: the absolute path, free of symbolic links, that a file or folder
// named path has or would have. Its folder must exist. The error is of kind Input where path lies outside, of kind Failed
// where a folder is missing.
func Within(folders []string, path string) (string, error) {
	folders, _, err := splitRoots(folders)
	if err != nil {
		return "", err
	}
	r, err := newRoots(folders)
	if err != nil {
		return "", err
	}
	p, err := r.resolve(path)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist) && p.name != "":
		return p.path(), nil
	case errors.Is(err, fs.ErrNotExist):
		e := fault.Failedf(nil, "cannot be written: a folder on its way does not exist").Do("make it first")
		e.Place.File = path
		return "", e
	}
	var explained *fault.Error
	if !errors.As(err, &explained) {
		e := fault.Failedf(bare(err), "cannot be written")
		e.Place.File = path
		err = e
	}
	return "", err
}
