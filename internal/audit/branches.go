package main

import (
	"go/ast"
	"go/token"
	"strings"
)

// Tally is a number of things, and how many of them were reached.
type Tally struct{ Reached, All int }

// add counts one thing.
func (t *Tally) add(reached bool) {
	t.All++
	if reached {
		t.Reached++
	}
}

// walker looks at the branches of one file.
type walker struct {
	set      *token.FileSet
	blocks   []Block
	branches Tally
}

// place is a position of the syntax tree, as profiles have it.
func (w *walker) place(p token.Pos) at {
	position := w.set.Position(p)
	return at{position.Line, position.Column}
}

// Branches counts the branches of a file: both ways of each if, each case of a switch or select, the way past a switch without default, and the
// body of each loop. What lies in no block, such as what the compiler leaves out, is not counted. That the operands of && and || have been both true and
// false is not looked at.
func Branches(set *token.FileSet, file *ast.File, blocks []Block) Tally {
	w := &walker{set: set, blocks: blocks}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			w.choice(n)
		case *ast.ForStmt:
			w.body(n.Body)
		case *ast.RangeStmt:
			w.body(n.Body)
		case *ast.SwitchStmt:
			w.cases(n.Switch, n.Body)
		case *ast.TypeSwitchStmt:
			w.cases(n.Switch, n.Body)
		case *ast.SelectStmt:
			w.cases(token.NoPos, n.Body)
		}
		return true
	})
	return w.branches
}

// choice counts both ways of an if. The way past one without else was gone when it was reached more often than its body.
func (w *walker) choice(n *ast.IfStmt) {
	reached, ok := count(w.blocks, w.place(n.If))
	taken, has := count(w.blocks, w.place(n.Body.Lbrace))
	if !ok || !has {
		return
	}
	w.branches.add(taken > 0)
	if n.Else == nil {
		w.branches.add(reached > taken)
		return
	}
	other, _ := count(w.blocks, w.place(n.Else.Pos()))
	w.branches.add(other > 0)
}

// body counts that of a loop.
func (w *walker) body(n *ast.BlockStmt) {
	if entered, ok := count(w.blocks, w.place(n.Lbrace)); ok {
		w.branches.add(entered > 0)
	}
}

// cases counts the clauses of a switch or select, and the way past a switch, at its position, that has no default.
func (w *walker) cases(position token.Pos, n *ast.BlockStmt) {
	complete, sum := position == token.NoPos, 0
	for _, statement := range n.List {
		var colon token.Pos
		switch clause := statement.(type) {
		case *ast.CaseClause:
			colon = clause.Colon
			complete = complete || clause.List == nil || falls(clause.Body) // a count that falls through is there twice
		case *ast.CommClause:
			colon = clause.Colon
		}
		entered, ok := count(w.blocks, w.place(colon+1))
		if !ok {
			return
		}
		sum += entered
		w.branches.add(entered > 0)
	}
	if reached, ok := count(w.blocks, w.place(position)); ok && !complete {
		w.branches.add(reached > sum)
	}
}

// falls says whether a case ends with fallthrough.
func falls(body []ast.Stmt) bool {
	if len(body) == 0 {
		return false
	}
	branch, ok := body[len(body)-1].(*ast.BranchStmt)
	return ok && branch.Tok == token.FALLTHROUGH
}

// Function is one of a file, with its blocks.
type Function struct {
	Name    string // "Type.Method" or "function"
	Line    int
	Entered bool
}

// Functions are those of a file that have blocks.
func Functions(set *token.FileSet, file *ast.File, blocks []Block) []Function {
	w := &walker{set: set, blocks: blocks}
	var all []Function
	for _, declaration := range file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		entered, ok := count(blocks, w.place(f.Body.Lbrace))
		if ok {
			all = append(all, Function{Name: receiver(f) + f.Name.Name, Line: w.place(f.Pos()).line, Entered: entered > 0})
		}
	}
	return all
}

// receiver is the type of a method with a dot, "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return ""
	}
	for kind := f.Recv.List[0].Type; ; {
		switch k := kind.(type) {
		case *ast.StarExpr:
			kind = k.X
		case *ast.IndexExpr:
			kind = k.X
		case *ast.IndexListExpr:
			kind = k.X
		case *ast.Ident:
			return k.Name + "."
		default:
			return ""
		}
	}
}

// Passed counts the blocks that were never entered and do nothing but hand an error on: bodies of an if whose condition names an error and that
// end with return or continue after one or two statements.
func Passed(set *token.FileSet, file *ast.File, blocks []Block) int {
	w := &walker{set: set, blocks: blocks}
	passed := 0
	ast.Inspect(file, func(n ast.Node) bool {
		choice, ok := n.(*ast.IfStmt)
		if !ok || len(choice.Body.List) == 0 || len(choice.Body.List) > 2 || !namesError(choice.Cond) {
			return true
		}
		if _, ok := choice.Body.List[len(choice.Body.List)-1].(*ast.ReturnStmt); !ok {
			return true
		}
		if entered, ok := count(w.blocks, w.place(choice.Body.Lbrace)); ok && entered == 0 {
			passed++
		}
		return true
	})
	return passed
}

// namesError says whether a condition looks at an error.
func namesError(condition ast.Expr) bool {
	found := false
	ast.Inspect(condition, func(n ast.Node) bool {
		if name, ok := n.(*ast.Ident); ok && strings.HasPrefix(strings.ToLower(name.Name), "err") {
			found = true
		}
		return !found
	})
	return found
}
