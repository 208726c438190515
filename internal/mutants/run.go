package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What can come of a mutant but that it is caught.
var (
	ErrSurvived = errors.New("the mutant survives")
	ErrBuild    = errors.New("the mutant does not compile")
)

// patience is how long the tests of a mutant may take, in the go command's words: some hang where they would fail.
const patience = "3m"

// Run runs the tests that must catch a mutant of the module at root, and gives those that failed, as go test names them. The
// error is ErrSurvived if some of its Tests pass, ErrBuild with the compiler's words, or ErrText.
func Run(ctx context.Context, root string, m *Mutant) (failed []string, err error) {
	overlay, remove, err := overlayOf(root, m)
	if err != nil {
		return nil, err
	}
	defer remove()
	for _, tests := range m.Caught {
		list, err := runOne(ctx, root, overlay, tests)
		if err != nil {
			return failed, fmt.Errorf("%s: %w", m.Name, err)
		}
		failed = append(failed, list...)
	}
	return failed, nil
}

// overlayOf writes the broken files, and the file that tells the go command of them, into a folder that remove removes.
func overlayOf(root string, m *Mutant) (path string, remove func(), err error) {
	files, err := m.Apply(root)
	if err != nil {
		return "", nil, err
	}
	folder, err := os.MkdirTemp("", "coterie-mutant-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(folder) }
	replace := make(map[string]string)
	for at, text := range files {
		to := filepath.Join(folder, fmt.Sprintf("%d.go", len(replace)))
		replace[at] = to
		if err := os.WriteFile(to, text, 0o600); err != nil {
			remove()
			return "", nil, err
		}
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		path = filepath.Join(folder, "overlay.json")
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return path, remove, nil
}

// runOne runs the tests of one package over a mutant. go test vets what it builds; what it finds counts as not compiling.
func runOne(ctx context.Context, root, overlay string, tests Tests) ([]string, error) {
	command := exec.CommandContext(ctx, "go", "test", "-json", "-short", "-count=1", "-ldflags=-s -w", "-timeout", patience, "-overlay", overlay, "-run", tests.pattern(), "./"+tests.Package)
	command.Dir = root
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	out, err := command.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	failed, said := failures(out)
	if len(failed) == 0 && err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			said += string(exit.Stderr)
		}
		return nil, fmt.Errorf("%w: %s: %s", ErrBuild, tests.Package, strings.TrimSpace(said))
	}
	for _, name := range tests.Names {
		if !slices.Contains(failed, name) {
			return nil, fmt.Errorf("%w: %s.%s passes", ErrSurvived, tests.Package, name)
		}
	}
	return failed, nil
}

// failures are the tests that failed by what go test -json says, and what the build said.
func failures(out []byte) (failed []string, said string) {
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var line struct{ Action, Test, Output string }
		if decoder.Decode(&line) != nil {
			return failed, said
		}
		switch {
		case line.Action == "fail" && line.Test != "" && !strings.Contains(line.Test, "/"):
			failed = append(failed, line.Test)
		case line.Action == "build-output":
			said += line.Output
		}
	}
}
