package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// thirdParty is the file with the words of all licences, at the top of the checkout and in what is given away.
const thirdParty = "THIRD_PARTY_LICENSES"

const head = `What Coterie is built from, besides its own code, on one system or another: the modules below and the standard library
of Go. Their licences ask that their words go with the program, and here they are. Made by "make licences".

The sources of each module, those under the Mozilla Public License 2.0 among them, are at
https://proxy.golang.org/MODULE/@v/VERSION.zip (capital letters as "!" and the small one) and shown at https://pkg.go.dev/MODULE@VERSION;
none of them has been changed.

`

// licencesCommand is audit licences.
func licencesCommand(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("licences", flag.ContinueOnError)
	root := set.String("root", filepath.Join("..", ".."), "the top of the checkout")
	write := set.Bool("write", false, "write "+thirdParty+" instead of comparing it")
	if err := parse(set, args, 0); err != nil {
		return err
	}
	modules, err := Linked(ctx, *root, targets...)
	if err != nil {
		return err
	}
	all, err := License(modules)
	if err != nil {
		return err
	}
	file := filepath.Join(*root, thirdParty)
	want := ThirdParty(all)
	if *write {
		if err := os.WriteFile(file, want, 0o666); err != nil {
			return err
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%w: run make licences", err)
	}
	if line := difference(got, want); line > 0 {
		return fmt.Errorf("%s:%d is not what the linked modules ask for: run make licences, and look at what has changed", thirdParty, line)
	}
	page, err := os.ReadFile(filepath.Join(*root, "docs", "DEPENDENCIES.md"))
	if err != nil {
		return err
	}
	if err := Page(page, all); err != nil {
		return err
	}
	count := make(map[string]int)
	for _, l := range all {
		count[strings.Join(l.IDs(), " and ")]++
	}
	fmt.Fprintf(out, "%d modules for %s, and the standard library\n", len(all)-1, strings.Join(targets, ", "))
	for _, ids := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(out, "%4d  %s\n", count[ids], ids)
	}
	fmt.Fprintf(out, "%s: %d bytes\n", thirdParty, len(want))
	return nil
}

// difference is the first line, from 1, in which two texts differ; 0 if they are the same.
func difference(a, b []byte) int {
	if bytes.Equal(a, b) {
		return 0
	}
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return 1 + bytes.Count(a[:n], []byte("\n"))
}

// ThirdParty is the text that goes with the program: a list of the modules, and each text once with those that it is from.
func ThirdParty(all []Licensed) []byte {
	var out bytes.Buffer
	out.WriteString(head)
	type place struct {
		body  string
		files []string
	}
	var places []*place
	known := make(map[string]*place)
	for _, l := range all {
		fmt.Fprintf(&out, "  %s: %s\n", named(l.Module), strings.Join(l.IDs(), ", "))
		for _, text := range l.Texts {
			words := strings.Join(strings.Fields(string(text.Body)), " ") // many differ in how lines are set, and in nothing else
			if known[words] == nil {
				known[words] = &place{body: string(text.Body)}
				places = append(places, known[words])
			}
			known[words].files = append(known[words].files, l.name()+" "+text.File)
		}
	}
	rule := strings.Repeat("=", 100) + "\n"
	for _, p := range places {
		out.WriteString("\n" + rule + strings.Join(p.files, "\n") + "\n" + rule + "\n" + p.body)
	}
	return out.Bytes()
}

// name is how people call the module.
func (m Module) name() string {
	if m.Path == std {
		return "Go"
	}
	return m.Path
}

// named is the name with the version. That of Go is left out: it is that of whoever builds.
func named(m Module) string { return strings.TrimSpace(m.name() + " " + m.Version) }

// Page holds docs/DEPENDENCIES.md against what is linked: the licence of each linked module is that of its files, and what is said not
// to be part of the binary is not.
func Page(page []byte, all []Licensed) error {
	linked := make(map[string]Licensed)
	for _, l := range all {
		linked[l.Path] = l
	}
	var wrong []string
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		path, said, why := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2]), cells[3]
		l, ok := linked[path]
		if !ok {
			continue
		}
		if strings.Contains(why, "not part of the binary") {
			wrong = append(wrong, path+" is said not to be part of the binary, and is linked")
		}
		ids := l.IDs()
		for _, id := range strings.Split(said, " and ") {
			if !strings.Contains(" "+strings.Join(ids, " ")+" ", " "+id+" ") {
				wrong = append(wrong, fmt.Sprintf("%s is said to be under %s, and its files hold %s", path, id, strings.Join(ids, ", ")))
			}
		}
		delete(linked, path)
	}
	for _, path := range slices.Sorted(maps.Keys(linked)) {
		if path != std {
			wrong = append(wrong, path+" is linked and has no line")
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("docs/DEPENDENCIES.md: %s", strings.Join(wrong, "; "))
	}
	return nil
}
