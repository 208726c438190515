package observe

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// logging are the packages whose log people read.
var logging = []string{"coordinator", "worker", "cmd/coterie", "internal/serve", "internal/cluster", "internal/secure"}

func TestLogLinesHaveOneMessageAndTheAgreedFields(t *testing.T) {
	lines := 0
	for _, room := range logging {
		folder := filepath.Join("..", "..", filepath.FromSlash(room))
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
				continue
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, filepath.Join(folder, entry.Name()), nil, 0)
			if err != nil {
				continue // being written, perhaps: the compiler says so
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					lines += holdLine(t, set, call)
				}
				return true
			})
		}
	}
	if lines < 20 {
		t.Errorf("got %d lines of logs in all packages: this test does not find them", lines)
	}
}

// holdLine looks at a call that writes a line of a log, or adds to all that follow, and says how many it found.
func holdLine(t *testing.T, set *token.FileSet, call *ast.CallExpr) int {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Debug", "Info", "Warn", "Error", "With"}, selector.Sel.Name) || len(call.Args) < 2 {
		return 0
	}
	if of, ok := selector.X.(*ast.Ident); ok && (of.Name == "status" || of.Name == "http") { // errors of calls
		return 0
	}
	pairs := call.Args
	if selector.Sel.Name != "With" {
		if literal, ok := pairs[0].(*ast.BasicLit); ok && literal.Kind != token.STRING {
			return 0
		}
		pairs = pairs[1:]
	}
	for i := 0; i < len(pairs); i += 2 {
		literal, ok := pairs[i].(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return 0 // something else of that name
		}
		if field, err := strconv.Unquote(literal.Value); err != nil || !slices.Contains(Fields, field) {
			t.Errorf("%s: the field %s is not one of those agreed", set.Position(literal.Pos()), literal.Value)
		}
	}
	if len(pairs)%2 != 0 {
		t.Errorf("%s: a field without a value", set.Position(call.Pos()))
	}
	return 1
}
