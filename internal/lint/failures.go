package lint

import (
	"fmt"
	"go/ast"
	"regexp"
	"strings"
)

// failuresPage is the page on faults; its last column names tests.
const failuresPage = "docs/failures.md"

// namedTest is a test as the page names it: `folder.TestName`.
var namedTest = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")

// Failures are the rows of the page on faults that name no test, or one that there is not: a promise that nothing holds
// is worse than none.
func Failures(tree Tree) ([]Finding, error) {
	tests, err := tree.tests()
	if err != nil {
		return nil, err
	}
	var found []Finding
	inTable := false
	number := 0
	for line := range strings.Lines(string(tree[failuresPage])) {
		number++
		line = strings.TrimSpace(line)
		columns := strings.Split(strings.Trim(line, "|"), "|")
		last := strings.TrimSpace(columns[len(columns)-1])
		switch {
		case !strings.HasPrefix(line, "|"):
			inTable = false
			continue
		case last == "test":
			inTable = true
			continue
		case !inTable || strings.Trim(last, "-") == "":
			continue
		}
		named := namedTest.FindAllStringSubmatch(last, -1)
		if len(named) == 0 {
			found = append(found, Finding{failuresPage, number, "names no test"})
		}
		for _, n := range named {
			if !tests[n[1]+"."+n[2]] {
				found = append(found, Finding{failuresPage, number, fmt.Sprintf("there is no test %s in %s", n[2], n[1])})
			}
		}
	}
	return found, nil
}

// tests are the tests and fuzz targets there are, as folder.Name.
func (t Tree) tests() (map[string]bool, error) {
	sources, err := t.sources()
	if err != nil {
		return nil, err
	}
	tests := make(map[string]bool)
	for _, s := range sources {
		if !s.test() {
			continue
		}
		for _, declaration := range s.file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil {
				tests[s.room+"."+f.Name.Name] = true
			}
		}
	}
	return tests, nil
}
