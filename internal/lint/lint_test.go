package lint

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// load reads this module.
func load(t *testing.T) Tree {
	t.Helper()
	tree, err := Load(top(t))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// top is the folder of go.mod.
func top(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return folder
}

// report fails with every finding.
func report(t *testing.T, found []Finding, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

func TestRoomsImportOnlyWhatTheTableAllows(t *testing.T) {
	found, err := Imports(load(t))
	report(t, found, err)
}

func TestFilesAndFunctionsFitTheirReader(t *testing.T) {
	found, err := Sizes(load(t))
	report(t, found, err)
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	found, err := Documents(load(t))
	report(t, found, err)
}

func TestTextHoldsNoForbiddenWords(t *testing.T) { report(t, Words(load(t)), nil) }

func TestEveryServerHasItsLimits(t *testing.T) {
	found, err := Servers(load(t))
	report(t, found, err)
}

func TestServersWithoutLimitsAreFound(t *testing.T) {
	tree := Tree{
		"internal/x/a.go":      []byte("package x\nvar s = http.Server{Handler: h, ReadTimeout: 1, ReadHeaderTimeout: 1, WriteTimeout: 1, IdleTimeout: 1, ErrorLog: l, ConnState: c}\n"),
		"internal/x/b.go":      []byte("package x\nfunc f() { http.ListenAndServe(a, nil); grpc.NewServer() }\nvar none = &http.Server{}\n"),
		"internal/serve/c.go":  []byte("package serve\nfunc f() { grpc.NewServer(); secure.Bound(l) }\n"),
		"internal/x/d_test.go": []byte("package x\nfunc f() { http.ListenAndServe(a, nil) }\n"),
	}
	found, err := Servers(tree)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, f.String())
	}
	sort.Strings(got)
	want := []string{"internal/serve/c.go:2: a gRPC server without secure.ServerOptions and secure.Bound", "internal/x/a.go:2: an http.Server without MaxHeaderBytes",
		"internal/x/b.go:2: a gRPC server without secure.ServerOptions and secure.Bound", "internal/x/b.go:2: http.ListenAndServe makes a server without limits"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestElementaryFunctionsAreOurs(t *testing.T) {
	found, err := Functions(load(t))
	report(t, found, err)
}

func TestNoProductIsFusedIntoASum(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the numeric packages for arm64")
	}
	var packages []string
	tree := load(t)
	for _, room := range numeric {
		if _, ok := tree[room+"/doc.go"]; ok {
			packages = append(packages, "./"+room+"/...")
		}
	}
	found, err := Fused(top(t), packages...)
	report(t, found, err)
}

func TestEveryDependencyIsAccountedFor(t *testing.T) { report(t, Licences(load(t)), nil) }

func TestEveryFaultNamesTestsThatThereAre(t *testing.T) {
	tree := load(t)
	found, err := Failures(tree)
	report(t, found, err)
	for _, page := range promised {
		if n := len(namedTest.FindAll(tree[page], -1)); n < 50 {
			t.Errorf("%s names %d tests, want at least 50: is it read as it is written?", page, n)
		}
	}
}

func TestImportTable(t *testing.T) {
	cases := []struct {
		room, target string
		allowed      bool
	}{
		{"kmeans", "internal/exact", true},
		{"kmeans", "kmeans/internal/kernel", true},
		{"kmeans/internal/kernel", "internal/exact", true},
		{"kmeans", "internal/fault", false},
		{"kmeans", "feature", false},
		{"feature", "internal/exact", true},
		{"feature", "dataset", false},
		{"model", "feature", true},
		{"model", "internal/store", true},
		{"partition", "internal/exact", false},
		{"dataset/csv", "dataset", true},
		{"dataset", "partition", true},
		{"dataset", "feature", false},
		{"dataset", "internal/pipeline", false},
		{"coordinator", "partition", true},
		{"coordinator", "internal/wire", true},
		{"coordinator", "dataset", false},
		{"coordinator", "dataset/csv", false},
		{"coordinator", "worker", false},
		{"coordinator", "internal/embedded", false},
		{"worker", "dataset", true},
		{"worker", "coordinator", false},
		{"internal/exact", "internal/fault", true},
		{"internal/wire", "kmeans", true},
		{"internal/wire", "coordinator", false},
		{"internal/store", "internal/pipeline", false},
		{"internal/roofline", "internal/fault", true},
		{"internal/roofline", "internal/pipeline", false},
		{"kmeans", "internal/roofline", false},
		{"internal/embedded", "coordinator", true},
		{"internal/embedded", "worker", true},
		{"internal/pipeline", "internal/embedded", true},
		{"internal/pipeline", "cmd/coterie", false},
		{"cmd/coterie", "coordinator", true},
		{"util", "kmeans", false},
	}
	for _, c := range cases {
		if why := forbidden(c.room, module+"/"+c.target); (why == "") != c.allowed {
			t.Errorf("%s imports %s: got %q, want allowed = %v", c.room, c.target, why, c.allowed)
		}
	}
	for room, target := range map[string]string{"worker": "github.com/hashicorp/memberlist", "model": "github.com/parquet-go/parquet-go/format"} {
		if forbidden(room, target) == "" {
			t.Errorf("%s imports %s: got allowed, want forbidden", room, target)
		}
	}
	if why := forbidden("internal/cluster", "github.com/hashicorp/memberlist"); why != "" {
		t.Errorf("internal/cluster imports memberlist: got %q, want allowed", why)
	}
}

// broken is a small module that breaks each rule in a known place.
func broken() Tree {
	return Tree{
		"go.mod": []byte("module " + module + "\n\nrequire example.com/alone v1.0.0\nrequire (\n\texample.com/listed v1.0.0\n\texample.com/unlisted v1.0.0 // indirect\n)\n"),
		"docs/DEPENDENCIES.md": []byte("| module | licence | why |\n|---|---|---|\n| example.com/listed | MIT | a reason |\n" +
			"| example.com/alone | | |\n| example.com/gone | MIT | a reason |\n"),
		"kmeans/doc.go":             []byte("// Package kmeans is documented.\npackage kmeans\n"),
		"kmeans/log.go":             []byte("package kmeans\n\nimport m \"math\"\n\nfunc f(x float64) float64 { return m.Sqrt(m.Log1p(x)) + m.Pi + m.MaxFloat64 }\n"),
		"kmeans/log_test.go":        []byte("package kmeans\n\nimport \"math\"\n\nvar _ = math.Log\n"),
		"feature/long.go":           []byte("package feature\n\nfunc long() {\n" + strings.Repeat("\n", 90) + "}\n"),
		"feature/generated.go":      []byte("// Code generated by hand. DO NOT EDIT.\n\npackage feature\n\nfunc longer() {\n" + strings.Repeat("\n", 900) + "}\n"),
		"feature/file.go":           []byte("package feature\n" + strings.Repeat("\n", 700)),
		"coordinator/doc.go":        []byte("// Package coordinator is documented.\npackage coordinator\n\nimport _ \"" + module + "/dataset\"\n"),
		"coordinator/job_test.go":   []byte("package coordinator\n\nimport _ \"" + module + "/dataset\"\n"),
		"coordinator/own/go.mod":    []byte("module other\n"),
		"coordinator/own/main.go":   []byte("package main\n\nimport _ \"" + module + "/worker\"\n"),
		"coordinator/_tool/main.go": []byte("package main\n\nimport _ \"" + module + "/worker\"\n"),
		"README.md":                 []byte("fine\nsee /wo" + "rk/main\nTO" + "DO\nnetwork/root/fine, rework/it\n"),
		"docs/failures.md": []byte("| | invariant |\n|---|---|\n| I1 | no test is needed here |\n\n| fault | test |\n|---|---|\n" +
			"| held | `feature.TestThere`, `feature.FuzzThere` |\n| not held | `feature.TestGone` and `feature.TestThere` |\n| nowhere | by hand |\n" +
			"| elsewhere | `kmeans.TestThere` |\n| no test | `feature.TestLess` |\n"),
		"feature/a_test.go":         []byte("package feature\n\nfunc TestThere() {}\n\nfunc FuzzThere() {}\n\nfunc (x) TestLess() {}\n"),
		".ci/run":                   []byte("cat ../sha" + "red/data\n"),
		"kmeans/testdata/broken.go": []byte("not Go"),
	}
}

func TestRulesFindWhatBreaksThem(t *testing.T) {
	tree := broken()
	imports, err1 := Imports(tree)
	sizes, err2 := Sizes(tree)
	documents, err3 := Documents(tree)
	functions, err4 := Functions(tree)
	failures, err5 := Failures(tree)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][]Finding{
		"imports":   {{"coordinator/doc.go", 4, "coordinator must not import dataset"}},
		"sizes":     {{"feature/file.go", 0, "701 lines, more than 700"}, {"feature/long.go", 3, "long has 92 lines, more than 90"}},
		"documents": {{"feature", 0, "no doc.go that says what the package is for"}},
		"functions": {{"kmeans/log.go", 5, "math.Log1p gives other bits on other machines; see internal/exact"}},
		"failures": {
			{"docs/failures.md", 8, "there is no test TestGone in feature"},
			{"docs/failures.md", 9, "names no test"},
			{"docs/failures.md", 10, "there is no test TestThere in kmeans"},
			{"docs/failures.md", 11, "there is no test TestLess in feature"},
		},
		"words": {
			{"README.md", 2, `" /wo` + `rk/": a path of one machine`},
			{"README.md", 3, `"TO` + `DO": finish it, or leave it out`},
		},
		"licences": {
			{"docs/DEPENDENCIES.md", 4, "example.com/alone has no licence or no reason"},
			{"docs/DEPENDENCIES.md", 5, "example.com/gone is not in go.mod"},
			{"go.mod", 0, "example.com/unlisted has no line in docs/DEPENDENCIES.md"},
		},
	}
	got := map[string][]Finding{"imports": imports, "sizes": sizes, "documents": documents, "functions": functions,
		"failures": failures, "words": Words(tree), "licences": Licences(tree)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFusedFindsAProductThatTheCompilerFuses(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a package for arm64")
	}
	root := t.TempDir()
	files := map[string]string{
		"go.mod": "module fused\n\ngo 1.26\n",
		"a.go": "package fused\n\nimport \"math\"\n\n" +
			"func bad(x, y, z float64) float64 { return x*y + z }\n\n" +
			"func apart(x, y, z float64) float64 {\n\tp := x * y\n\treturn z - p\n}\n\n" +
			"func good(x, y, z float64) float64 { return float64(x*y) + z }\n\n" +
			"func meant(x, y, z float64) float64 { return math.FMA(x, y, z) }\n\n" +
			"var Keep = []func(x, y, z float64) float64{bad, apart, good, meant}\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Fused(root, ".")
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, f := range found {
		lines = append(lines, f.Line)
	}
	if diff := cmp.Diff([]int{5, 9}, lines); diff != "" {
		t.Errorf("lines fused (-want +got):\n%s\n%v", diff, found)
	}
}

func TestBubblesAreMadeWhereTheRaceDetectorBearsThem(t *testing.T) {
	found, err := Bubbles(load(t))
	report(t, found, err)
}

func TestABubbleOfOnesOwnIsFound(t *testing.T) {
	found, err := Bubbles(Tree{
		"internal/x/a_test.go":      []byte("package x\nfunc f() { synctest.Test(t, g) }\nfunc h() { synctest.Wait() }\n"),
		"internal/bubble/b_test.go": []byte("package bubble\nfunc f() { synctest.Test(t, g) }\n"),
	})
	if err != nil || len(found) != 1 || found[0].File != "internal/x/a_test.go" || found[0].Line != 2 {
		t.Errorf("got %v, %v, want one in line 2 of internal/x/a_test.go", found, err)
	}
}
