package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// numeric are the rooms whose results are promised to the bit.
var numeric = []string{"internal/exact", "kmeans", "feature", "dataset/rfm", "dataset/synth"}

// rounded are the functions of package math that give the same bits everywhere: the exact ones, and those that IEEE
// 754 demands to be rounded correctly. All others differ between architectures and between values of GOAMD64.
var rounded = []string{"Abs", "Ceil", "Copysign", "FMA", "Float32bits", "Float32frombits", "Float64bits",
	"Float64frombits", "Floor", "Frexp", "Inf", "IsInf", "IsNaN", "Ldexp", "Max", "Min", "Mod", "Modf", "NaN",
	"Nextafter", "Nextafter32", "Round", "RoundToEven", "Signbit", "Sqrt", "Trunc", "Logb", "Ilogb", "Remainder", "Dim"}

// Functions are the calls, in the numeric rooms, of functions of package math that are not rounded in the same way
// everywhere. internal/exact has its own.
func Functions(tree Tree) ([]Finding, error) {
	sources, err := tree.sources()
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, s := range sources {
		if s.test() || !slices.ContainsFunc(numeric, func(n string) bool { return within(s.room, n) }) {
			continue
		}
		local := importedAs(s.file, "math")
		ast.Inspect(s.file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok || local == "" {
				return true
			}
			name := selector.Sel.Name
			constant := strings.HasPrefix(name, "Max") || strings.HasPrefix(name, "Min") || strings.HasPrefix(name, "Smallest") ||
				slices.Contains([]string{"E", "Pi", "Phi", "Sqrt2", "SqrtE", "SqrtPi", "SqrtPhi", "Ln2", "Log2E", "Ln10", "Log10E"}, name)
			if x, ok := selector.X.(*ast.Ident); ok && x.Name == local && !constant && !slices.Contains(rounded, name) {
				text := fmt.Sprintf("math.%s gives other bits on other machines; see internal/exact", name)
				found = append(found, Finding{s.name, s.line(n.Pos()), text})
			}
			return true
		})
	}
	return found, nil
}

// importedAs is the name under which a file imports a package, "" if it does not.
func importedAs(file *ast.File, target string) string {
	for _, spec := range file.Imports {
		if spec.Path.Value != strconv.Quote(target) {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return target
	}
	return ""
}

// fusedInstruction is a multiplication fused with an addition in the arm64 compiler's listing.
var fusedInstruction = regexp.MustCompile(`\(([^()\s]+\.go):(\d+)\)\s+(FN?M(?:ADD|SUB)[SD])\b`)

// exactProducts are the functions where a product may be fused, since it is exact: one rounding or two are the same.
var exactProducts = map[string]string{
	"kmeans/internal/kernel/portable.go fma32":    "two 24-bit significands have 48 bits together",
	"kmeans/internal/kernel/portable.go roundOdd": "inlined from fma32",
	"dataset/synth/draws.go exp":                  "inlined where its argument is a half of something",
	"kmeans/seedtask.go race":                     "exact.Unit multiplies by a power of two",
}

// compileError is a line of the compiler's about code, among those of its listing.
var compileError = regexp.MustCompile(`(?m)^[^\s(]+\.(go|s):\d+.*$`)

// Fused are the places in packages (patterns of the go command) of the module at root where the compiler fuses a
// product into a sum for arm64 and the code does not say so with math.FMA. The compiler is asked, because it also
// fuses across statements and inlined calls.
func Fused(root string, packages ...string) ([]Finding, error) {
	command := exec.Command("go", append([]string{"build", "-gcflags=-S"}, packages...)...)
	command.Dir = root
	command.Env = append(os.Environ(), "GOARCH=arm64", "GOOS=linux", "CGO_ENABLED=0", "GOFLAGS=")
	listing, err := command.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", command.Args, err, bytes.Join(compileError.FindAll(listing, 20), []byte("\n")))
	}
	seen := make(map[Finding]bool)
	var found []Finding
	for _, m := range fusedInstruction.FindAllSubmatch(listing, -1) {
		line, err := strconv.Atoi(string(m[2]))
		if err != nil {
			return nil, err
		}
		file, err := filepath.Rel(root, string(m[1]))
		if err != nil || strings.HasPrefix(file, "..") {
			continue // inlined from the standard library, which math/bits and math keep in order
		}
		f := Finding{filepath.ToSlash(file), line, fmt.Sprintf("fused to %s: write float64(x*y) + z, or math.FMA", m[3])}
		if seen[f] {
			continue
		}
		seen[f] = true
		function, meant, err := fusedIn(string(m[1]), line)
		if err != nil {
			return nil, err
		}
		if _, exact := exactProducts[f.File+" "+function]; !exact && !meant {
			found = append(found, f)
		}
	}
	return found, nil
}

// fusedIn is the function around a line of a file, and whether that line calls math.FMA.
func fusedIn(file string, line int) (function string, meant bool, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", false, err
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, data, 0)
	if err != nil {
		return "", false, err
	}
	for _, declaration := range parsed.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if ok && set.Position(f.Pos()).Line <= line && line <= set.Position(f.End()).Line {
			function = f.Name.Name
		}
	}
	lines := bytes.SplitN(data, []byte("\n"), line+1)
	return function, line <= len(lines) && bytes.Contains(lines[line-1], []byte("math.FMA(")), nil
}
