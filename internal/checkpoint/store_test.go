package checkpoint

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
)

// holder makes the test binary a coordinator that holds the folder until its input ends; saver makes it one that
// saves checkpoint 42 of job a.
const (
	holder = "COTERIE_TEST_HOLD"
	saver  = "COTERIE_TEST_SAVE"
)

func TestMain(m *testing.M) {
	folder, hold := os.LookupEnv(holder)
	other, save := os.LookupEnv(saver)
	if !hold && !save {
		os.Exit(m.Run())
	}
	s, err := Open(folder+other, Options{})
	if err == nil && save {
		err = saving("a", 42)(s)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if hold {
		fmt.Println("held")
		io.Copy(io.Discard, os.Stdin)
	}
	s.Close()
}

func TestTheFolderIsForOneProcessAndFreeAfterItsDeath(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), holder+"="+folder)
	in, _ := other.StdinPipe()
	out, _ := other.StdoutPipe()
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the other process says %q (%v)", line, err)
	}
	_, err := Open(folder, Options{})
	want := fmt.Sprintf("process %d on ", other.Process.Pid)
	var e *fault.Error
	if !errors.Is(err, ErrLocked) || !errors.As(err, &e) || !strings.Contains(err.Error(), want) || e.Remedy == "" {
		t.Errorf("got %v, want a fault with %q and a remedy", err, want)
	}
	other.Process.Kill()
	other.Wait()
	opened(t, folder)
}

