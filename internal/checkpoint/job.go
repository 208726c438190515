package checkpoint

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// maxID is the length of a job's id: a name that people type, well under what file systems allow.
const maxID = 64

// checkID refuses what could be another path than a folder of its own: ids have 1 to 64 of a–z, 0–9 and -.
func checkID(id string) error {
	good := len(id) > 0 && len(id) <= maxID
	for i := 0; good && i < len(id); i++ {
		c := id[i]
		good = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-'
	}
	if good {
		return nil
	}
	if len(id) > maxID {
		id = id[:maxID] + "…"
	}
	return fault.Usagef("job %q: an id has 1 to %d lower-case letters, digits and hyphens", id, maxID)
}

// Job is what the folder says of one job.
type Job struct {
	ID    string
	Spec  []byte // as given to Create; nil where Err says that it is damaged
	State []byte // the newest; nil where Err says that it is damaged
	Err   error  // what of it cannot be used, and what to do; nil for most
}

// job is what the store knows of a job between calls.
type job struct {
	mu     sync.Mutex
	id     string
	folder string

	state, manifest, result record

	entries []entry // of the checkpoints, newest first
	lost    error   // why the entries were gathered from the objects; nil where the manifest is good
	refused error   // why nothing may be written; nil
	gone    bool    // removed, or never made
}

func (s *Store) newJob(id string) *job {
	folder := filepath.Join(s.folder, "jobs", id)
	return &job{
		id:       id,
		folder:   folder,
		state:    record{path: filepath.Join(folder, "state"), kind: stateKind},
		manifest: record{path: filepath.Join(folder, "manifest"), kind: manifestKind},
		result:   record{path: filepath.Join(folder, "result"), kind: resultKind},
	}
}

func (j *job) specFile() string           { return filepath.Join(j.folder, "spec") }
func (j *job) objects() string            { return filepath.Join(j.folder, "objects") }
func (j *job) objectFile(e *entry) string { return filepath.Join(j.objects(), e.name()) }

// look reads what the store keeps in mind of a job, and removes what crashes left of it. Of what a newer coterie wrote
// nothing is touched.
func (s *Store) look(j *job) {
	_, stateErr := j.state.load(s.limits.State)
	body, err := j.manifest.load(maxManifest)
	if err == nil {
		j.entries, err = decodeManifest(body, s.limits.Checkpoint)
	}
	for _, e := range []error{stateErr, err} {
		if errors.Is(e, ErrNewer) {
			j.refused = problem(j.folder, e, "is left as it is").Do("start the newer coterie on this folder")
			return
		}
	}
	standing := 0
	for i := range j.entries {
		if j.stands(&j.entries[i], s.limits.Checkpoint) {
			standing++
		}
	}
	if err != nil || standing == 0 && len(j.entries) > 0 {
		s.search(j, err)
	}
	if stamp, err := stampOf(j.result.path); err == nil {
		j.result.held, j.result.tried = stamp, stamp
	}
	if err := s.clear(j.folder); err != nil {
		j.refused = err
		return
	}
	if standing == len(j.entries) { // else there is doubt, and what the manifest does not name may be of use
		s.sweep(j)
	}
}

// search takes the entries from the objects: the manifest is damaged, as why says, or (nil) it is one of another time
// or job, of whose checkpoints none is there.
func (s *Store) search(j *job, why error) {
	found, err := gather(j.objects(), s.limits.Checkpoint)
	if why == nil && len(found) == 0 {
		return // what the manifest says is all that is known
	}
	if why == nil {
		why = invalid("none of the checkpoints that it names is there")
	}
	j.entries, j.lost = found, errors.Join(why, err)
}

// stands says whether there is an object that by its header is the one of an entry.
func (j *job) stands(e *entry, limit int64) bool {
	h, err := readHeader(j.objectFile(e), checkpointKind, limit)
	return err == nil && h.number() == e.sequence && h.length() == e.length && h.sum() == e.sum
}

// sweep removes from the folder of objects what the manifest does not name. It does nothing where the manifest is
// lost, since then the objects are all there is. What cannot be removed is left to the next sweep.
func (s *Store) sweep(j *job) {
	if j.lost != nil {
		return
	}
	list, err := os.ReadDir(j.objects())
	if err != nil {
		return
	}
	for _, f := range list {
		named := slices.ContainsFunc(j.entries, func(e entry) bool { return e.name() == f.Name() })
		if isTemporary(f.Name()) || isObject(f.Name()) && !named {
			s.on.remove(filepath.Join(j.objects(), f.Name()))
		}
	}
}

