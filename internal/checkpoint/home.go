package checkpoint

import (
	"io"
	"os"
	"path/filepath"

	"github.com/coterie-project/coterie/internal/store"
)

// home is where a state lies: in a folder, or below a prefix of an object store. Paths are what at gives.
type home interface {
	// at is the path of what has a name below a path.
	at(path string, names ...string) string
	// open opens what lies at a path to read at most the first most bytes of it. It is fs.ErrNotExist where nothing does.
	open(path string, most int64) (content, error)
	// list gives the names right below a path, in order; an error that is fs.ErrNotExist where there is no such folder.
	list(path string) ([]item, error)
	// exists says whether there is a file at a path, taken whether there is a job, or something else in the place of one.
	exists(path string) (bool, error)
	taken(path string) (bool, error)
	// remove removes one thing.
	remove(path string) error

	// generation is the number of a record that follows one of the number last.
	generation(last uint64) uint64
	// place makes what lies at path from parts, whole or not at all; point is the fail point on the way, "" for none.
	place(path, point string, parts ...[]byte) error
	// replace puts a record in the place of the one that is of the stamp old, and gives its tag. Where another stands
	// there, the error is ErrConflict, or errLate for who may try again.
	replace(path string, old stamp, h *header, body []byte) (tag string, err error)
	// conflict is the error of one whose record is not the one that it knew; nil if it may replace that all the same.
	conflict(path string) error

	// begin takes the home for this process, clears leftovers, and looks at the jobs.
	begin(s *Store) error
	// looked follows a look at a job: whose records are to be stamped anew, and what crashes left of it is to be cleared. An
	// error that is errLate asks for another look.
	looked(s *Store, j *job, state, manifest []byte) error
	// build makes a job, raze removes it; sweep removes a job's objects that its manifest does not name, and dropped those
	// that it names no more.
	build(s *Store, j *job, spec, state []byte) error
	raze(s *Store, j *job) error
	sweep(j *job, named func(name string) bool)
	dropped(j *job, named func(name string) bool, before []entry)
	drop(j *job, e *entry)

	nextEpoch() (uint64, error)
	close() error
}

// content is something that is read.
type content struct {
	io.ReadCloser
	size int64  // of all of it
	tag  string // which one it is, where the home tells that
}

// item is a name in a listing.
type item struct {
	name   string
	folder bool
}

// folderHome is a folder of this machine, which a lock keeps for one process.
type folderHome struct {
	folder string
	on     files
	owner  Owner
	lock   *os.File
}

func (f *folderHome) at(path string, names ...string) string {
	return filepath.Join(append([]string{path}, names...)...)
}

// open opens a regular file. What is no file (a pipe could hold the reader for good) is invalid.
func (f *folderHome) open(path string, _ int64) (content, error) {
	info, err := os.Stat(path)
	if err != nil {
		return content{}, bare(err)
	}
	if !info.Mode().IsRegular() {
		return content{}, invalid("it is no regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return content{}, bare(err)
	}
	return content{file, info.Size(), ""}, nil
}

func (f *folderHome) list(path string) ([]item, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, bare(err)
	}
	list := make([]item, len(entries))
	for i, e := range entries {
		list[i] = item{e.Name(), e.IsDir()}
	}
	return list, nil
}

func (f *folderHome) exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	return err == nil, nil
}

func (f *folderHome) taken(path string) (bool, error) { return f.exists(path) }

func (f *folderHome) remove(path string) error { return f.on.remove(path) }

func (f *folderHome) generation(last uint64) uint64 { return last + 1 }

func (f *folderHome) place(path, point string, parts ...[]byte) error {
	return place(f.on, path, point, parts...)
}

// replace does not look once more: between a look and the rename another could still write. A folder has no better.
func (f *folderHome) replace(path string, _ stamp, h *header, body []byte) (string, error) {
	return "", place(f.on, path, "", h[:], body)
}

func (f *folderHome) conflict(path string) error {
	return problem(path, ErrConflict, "is not replaced").
		Do("stop one of the two %ss that write to this folder, and start the other one again", f.owner.name)
}

// begin makes what a new folder lacks, clears leftovers and looks at the jobs. The folder of the jobs comes last: where it
// stands, epoch.N has stood too, and if that is gone, somebody has removed it.
func (f *folderHome) begin(s *Store) error {
	if err := makeFolder(f.on, f.folder); err != nil {
		return err
	}
	var err error
	if f.lock, err = lock(f.folder, f.owner); err != nil {
		return err
	}
	if err = f.beginJobs(s); err != nil {
		f.lock.Close()
	}
	return err
}

