package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
)

// body is the content that the tests give the checkpoint of a sequence.
func body(id string, sequence uint64) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("%s at %d; ", id, sequence)), 3)
}

func saving(id string, sequence uint64) func(*Store) error {
	return func(s *Store) error { return s.Save(id, sequence, body(id, sequence)) }
}

type step struct {
	name string
	do   func(*Store) error
}

// script is what a coordinator does in its life; each step is one call.
var script = []step{
	{"next epoch 1", func(s *Store) error { _, err := s.NextEpoch(); return err }},
	{"create a", func(s *Store) error { return s.Create("a", []byte("spec of a"), []byte("queued")) }},
	{"run a", func(s *Store) error { return s.SetState("a", []byte("running")) }},
	{"save a 40", saving("a", 40)},
	{"save a 41", saving("a", 41)},
	{"create b", func(s *Store) error { return s.Create("b", []byte("spec of b"), []byte("queued")) }},
	{"save a 42", saving("a", 42)},
	{"next epoch 2", func(s *Store) error { _, err := s.NextEpoch(); return err }},
	{"save b 1", saving("b", 1)},
	{"save a 42 again", saving("a", 42)},
	{"save a 43", saving("a", 43)},
	{"result of a", func(s *Store) error { return s.SaveResult("a", []byte("a's result")) }},
	{"a is done", func(s *Store) error { return s.SetState("a", []byte("done")) }},
	{"remove a", func(s *Store) error { return s.Remove("a") }},
	{"create a anew", func(s *Store) error { return s.Create("a", []byte("another spec"), []byte("queued")) }},
}

// view is all that a folder says to a coordinator that starts on it.
type view struct {
	Epoch   uint64 // that it begins
	Jobs    []Job
	Loaded  map[string]string
	Results map[string]string
}