// find gives the job of an id, locked until done.
func (s *Store) find(id string) (*job, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	j, err := s.known(id)
	if err != nil {
		s.leave()
		return nil, err
	}
	return j, nil
}

func (s *Store) known(id string) (*job, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	for {
		s.guard.Lock()
		j := s.jobs[id]
		s.guard.Unlock()
		if j == nil {
			break
		}
		j.mu.Lock()
		if !j.gone {
			return j, nil
		}
		j.mu.Unlock() // removed while this call waited; by now perhaps made anew
	}
	return nil, problem(filepath.Join(s.folder, "jobs", id), ErrUnknown, "cannot be used")
}

func (s *Store) done(j *job) {
	j.mu.Unlock()
	s.leave()
}

// findToWrite is find for those who change the job with size bytes where limit are allowed.
func (s *Store) findToWrite(id, what string, size int, limit int64) (*job, error) {
	j, err := s.find(id)
	if err != nil {
		return nil, err
	}
	if err = j.refused; err == nil {
		err = tooLarge(j.folder, what, size, limit)
	}
	if err != nil {
		s.done(j)
		return nil, err
	}
	return j, nil
}

func tooLarge(path, what string, size int, limit int64) error {
	if int64(size) <= limit {
		return nil
	}
	return problem(path, ErrTooLarge, "a %s of %d bytes, and %d are allowed", what, size, limit)
}

// Create makes a job of a specification, which does not change any more, and its first state: both or neither. It
// returns ErrExists for an id that is taken.
func (s *Store) Create(id string, spec, state []byte) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := checkID(id); err != nil {
		return err
	}
	j := s.newJob(id)
	if err := tooLarge(j.folder, "specification", len(spec), s.limits.Spec); err != nil {
		return err
	}
	if err := tooLarge(j.folder, "state", len(state), s.limits.State); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := s.reserve(j); err != nil {
		return err
	}
	if err := s.build(j, spec, state); err != nil {
		s.forget(j)
		return err
	}
	return nil
}

// reserve takes the id of a job, so that of two Creates at once one is refused.
func (s *Store) reserve(j *job) error {
	s.guard.Lock()
	defer s.guard.Unlock()
	if _, err := os.Lstat(j.folder); err == nil || s.jobs[j.id] != nil {
		return problem(j.folder, ErrExists, "cannot be made").Do("choose another id")
	}
	if len(s.jobs) >= s.limits.Jobs {
		return problem(j.folder, ErrTooLarge, "the folder holds %d jobs, and no more are allowed", len(s.jobs)).Do("remove jobs that have ended")
	}
	s.jobs[j.id] = j
	return nil
}

// forget takes a job out of the store's mind; j is locked.
func (s *Store) forget(j *job) {
	j.gone = true
	s.guard.Lock()
	defer s.guard.Unlock()
	if s.jobs[j.id] == j {
		delete(s.jobs, j.id)
	}
}

// build makes a job's folder under a temporary name and renames it.
func (s *Store) build(j *job, spec, state []byte) error {
	temp := temporary(j.folder)
	write := func(name string, k kind, body []byte) (stamp, error) {
		h := seal(k, 1, body)
		return stamp{true, headerBytes + int64(len(body)), h}, fill(s.on, filepath.Join(temp, name), h[:], body)
	}
	err := s.on.mkdir(temp)
	if err == nil {
		err = s.on.mkdir(filepath.Join(temp, "objects"))
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
		err = s.on.syncFolder(temp)
	}
	if err == nil {
		err = s.on.rename(temp, j.folder)
	}
	if err == nil {
		if err = s.on.syncFolder(filepath.Dir(j.folder)); err != nil {
			s.on.rename(j.folder, temp) // who is told that there is no job shall not find one later
		}
	}
	if err != nil {
		removeAll(s.on, temp) // what stays is cleared by the next Open
		return store.Explain(j.folder, err)
	}
	j.state.tried, j.manifest.tried = j.state.held, j.manifest.held
	return nil
}

