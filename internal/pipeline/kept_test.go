package pipeline

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/object/objecttest"
	"github.com/coterie-project/coterie/internal/progress"
)

// notes keeps what is told.
type notes struct {
	progress.Reporter
	text []string
}

func (n *notes) Note(text string) { n.text = append(n.text, text) }

// keptFiles runs a fit with checkpoints and interrupts it after so many iterations; 0: never. It gives the digest, the labels, what
// was told, and how many iterations it came to.
func keptFiles(t *testing.T, r FitRequest, after int) (digest, labels string, told []string, iterations int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n := &notes{Reporter: progress.New(progress.None, nil)}
	r.Engine.Reporter = first{n, func() {
		if iterations++; iterations == after {
			cancel()
		}
	}}
	r.Labels = filepath.Join(t.TempDir(), cmp.Or(r.Labels, "labels.csv"))
	outcome, err := Fit(ctx, &r)
	if err != nil {
		if _, missing := os.Stat(r.Labels); missing == nil {
			t.Errorf("labels are written by a fit that ends with %v", err)
		}
		return "", "", n.text, iterations, err
	}
	data, err := os.ReadFile(r.Labels)
	return outcome.Digest, string(data), n.text, iterations, err
}

func keptRequest(t *testing.T) FitRequest {
	t.Helper()
	return FitRequest{Data: Data{Files: []string{writeCustomers(t, t.TempDir(), "customers.csv", 700)}}, K: 5, Init: "k-means-parallel", Runs: 3, MaxIter: 60,
		Seed: 3, Engine: Engine{Workers: 2, Threads: 2}}
}

func TestAFitThatIsInterruptedAnywhereGoesOnToTheSameBits(t *testing.T) {
	r := keptRequest(t)
	digest, labels, _, all, err := keptFiles(t, r, 0)
	if err != nil {
		t.Fatal(err)
	}
	if all < 8 {
		t.Fatalf("%d iterations are too few to be interrupted", all)
	}
	for after := 1; after <= all; after += 3 {
		r := r
		r.Checkpoint = filepath.Join(t.TempDir(), "kept")
		if _, _, _, _, err := keptFiles(t, r, after); fault.Code(err) != 130 || !strings.Contains(err.Error(), "interrupted") {
			t.Fatalf("interrupted after %d of %d iterations: %v", after, all, err)
		}
		if _, _, _, _, err := keptFiles(t, r, 0); fault.Code(err) != 2 || !strings.Contains(err.Error(), "--resume") {
			t.Fatalf("begun anew over what was kept: %v", err)
		}
		r.Resume, r.Engine.Workers, r.Engine.Threads, r.Algorithm = true, 3, 1, "lloyd"
		d, l, told, rest, err := keptFiles(t, r, 0)
		if err != nil || d != digest || l != labels {
			t.Fatalf("after %d of %d iterations: got %s, %v, want %s, and the same labels", after, all, d, err, digest)
		}
		if rest > all-after+1 {
			t.Errorf("after %d of %d iterations it made %d more", after, all, rest)
		}
		if len(told) != 1 || !strings.HasPrefix(told[0], "resumed from checkpoint ") {
			t.Errorf("it told %q", told)
		}
		if left, err := os.ReadDir(filepath.Join(r.Checkpoint, "jobs")); err != nil || len(left) > 0 {
			t.Errorf("a fit that is done leaves %v, %v", left, err)
		}
	}
}

