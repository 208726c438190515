package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/object/objecttest"
)

// flaw lets the at-th call of a memory fail, from 0.
type flaw struct {
	at    int
	dead  bool // and all that follow, as after a kill
	after bool // a write takes effect, and its answer is lost

	mu   sync.Mutex
	done int
	hit  string
}

var errAway = object.Failure(fault.Failed, object.Name{Bucket: "box"}, object.ErrAway, "the object store keeps failing", "look at it")

func (f *flaw) before(method string, _ object.Name) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.done
	f.done++
	lost := f.after && slices.Contains([]string{"Put", "Commit", "Remove"}, method)
	if n == f.at && !lost || f.dead && n > f.at {
		f.hit = max(f.hit, method)
		return errAway
	}
	return nil
}

func (f *flaw) lost(method string, _ object.Name) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.after && f.done == f.at+1 {
		f.hit = method
		return errAway
	}
	return nil
}

// playBucket runs the script on a memory with a flaw until something fails, or (again) does what fails once more.
func playBucket(t *testing.T, folder string, f *flaw, again bool) (steps int) {
	t.Helper()
	m := memoryOf(folder)
	m.Fault, m.After = f.before, f.lost
	defer func() { m.Fault, m.After = nil, nil }()
	s, err := Open(folder, Options{in: m})
	if err != nil && again {
		s, err = Open(folder, Options{in: m})
	}
	if err != nil {
		wantPlain(t, err)
		return -1
	}
	for i, step := range script {
		if err := step.do(s); err != nil {
			wantPlain(t, err)
			if !again {
				return i
			}
			if f.hit == "Put" && f.after {
				t.Errorf("%s: the answer to a write is lost, and that gives %v", step.name, err)
			}
			if err := step.do(s); err != nil && !(step.name == "remove a" && errors.Is(err, ErrUnknown)) { // gone, but not cleared away
				t.Fatalf("%s: once more gives %v", step.name, err)
			}
		}
	}
	return len(script)
}

func wantPlain(t *testing.T, err error) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.Failed || errors.Is(err, ErrConflict) {
		t.Fatalf("got %v, want a fault of kind Failed and no conflict", err)
	}
}

// bucketViews are the views after 0, 1, 2, … steps, and how many calls the script takes.
func bucketViews(t *testing.T) (views []view, calls int) {
	t.Helper()
	folder, f := bucket(t), &flaw{at: -1}
	s, err := Open(folder, Options{in: memoryOf(folder)})
	if err != nil {
		t.Fatal(err)
	}
	views = []view{timeless(look(t, copied(t, folder)))}
	for _, step := range script {
		if err := step.do(s); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		views = append(views, timeless(look(t, copied(t, folder))))
	}
	if steps := playBucket(t, bucket(t), f, false); steps != len(script) {
		t.Fatalf("the script ends after %d steps", steps)
	}
	return views, f.done
}

// timeless leaves the epoch out: a start that fails may leave a number out.
func timeless(v view) view {
	v.Epoch = 0
	return v
}

func TestAnObjectStoreThatFailsAtAnyCallLeavesTheOldOrTheNew(t *testing.T) {
	views, n := bucketViews(t)
	seen := map[string]bool{}
	for at := 0; at < n; at += stride() {
		for _, f := range []*flaw{{dead: true}, {dead: true, after: true}} {
			f.at = at
			folder := bucket(t)
			steps := playBucket(t, folder, f, false)
			seen[f.hit] = true
			got := timeless(look(t, copied(t, folder)))
			before, after := views[max(steps, 0)], views[min(steps+1, len(views)-1)]
			if !cmp.Equal(got, before) && !cmp.Equal(got, after) {
				t.Fatalf("call %d of %d, a %s (%v), step %d: got\n%+v\nwant one of\n%+v\n%+v", at, n, f.hit, f.after, steps, got, before, after)
			}
			if t.Failed() {
				t.Fatalf("call %d of %d, a %s (%v), step %d", at, n, f.hit, f.after, steps)
			}
		}
	}
	for _, method := range []string{"Stat", "Open", "List", "Put", "Remove"} {
		if !seen[method] && !testing.Short() {
			t.Errorf("no %s was hit among %d calls: %v", method, n, seen)
		}
	}
}

