package checkpoint

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"sync"

	"github.com/coterie-project/coterie/internal/fault"
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
	at     func(path string, names ...string) string

	state, manifest, result record

	entries []entry // of the checkpoints, newest first
	lost    error   // why the entries were gathered from the objects; nil where the manifest is good
	refused error   // why nothing may be written; nil
	gone    bool    // removed, or never made
}

func (s *Store) newJob(id string) *job {
	folder := s.home.at(s.folder, "jobs", id)
	return &job{
		id:       id,
		folder:   folder,
		at:       s.home.at,
		state:    record{path: s.home.at(folder, "state"), kind: stateKind},
		manifest: record{path: s.home.at(folder, "manifest"), kind: manifestKind},
		result:   record{path: s.home.at(folder, "result"), kind: resultKind},
	}
}

func (j *job) specFile() string           { return j.at(j.folder, "spec") }
func (j *job) objects() string            { return j.at(j.folder, "objects") }
func (j *job) objectFile(e *entry) string { return j.at(j.objects(), e.name()) }

// look reads what the store keeps in mind of a job, and removes what crashes left of it. Of what a newer coterie wrote
// nothing is touched. The error is about the home as a whole: what is wrong with the job is kept with it.
func (s *Store) look(j *job) error {
	for try := 1; ; try++ {
		err := s.lookOnce(j)
		if !errors.Is(err, errLate) || try == lateTries {
			return err
		}
	}
}

func (s *Store) lookOnce(j *job) error {
	j.entries, j.lost, j.refused = nil, nil, nil
	state, stateErr := j.state.load(s.home, s.limits.State)
	body, err := j.manifest.load(s.home, maxManifest)
	if err == nil {
		j.entries, err = decodeManifest(body, s.limits.Checkpoint)
	}
	if stateErr != nil {
		state = nil
	}
	if err != nil {
		body = nil
	}
	for _, e := range []error{stateErr, err} {
		if errors.Is(e, errUnread) {
			return problem(j.folder, e, "cannot be read")
		}
		if errors.Is(e, ErrNewer) {
			j.refused = problem(j.folder, e, "is left as it is").Do("start the newer coterie on this folder")
			return nil
		}
	}
	standing, trouble := s.standing(j)
	if trouble == nil && (err != nil || standing == 0 && len(j.entries) > 0) {
		trouble = s.search(j, err)
	}
	if trouble != nil {
		return problem(j.folder, trouble, "cannot be read")
	}
	if stamp, err := stampOf(s.home, j.result.path); err == nil {
		j.result.held, j.result.tried = stamp, stamp
	}
	if err := s.home.looked(s, j, state, body); err != nil || j.refused != nil {
		return err
	}
	if standing == len(j.entries) { // else there is doubt, and what the manifest does not name may be of use
		s.sweep(j)
	}
	return nil
}

// standing is how many of a job's entries have an object that by its header is theirs.
func (s *Store) standing(j *job) (n int, err error) {
	for i := range j.entries {
		e := &j.entries[i]
		h, err := readHeader(s.home, j.objectFile(e), checkpointKind, s.limits.Checkpoint)
		if errors.Is(err, errUnread) {
			return 0, err
		}
		if err == nil && h.number() == e.sequence && h.length() == e.length && h.sum() == e.sum {
			n++
		}
	}
	return n, nil
}

// search takes the entries from the objects: the manifest is damaged, as why says, or (nil) it is one of another time
// or job, of whose checkpoints none is there.
func (s *Store) search(j *job, why error) error {
	found, err := gather(s.home, j.objects(), s.limits.Checkpoint)
	if errors.Is(err, errUnread) {
		return err
	}
	if why == nil && len(found) == 0 {
		return nil // what the manifest says is all that is known
	}
	if why == nil {
		why = invalid("none of the checkpoints that it names is there")
	}
	j.entries, j.lost = found, errors.Join(why, err)
	return nil
}

// sweep removes from the folder of objects what the manifest does not name. It does nothing where the manifest is
// lost, since then the objects are all there is. What cannot be removed is left to the next sweep.
func (s *Store) sweep(j *job) {
	if j.lost == nil {
		s.home.sweep(j, j.names)
	}
}

// names says whether the manifest names an object.
func (j *job) names(object string) bool {
	return slices.ContainsFunc(j.entries, func(e entry) bool { return e.name() == object })
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
	return nil, problem(s.home.at(s.folder, "jobs", id), ErrUnknown, "cannot be used")
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
	if err := s.home.build(s, j, spec, state); err != nil {
		s.forget(j)
		return err
	}
	return nil
}

