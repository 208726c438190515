package lint

import (
	"fmt"
	"go/ast"
	"regexp"
	"strings"
)

// decoder is a function that is given what others have written, by its name.
var decoder = regexp.MustCompile(`^(Decode|Parse|Unmarshal)([A-Z]|$)`)

// readers are functions of others that take such things apart, by package and name.
var readers = map[string][]string{
	"json": {"Unmarshal", "NewDecoder"}, "proto": {"Unmarshal"}, "yaml": {"Unmarshal", "NewDecoder", "UnmarshalStrict"}, "xml": {"Unmarshal", "NewDecoder"},
	"csv": {"NewReader"}, "gob": {"NewDecoder"}, "pem": {"Decode"}, "binary": {"Read"},
}

// unfuzzed are decoders (folder.Name) and rooms that need no fuzz target, with the reason.
var unfuzzed = map[string]string{
	"kmeans.ParseAlgorithm":        "looks a name up in a list",
	"kmeans/internal/kernel.Parse": "looks a name up in a list",
	"deploy/check":                 "reads this repository's own files and what a cluster of a test answers; not in the product",
	"deploy/check/chart":           "reads this repository's own files; not in the product",
	"deploy/check/kube":            "reads what a cluster of a test answers; not in the product",
	"model.UnmarshalJSON":          "is called by Decode, which has one",
	"internal/e2e/soak":            "reads what it has written itself, in a test",
	"internal/hostile":             "reads what a script of a test's own has left in a browser",
	"internal/mutants":             "reads what the go command prints, in a tool of the tests",
}

// Decoders are the decoders that no fuzz target of their room names, and rooms that take apart what others have written and have no
// target at all.
func Decoders(tree Tree) ([]Finding, error) {
	sources, err := tree.sources()
	if err != nil {
		return nil, err
	}
	fuzzed, has := make(map[string]bool), make(map[string]bool)
	for _, s := range sources {
		if !s.test() || !strings.Contains(string(tree[s.name]), "\nfunc Fuzz") {
			continue
		}
		has[s.room] = true
		ast.Inspect(s.file, func(n ast.Node) bool {
			if name, ok := n.(*ast.Ident); ok {
				fuzzed[s.room+"."+name.Name] = true
			}
			return true
		})
	}
	var found []Finding
	told := make(map[string]bool)
	for _, s := range sources {
		if s.test() || ast.IsGenerated(s.file) || unfuzzed[s.room] != "" {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && decoder.MatchString(f.Name.Name) && !fuzzed[s.room+"."+f.Name.Name] && unfuzzed[s.room+"."+f.Name.Name] == "" {
				found = append(found, Finding{s.name, s.line(f.Pos()), fmt.Sprintf("%s is in no fuzz target of its room", f.Name.Name)})
			}
		}
		if called := s.reader(); called != nil && !has[s.room] && !told[s.room] {
			told[s.room] = true
			found = append(found, Finding{s.name, s.line(called.Pos()), "the room reads what others have written, and has no fuzz target"})
		}
	}
	return found, nil
}

// reader is the first call of one of the readers; nil if there is none.
func (s *source) reader() (call ast.Node) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		of, ok := n.(*ast.SelectorExpr)
		if !ok || call != nil {
			return call == nil
		}
		if from, ok := of.X.(*ast.Ident); ok {
			for _, name := range readers[from.Name] {
				if name == of.Sel.Name {
					call = of
				}
			}
		}
		return true
	})
	return call
}
