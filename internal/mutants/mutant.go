package mutants

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrText is a mutant whose text does not stand in its file exactly once.
var ErrText = errors.New("the text to replace is not there exactly once")

// Mutant is one way to break the product.
type Mutant struct {
	Name   string // a few words with hyphens
	Breaks string // what is taken away
	Holds  string // the invariant of docs/failures.md that it harms, or the promise in a word
	Edits  []Edit
	Caught []Tests // who must notice it
}

// Edit replaces a text that stands in a file exactly once.
type Edit struct{ File, Old, New string }

// Tests are tests of a package, each of which must fail.
type Tests struct {
	Package string
	Names   []string
}

// in is Tests.
func in(room string, names ...string) Tests { return Tests{room, names} }

// pattern is that of go test -run.
func (t Tests) pattern() string { return "^(" + strings.Join(t.Names, "|") + ")$" }

// All are the mutants, by what they harm.
func All() []Mutant {
	return slices.Concat(rounds(), epochs(), numbers(), bounds(), data())
}

// Apply gives the broken files of the module at root, by their paths. The error is ErrText, with the file, or that a file
// cannot be read.
func (m *Mutant) Apply(root string) (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, e := range m.Edits {
		path := filepath.Join(root, filepath.FromSlash(e.File))
		text, have := files[path]
		if !have {
			var err error
			if text, err = os.ReadFile(path); err != nil {
				return nil, err
			}
		}
		if n := bytes.Count(text, []byte(e.Old)); n != 1 || e.Old == e.New {
			return nil, fmt.Errorf("%s: %w in %s but %d times: %q", m.Name, ErrText, e.File, n, e.Old)
		}
		files[path] = bytes.Replace(text, []byte(e.Old), []byte(e.New), 1)
	}
	return files, nil
}