func TestACallThatFailsOnceIsNoLossAndAnAnswerThatIsLostNoFailure(t *testing.T) {
	views, n := bucketViews(t)
	for at := 0; at < n; at += stride() {
		for _, f := range []*flaw{{}, {after: true}} {
			f.at = at
			folder := bucket(t)
			playBucket(t, folder, f, true)
			if diff := cmp.Diff(views[len(views)-1], timeless(look(t, copied(t, folder)))); diff != "" || t.Failed() {
				t.Fatalf("call %d of %d, a %s (%v): (-want +got)\n%s", at, n, f.hit, f.after, diff)
			}
		}
	}
}

func TestAStartTakesTheStateOverAndTheOldCoordinatorIsTold(t *testing.T) {
	folder := runningIn(t, bucket(t))
	old, young := opened(t, folder), opened(t, folder)
	for name, err := range map[string]error{"Save": saving("a", 50)(old), "SetState": old.SetState("a", []byte("done")),
		"SaveResult": old.SaveResult("b", []byte("b's")), "Create": old.Create("c", nil, nil), "Remove": old.Remove("a")} {
		if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "another coordinator has taken over (epoch 3): process ") {
			t.Errorf("%s by the old coordinator gives %v, want ErrConflict and who has taken over", name, err)
		}
	}
	if _, err := old.NextEpoch(); err != nil { // the one it took at its start: it is below the other's
		t.Error(err)
	}
	if _, err := old.NextEpoch(); !errors.Is(err, ErrConflict) {
		t.Errorf("a further epoch gives %v, want ErrConflict", err)
	}
	if err := old.Overtaken(t.Context()); !errors.Is(err, ErrConflict) {
		t.Errorf("Overtaken gives %v, want ErrConflict", err)
	}
	wantJobs(t, young)
	wantLoad(t, young, 41)
	if n, err := young.NextEpoch(); n != 3 || err != nil {
		t.Errorf("the young coordinator has epoch %d (%v), want 3", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := young.Overtaken(ctx); err != nil {
		t.Errorf("the young coordinator is told %v", err)
	}
}

// TestATakeoverAtAnyCallOfTheOldOneLosesNothing starts another coordinator in the middle of each call of each step: what
// the old one was told is done is there, and what the young one does from then on succeeds.
func TestATakeoverAtAnyCallOfTheOldOneLosesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(s *Store) error
		holds func(v view) bool // where do was said to be done
	}{
		"create": {func(s *Store) error { return s.Create("c", []byte("spec of c"), []byte("queued")) },
			func(v view) bool { return len(v.Jobs) == 3 && string(v.Jobs[2].State) == "queued" }},
		"save":       {saving("a", 42), func(v view) bool { return strings.HasPrefix(v.Loaded["a"], "42: ") }},
		"set state":  {func(s *Store) error { return s.SetState("a", []byte("done")) }, func(v view) bool { return string(v.Jobs[0].State) == "done" }},
		"new result": {func(s *Store) error { return s.SaveResult("b", []byte("b's")) }, func(v view) bool { return v.Results["b"] == "b's" }},
		"remove":     {func(s *Store) error { return s.Remove("a") }, func(v view) bool { return len(v.Jobs) == 1 }},
	} {
		for at, more := 0, true; more; at++ {
			folder := runningIn(t, bucket(t))
			m := memoryOf(folder)
			old := opened(t, folder)
			var young *Store
			calls := 0
			late := false // the old one is about to replace a record that has just been taken over
			m.Fault = func(method string, n object.Name) error {
				if calls++; calls == at+1 {
					m.Fault = nil
					young = opened(t, folder)
					late = method == "Put" && name != "create" && (strings.HasSuffix(n.Key, "/state") || strings.HasSuffix(n.Key, "/manifest"))
				}
				return nil
			}
			err := c.do(old)
			m.Fault = nil
			if late && !errors.Is(err, ErrConflict) {
				t.Errorf("%s, call %d: a late write of the old coordinator gives %v, want ErrConflict", name, at, err)
			}
			if more = young != nil; !more {
				young = opened(t, folder)
			}
			if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrUnknown) {
				t.Fatalf("%s, call %d: the old coordinator gets %v, want success or ErrConflict", name, at, err)
			}
			wantMaster(t, young, fmt.Sprintf("%s, call %d", name, at))
			if again := c.do(old); !errors.Is(again, ErrConflict) && !errors.Is(again, ErrUnknown) && !errors.Is(again, ErrExists) {
				t.Errorf("%s, call %d: once more by the old coordinator gives %v", name, at, again)
			}
			if v := look(t, copied(t, folder)); err == nil && !c.holds(v) {
				t.Errorf("%s, call %d: the old coordinator was told that it is done, and there is %+v", name, at, v)
			}
			if t.Failed() {
				return
			}
		}
	}
}