// look opens the folder and says what is in it. Damage and leftovers fail the test: a crash must not leave any.
func look(t *testing.T, folder string) view {
	t.Helper()
	s, err := Open(folder, Options{on: swift{}, in: bed(folder)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := view{Loaded: map[string]string{}, Results: map[string]string{}}
	if v.Epoch, err = s.NextEpoch(); err != nil {
		t.Error(err)
	}
	if v.Jobs, err = s.Jobs(); err != nil {
		t.Error(err)
	}
	for _, j := range v.Jobs {
		checkpoint, sequence, skipped, err := s.Load(j.ID)
		if err != nil && !errors.Is(err, ErrNone) || len(skipped) > 0 || j.Err != nil {
			t.Errorf("job %s: %v; Load gives %v and skips %v, want neither", j.ID, j.Err, err, skipped)
		}
		if err == nil {
			v.Loaded[j.ID] = fmt.Sprintf("%d: %s", sequence, checkpoint)
		}
		result, err := s.Result(j.ID)
		if err != nil && !errors.Is(err, ErrNone) {
			t.Errorf("job %s: result %v", j.ID, err)
		}
		v.Results[j.ID] = string(result)
	}
	wantTidy(t, folder)
	return v
}

// wantTidy holds that no temporary names and no objects without a manifest's entry are left.
func wantTidy(t *testing.T, folder string) {
	t.Helper()
	if object.Is(folder) {
		wantTidyBucket(t, folder)
		return
	}
	objects := map[string]int{}
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if strings.HasSuffix(path, temporarySuffix) {
			t.Errorf("%s is left over", path)
		}
		if isObject(d.Name()) {
			objects[filepath.Dir(path)]++
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for where, n := range objects {
		_, manifest, err := readFile(&folderHome{}, filepath.Join(filepath.Dir(where), "manifest"), manifestKind, 1000)
		if named := len(manifest) / entryBytes; n != named || err != nil {
			t.Errorf("%s holds %d objects and the manifest names %d (%v)", where, n, named, err)
		}
	}
}

// scratch is a folder for a test that makes thousands of files and syncs none: in memory, where the system has that.
func scratch(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "coterie-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

func copied(t *testing.T, folder string) string {
	t.Helper()
	if object.Is(folder) {
		return copiedBucket(t, folder)
	}
	to := scratch(t)
	if err := os.CopyFS(to, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	return to
}

// play opens the folder and runs the script until something fails. It returns how many steps went well: −1 if Open
// failed.
func play(folder string, on files) (int, error) {
	s, err := Open(folder, Options{on: on})
	if err != nil {
		return -1, err
	}
	defer s.Close() // gives back the lock, which the death of a process would do
	for i, step := range script {
		if err := step.do(s); err != nil {
			return i, err
		}
	}
	return len(script), nil
}

// milestones are the views of the folder after 0, 1, 2, … steps.
func milestones(t *testing.T) []view {
	t.Helper()
	folder := filepath.Join(scratch(t), "state")
	s, err := Open(folder, Options{on: swift{}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	views := []view{look(t, copied(t, folder))}
	for _, step := range script {
		if err := step.do(s); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		views = append(views, look(t, copied(t, folder)))
	}
	return views
}

// wantOneOf holds a folder against the views before and after the step that did not end.
func wantOneOf(t *testing.T, folder string, views []view, steps int) view {
	t.Helper()
	got := look(t, folder)
	before := views[max(steps, 0)]
	after := views[min(steps+1, len(views)-1)]
	if !cmp.Equal(got, before) && !cmp.Equal(got, after) {
		t.Errorf("after %d steps the folder holds\n%+v\nwant one of\n%+v\n%+v", steps, got, before, after)
	}
	return got
}

// operations is how many changes of the disk the script takes.
func operations(t *testing.T) int {
	t.Helper()
	f := &faulty{under: swift{}, at: -1}
	if steps, err := play(filepath.Join(scratch(t), "up", "state"), f); err != nil {
		t.Fatalf("step %d: %v", steps, err)
	}
	return f.done
}

// stride is 1, so that every operation has its turn; in short runs, under the race detector, every seventh.
func stride() int {
	if testing.Short() {
		return 7
	}
	return 1
}

func TestAKillAtAnyOperationLeavesTheOldOrTheNew(t *testing.T) {
	views, n := milestones(t), operations(t)
	seen := map[string]bool{}
	for at := 0; at < n; at += stride() {
		for _, torn := range []bool{false, true} {
			folder := filepath.Join(scratch(t), "up", "state")
			f := &faulty{under: swift{}, at: at, fault: errDead, dead: true, torn: torn}
			steps, _ := play(folder, f)
			seen[f.hit] = true
			wantOneOf(t, folder, views, steps)
			if t.Failed() {
				t.Fatalf("killed at operation %d of %d, a %s (torn: %v)", at, n, f.hit, torn)
			}
		}
	}
	for _, operation := range []string{"mkdir", "create", "write", "sync", "close", "rename", "sync of a folder", "remove"} {
		if !seen[operation] && !testing.Short() {
			t.Errorf("no %s was hit among %d operations", operation, n)
		}
	}
}

func TestAPowerFailureAtAnyOperationLeavesTheOldOrTheNew(t *testing.T) {
	views, n := milestones(t), operations(t)
	for at := 0; at <= n; at += stride() {
		for seed := range uint64(6) {
			root := scratch(t)
			v := newVolatile(root)
			f := &faulty{under: v, at: at, fault: errDead, dead: true, torn: seed%2 == 1}
			steps, _ := play(filepath.Join(root, "up", "state"), f)
			left := scratch(t)
			v.fail(t, left, rand.New(rand.NewPCG(seed, uint64(at))))
			wantOneOf(t, filepath.Join(left, "up", "state"), views, steps)
			if t.Failed() {
				t.Fatalf("power failure at operation %d of %d, a %s; seed %d", at, n, f.hit, seed)
			}
		}
	}
}

// TestEpochsNeverRepeat starts on one folder again and again, and is killed somewhere at the beginning.
func TestEpochsNeverRepeat(t *testing.T) {
	folder := filepath.Join(scratch(t), "state")
	given := map[uint64]int{}
	last := uint64(0)
	for start := range 60 {
		s, err := Open(folder, Options{on: &faulty{under: swift{}, at: start % 7, fault: errDead, dead: start%4 != 0}})
		if err != nil {
			continue
		}
		epoch, err := s.NextEpoch()
		s.Close()
		if err != nil {
			continue
		}
		if before, twice := given[epoch]; twice || epoch <= last {
			t.Fatalf("start %d got epoch %d after %d (given before at start %d)", start, epoch, last, before)
		}
		given[epoch], last = start, epoch
	}
	if len(given) < 20 {
		t.Errorf("only %d starts got an epoch", len(given))
	}
}

func TestAFullDiskAtAnyOperationKeepsTheOldAndSparesTheRetry(t *testing.T) {
	views, n := milestones(t), operations(t)
	for at := 0; at < n; at += stride() {
		wrote := false
		for _, c := range []struct {
			name  string
			write bool // differs from the others only where a write fails
			f     *faulty
		}{
			{"once", false, &faulty{fault: syscall.ENOSPC}},
			{"from then on", false, &faulty{fault: syscall.ENOSPC, full: true}},
			{"half written", true, &faulty{fault: syscall.ENOSPC, full: true, torn: true}},
			{"a short write", true, &faulty{fault: syscall.ENOSPC, torn: true, mute: true}},
			{"a quota", true, &faulty{fault: syscall.EDQUOT, full: true}},
		} {
			if c.write && !wrote {
				continue
			}
			c.f.under, c.f.at = swift{}, at
			if fillUp(t, c.f, views); t.Failed() {
				t.Fatalf("at operation %d of %d, a %s: %s", at, n, c.f.hit, c.name)
			}
			wrote = c.f.hit == "write"
		}
	}
}

// fillUp plays the script on a disk that is full at one operation. The failed step is tried again with space.
func fillUp(t *testing.T, f *faulty, views []view) {
	t.Helper()
	folder := filepath.Join(scratch(t), "up", "state")
	s, err := Open(folder, Options{on: f})
	if err != nil {
		wantFull(t, err, folder, f)
		f.at = -1
		if s, err = Open(folder, Options{on: f}); err != nil {
			t.Fatalf("with space again, Open gives %v", err)
		}
	}
	defer s.Close()
	for i, step := range script {
		err := step.do(s)
		if err != nil {
			wantFull(t, err, folder, f)
			if f.hit != "sync of a folder" { // after which the new manifest may stand, and nothing may be removed
				wantTidy(t, folder)
			}
			f.at = -1
			wantOneOf(t, copied(t, folder), views, i)
			err = step.do(s)
		}
		if err != nil {
			t.Fatalf("%s: with space again %v", step.name, err)
		}
	}
	got, want := look(t, copied(t, folder)), views[len(views)-1]
	if got.Epoch < want.Epoch {
		t.Errorf("at the end the next epoch is %d, want %d or later", got.Epoch, want.Epoch)
	}
	got.Epoch = want.Epoch // a failed start may leave a number out
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("at the end (-want +got):\n%s", diff)
	}
}

// wantFull holds that an error names a file of the folder and, where the system said that the disk is full, the way
// out.
func wantFull(t *testing.T, err error, folder string, f *faulty) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.Failed {
		t.Fatalf("got %v, want a fault of kind Failed", err)
	}
	if top := filepath.Dir(folder); !strings.HasPrefix(e.Place.File, top) { // it may be the folder itself that cannot be made
		t.Errorf("the error names %q, want a path in %s", e.Place.File, top)
	}
	if strings.Contains(err.Error(), temporarySuffix) {
		t.Errorf("%q names a temporary file", err)
	}
	if f.mute && f.hit == "write" {
		return // the system did not say why
	}
	if !errors.Is(err, f.fault) || !strings.Contains(err.Error(), "disk is full") || !strings.Contains(e.Remedy, "free some space") {
		t.Errorf("got %q, want the full disk and what to do", err)
	}
}
