package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// moduleFile reads a file of a module that this one needs.
func moduleFile(t *testing.T, module, name string) []byte {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// words are those of a licence, by its SPDX name.
func words(t *testing.T, id string) string {
	t.Helper()
	text := moduleFile(t, "github.com/google/licensecheck", filepath.Join("testdata", id+".t1"))
	_, after, _ := bytes.Cut(text, []byte("\n\n")) // what has to be found in it
	return string(after)
}

// folder makes files in a folder of the test; the keys are names with slashes.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	top := t.TempDir()
	for name, text := range files {
		file := filepath.Join(top, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

// holds fails where an error is none, is one, or does not say what it should; want "" is no error.
func holds(t *testing.T, name string, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got %v, want %q", name, err, want)
	}
}