func (f *folderHome) beginJobs(s *Store) error {
	jobs := filepath.Join(f.folder, "jobs")
	if _, err := os.Stat(jobs); os.IsNotExist(err) {
		known, err := f.epochs()
		if err != nil {
			return err
		}
		if len(known) == 0 {
			if err := f.beginEpoch(0); err != nil {
				return err
			}
		}
		if err := makeFolder(f.on, jobs); err != nil {
			return err
		}
	}
	if err := f.clear(f.folder); err != nil {
		return err
	}
	if err := f.clear(jobs); err != nil {
		return err
	}
	list, err := os.ReadDir(jobs)
	if err != nil {
		return problem(jobs, bare(err), "cannot be read")
	}
	for _, e := range list {
		if checkID(e.Name()) != nil || !e.IsDir() {
			continue // Jobs reports it
		}
		j := s.newJob(e.Name())
		s.jobs[j.id] = j
		if err := s.look(j); err != nil {
			return err
		}
	}
	return nil
}

// looked clears what crashes left of a job; the lock keeps others from its records.
func (f *folderHome) looked(_ *Store, j *job, _, _ []byte) error {
	if err := f.clear(j.folder); err != nil {
		j.refused = err
	}
	return nil
}

// build makes a job's folder under a temporary name and renames it.
func (f *folderHome) build(_ *Store, j *job, spec, state []byte) error {
	temp := temporary(j.folder)
	write := func(name string, k kind, body []byte) (stamp, error) {
		h := seal(k, 1, body)
		return stamp{exists: true, size: headerBytes + int64(len(body)), header: h}, fill(f.on, filepath.Join(temp, name), h[:], body)
	}
	err := f.on.mkdir(temp)
	if err == nil {
		err = f.on.mkdir(filepath.Join(temp, "objects"))
	}
	if err == nil {
		_, err = write("spec", specKind, spec)
	}
	if err == nil {
		j.state.held, err = write("state", stateKind, state)
	}
	if err == nil {
		j.manifest.held, err = write("manifest", manifestKind, nil)
	}
	if err == nil {
		err = f.on.syncFolder(temp)
	}
	if err == nil {
		err = f.on.rename(temp, j.folder)
	}
	if err == nil {
		if err = f.on.syncFolder(filepath.Dir(j.folder)); err != nil {
			f.on.rename(j.folder, temp) // who is told that there is no job shall not find one later
		}
	}
	if err != nil {
		removeAll(f.on, temp) // what stays is cleared by the next Open
		return store.Explain(j.folder, err)
	}
	j.state.tried, j.manifest.tried = j.state.held, j.manifest.held
	return nil
}

// raze removes a job, which is gone as soon as its folder has a temporary name.
func (f *folderHome) raze(s *Store, j *job) error {
	temp := temporary(j.folder)
	if err := f.on.rename(j.folder, temp); err != nil && !os.IsNotExist(err) { // not there: an earlier Remove got this far
		return store.Explain(j.folder, err)
	}
	if err := f.on.syncFolder(filepath.Dir(j.folder)); err != nil {
		return store.Explain(j.folder, err)
	}
	s.forget(j)
	if err := removeAll(f.on, temp); err != nil && !os.IsNotExist(err) {
		return problem(j.folder, bare(err), "is removed, but its files still take space").Do("remove %s", temp)
	}
	return nil
}

// sweep also removes temporary files. What cannot be removed is left to the next sweep.
func (f *folderHome) sweep(j *job, named func(name string) bool) {
	list, err := os.ReadDir(j.objects())
	if err != nil {
		return
	}
	for _, e := range list {
		if isTemporary(e.Name()) || isObject(e.Name()) && !named(e.Name()) {
			f.on.remove(filepath.Join(j.objects(), e.Name()))
		}
	}
}

func (f *folderHome) dropped(j *job, named func(name string) bool, _ []entry) { f.sweep(j, named) }

func (f *folderHome) drop(j *job, e *entry) { f.on.remove(j.objectFile(e)) }

func (f *folderHome) close() error {
	if err := f.lock.Close(); err != nil {
		return problem(f.folder, bare(err), "cannot be given back")
	}
	return nil
}

// clear removes what has a temporary name in a folder.
func (f *folderHome) clear(folder string) error {
	list, err := os.ReadDir(folder)
	if err != nil {
		return problem(folder, bare(err), "cannot be read")
	}
	for _, e := range list {
		if !isTemporary(e.Name()) {
			continue
		}
		path := filepath.Join(folder, e.Name())
		if e.IsDir() {
			err = removeAll(f.on, path)
		} else {
			err = f.on.remove(path)
		}
		if err != nil {
			return problem(path, bare(err), "is left over from a crash and cannot be removed").Do("remove it")
		}
	}
	return nil
}

// makeFolder makes a folder and those above it, each durable in the one above.
func makeFolder(on files, path string) error {
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return problem(path, nil, "is a file, not a folder").Do("name another folder for the state")
	case !os.IsNotExist(err):
		return store.Explain(path, err)
	}
	above := filepath.Dir(path)
	if above != path {
		if err := makeFolder(on, above); err != nil {
			return err
		}
	}
	if err := on.mkdir(path); err != nil && !os.IsExist(err) {
		return store.Explain(path, err)
	}
	return store.Explain(path, on.syncFolder(above))
}
