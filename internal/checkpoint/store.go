package checkpoint

import (
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
)

// What the errors of this package wrap.
var (
	ErrNone     = errors.New("there is none")                  // no checkpoint that is valid, or no result
	ErrUnknown  = errors.New("no such job")                    // the id is not one of this folder's jobs
	ErrExists   = errors.New("there is such a job already")    // Create of an id that is taken
	ErrConflict = errors.New("another writer has written it")  // the writer is behind: it must not go on
	ErrLocked   = errors.New("two processes cannot share one") // the folder is another process's
	ErrTooLarge = errors.New("too large")                      // over one of the Limits
	ErrClosed   = errors.New("the state folder is closed")     // a call after Close
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

// Owner is what keeps its state in a Store, by the words of its messages.
type Owner struct{ name, flag string }

// Fit is a fit of one process. The owner that is not named is a coordinator.
var Fit = Owner{"fit", "--checkpoint"}

func (o Owner) orDefault() Owner {
	if o.name == "" {
		return Owner{"coordinator", "--state"}
	}
	return o
}

// Options of a Store. The zero value is what a coordinator wants.
type Options struct {
	Limits Limits
	Owner  Owner

	on    files         // in place of the operating system's
	in    object.Store  // in place of the process's
	slack time.Duration // in place of skew, if in is set
	looks int           // in place of looksAtOnce
}

// Store is the state of one coordinator in a folder, or below a prefix of an object store, that it holds alone. It is safe for concurrent use; calls for one
// job wait for each other, those for several do not. A slice that it is given is not kept; one that it returns is
// the caller's.
type Store struct {
	folder string
	limits Limits
	home   home

	busy       sync.RWMutex // read by every call, written by Close
	closed     bool         // under busy
	epochGuard sync.Mutex
	guard      sync.Mutex // over jobs
	jobs       map[string]*job
}

// Open takes the folder, makes it where it is missing, and clears what crashes left in it. A folder that another
// process holds is refused with ErrLocked and the process's number. Damaged jobs do not fail it: see Jobs and Load.
//
// A folder named s3://BUCKET/PREFIX lies in an object store. It is taken over from whoever uses it: that one's writes
// fail with ErrConflict from then on, and Overtaken tells it.
func Open(folder string, o Options) (*Store, error) {
	if folder == "" {
		return nil, fault.Usagef("the name of the state folder is empty")
	}
	o.Owner = o.Owner.orDefault()
	s := &Store{limits: o.Limits.orDefault(), jobs: make(map[string]*job)}
	var err error
	if object.Is(folder) {
		s.folder, s.home, err = openObjects(folder, o)
	} else {
		s.folder = filepath.Clean(folder)
		f := &folderHome{folder: s.folder, on: o.on, owner: o.Owner}
		if f.on == nil {
			f.on = disk{}
		}
		s.home = f
	}
	if err == nil {
		err = s.home.begin(s)
	}
	if err != nil {
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
	return s.home.close()
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