// What is written with types tells whether a fit that goes on still knows of what type the ids are.
func TestIDsHaveTheirTypeInTheLabelsOfAFitThatGoesOn(t *testing.T) {
	for name, letter := range map[string]string{"integers": "", "text": "c"} {
		r := keptRequest(t)
		data, err := os.ReadFile(r.Data.Files[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(r.Data.Files[0], []byte(strings.ReplaceAll(string(data), "\n1", "\n"+letter+"1")), 0o600); err != nil {
			t.Fatal(err)
		}
		r.Data.ID, r.Labels, r.Runs = "customer_id", "labels.parquet", 1
		_, want, _, all, err := keptFiles(t, r, 0)
		if err != nil {
			t.Fatal(err)
		}
		r.Checkpoint = filepath.Join(t.TempDir(), "kept")
		if _, _, _, _, err := keptFiles(t, r, all/2); fault.Code(err) != 130 {
			t.Fatalf("interrupted after %d of %d iterations: %v", all/2, all, err)
		}
		r.Resume = true
		if _, got, told, _, err := keptFiles(t, r, 0); err != nil || got != want || len(told) != 1 || !strings.HasPrefix(told[0], "resumed") {
			t.Errorf("%s: taken up, the labels have other bytes (%v); it told %q", name, err, told)
		}
	}
}

func TestCheckpointsGoToAnObjectStore(t *testing.T) {
	m := &objecttest.Memory{}
	t.Cleanup(object.Use(m))
	r := keptRequest(t)
	digest, _, _, all, err := keptFiles(t, r, 0)
	if err != nil {
		t.Fatal(err)
	}
	r.Checkpoint = "s3://bucket/kept"
	if _, _, _, _, err := keptFiles(t, r, all/2); fault.Code(err) != 130 {
		t.Fatal(err)
	}
	if len(m.Keys()) == 0 {
		t.Fatal("nothing is kept")
	}
	r.Resume = true
	if d, _, told, _, err := keptFiles(t, r, 0); err != nil || d != digest || len(told) != 1 || !strings.HasPrefix(told[0], "resumed") {
		t.Errorf("got %s, %v, want %s; it told %q", d, err, digest, told)
	}
}

func TestAFitThatStopsWhileItWritesSaysHowItGoesOn(t *testing.T) {
	m := &objecttest.Memory{}
	t.Cleanup(object.Use(m))
	r := keptRequest(t)
	r.Engine.Reporter = progress.New(progress.None, nil)
	r.Labels, r.Checkpoint = "s3://bucket/labels.csv", filepath.Join(t.TempDir(), "kept")
	ctx, cancel := context.WithCancel(t.Context())
	for name, c := range map[string]struct {
		code int
		fail func(n object.Name) error
	}{
		"no store": {1, func(n object.Name) error {
			return object.Failure(fault.Failed, n, object.ErrAway, "cannot be reached", "look")
		}},
		"a signal": {130, func(object.Name) error { cancel(); return ctx.Err() }},
	} {
		m.Fault = func(method string, n object.Name) error {
			if method == "Commit" {
				return c.fail(n)
			}
			return nil
		}
		_, err := Fit(ctx, &r)
		if fault.Code(err) != c.code || !strings.Contains(err.Error(), "the same command with --resume goes on from checkpoint ") {
			t.Errorf("%s: %v", name, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		r.Resume = true
	}
	defer cancel()
	m.Fault = nil
	if _, err := Fit(ctx, &r); err != nil || m.Body(object.Name{Bucket: "bucket", Key: "labels.csv"}) == nil {
		t.Errorf("taken up: %v", err)
	}
}

// TestAFitThatIsDisplacedSpeaksOfFits opens the checkpoints of a fit a second time, in the middle of it.
func TestAFitThatIsDisplacedSpeaksOfFits(t *testing.T) {
	t.Cleanup(object.Use(&objecttest.Memory{}))
	for name, interrupt := range map[string]bool{"done": false, "interrupted": true} {
		r := keptRequest(t)
		r.Checkpoint = "s3://bucket/" + name
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		n, iterations := &notes{Reporter: progress.New(progress.None, nil)}, 0
		r.Engine.Reporter = first{n, func() {
			switch iterations++; {
			case iterations == 4:
				other, err := checkpoint.Open(r.Checkpoint, checkpoint.Options{Owner: checkpoint.Fit})
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { other.Close() })
			case iterations == 6 && interrupt:
				cancel()
			}
		}}
		_, err := Fit(ctx, &r)
		if !interrupt && err != nil || interrupt && (fault.Code(err) != 130 || !strings.Contains(err.Error(), "another fit has taken s3://bucket/interrupted over")) {
			t.Errorf("%s: %v", name, err)
		}
		told := strings.Join(n.text, "\n")
		if len(n.text) != 1 || !strings.Contains(told, "another fit has taken over") || !strings.Contains(told, "a --checkpoint of its own") || strings.Contains(told, "coordinator") {
			t.Errorf("%s: it told %q", name, told)
		}
	}
}

func TestAnotherFitDoesNotGoOnFromACheckpoint(t *testing.T) {
	r := keptRequest(t)
	r.Checkpoint = filepath.Join(t.TempDir(), "kept")
	if _, _, _, _, err := keptFiles(t, r, 4); fault.Code(err) != 130 {
		t.Fatal(err)
	}
	r.Resume = true
	for want, change := range map[string]func(r *FitRequest){
		"-k is 4, and was 5":             func(r *FitRequest) { r.K = 4 },
		"--seed is 9, and was 3":         func(r *FitRequest) { r.Seed = 9 },
		"--runs is 2, and was 3":         func(r *FitRequest) { r.Runs = 2 },
		"--max-iter is 61, and was 60":   func(r *FitRequest) { r.MaxIter++ },
		"--tol is 0.5, and was 0":        func(r *FitRequest) { r.Tolerance = 0.5 },
		"--init is random, and was":      func(r *FitRequest) { r.Init = "random" },
		"the columns, or what is done":   func(r *FitRequest) { r.Data.Features = []string{"age", "income"} },
		"what is done to them, differ f": func(r *FitRequest) { r.Cosine = true },
		"DATA is [":                      func(r *FitRequest) { r.Data.Files = []string{writeCustomers(t, t.TempDir(), "b.csv", 700)} },
	} {
		other := r
		change(&other)
		if _, _, _, _, err := keptFiles(t, other, 0); fault.Code(err) != 2 || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := os.Chtimes(r.Data.Files[0], time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, _, _, _, err := keptFiles(t, r, 0); fault.Code(err) != 3 || !strings.Contains(err.Error(), "has changed since the checkpoint") {
		t.Errorf("with other data: %v", err)
	}
}

func TestFoldersThatCannotKeepAFit(t *testing.T) {
	r := keptRequest(t)
	r.Checkpoint = t.TempDir()
	store, err := checkpoint.Open(r.Checkpoint, checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, _, err := keptFiles(t, r, 0); !errors.Is(err, checkpoint.ErrLocked) || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("a folder in use: %v", err)
	}
	if err := errors.Join(store.Create("20261126-1", []byte("spec"), []byte("state")), store.Close()); err != nil {
		t.Fatal(err)
	}
	if _, _, _, _, err := keptFiles(t, r, 0); fault.Code(err) != 2 || !strings.Contains(err.Error(), "holds the state of a coordinator") {
		t.Errorf("a coordinator's folder: %v", err)
	}
	r.Checkpoint, r.Resume = filepath.Join(t.TempDir(), "none"), true
	if _, _, told, _, err := keptFiles(t, r, 0); err != nil || len(told) != 1 || !strings.Contains(told[0], "begins at its beginning") {
		t.Errorf("a folder that is not there yet: %v, %q", err, told)
	}
}

func TestADamagedCheckpointGivesWayToTheOneBefore(t *testing.T) {
	r := keptRequest(t)
	digest, _, _, all, err := keptFiles(t, r, 0)
	if err != nil {
		t.Fatal(err)
	}
	r.Checkpoint = filepath.Join(t.TempDir(), "kept")
	if _, _, _, _, err := keptFiles(t, r, all-1); fault.Code(err) != 130 {
		t.Fatal(err)
	}
	objects, err := filepath.Glob(filepath.Join(r.Checkpoint, "jobs", keptFit, "objects", "*"))
	if err != nil || len(objects) < 2 {
		t.Fatalf("%v, %v", objects, err)
	}
	r.Resume = true
	damage(t, objects[0])
	if d, _, _, _, err := keptFiles(t, r, 1); fault.Code(err) != 130 { // one of the two is the newest: in the first or in the second turn
		t.Fatalf("got %s, %v", d, err)
	}
	if d, _, _, _, err := keptFiles(t, r, 0); err != nil || d != digest {
		t.Errorf("got %s, %v, want %s", d, err, digest)
	}
}

func TestDamageOfAllCheckpointsIsToldWithoutOneToGoOnFrom(t *testing.T) {
	r := keptRequest(t)
	r.Checkpoint = filepath.Join(t.TempDir(), "kept")
	if _, _, _, _, err := keptFiles(t, r, 6); fault.Code(err) != 130 {
		t.Fatal(err)
	}
	objects, err := filepath.Glob(filepath.Join(r.Checkpoint, "jobs", keptFit, "objects", "*"))
	if err != nil || len(objects) != 2 {
		t.Fatalf("%v, %v", objects, err)
	}
	damage(t, objects[0])
	damage(t, objects[1])
	r.Resume = true
	_, _, told, _, err := keptFiles(t, r, 0)
	if fault.Code(err) != 1 || !strings.Contains(err.Error(), "no checkpoint in "+r.Checkpoint+" can be used") {
		t.Errorf("got %v", err)
	}
	for _, text := range told {
		if len(told) != 2 || !strings.Contains(text, ": checkpoint ") || !strings.Contains(text, " invalid: ") || strings.Contains(text, "before") {
			t.Errorf("it told %q, want once of each that it is invalid", told)
		}
	}
}

// damage changes a byte in the middle of a file.
func damage(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
