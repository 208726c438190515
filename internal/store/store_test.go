package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
)

func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func wantOnly(t *testing.T, folder string, want ...string) {
	t.Helper()
	if got := names(t, folder); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("folder holds %q, want %q", got, want)
	}
}

func wantText(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q (%v), want %q", path, got, err, want)
	}
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

func wantFault(t *testing.T, err error, parts ...string) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.Failed {
		t.Fatalf("got %v, want a fault of kind Failed", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("message %q lacks %q", err, part)
		}
	}
}

func TestWriteFileReplacesWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.txt")
	for _, content := range []string{"first, long content", "second", ""} {
		if err := WriteFile(path, text(content)); err != nil {
			t.Fatal(err)
		}
		wantText(t, path, content)
	}
	wantOnly(t, dir, "out.txt")
}

func TestNothingIsVisibleBeforeCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.txt")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	p, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(p, "new"); err != nil {
		t.Fatal(err)
	}
	wantText(t, path, "old")
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	p.Abort()
	wantText(t, path, "new")
	wantOnly(t, dir, "out.txt")
	if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, want the old file's 0640", info.Mode())
	}
	if _, err := p.Write([]byte("x")); err == nil {
		t.Error("Write after Commit gives no error")
	}
	if err := p.Commit(); err == nil {
		t.Error("a second Commit gives no error")
	}
}

func TestFailureLeavesTheOldFileAndNothingElse(t *testing.T) {
	boom := errors.New("boom")
	for name, fail := range map[string]func(p *Pending) error{
		"abort":       func(p *Pending) error { p.Abort(); return boom },
		"failed sync": func(p *Pending) error { p.file.Close(); return p.Commit() },
		"failed write": func(p *Pending) error {
			p.file.Close()
			p.Write([]byte("y")) // the error is ignored on purpose: Commit must remember it
			return p.Commit()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "out.txt")
			os.WriteFile(path, []byte("old"), 0o644)
			p, err := Create(path)
			if err != nil {
				t.Fatal(err)
			}
			p.Write([]byte("x"))
			if err := fail(p); err == nil {
				t.Fatal("no error")
			}
			wantText(t, path, "old")
			wantOnly(t, dir, "out.txt")
		})
	}
}

func TestFailedCallbackKeepsItsError(t *testing.T) {
	dir := t.TempDir()
	boom := errors.New("boom")
	err := WriteFile(filepath.Join(dir, "out"), func(w io.Writer) error { io.WriteString(w, "half"); return boom })
	if !errors.Is(err, boom) {
		t.Errorf("got %v, want boom", err)
	}
	wantOnly(t, dir)
}

func TestFailedRenameLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	p, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(path, "inner"), 0o755); err != nil { // a folder takes the name meanwhile
		t.Fatal(err)
	}
	wantFault(t, p.Commit(), path)
	wantOnly(t, dir, "out")
}

func TestErrorsNamePathAndRemedy(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	os.WriteFile(file, nil, 0o644)
	missing := filepath.Join(dir, "no", "such", "out.csv")
	_, err := Create(missing)
	wantFault(t, err, missing, "does not exist", "mkdir -p "+filepath.Dir(missing))
	_, err = Create(dir)
	wantFault(t, err, dir, "is a folder")
	_, err = Create(filepath.Join(file, "out.csv"))
	wantFault(t, err, "not a folder")
	_, err = Create(filepath.Join(dir, strings.Repeat("n", 300)))
	wantFault(t, err, "too long")
	if _, err = Create(""); fault.Code(err) != int(fault.Usage) {
		t.Errorf("empty path: %v, want a usage error", err)
	}
	wantOnly(t, dir, "file")
}

func TestNoPermission(t *testing.T) {
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("rights do not bind this user")
	}
	dir := t.TempDir()
	os.Chmod(dir, 0o555)
	_, err := Create(filepath.Join(dir, "out"))
	wantFault(t, err, "no permission", dir)
}

func TestDevicesAreWrittenThrough(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/full")
	}
	if err := WriteFile("/dev/null", text("gone")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Fatalf("/dev/null was replaced: %v %v", info, err)
	}
	wantFault(t, WriteFile("/dev/full", text("x")), "/dev/full", "disk is full", "free some space")
}

func TestSymbolicLinkStaysALink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	os.WriteFile(real, []byte("old"), 0o644)
	if err := os.Symlink(real, link); err != nil {
		t.Skip(err)
	}
	if err := WriteFile(link, text("new")); err != nil {
		t.Fatal(err)
	}
	wantText(t, real, "new")
	if info, _ := os.Lstat(link); info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced by a file")
	}
}

func TestStandardOutput(t *testing.T) {
	old := os.Stdout
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = w
	defer func() { os.Stdout = old }()
	if err := WriteFile("-", text("hello")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if got, _ := io.ReadAll(r); string(got) != "hello" {
		t.Errorf("standard output got %q, want %q", got, "hello")
	}
}