// wantMaster holds that a coordinator can do all that it wants with what it found.
func wantMaster(t *testing.T, s *Store, when string) {
	t.Helper()
	jobs, err := s.Jobs()
	if err != nil || len(jobs) == 0 {
		t.Errorf("%s: the young coordinator sees %d jobs (%v)", when, len(jobs), err)
	}
	for _, j := range jobs {
		_, n, _, err := s.Load(j.ID)
		if errors.Is(err, ErrUnknown) { // removed in the moment before it took over
			continue
		}
		result, noResult := s.Result(j.ID)
		if noResult != nil {
			result = nil
		}
		for name, err := range map[string]error{"Save": s.Save(j.ID, n, body(j.ID, n)), "SetState": s.SetState(j.ID, j.State), "SaveResult": s.SaveResult(j.ID, result)} {
			if err != nil {
				t.Errorf("%s: %s of job %s by the young coordinator gives %v", when, name, j.ID, err)
			}
		}
	}
	if err := errors.Join(s.Create("mine", []byte("spec"), []byte("queued")), s.Remove("mine")); err != nil {
		t.Errorf("%s: the young coordinator gives %v", when, err)
	}
}

func TestOfCoordinatorsThatStartAtOnceOneIsLeft(t *testing.T) {
	folder := runningIn(t, bucket(t))
	const several = 4
	stores := make([]*Store, several)
	var all sync.WaitGroup
	for i := range stores {
		all.Go(func() {
			for stores[i] == nil {
				s, err := Open(folder, Options{in: memoryOf(folder)})
				if err != nil && !errors.Is(err, ErrConflict) {
					t.Error(err)
					return
				}
				if err == nil {
					stores[i] = s
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	epochs, masters := map[uint64]bool{}, 0
	for _, s := range stores {
		n, err := s.NextEpoch()
		if err != nil || epochs[n] {
			t.Errorf("got epoch %d twice (%v)", n, err)
		}
		epochs[n] = true
		if err := saving("a", 60)(s); err == nil {
			masters++
		} else if !errors.Is(err, ErrConflict) {
			t.Error(err)
		}
	}
	if masters != 1 {
		t.Errorf("%d of %d coordinators may write, want 1", masters, several)
	}
	wantJobs(t, opened(t, folder))
}

// overtaking lets another coordinator begin just before the first object of an epoch is written.
type overtaking struct {
	*objecttest.Memory
	first sync.Once
	begin func()
}

func (o *overtaking) Put(ctx context.Context, n object.Name, body []byte, c object.Condition) (object.Info, error) {
	if strings.Contains(n.Key, "/"+epochPrefix) {
		o.first.Do(o.begin)
	}
	return o.Memory.Put(ctx, n, body, c)
}

func TestAnEpochThatAnotherHasJustBegunIsNotTaken(t *testing.T) {
	folder := runningIn(t, bucket(t))
	var other *Store
	in := &overtaking{Memory: memoryOf(folder), begin: func() { other = opened(t, folder) }}
	s, err := Open(folder, Options{in: in})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	theirs, err := other.NextEpoch()
	if err != nil {
		t.Fatal(err)
	}
	if ours, err := s.NextEpoch(); err != nil || ours <= theirs {
		t.Errorf("got epoch %d after %d (%v), want a later one", ours, theirs, err)
	}
	if err := saving("a", 60)(other); !errors.Is(err, ErrConflict) {
		t.Errorf("who began first writes: got %v, want %v", err, ErrConflict)
	}
	if err := saving("a", 61)(s); err != nil {
		t.Errorf("who began last does not write: %v", err)
	}
}

// removing lets another coordinator begin just before the object of an epoch is read, which that one removes.
type removing struct {
	*objecttest.Memory
	first sync.Once
	begin func()
}

func (r *removing) Open(ctx context.Context, i object.Info, offset, length int64) (io.ReadCloser, error) {
	if strings.Contains(i.Name.Key, "/"+epochPrefix) {
		r.first.Do(r.begin)
	}
	return r.Memory.Open(ctx, i, offset, length)
}

func TestWhoIsOvertakenTwiceAtOnceSaysSo(t *testing.T) {
	folder := runningIn(t, bucket(t))
	in := &removing{Memory: memoryOf(folder), begin: func() { opened(t, folder) }}
	s, err := Open(folder, Options{in: in})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	opened(t, folder)
	if err := saving("a", 60)(s); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "another coordinator has taken over") {
		t.Errorf("got %v, want %v", err, ErrConflict)
	}
}

// heedless is a store that takes no notice of conditions.
type heedless struct{ *objecttest.Memory }

func (h heedless) Put(ctx context.Context, n object.Name, body []byte, _ object.Condition) (object.Info, error) {
	return h.Memory.Put(ctx, n, body, object.Condition{})
}

func TestStatesThatCannotBeUsedInAnObjectStore(t *testing.T) {
	folder := bucket(t)
	if _, err := Open(folder, Options{in: heedless{memoryOf(folder)}}); err == nil || !strings.Contains(err.Error(), "conditions") {
		t.Errorf("a store without conditions gives %v", err)
	}
	lost := runningIn(t, bucket(t))
	for _, path := range memoryOf(lost).Keys() {
		if strings.Contains(path, "/"+epochPrefix) {
			memoryOf(lost).Remove(t.Context(), name(path))
		}
	}
	if _, err := Open(lost, Options{in: bed(lost)}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "make an empty file epoch.N") {
		t.Errorf("a state without its epoch gives %v", err)
	}
	rewrite(lost+"/epoch.4294967295", nil)
	if _, err := Open(lost, Options{in: bed(lost)}); !errors.Is(err, ErrInvalid) {
		t.Errorf("after the last epoch Open gives %v", err)
	}
	for _, bad := range []string{"s3://", "s3://b", "s3://box/a/../b"} {
		if _, err := Open(bad, Options{in: bed(folder)}); fault.Code(err) != int(fault.Usage) {
			t.Errorf("Open(%q) gives %v, want a usage error", bad, err)
		}
	}
}

func TestLargeCheckpointsAreUploadedInParts(t *testing.T) {
	folder := bucket(t)
	s := opened(t, folder)
	large := make([]byte, object.PutBytes/8+1)
	large[len(large)-1] = 7
	if err := errors.Join(s.Create("a", nil, nil), s.Save("a", 1, large), s.SaveResult("a", large)); err != nil {
		t.Fatal(err)
	}
	if memoryOf(folder).Calls("Commit") != 2 {
		t.Errorf("%d uploads, want 2", memoryOf(folder).Calls("Commit"))
	}
	s = opened(t, folder)
	got, n, _, err := s.Load("a")
	result, failed := s.Result("a")
	if n != 1 || len(got) != len(large) || got[len(got)-1] != 7 || len(result) != len(large) || errors.Join(err, failed) != nil {
		t.Errorf("got checkpoint %d with %d bytes, a result with %d (%v, %v)", n, len(got), len(result), err, failed)
	}
}
