package lint

import (
	"bytes"
	"fmt"
	"go/ast"
)

// What a reader can take in: a file tells one story, a function fits on a screen.
const (
	fileLines     = 700
	functionLines = 90
)

// Sizes are the files and functions that are too long. Generated files are free, and so are the functions of tests.
func Sizes(tree Tree) ([]Finding, error) {
	sources, err := tree.sources()
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, s := range sources {
		if ast.IsGenerated(s.file) {
			continue
		}
		if n := bytes.Count(tree[s.name], []byte("\n")); n > fileLines {
			found = append(found, Finding{s.name, 0, fmt.Sprintf("%d lines, more than %d", n, fileLines)})
		}
		if s.test() {
			continue
		}
		for _, declaration := range s.file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.line(f.End()) - s.line(f.Pos()) + 1; n > functionLines {
				text := fmt.Sprintf("%s has %d lines, more than %d", f.Name.Name, n, functionLines)
				found = append(found, Finding{s.name, s.line(f.Pos()), text})
			}
		}
	}
	return found, nil
}

// Documents are the packages without a doc.go that opens with a comment on the package.
func Documents(tree Tree) ([]Finding, error) {
	sources, err := tree.sources()
	if err != nil {
		return nil, err
	}
	documented := make(map[string]bool)
	for _, s := range sources {
		if s.name == s.room+"/doc.go" && s.file.Doc != nil {
			documented[s.room] = true
		}
	}
	var found []Finding
	for _, s := range sources {
		if !documented[s.room] {
			documented[s.room] = true // say it once
			found = append(found, Finding{s.room, 0, "no doc.go that says what the package is for"})
		}
	}
	return found, nil
}
