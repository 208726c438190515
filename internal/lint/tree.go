package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// module is the path of this module.
const module = "github.com/coterie-project/coterie"

// Finding is one place where a rule is broken.
type Finding struct {
	File string // relative to the top of the module, with slashes
	Line int    // from 1; 0 = the whole file
	Text string
}

// String renders "file:line: text".
func (f Finding) String() string {
	if f.Line == 0 {
		return f.File + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

// Tree is the text of a module, by path relative to its top.
type Tree map[string][]byte

// Load reads the files of the module at root that git tracks or would track, or, outside of a checkout, all files.
func Load(root string) (Tree, error) {
	names, err := tracked(root)
	if err != nil {
		if names, err = walked(root); err != nil {
			return nil, err
		}
	}
	tree := make(Tree, len(names))
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if os.IsNotExist(err) {
			continue // deleted, and not yet staged
		}
		if err != nil {
			return nil, err
		}
		tree[name] = data
	}
	return tree, nil
}

func tracked(root string) ([]string, error) {
	command := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

func walked(root string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "bin"):
			return fs.SkipDir
		case entry.Type().IsRegular():
			relative, err := filepath.Rel(root, file)
			names = append(names, filepath.ToSlash(relative))
			return err
		}
		return nil
	})
	return names, err
}

// names are the paths of the tree in order.
func (t Tree) names() []string {
	names := make([]string, 0, len(t))
	for name := range t {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// source is one parsed Go file.
type source struct {
	name string // path
	room string // folder, "" for the top
	file *ast.File
	set  *token.FileSet
}

// line is the line of a position.
func (s *source) line(p token.Pos) int { return s.set.Position(p).Line }

// test says whether the file is only there for tests.
func (s *source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

// sources parses the Go files of the module itself: not those of modules inside it, and not test data.
func (t Tree) sources() ([]*source, error) {
	var all []*source
	for _, name := range t.names() {
		room := path.Dir(name)
		if !strings.HasSuffix(name, ".go") || t.foreign(room) {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, t[name], parser.ParseComments)
		if err != nil {
			return nil, err
		}
		if room == "." {
			room = ""
		}
		all = append(all, &source{name: name, room: room, file: file, set: set})
	}
	return all, nil
}

// foreign says whether a folder is test data, is hidden from the go command by its name, or belongs to a module of
// its own, which keeps its own rules.
func (t Tree) foreign(folder string) bool {
	for ; folder != "."; folder = path.Dir(folder) {
		base := path.Base(folder)
		if _, own := t[folder+"/go.mod"]; own || base == "testdata" || strings.HasPrefix(base, "_") {
			return true
		}
	}
	return false
}

// binary says whether a file is not text.
func binary(data []byte) bool { return bytes.IndexByte(data, 0) >= 0 }
