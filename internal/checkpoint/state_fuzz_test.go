package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
	"github.com/coterie-project/coterie/internal/object"
)

// planted are the files of a state that is as running leaves it, by the names below it.
var planted = []string{"epoch.2", "jobs/a/spec", "jobs/a/state", "jobs/a/manifest", "jobs/a/result", "jobs/b/state", "jobs/b/objects/x.checkpoint", "jobs/c/spec", "epoch.18446744073709551615"}

// FuzzState puts any bytes in the place of any file of a state, in a folder and in an object store: the state opens, or says which
// file it is about; what is said of its jobs is what was put there, and a checkpoint is one that was saved.
func FuzzState(f *testing.F) {
	for i := range planted {
		f.Add(uint8(i), false, false, []byte("junk"))
	}
	h := seal(manifestKind, 9, encodeManifest([]entry{{sequence: 50, length: 3, sum: digest{1}}, {sequence: 40}}))
	f.Add(uint8(3), true, true, append(h[:], encodeManifest([]entry{{sequence: 50, length: 3, sum: digest{1}}, {sequence: 40}})...))
	h = seal(stateKind, 1<<40, []byte("done"))
	f.Add(uint8(2), false, true, append(h[:], "done"...))
	f.Add(uint8(5), true, true, append(h[:], "gone"...))
	f.Fuzz(func(t *testing.T, which uint8, bucketed, whole bool, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		folder := scratch(t)
		if bucketed {
			folder = bucket(t)
		}
		runningIn(t, folder)
		name := planted[int(which)%len(planted)]
		if whole {
			data = mend(data)
		}
		path := filepath.Join(folder, filepath.FromSlash(name))
		if object.Is(folder) {
			path = folder + "/" + name
		} else if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := rewrite(path, data); err != nil {
			t.Fatal(err)
		}
		// A start reads each file, writes some anew, and in a folder looks through it.
		hostile.Ceiling(t, len(data), 4<<20, 64, func() { readState(t, folder, data) })
	})
}

// readState opens a state, and holds what it says.
func readState(t *testing.T, folder string, planted []byte) {
	t.Helper()
	s, err := Open(folder, Options{on: swift{}, in: bed(folder), Limits: Limits{Checkpoint: 1 << 20, Spec: 1 << 20, Result: 1 << 20}})
	var known *fault.Error
	if err != nil {
		if !errors.As(err, &known) || known.Remedy == "" && known.Err == nil {
			t.Fatalf("got %v, want an error that says what is wrong", err)
		}
		return
	}
	defer s.Close()
	jobs, err := s.Jobs()
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if j.Err != nil && !errors.As(j.Err, &known) {
			t.Fatalf("job %q: got %v, want an error with its place", j.ID, j.Err)
		}
		if checkID(j.ID) != nil {
			continue // reported, and not touched
		}
		body, sequence, skipped, err := s.Load(j.ID)
		if err == nil && !bytes.Contains(body, []byte(fmt.Sprintf("%s at %d; ", j.ID, sequence))) && !bytes.HasSuffix(planted, body) {
			t.Fatalf("job %q: checkpoint %d is %q", j.ID, sequence, body)
		}
		if err != nil && !errors.Is(err, ErrNone) && !errors.Is(err, ErrUnknown) && !errors.As(err, &known) {
			t.Fatalf("job %q: got %v", j.ID, err)
		}
		for _, e := range skipped {
			if !strings.Contains(e.Error(), "invalid") {
				t.Fatalf("job %q: %v is skipped without a word", j.ID, e)
			}
		}
		if result, err := s.Result(j.ID); err == nil && string(result) != "result of a" && !bytes.HasSuffix(planted, result) {
			t.Fatalf("job %q: the result is %q", j.ID, result)
		}
	}
}
