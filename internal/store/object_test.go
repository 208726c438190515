package store

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/object/objecttest"
)

const there = "s3://box/a/out.json"

// memory is the process's store for a test, with an old object.
func memory(t *testing.T) *objecttest.Memory {
	t.Helper()
	m := &objecttest.Memory{}
	t.Cleanup(object.Use(m))
	if _, err := m.Put(t.Context(), object.Name{Bucket: "box", Key: "a/out.json"}, []byte("old"), object.Condition{}); err != nil {
		t.Fatal(err)
	}
	return m
}

func wantObject(t *testing.T, want string) {
	t.Helper()
	got, _, err := ReadObject(t.Context(), there, 100)
	if err != nil || string(got) != want {
		t.Errorf("the object holds %q (%v), want %q", got, err, want)
	}
}

func TestAnObjectAppearsAtCommitOrNotAtAll(t *testing.T) {
	memory(t)
	p, err := Create(there)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(p, "new")
	wantObject(t, "old")
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	p.Abort()
	wantObject(t, "new")
	if _, err := p.Write([]byte("x")); err == nil {
		t.Error("Write after Commit gives no error")
	}
	if err := p.Commit(); err == nil {
		t.Error("a second Commit gives no error")
	}
	boom := errors.New("boom")
	if err := WriteFile(there, func(w io.Writer) error { io.WriteString(w, "half"); return boom }); !errors.Is(err, boom) {
		t.Errorf("got %v, want boom", err)
	}
	wantObject(t, "new")
}

func TestAnUploadThatFailsLeavesTheOldObject(t *testing.T) {
	for _, method := range []string{"Create", "Write", "Commit"} {
		m := memory(t)
		m.Fault = func(called string, n object.Name) error {
			if called == method {
				return object.Failure(fault.Failed, n, object.ErrDenied, "access is denied", "check the policy")
			}
			return nil
		}
		err := WriteFile(there, text("new"))
		m.Fault = nil
		wantFault(t, err, there, "access is denied", "check the policy")
		wantObject(t, "old")
	}
}

func TestTheEndOfAContextEndsAnUpload(t *testing.T) {
	memory(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := WriteFileContext(ctx, there, func(w io.Writer) error {
		cancel()
		_, err := w.Write(make([]byte, 2*bufferBytes))
		return err
	})
	if fault.Code(err) != 130 {
		t.Errorf("got %v, want exit code 130", err)
	}
	wantObject(t, "old")
}

func TestUntilIsTheContextOfThoseWhoGiveNone(t *testing.T) {
	memory(t)
	ctx, cancel := context.WithCancel(t.Context())
	Until(ctx)
	defer until.Store(nil)
	cancel()
	for name, err := range map[string]error{"WriteFile": WriteFile(there, text("new")), "Check": Check(there)} {
		if fault.Code(err) != 130 {
			t.Errorf("%s gives %v, want exit code 130", name, err)
		}
	}
	wantObject(t, "old")
}

func TestNamesThatAreNoObjects(t *testing.T) {
	memory(t)
	for path, code := range map[string]int{"s3://box": 1, "s3://box/": 1, "s3://box/folder/": 1, "s3://B/x": 2, "s3://": 2, "s3://box/a/../b": 2} {
		for name, err := range map[string]error{"Check": Check(path), "WriteFile": WriteFile(path, text("x"))} {
			if fault.Code(err) != code {
				t.Errorf("%s(%q) gives %v, want exit code %d", name, path, err, code)
			}
		}
		if _, _, err := ReadObject(t.Context(), path, 10); fault.Code(err) != map[int]int{1: 3, 2: 2}[code] {
			t.Errorf("ReadObject(%q) gives %v", path, err)
		}
	}
}

func TestWithoutCredentialsInputAndOutputAreToldApart(t *testing.T) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": "/nonexistent",
		"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "eu-central-1"} {
		t.Setenv(name, value)
	}
	_, _, read := ReadObject(t.Context(), there, 10)
	for code, err := range map[int]error{1: Check(there), 3: read} {
		var e *fault.Error
		if !errors.As(err, &e) || int(e.Kind) != code || e.Place.File != there || !strings.Contains(e.Problem, "credentials") || e.Remedy == "" {
			t.Errorf("got %v, want exit code %d, the object, the credentials and a remedy", err, code)
		}
	}
}

func TestReadObjectHoldsItsLimitAtTheEdge(t *testing.T) {
	m := memory(t)
	if got, info, err := ReadObject(t.Context(), there, 3); string(got) != "old" || info.Size != 3 || err != nil {
		t.Errorf("got %q, %d, %v", got, info.Size, err)
	}
	if _, _, err := ReadObject(t.Context(), there, 2); fault.Code(err) != 3 || m.BytesRead() != 3 {
		t.Errorf("over the limit: %v, %d bytes read", err, m.BytesRead())
	}
	if _, _, err := ReadObject(t.Context(), there+"x", 2); fault.Code(err) != 3 || !errors.Is(err, object.ErrNotFound) {
		t.Errorf("of no object: %v", err)
	}
}

func TestOpenDocumentReadsFilesAndObjects(t *testing.T) {
	memory(t)
	file := filepath.Join(t.TempDir(), "f")
	os.WriteFile(file, []byte("old"), 0o600)
	for _, path := range []string{file, there} {
		r, err := OpenDocument(path, 3)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); string(got) != "old" || err != nil || r.Close() != nil {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
	if r, err := OpenDocument(file+"x", 3); r != nil || !os.IsNotExist(err) {
		t.Errorf("got %v, %v, want that there is no such file", r, err)
	}
}

func TestReplaceObjectDoesNotLoseAnotherWritersChange(t *testing.T) {
	memory(t)
	_, info, err := ReadObject(t.Context(), there, 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(there, text("another's")); err != nil {
		t.Fatal(err)
	}
	err = ReplaceObject(t.Context(), there, info, []byte("mine"))
	if !errors.Is(err, object.ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
	wantFault(t, err, there, "another writer", "do it again")
	wantObject(t, "another's")
	if _, info, err = ReadObject(t.Context(), there, 10); err != nil {
		t.Fatal(err)
	}
	if err := ReplaceObject(t.Context(), there, info, []byte("mine")); err != nil {
		t.Error(err)
	}
	wantObject(t, "mine")
}
