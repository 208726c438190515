package lint

import (
	"go/ast"
	"slices"
	"strings"
)

// serverFields are what an http.Server of ours sets: without one of them a stranger holds a connection for as long, or fills a
// buffer with as much, as they like, is never taken off those who only knock, or writes into the log.
var serverFields = []string{"ReadHeaderTimeout", "ReadTimeout", "WriteTimeout", "IdleTimeout", "MaxHeaderBytes", "ConnState", "ErrorLog"}

// shortcuts are calls that make a server without limits, or over the handlers that any import may have put there.
var shortcuts = map[string]bool{"http.ListenAndServe": true, "http.ListenAndServeTLS": true, "http.Serve": true, "http.ServeTLS": true,
	"http.Handle": true, "http.HandleFunc": true}

// serving are the rooms that may make a gRPC server: they make it with secure.ServerOptions, behind secure.Bound.
var serving = []string{"cmd/coterie", "internal/serve", "internal/pipeline"}

// Servers are the servers of the product that lack a limit.
func Servers(tree Tree) ([]Finding, error) {
	sources, err := tree.sources()
	if err != nil {
		return nil, err
	}
	texts := make(map[string]string) // of whole rooms
	for _, s := range sources {
		if !s.test() {
			texts[s.room] += string(tree[s.name])
		}
	}
	var found []Finding
	for _, s := range sources {
		if s.test() || !product(s.room) {
			continue
		}
		text := texts[s.room]
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				for _, field := range lacks(n) {
					found = append(found, Finding{s.name, s.line(n.Pos()), "an http.Server without " + field})
				}
			case *ast.CallExpr:
				name := selected(n.Fun)
				if shortcuts[name] {
					found = append(found, Finding{s.name, s.line(n.Pos()), name + " makes a server without limits"})
				}
				if name == "grpc.NewServer" && (!slices.Contains(serving, s.room) ||
					!strings.Contains(text, "secure.ServerOptions(") || !strings.Contains(text, "secure.Bound(")) {
					found = append(found, Finding{s.name, s.line(n.Pos()), "a gRPC server without secure.ServerOptions and secure.Bound"})
				}
			}
			return true
		})
	}
	return found, nil
}

// product says whether a room is part of the program, and no tool beside it.
func product(room string) bool {
	return !within(room, "deploy") && !within(room, "bench") && !within(room, "internal/e2e")
}

// lacks are the fields that a literal should set, if it is that of a server. An empty one stands for no server at all.
func lacks(literal *ast.CompositeLit) []string {
	if literal.Type == nil || selected(literal.Type) != "http.Server" || len(literal.Elts) == 0 {
		return nil
	}
	set := make(map[string]bool)
	for _, e := range literal.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			if name, ok := pair.Key.(*ast.Ident); ok {
				set[name.Name] = true
			}
		}
	}
	var missing []string
	for _, field := range serverFields {
		if !set[field] {
			missing = append(missing, field)
		}
	}
	return missing
}

// selected is package.Name of an expression; empty: it is something else.
func selected(e ast.Expr) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if x, ok := s.X.(*ast.Ident); ok {
		return x.Name + "." + s.Sel.Name
	}
	return ""
}