// reserve takes the id of a job, so that of two Creates at once one is refused.
func (s *Store) reserve(j *job) error {
	s.guard.Lock()
	defer s.guard.Unlock()
	stands, err := s.home.taken(j.folder)
	if err != nil {
		return problem(j.folder, err, "cannot be made")
	}
	if stands || s.jobs[j.id] != nil {
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

// SetState replaces the state of a job, also a damaged one. It returns ErrConflict where another store has written it.
func (s *Store) SetState(id string, state []byte) error {
	j, err := s.findToWrite(id, "state", len(state), s.limits.State)
	if err != nil {
		return err
	}
	defer s.done(j)
	return j.state.swap(s.home, state)
}

// SaveResult stores the result of a job, in place of an earlier one.
func (s *Store) SaveResult(id string, result []byte) error {
	j, err := s.findToWrite(id, "result", len(result), s.limits.Result)
	if err != nil {
		return err
	}
	defer s.done(j)
	return j.result.swap(s.home, result)
}

// Result is the result of a job: ErrNone where there is none, ErrInvalid where it is damaged.
func (s *Store) Result(id string) ([]byte, error) {
	j, err := s.find(id)
	if err != nil {
		return nil, err
	}
	defer s.done(j)
	_, body, err := readFile(s.home, j.result.path, resultKind, s.limits.Result)
	switch {
	case os.IsNotExist(err):
		return nil, problem(j.folder, ErrNone, "the job has no result")
	case errors.Is(err, errUnread):
		return nil, problem(j.result.path, err, "cannot be read")
	case err != nil:
		return nil, problem(j.result.path, err, "cannot be used").Do("run the job again")
	}
	return body, nil
}

// Remove takes a job and all that belongs to it out of the folder, damaged or not. It is gone as a whole, also where
// some of its files could not be removed yet.
func (s *Store) Remove(id string) error {
	j, err := s.find(id)
	if err != nil {
		return err
	}
	defer s.done(j)
	return s.home.raze(s, j)
}

// Jobs are all jobs of the folder in the order of their ids. One that is damaged, and what is no job, has an Err and
// does not hinder the others. A damaged manifest or checkpoint is no such damage: see Load.
func (s *Store) Jobs() ([]Job, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	folder := s.home.at(s.folder, "jobs")
	list, err := s.home.list(folder)
	if err != nil {
		return nil, problem(folder, err, "cannot be read")
	}
	names := make(map[string]bool)
	for _, i := range list {
		names[i.name] = !isTemporary(i.name)
	}
	s.guard.Lock()
	for id := range s.jobs {
		names[id] = true
	}
	s.guard.Unlock()
	var jobs []Job
	for name, counts := range names {
		if !counts {
			continue
		}
		d, err := s.describe(name)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, d...)
	}
	slices.SortFunc(jobs, func(a, b Job) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
	return jobs, nil
}

// describe reads one job; none if it was removed meanwhile.
func (s *Store) describe(name string) ([]Job, error) {
	path := s.home.at(s.folder, "jobs", name)
	j, err := s.known(name)
	for err != nil {
		s.guard.Lock()
		// A job of this store is taken into jobs before its folder is there, and out after that is gone.
		ours := s.jobs[name] != nil
		stands, trouble := s.home.taken(path)
		s.guard.Unlock()
		switch {
		case trouble != nil:
			return nil, problem(path, trouble, "cannot be read")
		case ours:
			j, err = s.known(name)
		case !stands:
			return nil, nil
		default:
			return []Job{{ID: name, Err: problem(path, ErrInvalid, "is not a job of this store").Do("move it elsewhere")}}, nil
		}
	}
	defer j.mu.Unlock()
	var specErr, stateErr error
	d := Job{ID: name}
	if _, d.Spec, err = readFile(s.home, j.specFile(), specKind, s.limits.Spec); err != nil {
		d.Spec, specErr = nil, problem(j.specFile(), err, "cannot be used").Do("remove the job and submit it again")
	}
	if _, d.State, err = readFile(s.home, j.state.path, stateKind, s.limits.State); err != nil {
		d.State, stateErr = nil, problem(j.state.path, err, "cannot be used").Do("resume or cancel the job: that gives it a new state")
	}
	if err := errors.Join(specErr, stateErr); errors.Is(err, errUnread) {
		return nil, problem(path, err, "cannot be read")
	}
	d.Err = errors.Join(j.refused, specErr, stateErr)
	return []Job{d}, nil
}
