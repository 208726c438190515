package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// What the errors of this package wrap.
var (
	ErrNone     = errors.New("there is none")                     // no checkpoint that is valid, or no result
	ErrUnknown  = errors.New("no such job")                       // the id is not one of this folder's jobs
	ErrExists   = errors.New("there is such a job already")       // Create of an id that is taken
	ErrConflict = errors.New("another writer has written it")     // the writer is behind: it must not go on
	ErrLocked   = errors.New("two coordinators cannot share one") // the folder is another process's
	ErrTooLarge = errors.New("too large")                         // over one of the Limits
	ErrClosed   = errors.New("the state folder is closed")        // a call after Close
)

// Limits bound what a folder takes. Zero or less stands for the default.
type Limits struct {
	// Jobs is the number of jobs in the folder, ended ones included; default 10,000. Each start reads a few files of each.
	Jobs int
	// Spec is the size in bytes of a specification; default 1 GiB, as it may hold starting centroids.
	Spec int64
	// State is the size in bytes of a state; default 1 MiB: a word, a reason and times, rewritten whole each time.
	State int64
	// Checkpoint is the size in bytes of a checkpoint; default 16 GiB: centroids of 2^16 clusters by 2^12 columns as
	// float32 are 1 GiB, their exact sums 4 GiB.
	Checkpoint int64
	// Result is the size in bytes of a result; default 16 GiB, as it holds what a checkpoint holds.
	Result int64
}

func (l Limits) orDefault() Limits {
	for _, d := range []struct {
		field *int64
		value int64
	}{{&l.Spec, 1 << 30}, {&l.State, 1 << 20}, {&l.Checkpoint, 16 << 30}, {&l.Result, 16 << 30}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if l.Jobs <= 0 {
		l.Jobs = 10_000
	}
	return l
}

// Options of a Store. The zero value is what a coordinator wants.
type Options struct {
	Limits Limits

	on files // in place of the operating system's
}

// Store is the state of one coordinator in a folder that it holds alone. It is safe for concurrent use; calls for one
// job wait for each other, those for several do not. A slice that it is given is not kept; one that it returns is
// the caller's.
type Store struct {
	folder string
	limits Limits
	on     files
	lock   *os.File

	busy       sync.RWMutex // read by every call, written by Close
	closed     bool         // under busy
	epochGuard sync.Mutex
	guard      sync.Mutex // over jobs
	jobs       map[string]*job
}

// Open takes the folder, makes it where it is missing, and clears what crashes left in it. A folder that another
// process holds is refused with ErrLocked and the process's number. Damaged jobs do not fail it: see Jobs and Load.
func Open(folder string, o Options) (*Store, error) {
	if folder == "" {
		return nil, fault.Usagef("the name of the state folder is empty")
	}
	s := &Store{folder: filepath.Clean(folder), limits: o.Limits.orDefault(), on: o.on, jobs: make(map[string]*job)}
	if s.on == nil {
		s.on = disk{}
	}
	if err := makeFolder(s.on, s.folder); err != nil {
		return nil, err
	}
	var err error
	if s.lock, err = lock(s.folder); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		s.lock.Close()
		return nil, err
	}
	return s, nil
}

// Close waits for the calls under way and gives the folder back. Later calls return ErrClosed; a second Close does
// nothing.
func (s *Store) Close() error {
	s.busy.Lock()
	defer s.busy.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.lock.Close(); err != nil {
		return problem(s.folder, bare(err), "cannot be given back")
	}
	return nil
}

// enter begins a call, which ends with leave.
func (s *Store) enter() error {
	s.busy.RLock()
	if s.closed {
		s.busy.RUnlock()
		return problem(s.folder, ErrClosed, "cannot be used")
	}
	return nil
}

func (s *Store) leave() { s.busy.RUnlock() }

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

// begin makes what a new folder lacks, clears leftovers and looks at the jobs. The folder of the jobs comes last: where it
// stands, epoch.N has stood too, and if that is gone, somebody has removed it.
func (s *Store) begin() error {
	jobs := filepath.Join(s.folder, "jobs")
	if _, err := os.Stat(jobs); os.IsNotExist(err) {
		known, err := s.epochs()
		if err != nil {
			return err
		}
		if len(known) == 0 {
			if err := s.beginEpoch(0); err != nil {
				return err
			}
		}
		if err := makeFolder(s.on, jobs); err != nil {
			return err
		}
	}
	if err := s.clear(s.folder); err != nil {
		return err
	}
	if err := s.clear(jobs); err != nil {
		return err
	}
	list, err := os.ReadDir(jobs)
	if err != nil {
		return problem(jobs, bare(err), "cannot be read")
	}
	for _, f := range list {
		if checkID(f.Name()) != nil || !f.IsDir() {
			continue // Jobs reports it
		}
		j := s.newJob(f.Name())
		s.jobs[j.id] = j
		s.look(j)
	}
	return nil
}

// clear removes what has a temporary name in a folder.
func (s *Store) clear(folder string) error {
	list, err := os.ReadDir(folder)
	if err != nil {
		return problem(folder, bare(err), "cannot be read")
	}
	for _, f := range list {
		if !isTemporary(f.Name()) {
			continue
		}
		path := filepath.Join(folder, f.Name())
		if f.IsDir() {
			err = removeAll(s.on, path)
		} else {
			err = s.on.remove(path)
		}
		if err != nil {
			return problem(path, bare(err), "is left over from a crash and cannot be removed").Do("remove it")
		}
	}
	return nil
}