// SetState replaces the state of a job, also a damaged one. It returns ErrConflict where another store has written it.
func (s *Store) SetState(id string, state []byte) error {
	j, err := s.findToWrite(id, "state", len(state), s.limits.State)
	if err != nil {
		return err
	}
	defer s.done(j)
	return j.state.swap(s.on, state)
}

// SaveResult stores the result of a job, in place of an earlier one.
func (s *Store) SaveResult(id string, result []byte) error {
	j, err := s.findToWrite(id, "result", len(result), s.limits.Result)
	if err != nil {
		return err
	}
	defer s.done(j)
	return j.result.swap(s.on, result)
}

// Result is the result of a job: ErrNone where there is none, ErrInvalid where it is damaged.
func (s *Store) Result(id string) ([]byte, error) {
	j, err := s.find(id)
	if err != nil {
		return nil, err
	}
	defer s.done(j)
	_, body, err := readFile(j.result.path, resultKind, s.limits.Result)
	switch {
	case os.IsNotExist(err):
		return nil, problem(j.folder, ErrNone, "the job has no result")
	case err != nil:
		return nil, problem(j.result.path, err, "cannot be used").Do("run the job again")
	}
	return body, nil
}

// Remove takes a job and all that belongs to it out of the folder, damaged or not. The job is gone as soon as its
// folder has a temporary name.
func (s *Store) Remove(id string) error {
	j, err := s.find(id)
	if err != nil {
		return err
	}
	defer s.done(j)
	temp := temporary(j.folder)
	if err := s.on.rename(j.folder, temp); err != nil && !os.IsNotExist(err) { // not there: an earlier Remove got this far
		return store.Explain(j.folder, err)
	}
	if err := s.on.syncFolder(filepath.Dir(j.folder)); err != nil {
		return store.Explain(j.folder, err)
	}
	s.forget(j)
	if err := removeAll(s.on, temp); err != nil && !os.IsNotExist(err) {
		return problem(j.folder, bare(err), "is removed, but its files still take space").Do("remove %s", temp)
	}
	return nil
}

// Jobs are all jobs of the folder in the order of their ids. One that is damaged, and what is no job, has an Err and
// does not hinder the others. A damaged manifest or checkpoint is no such damage: see Load.
func (s *Store) Jobs() ([]Job, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	folder := filepath.Join(s.folder, "jobs")
	list, err := os.ReadDir(folder)
	if err != nil {
		return nil, problem(folder, bare(err), "cannot be read")
	}
	names := make(map[string]bool)
	for _, f := range list {
		names[f.Name()] = !isTemporary(f.Name())
	}
	s.guard.Lock()
	for id := range s.jobs {
		names[id] = true
	}
	s.guard.Unlock()
	var jobs []Job
	for name, counts := range names {
		if counts {
			jobs = append(jobs, s.describe(name)...)
		}
	}
	slices.SortFunc(jobs, func(a, b Job) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
	return jobs, nil
}

// describe reads one job; none if it was removed meanwhile.
func (s *Store) describe(name string) []Job {
	path := filepath.Join(s.folder, "jobs", name)
	j, err := s.known(name)
	for err != nil {
		s.guard.Lock()
		// A job of this store is taken into jobs before its folder is there, and out after that is gone.
		ours := s.jobs[name] != nil
		_, missing := os.Lstat(path)
		s.guard.Unlock()
		switch {
		case ours:
			j, err = s.known(name)
		case os.IsNotExist(missing):
			return nil
		default:
			return []Job{{ID: name, Err: problem(path, ErrInvalid, "is not a job of this store").Do("move it elsewhere")}}
		}
	}
	defer j.mu.Unlock()
	var specErr, stateErr error
	d := Job{ID: name}
	if _, d.Spec, err = readFile(j.specFile(), specKind, s.limits.Spec); err != nil {
		d.Spec, specErr = nil, problem(j.specFile(), err, "cannot be used").Do("remove the job and submit it again")
	}
	if _, d.State, err = readFile(j.state.path, stateKind, s.limits.State); err != nil {
		d.State, stateErr = nil, problem(j.state.path, err, "cannot be used").Do("resume or cancel the job: that gives it a new state")
	}
	d.Err = errors.Join(j.refused, specErr, stateErr)
	return []Job{d}
}
