package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
)

func opened(t *testing.T, folder string) *Store {
	t.Helper()
	s, err := Open(folder, Options{on: swift{}, in: bed(folder)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// running is a folder with jobs a, at checkpoints 40 and 41 and with a result, and b, at 7.
func running(t *testing.T) string { return runningIn(t, scratch(t)) }

func runningIn(t *testing.T, folder string) string {
	t.Helper()
	s := opened(t, folder)
	for _, do := range []func(*Store) error{
		func(s *Store) error { return s.Create("a", []byte("spec of a"), []byte("running")) },
		func(s *Store) error { return s.Create("b", []byte("spec of b"), []byte("running")) },
		saving("a", 39), saving("a", 40), saving("a", 41), saving("b", 7),
		func(s *Store) error { return s.SaveResult("a", []byte("result of a")) },
	} {
		if err := do(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return folder
}

// objectOf is the file of a checkpoint that body made.
func objectOf(folder, id string, sequence uint64) string {
	h := seal(checkpointKind, sequence, body(id, sequence))
	e := entry{sum: h.sum()}
	return filepath.Join(folder, "jobs", id, "objects", e.name())
}

// damages are contents that a file may be left with: every beginning of it, every byte flipped in two ways, one byte too many.
func damages(t *testing.T, path string) map[string][]byte {
	t.Helper()
	good, err := contentOf(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{"one byte more": append(bytes.Clone(good), 0)}
	for i := range good {
		all[fmt.Sprintf("cut to %d", i)] = good[:i]
		for _, mask := range []byte{0x01, 0xff} {
			flipped := bytes.Clone(good)
			flipped[i] ^= mask
			all[fmt.Sprintf("byte %d ^ %#x", i, mask)] = flipped
		}
	}
	return all
}

// wantLoad holds what Load gives of job a, and that each of words stands in what it skipped.
func wantLoad(t *testing.T, s *Store, sequence uint64, words ...string) {
	t.Helper()
	got, n, skipped, err := s.Load("a")
	if err != nil || n != sequence || !bytes.Equal(got, body("a", sequence)) {
		t.Errorf("Load gives checkpoint %d %q (%v), want %d", n, got, err, sequence)
	}
	text := errors.Join(append(skipped, errors.New(""))...).Error()
	if (len(skipped) > 0) != (len(words) > 0) {
		t.Errorf("skipped %q, want %q", text, words)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("skipped %q, want %q in it", text, word)
		}
	}
	for _, e := range skipped {
		var f *fault.Error
		if !errors.As(e, &f) || f.Place.File == "" {
			t.Errorf("skipped %v, want a fault with a file", e)
		}
	}
}

// damaged runs check on a folder for every damage of one file, with everything else as it was.
func damaged(t *testing.T, path func(folder string) string, check func(t *testing.T, s *Store)) {
	t.Helper()
	for _, folder := range []string{running(t), runningIn(t, bucket(t))} {
		turn := 0
		for name, content := range damages(t, path(folder)) {
			if turn++; turn%stride() != 0 || object.Is(folder) && turn%5 != 0 { // what is read is judged by the same code
				continue
			}
			broken := copied(t, folder)
			if err := rewrite(path(broken), content); err != nil {
				t.Fatal(err)
			}
			s := opened(t, broken)
			check(t, s)
			s.Close()
			if t.Failed() {
				t.Fatal(folder, name)
			}
		}
	}
}

func TestADamagedCheckpointGivesWayToTheOneBefore(t *testing.T) {
	damaged(t, func(f string) string { return objectOf(f, "a", 41) }, func(t *testing.T, s *Store) {
		for range 2 { // it does not forget what it has seen
			wantLoad(t, s, 40, "checkpoint 41 invalid, using 40", filepath.Base(objectOf("", "a", 41)))
		}
		if err := saving("a", 41)(s); err != nil { // the coordinator repeats the iteration
			t.Error(err)
		}
		wantLoad(t, s, 41)
		if err := saving("a", 42)(s); err != nil {
			t.Error(err)
		}
		wantLoad(t, s, 42)
	})
}

func TestADamagedCheckpointDoesNotCountAsKept(t *testing.T) {
	folder := running(t)
	os.Truncate(objectOf(folder, "a", 41), 70)
	s := opened(t, folder)
	wantLoad(t, s, 40, "checkpoint 41 invalid, using 40")
	if err := saving("a", 42)(s); err != nil {
		t.Fatal(err)
	}
	s.Close()
	os.Truncate(objectOf(folder, "a", 42), 70)
	wantLoad(t, opened(t, folder), 40, "checkpoint 42 invalid, using 40")
}

func TestADamagedOlderCheckpointIsNotEvenNoticed(t *testing.T) {
	damaged(t, func(f string) string { return objectOf(f, "a", 40) }, func(t *testing.T, s *Store) { wantLoad(t, s, 41) })
}

func manifestOf(folder string) string { return filepath.Join(folder, "jobs", "a", "manifest") }

func TestADamagedManifestLosesNoCheckpoint(t *testing.T) {
	damaged(t, manifestOf, func(t *testing.T, s *Store) {
		wantLoad(t, s, 41, "manifest invalid")
		if err := saving("a", 42)(s); err != nil {
			t.Error(err)
		}
		wantLoad(t, s, 42)
		s.Close()
		wantTidy(t, s.folder)
		again := opened(t, s.folder)
		wantLoad(t, again, 42)
		again.Close()
		rewrite(objectOf(s.folder, "a", 42), nil)
		again = opened(t, s.folder)
		wantLoad(t, again, 41, "checkpoint 42 invalid, using 41")
		again.Close()
	})
}

func TestAManifestThatIsGoneOrOfAnotherTimeLosesNoCheckpoint(t *testing.T) {
	for name, break_ := range map[string]func(folder string) error{
		"gone":     func(f string) error { return os.Remove(manifestOf(f)) },
		"a folder": func(f string) error { os.Remove(manifestOf(f)); return os.Mkdir(manifestOf(f), 0o700) },
		"of another job": func(f string) error {
			return os.Rename(filepath.Join(f, "jobs", "b", "manifest"), manifestOf(f))
		},
		"out of order": func(f string) error {
			_, list, _ := readFile(&folderHome{}, manifestOf(f), manifestKind, 1000)
			list = append(list[entryBytes:], list[:entryBytes]...)
			h := seal(manifestKind, 9, list)
			return os.WriteFile(manifestOf(f), append(h[:], list...), 0o600)
		},
	} {
		folder := running(t)
		if err := break_(folder); err != nil {
			t.Fatal(err)
		}
		for range 2 { // opening alone must not clear anything away
			s := opened(t, folder)
			wantLoad(t, s, 41, "manifest invalid")
			s.Close()
		}
		os.Truncate(objectOf(folder, "a", 41), 64) // the second damage
		wantLoad(t, opened(t, folder), 40, "manifest invalid")
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestObjectsWithoutAManifestAreClearedOnlyWhereThereIsNoDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(folder string)
		stays  bool
	}{
		"no damage":    {func(string) {}, false},
		"the newest":   {func(f string) { os.Truncate(objectOf(f, "a", 41), 9) }, true},
		"the older":    {func(f string) { os.Remove(objectOf(f, "a", 40)) }, true},
		"the manifest": {func(f string) { os.Truncate(manifestOf(f), 9) }, true},
		"everything together": {func(f string) {
			for _, path := range []string{manifestOf(f), objectOf(f, "a", 40), objectOf(f, "a", 41)} {
				os.Truncate(path, 9)
			}
		}, true},
	} {
		folder := running(t)
		orphan := filepath.Join(folder, "jobs", "a", "objects", strings.Repeat("0", 64)+objectSuffix)
		os.WriteFile(orphan, []byte("no object"), 0o600)
		c.damage(folder)
		opened(t, folder).Close()
		if _, err := os.Stat(orphan); (err == nil) != c.stays {
			t.Errorf("%s damaged: %v, want the object to stay: %v", name, err, c.stays)
		}
	}
}

func TestNoValidCheckpointIsErrNoneAndSaysWhy(t *testing.T) {
	folder := running(t)
	os.Truncate(objectOf(folder, "a", 41), 80)
	os.Remove(objectOf(folder, "a", 40))
	s := opened(t, folder)
	_, _, skipped, err := s.Load("a")
	if !errors.Is(err, ErrNone) || len(skipped) != 2 {
		t.Errorf("Load gives %v and skips %v, want ErrNone and both", err, skipped)
	}
	if err := saving("a", 1)(s); err != nil { // from the start
		t.Error(err)
	}
	wantLoad(t, s, 1)
	if err := s.Create("c", nil, nil); err != nil {
		t.Error(err)
	}
	if _, _, skipped, err := s.Load("c"); !errors.Is(err, ErrNone) || len(skipped) != 0 {
		t.Errorf("a new job: Load gives %v and skips %v, want ErrNone and none", err, skipped)
	}
}

// wantJobs gives job a, and holds that b is as ever.
func wantJobs(t *testing.T, s *Store) Job {
	t.Helper()
	jobs, err := s.Jobs()
	if err != nil || len(jobs) != 2 {
		t.Fatalf("Jobs gives %d (%v), want 2", len(jobs), err)
	}
	if b := jobs[1]; b.ID != "b" || b.Err != nil || string(b.Spec) != "spec of b" || string(b.State) != "running" {
		t.Errorf("got %+v, want job b whole", b)
	}
	return jobs[0]
}

func TestADamagedJobIsReportedAndDoesNotHinderTheOthers(t *testing.T) {
	damaged(t, func(f string) string { return filepath.Join(f, "jobs", "a", "spec") }, func(t *testing.T, s *Store) {
		a := wantJobs(t, s)
		if !errors.Is(a.Err, ErrInvalid) || a.Spec != nil || string(a.State) != "running" {
			t.Errorf("got %+v, want a damaged specification and the state", a)
		}
		wantLoad(t, s, 41)
	})
	damaged(t, func(f string) string { return filepath.Join(f, "jobs", "a", "state") }, func(t *testing.T, s *Store) {
		a := wantJobs(t, s)
		if !errors.Is(a.Err, ErrInvalid) || a.State != nil || string(a.Spec) != "spec of a" {
			t.Errorf("got %+v, want a damaged state and the specification", a)
		}
		wantLoad(t, s, 41)
		if err := s.SetState("a", []byte("failed")); err != nil {
			t.Error(err)
		}
		if a := wantJobs(t, s); a.Err != nil || string(a.State) != "failed" {
			t.Errorf("after SetState got %+v, want it mended", a)
		}
	})
	damaged(t, func(f string) string { return filepath.Join(f, "jobs", "a", "result") }, func(t *testing.T, s *Store) {
		if got, err := s.Result("a"); !errors.Is(err, ErrInvalid) || got != nil {
			t.Errorf("Result gives %q, %v, want ErrInvalid", got, err)
		}
		if err := s.SaveResult("a", []byte("anew")); err != nil {
			t.Error(err)
		}
		if got, err := s.Result("a"); string(got) != "anew" {
			t.Errorf("Result gives %q, %v, want %q", got, err, "anew")
		}
	})
}

func TestWhatIsNoJobIsReported(t *testing.T) {
	folder := running(t)
	jobs := filepath.Join(folder, "jobs")
	os.Mkdir(filepath.Join(jobs, "My Job"), 0o700)
	os.Mkdir(filepath.Join(jobs, "empty"), 0o700)
	os.WriteFile(filepath.Join(jobs, "file"), nil, 0o600)
	os.WriteFile(filepath.Join(jobs, "notes.txt"), nil, 0o600)
	os.RemoveAll(filepath.Join(jobs, "b", "objects"))
	s := opened(t, folder)
	os.RemoveAll(filepath.Join(jobs, "b")) // while the coordinator runs
	got, err := s.Jobs()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, j := range got {
		list = append(list, fmt.Sprintf("%s:%v", j.ID, j.Err == nil))
	}
	if want := "My Job:false a:true b:false empty:false file:false notes.txt:false"; strings.Join(list, " ") != want {
		t.Errorf("got %v, want %s", list, want)
	}
	wantLoad(t, s, 41)
	for _, id := range []string{"b", "empty"} {
		if err := s.Remove(id); err != nil {
			t.Errorf("a damaged job cannot be removed: %v", err)
		}
	}
	if err := s.Create("file", nil, nil); !errors.Is(err, ErrExists) {
		t.Errorf("Create over a file gives %v, want ErrExists", err)
	}
}

func TestWhatANewerCoterieWroteIsLeftAlone(t *testing.T) {
	for _, file := range []string{"manifest", "state"} {
		folder := running(t)
		path := filepath.Join(folder, "jobs", "a", file)
		newer, _ := os.ReadFile(path)
		newer = append(newer, make([]byte, 5*entryBytes)...) // it has learnt to write more
		h := header(newer)
		binary.LittleEndian.PutUint64(h[24:], uint64(len(newer)-headerBytes))
		h[7] = version + 1
		sum := checksum(&h, newer[headerBytes:])
		copy(h[sumOffset:], sum[:])
		copy(newer, h[:])
		os.WriteFile(path, newer, 0o600)
		orphan := filepath.Join(folder, "jobs", "a", "objects", strings.Repeat("0", 64)+objectSuffix)
		os.WriteFile(orphan, []byte("who knows"), 0o600)
		s := opened(t, folder)
		if a := wantJobs(t, s); !errors.Is(a.Err, ErrNewer) {
			t.Errorf("%s: got %v, want ErrNewer", file, a.Err)
		}
		for name, err := range map[string]error{"Save": saving("a", 50)(s), "SetState": s.SetState("a", nil), "SaveResult": s.SaveResult("a", nil)} {
			if !errors.Is(err, ErrNewer) {
				t.Errorf("%s: %s gives %v, want ErrNewer", file, name, err)
			}
		}
		if _, err := os.Stat(orphan); err != nil {
			t.Error(err)
		}
	}
}

func TestTheNextEpochIsAboveAllThatCrashesLeft(t *testing.T) {
	folder := running(t)
	for _, n := range []string{"9", "10", "8"} { // in the order of names 10 comes first
		os.WriteFile(filepath.Join(folder, "epoch."+n), nil, 0o600)
	}
	s := opened(t, folder)
	if got, err := s.NextEpoch(); got != 11 || err != nil {
		t.Errorf("got epoch %d, %v, want 11", got, err)
	}
	if left, _ := s.home.(*folderHome).epochs(); len(left) != 1 || left[0] != 11 {
		t.Errorf("left are the epochs %d, want 11 alone", left)
	}
}

func TestALostEpochIsNotBegunAnew(t *testing.T) {
	folder := running(t)
	s := opened(t, folder)
	for want := range uint64(3) {
		if got, err := s.NextEpoch(); got != want+1 || err != nil {
			t.Fatalf("got epoch %d, %v, want %d", got, err, want+1)
		}
	}
	os.WriteFile(filepath.Join(folder, "epoch.007"), nil, 0o600) // not a name that this package gives
	os.WriteFile(filepath.Join(folder, "epoch.-9"), nil, 0o600)
	if got, err := s.NextEpoch(); got != 4 || err != nil {
		t.Errorf("got epoch %d, %v, want 4", got, err)
	}
	os.Remove(filepath.Join(folder, "epoch.4"))
	if got, err := s.NextEpoch(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "make an empty file epoch.N") {
		t.Errorf("got epoch %d, %v, want an error that says how to mend it", got, err)
	}
	os.WriteFile(filepath.Join(folder, "epoch.18446744073709551615"), nil, 0o600)
	if got, err := s.NextEpoch(); !errors.Is(err, ErrInvalid) {
		t.Errorf("after the largest number got epoch %d, %v, want an error", got, err)
	}
}
