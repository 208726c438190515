package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// ours is the path of the module that is looked at.
const ours = "github.com/coterie-project/coterie/"

// Coverage is what tests reach of a package, or of all.
type Coverage struct {
	Statements, Blocks, Branches, Functions Tally
	Passed                                  int      // blocks never entered that hand an error on
	Bare                                    []string // functions never entered, as "file.go:LINE Name"
}

// add joins two.
func (c *Coverage) add(d Coverage) {
	for _, pair := range [][2]*Tally{{&c.Statements, &d.Statements}, {&c.Blocks, &d.Blocks}, {&c.Branches, &d.Branches}, {&c.Functions, &d.Functions}} {
		pair[0].Reached += pair[1].Reached
		pair[0].All += pair[1].All
	}
	c.Passed += d.Passed
	c.Bare = append(c.Bare, d.Bare...)
}

// Cover is what a profile says of each package of the checkout at root; generated files are left out.
func Cover(root string, profile Profile) (map[string]*Coverage, error) {
	packages := make(map[string]*Coverage)
	for _, name := range slices.Sorted(maps.Keys(profile)) {
		file, ok := strings.CutPrefix(name, ours)
		if !ok {
			continue
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, filepath.Join(root, filepath.FromSlash(file)), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("the profile names a file that is not as it was: %w", err)
		}
		if ast.IsGenerated(tree) {
			continue
		}
		room := path.Dir(file)
		if packages[room] == nil {
			packages[room] = new(Coverage)
		}
		packages[room].add(coverFile(set, tree, file, profile[name]))
	}
	return packages, nil
}

// coverFile is what a profile says of one file.
func coverFile(set *token.FileSet, tree *ast.File, file string, blocks []Block) Coverage {
	c := Coverage{Branches: Branches(set, tree, blocks), Passed: Passed(set, tree, blocks)}
	for _, b := range blocks {
		c.Blocks.add(b.Count > 0)
		c.Statements.All += b.Statements
		if b.Count > 0 {
			c.Statements.Reached += b.Statements
		}
	}
	for _, f := range Functions(set, tree, blocks) {
		c.Functions.add(f.Entered)
		if !f.Entered {
			c.Bare = append(c.Bare, fmt.Sprintf("%s:%d %s", file, f.Line, f.Name))
		}
	}
	return c
}

// Reasons say why what no test enters is as it is: by "file.go", "file.go Function" or "folder/".
type Reasons map[string]string

// ReadReasons reads lines "file.go Function: reason", "file.go: reason" and "folder/: reason"; empty ones and those with # are left out.
func ReadReasons(text []byte) (Reasons, error) {
	reasons := make(Reasons)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		what, why, ok := strings.Cut(line, ": ")
		if !ok || strings.TrimSpace(why) == "" {
			return nil, fmt.Errorf("line %d: %q has no reason", n, line)
		}
		if reasons[what] != "" {
			return nil, fmt.Errorf("line %d: %s has a reason already", n, what)
		}
		reasons[what] = why
	}
	return reasons, lines.Err()
}

// Of gives the key of the reason for a function that is "file.go:LINE Name"; "" if there is none.
func (r Reasons) Of(bare string) string {
	place, name, _ := strings.Cut(bare, " ")
	file, _, _ := strings.Cut(place, ":")
	for _, key := range []string{file + " " + name, file} {
		if r[key] != "" {
			return key
		}
	}
	for folder := path.Dir(file); folder != "."; folder = path.Dir(folder) {
		if r[folder+"/"] != "" {
			return folder + "/"
		}
	}
	return ""
}

// coverageCommand is audit coverage.
func coverageCommand(_ context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("coverage", flag.ContinueOnError)
	root := set.String("root", filepath.Join("..", ".."), "the top of the checkout that the profile is of")
	reasons := set.String("reasons", "uncovered.txt", "why no test enters what none does")
	if err := parse(set, args, 1); err != nil {
		return err
	}
	file, err := os.Open(set.Arg(0))
	if err != nil {
		return err
	}
	defer file.Close()
	profile, err := ReadProfile(file)
	if err != nil {
		return fmt.Errorf("%s: %w", set.Arg(0), err)
	}
	text, err := os.ReadFile(*reasons)
	if err != nil {
		return err
	}
	why, err := ReadReasons(text)
	if err != nil {
		return fmt.Errorf("%s: %w", *reasons, err)
	}
	packages, err := Cover(*root, profile)
	if err != nil {
		return err
	}
	Report(out, packages, why)
	return nil
}

// Report prints what is reached of each package and of all, and the functions that no test enters: those with a reason, and those without.
func Report(out io.Writer, packages map[string]*Coverage, why Reasons) {
	var all Coverage
	fmt.Fprintf(out, "%-36s %22s %22s %22s %18s\n", "package", "statements", "basic blocks", "branches", "functions")
	for _, room := range slices.Sorted(maps.Keys(packages)) {
		all.add(*packages[room])
		row(out, room, packages[room])
	}
	row(out, "all", &all)
	fmt.Fprintf(out, "\nof the %d blocks that no test enters, %d do nothing but hand an error on\n", all.Blocks.All-all.Blocks.Reached, all.Passed)
	given := make(map[string]int)
	var without []string
	for _, bare := range all.Bare {
		if key := why.Of(bare); key != "" {
			given[key]++
		} else {
			without = append(without, bare)
		}
	}
	fmt.Fprintf(out, "\n%d functions that no test enters, with the reason\n", len(all.Bare)-len(without))
	for _, key := range slices.Sorted(maps.Keys(given)) {
		fmt.Fprintf(out, "%6d  %s: %s\n", given[key], key, why[key])
	}
	fmt.Fprintf(out, "\n%d functions that no test enters, without a reason\n", len(without))
	for _, bare := range without {
		fmt.Fprintf(out, "        %s\n", bare)
	}
	for _, key := range slices.Sorted(maps.Keys(why)) {
		if given[key] == 0 {
			fmt.Fprintf(out, "the reason for %s is not needed: tests enter it, or it is not there\n", key)
		}
	}
}

// row prints one line of the table.
func row(out io.Writer, name string, c *Coverage) {
	fmt.Fprintf(out, "%-36s %22s %22s %22s %18s\n", name, c.Statements.text(), c.Blocks.text(), c.Branches.text(), c.Functions.text())
}

// text is "REACHED of ALL = SHARE".
func (t Tally) text() string {
	if t.All == 0 {
		return "none"
	}
	return fmt.Sprintf("%d of %d %5.1f %%", t.Reached, t.All, 100*float64(t.Reached)/float64(t.All))
}