func TestTwoStoresOnOneFolder(t *testing.T) {
	folder := t.TempDir()
	s := opened(t, folder)
	if _, err := Open(folder, Options{}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second Open gives %v, want ErrLocked and this process's number", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	opened(t, folder)
}

func TestAStoreThatIsBehindAnotherGetsErrConflict(t *testing.T) {
	folder := running(t)
	old := opened(t, folder)
	os.Remove(filepath.Join(folder, "lock")) // the only way past the lock
	young := opened(t, folder)
	epochs := map[uint64]bool{}
	for _, s := range []*Store{old, young, old} {
		n, err := s.NextEpoch()
		if err != nil || epochs[n] {
			t.Errorf("got epoch %d (%v) twice", n, err)
		}
		epochs[n] = true
	}
	for name, do := range map[string]func(*Store) error{
		"Save":       saving("a", 50),
		"SetState":   func(s *Store) error { return s.SetState("a", []byte("running")) }, // the same content
		"SaveResult": func(s *Store) error { return s.SaveResult("a", []byte("result of a")) },
	} {
		if err := do(young); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for range 2 { // asking again does not help
			if err := do(old); !errors.Is(err, ErrConflict) {
				t.Errorf("%s by the older store gives %v, want ErrConflict", name, err)
			}
		}
		if err := do(young); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	young.Create("new", nil, nil)
	if err := old.Create("new", nil, nil); !errors.Is(err, ErrExists) {
		t.Errorf("Create by the older store gives %v, want ErrExists", err)
	}
	wantLoad(t, young, 50)
	wantTidy(t, folder)
}

func TestASequenceMayBeRepeatedAndNeverFalls(t *testing.T) {
	for _, folder := range []string{scratch(t), bucket(t)} {
		aSequenceMayBeRepeatedAndNeverFalls(t, folder)
	}
}

func aSequenceMayBeRepeatedAndNeverFalls(t *testing.T, folder string) {
	t.Helper()
	s := opened(t, runningIn(t, folder))
	if err := saving("a", 41)(s); err != nil {
		t.Error(err)
	}
	if err := s.Save("a", 41, []byte("other")); err != nil {
		t.Error(err)
	}
	if got, n, _, err := s.Load("a"); string(got) != "other" || n != 41 {
		t.Errorf("got %q, %d, %v, want the later one of sequence 41", got, n, err)
	}
	if err := saving("a", 40)(s); !errors.Is(err, ErrConflict) {
		t.Errorf("a lower sequence gives %v, want ErrConflict", err)
	}
	wantTidy(t, s.folder)
}

func TestIdsCannotLeaveTheFolder(t *testing.T) {
	for _, folder := range []string{scratch(t), bucket(t)} {
		idsCannotLeaveTheFolder(t, folder)
	}
}

func idsCannotLeaveTheFolder(t *testing.T, folder string) {
	t.Helper()
	s := opened(t, folder)
	for _, id := range []string{"", ".", "..", "../x", "a/b", `a\b`, "/a", "A", "ä", "a b", "a\x00", "a.tmp", "-\n", strings.Repeat("a", 65)} {
		calls := map[string]error{"Create": s.Create(id, nil, nil), "SetState": s.SetState(id, nil), "Save": s.Save(id, 1, nil),
			"SaveResult": s.SaveResult(id, nil), "Remove": s.Remove(id)}
		_, _, _, calls["Load"] = s.Load(id)
		_, calls["Result"] = s.Result(id)
		for name, err := range calls {
			if fault.Code(err) != int(fault.Usage) {
				t.Errorf("%s(%q) gives %v, want a usage error", name, id, err)
			}
		}
	}
	for _, id := range []string{"a", "0", "-", "job-1", strings.Repeat("z", 64)} {
		if err := s.Create(id, nil, nil); err != nil {
			t.Errorf("Create(%q) gives %v", id, err)
		}
	}
}

func TestUnknownRemovedAndClosed(t *testing.T) {
	for _, folder := range []string{scratch(t), bucket(t)} {
		unknownRemovedAndClosed(t, folder)
	}
}

func unknownRemovedAndClosed(t *testing.T, folder string) {
	t.Helper()
	s := opened(t, runningIn(t, folder))
	if err := s.Remove("a"); err != nil {
		t.Fatal(err)
	}
	calls := func() map[string]error {
		m := map[string]error{"SetState": s.SetState("a", nil), "Save": s.Save("a", 1, nil), "SaveResult": s.SaveResult("a", nil), "Remove": s.Remove("a")}
		_, _, _, m["Load"] = s.Load("a")
		_, m["Result"] = s.Result("a")
		return m
	}
	for name, err := range calls() {
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("%s of a removed job gives %v, want ErrUnknown", name, err)
		}
	}
	if _, err := s.Result("b"); !errors.Is(err, ErrNone) {
		t.Errorf("got %v, want ErrNone", err)
	}
	if err := s.Create("b", nil, nil); !errors.Is(err, ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
	s.Close()
	all := calls()
	all["Create"] = s.Create("c", nil, nil)
	_, all["NextEpoch"] = s.NextEpoch()
	_, all["Jobs"] = s.Jobs()
	for name, err := range all {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close gives %v, want ErrClosed", name, err)
		}
	}
}

func TestLimitsHoldAtTheirEdge(t *testing.T) {
	for _, folder := range []string{scratch(t), bucket(t)} {
		limitsHoldAtTheirEdge(t, folder)
	}
}

func limitsHoldAtTheirEdge(t *testing.T, folder string) {
	t.Helper()
	limits := Limits{Jobs: 2, Spec: 10, State: 20, Checkpoint: 30, Result: 40}
	s, err := Open(folder, Options{Limits: limits, on: swift{}, in: bed(folder)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	if err := s.Create("a", nil, nil); err != nil {
		t.Fatal(err)
	}
	of := func(n int) []byte { return make([]byte, n) }
	for name, c := range map[string]struct {
		do    func(n int) error
		limit int
	}{
		"specification": {func(n int) error { defer s.Remove("b"); return s.Create("b", of(n), nil) }, 10},
		"first state":   {func(n int) error { defer s.Remove("b"); return s.Create("b", nil, of(n)) }, 20},
		"state":         {func(n int) error { return s.SetState("a", of(n)) }, 20},
		"checkpoint":    {func(n int) error { return s.Save("a", uint64(n), of(n)) }, 30},
		"result":        {func(n int) error { return s.SaveResult("a", of(n)) }, 40},
	} {
		if err := c.do(c.limit + 1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("a %s of %d bytes gives %v, want ErrTooLarge", name, c.limit+1, err)
		}
		if err := c.do(c.limit); err != nil {
			t.Errorf("a %s of %d bytes gives %v", name, c.limit, err)
		}
	}
	for i, want := range []error{nil, ErrTooLarge} {
		if err := s.Create(fmt.Sprint(i), nil, nil); !errors.Is(err, want) {
			t.Errorf("job %d gives %v, want %v", i+2, err, want)
		}
	}
	s.Close()
	limits.Checkpoint, limits.Result, limits.State = 29, 39, 19 // what stands is held against the limits, too
	if s, err = Open(folder, Options{Limits: limits, on: swift{}, in: bed(folder)}); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := s.Load("a"); !errors.Is(err, ErrNone) {
		t.Errorf("a checkpoint over the limit: Load gives %v, want ErrNone", err)
	}
	if _, err := s.Result("a"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a result over the limit: got %v, want ErrInvalid", err)
	}
	if jobs, _ := s.Jobs(); !errors.Is(jobs[1].Err, ErrInvalid) {
		t.Errorf("a state over the limit: got %v, want ErrInvalid", jobs[1].Err)
	}
}

func TestFoldersThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	os.WriteFile(path, nil, 0o600)
	for folder, code := range map[string]fault.Kind{"": fault.Usage, path: fault.Failed, filepath.Join(path, "inside"): fault.Failed} {
		s, err := Open(folder, Options{})
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != code {
			t.Errorf("Open(%q) gives %v, want a fault of kind %d", folder, err, code)
		}
		if s != nil {
			t.Error("got a store with an error")
		}
	}
}

func TestJobsAreSavedAtTheSameTime(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "b", "state")
	s := opened(t, folder)
	const jobs, saves = 6, 15
	var all sync.WaitGroup
	for j := range jobs {
		id := fmt.Sprintf("job-%d", j)
		all.Go(func() {
			if err := s.Create(id, []byte(id), nil); err != nil {
				t.Error(err)
			}
			for n := range uint64(saves) {
				if err := errors.Join(saving(id, n)(s), s.SetState(id, body(id, n))); err != nil {
					t.Error(err)
				}
				if got, sequence, _, err := s.Load(id); sequence != n || !bytes.Equal(got, body(id, n)) {
					t.Errorf("%s: got %d %q (%v), want %d", id, sequence, got, err, n)
				}
			}
		})
		all.Go(func() {
			for n := range saves {
				list, err := s.Jobs()
				for _, j := range list {
					err = errors.Join(err, j.Err)
				}
				passing := fmt.Sprintf("passing-%d", n) // the same of all: one wins
				created := s.Create(passing, nil, nil)
				if created != nil && !errors.Is(created, ErrExists) {
					t.Error(created)
				}
				if removed := s.Remove(passing); removed != nil && !errors.Is(removed, ErrUnknown) {
					t.Error(removed)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	s.Close()
	wantTidy(t, folder)
	if list, err := opened(t, folder).Jobs(); len(list) != jobs {
		t.Errorf("in the end there are %d jobs (%v), want %d", len(list), err, jobs)
	}
}

func TestCloseWaitsForTheCallsUnderWay(t *testing.T) {
	folder := running(t)
	s := opened(t, folder)
	var all sync.WaitGroup
	for _, id := range []string{"a", "b"} {
		all.Go(func() {
			for n := uint64(100); ; n++ {
				if err := saving(id, n)(s); errors.Is(err, ErrClosed) {
					return
				} else if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	s.Close()
	wantTidy(t, folder) // without a Save half way
	all.Wait()
}
