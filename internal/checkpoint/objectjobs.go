package checkpoint

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/coterie-project/coterie/internal/object"
)

// removedKind is a state that says that the job is removed: whatever else of it stands is left over.
const removedKind kind = "removed "

// begin takes the epoch and then looks at the jobs: a job that an older coordinator has made is seen, since that one
// looks for a newer epoch after it has made it.
func (o *objectHome) begin(s *Store) error {
	if err := o.takeEpoch(); err != nil {
		return err
	}
	list, err := o.list(o.at(o.root, "jobs"))
	if err != nil {
		return problem(o.root, err, "cannot be read")
	}
	var wait sync.WaitGroup
	var guard sync.Mutex
	var failed error
	seats := make(chan struct{}, o.looks)
	for _, i := range list {
		if checkID(i.name) != nil || !i.folder {
			continue // Jobs reports it
		}
		j := s.newJob(i.name)
		seats <- struct{}{}
		wait.Go(func() {
			defer func() { <-seats }()
			stands, err := o.takeJob(s, j)
			guard.Lock()
			defer guard.Unlock()
			if stands {
				s.jobs[j.id] = j
			}
			failed = errors.Join(failed, err)
		})
	}
	wait.Wait()
	return failed
}

// taken is true of a job, and of an object in the place of one. A job is there with its specification, until its state
// says that it is removed.
func (o *objectHome) taken(path string) (bool, error) {
	stands, err := o.exists(path)
	if err != nil || stands {
		return stands, err
	}
	if stands, err = o.exists(o.at(path, "spec")); err != nil || !stands {
		return false, err
	}
	state, err := stampOf(o, o.at(path, "state"))
	return state.header.fits(removedKind, state.size, state.size) != nil, err
}

// takeJob looks at a job, or clears it away where it is one that was being made or removed.
func (o *objectHome) takeJob(s *Store, j *job) (stands bool, err error) {
	stands, err = o.taken(j.folder)
	switch {
	case err != nil:
		return false, problem(j.folder, err, "cannot be read")
	case stands:
		return true, s.look(j)
	}
	_ = o.clear(j, true) // what cannot be removed is left to the next start
	return false, nil
}

// clear removes all of a job, its state last. Where old is set, only if all is older than this coordinator's epoch: else
// it may be one that a successor is making.
func (o *objectHome) clear(j *job, old bool) error {
	var paths []string
	young := false
	err := o.each(j.folder, false, func(e object.Entry) error {
		paths = append(paths, e.Name.String())
		young = young || !o.old(e)
		return nil
	})
	if err != nil || old && young {
		return err
	}
	slices.SortStableFunc(paths, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == j.state.path:
			return 1
		case b == j.state.path:
			return -1
		}
		return strings.Compare(a, b)
	})
	for _, path := range paths {
		if err := o.remove(path); err != nil {
			return failedAt(path, err)
		}
	}
	return nil
}

// old says whether an object was there well before this coordinator's epoch.
func (o *objectHome) old(e object.Entry) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return e.Modified.Add(o.slack).Before(o.since)
}

// looked stamps the records of a job anew, so that writes of coordinators before this one fail. What is damaged keeps its
// tag: whoever replaces it first is the only one.
func (o *objectHome) looked(_ *Store, j *job, state, manifest []byte) error {
	if state != nil {
		if err := j.state.restamp(o, state); err != nil {
			return err
		}
	}
	if manifest != nil {
		return j.manifest.restamp(o, manifest)
	}
	return nil
}

// build makes a job: with its specification, which comes last, it is there.
func (o *objectHome) build(_ *Store, j *job, spec, state []byte) error {
	err := o.current()
	if err == nil {
		err = o.clear(j, false) // what is left of one that could not be made, or removed, wholly
	}
	if err == nil {
		err = j.manifest.swap(o, nil)
	}
	if err == nil {
		err = j.state.swap(o, state)
	}
	if err == nil {
		err = o.enter(j, spec)
	}
	if err == nil {
		// Who takes over lists the jobs after it has begun its epoch. There is none yet: it will see this one.
		err = o.current()
	}
	if err != nil && !errors.Is(err, ErrExists) {
		_ = o.remove(j.specFile()) // who is told that there is no job shall not find one later
		_ = o.clear(j, false)
	}
	return err
}

// enter writes a specification, which must be new.
func (o *objectHome) enter(j *job, spec []byte) error {
	path := j.specFile()
	h := seal(specKind, o.generation(0), spec)
	_, err := o.write(path, object.Condition{IfAbsent: true}, h[:], spec)
	if err == nil {
		return nil
	}
	now, unread := stampOf(o, path)
	switch {
	case unread == nil && now.header == h:
		return nil // it has happened, and only the answer was lost
	case errors.Is(err, object.ErrChanged):
		return problem(j.folder, ErrExists, "cannot be made").Do("choose another id")
	}
	return failedAt(path, err)
}

// raze removes a job. It is gone as soon as its state says so, which is a conditional write as any other: who has been
// overtaken removes nothing.
func (o *objectHome) raze(s *Store, j *job) error {
	j.state.kind = removedKind
	if err := j.state.swap(o, nil); err != nil {
		j.state.kind = stateKind
		return err
	}
	s.forget(j)
	if err := o.clear(j, false); err != nil {
		return problem(j.folder, err, "is removed, but its objects still take space").Do("they are removed by the next start")
	}
	return nil
}

// sweep removes what was there before this coordinator, and is not named.
func (o *objectHome) sweep(j *job, named func(name string) bool) {
	_ = o.each(j.objects(), true, func(e object.Entry) error {
		file := e.Name.Key[strings.LastIndexByte(e.Name.Key, '/')+1:]
		if !e.Folder && isObject(file) && !named(file) && o.old(e) {
			_ = o.remove(e.Name.String())
		}
		return nil
	})
}

// dropped removes only what this coordinator's manifest has named: of anything else it cannot tell whether it is one that
// a successor has just written.
func (o *objectHome) dropped(j *job, named func(name string) bool, before []entry) {
	for i := range before {
		if !named(before[i].name()) {
			_ = o.remove(j.objectFile(&before[i]))
		}
	}
}

// drop leaves the object of a Save that failed to the next start's sweep: a successor may have written the same bits.
func (o *objectHome) drop(*job, *entry) {}
