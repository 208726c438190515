package mutants

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// top is the folder of go.mod.
func top(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestEveryMutantStillFitsTheSource(t *testing.T) {
	all, root, seen := All(), top(t), make(map[string]bool)
	if len(all) < 30 {
		t.Errorf("%d mutants, want at least 30", len(all))
	}
	for i := range all {
		m := &all[i]
		if seen[m.Name] || m.Name == "" || m.Breaks == "" || m.Holds == "" || len(m.Caught) == 0 || len(m.Edits) == 0 {
			t.Errorf("%+v: want a name of its own, what it breaks, what that holds, and tests", m)
		}
		seen[m.Name] = true
		if _, err := m.Apply(root); err != nil {
			t.Error(err)
		}
	}
}

// chosen are the mutants that COTERIE_MUTANTS asks for: all, those whose names hold a word of its list (a,b), or, by N/M,
// every M-th from the N-th on.
func chosen(t *testing.T, want string) (list []Mutant) {
	t.Helper()
	first, step, isPart := strings.Cut(want, "/")
	from, err1 := strconv.Atoi(first)
	every, err2 := strconv.Atoi(step)
	for i, m := range All() {
		switch {
		case isPart && (err1 != nil || err2 != nil || every < 1):
			t.Fatalf("COTERIE_MUTANTS=%s: want all, a part of a name, or N/M", want)
		case isPart && i%every == from%every, !isPart && (want == "all" || slices.ContainsFunc(strings.Split(want, ","), func(w string) bool { return strings.Contains(m.Name, w) })):
			list = append(list, m)
		}
	}
	return list
}

func TestEveryMutantIsCaught(t *testing.T) {
	want := os.Getenv("COTERIE_MUTANTS")
	if want == "" {
		t.Skip("COTERIE_MUTANTS is not set: make mutants runs this")
	}
	root := top(t)
	list := chosen(t, want)
	if len(list) == 0 {
		t.Fatalf("COTERIE_MUTANTS=%s: no mutant is called so", want)
	}
	caught := 0
	began := time.Now()
	fmt.Printf("%-34s %-62s %-9s %-8s %s\n", "mutant", "breaks", "harms", "seconds", "caught by")
	for i := range list {
		m, start := &list[i], time.Now()
		failed, err := Run(t.Context(), root, m)
		by := strings.Join(failed, ", ")
		if err != nil {
			t.Error(err)
			by = "NOT CAUGHT"
		} else {
			caught++
		}
		fmt.Printf("%-34s %-62s %-9s %-8.1f %s\n", m.Name, m.Breaks, m.Holds, time.Since(start).Seconds(), by)
	}
	fmt.Printf("%d of %d mutants caught in %.0f s\n", caught, len(list), time.Since(began).Seconds())
}

func TestAMutantThatFitsNotOnceIsRefused(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "a.go"), []byte("package a // one two two"), 0o600); err != nil {
		t.Fatal(err)
	}
	for old, want := range map[string]error{"one": nil, "two": ErrText, "three": ErrText, "new": ErrText} {
		m := &Mutant{Name: "m", Edits: []Edit{{"a.go", old, "new"}}}
		if _, err := m.Apply(root); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", old, err, want)
		}
	}
}

func TestAFailureIsToldFromAMutantThatDoesNotCompileOrSurvives(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles small modules")
	}
	root := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module m\n\ngo 1.26\n", "a/a.go": "package a\n\nfunc One() int { return 1 }\n",
		"a/a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestOne(t *testing.T) {\n\tif One() != 1 {\n\t\tt.Error(One())\n\t}\n}\n"} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for new, want := range map[string]error{"return 2": nil, "return 3 - 2": ErrSurvived, "return one": ErrBuild} {
		m := &Mutant{Name: "m", Edits: []Edit{{"a/a.go", "return 1", new}}, Caught: []Tests{in("a", "TestOne")}}
		failed, err := Run(t.Context(), root, m)
		if !errors.Is(err, want) || err == nil && (len(failed) != 1 || failed[0] != "TestOne") {
			t.Errorf("%s: got %v and %v, want %v", new, failed, err, want)
		}
	}
}
