package lint

import "go/ast"

// Bubbles are tests in made time that the race detector crashes over: those that bypass internal/bubble.
func Bubbles(tree Tree) ([]Finding, error) {
	sources, err := tree.sources()
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, s := range sources {
		if within(s.room, "internal/bubble") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && selected(call.Fun) == "synctest.Test" {
				found = append(found, Finding{s.name, s.line(n.Pos()), "synctest.Test crashes the race detector now and then: bubble.Test does not"})
			}
			return true
		})
	}
	return found, nil
}
