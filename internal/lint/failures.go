package lint

import (
	"fmt"
	"go/ast"
	"regexp"
	"strings"
)

// promised are the pages whose tables name tests in their last column: that on faults, and that on attacks.
var promised = []string{"docs/failures.md", "docs/security.md"}

// namedTest is a test as the page names it: `folder.TestName`.
var namedTest = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")

// Failures are the rows of those pages that name no test, or one that there is not: a promise that nothing holds
// is worse than none.
func Failures(tree Tree) ([]Finding, error) {
	tests, err := tree.tests()
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, page := range promised {
		found = append(found, unheld(page, string(tree[page]), tests)...)
	}
	return found, nil
}

// unheld are the rows of a page that no test holds.
func unheld(page, text string, tests map[string]bool) (found []Finding) {
	inTable := false
	number := 0
	for line := range strings.Lines(text) {
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
			found = append(found, Finding{page, number, "names no test"})
		}
		for _, n := range named {
			if !tests[n[1]+"."+n[2]] {
				found = append(found, Finding{page, number, fmt.Sprintf("there is no test %s in %s", n[2], n[1])})
			}
		}
	}
	return found
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
