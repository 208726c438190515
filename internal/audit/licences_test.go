package main

import (
	"slices"
	"strings"
	"testing"
)

func TestLicencesAreToldByTheirWords(t *testing.T) {
	cases := []struct {
		name, text string
		want       []string
		wrong      string
	}{
		{"MIT", words(t, "MIT"), []string{"MIT"}, ""},
		{"BSD", words(t, "BSD-3-Clause"), []string{"BSD-3-Clause"}, ""},
		{"two in one file", words(t, "BSD-3-Clause") + "\n\n" + words(t, "MIT"), []string{"BSD-3-Clause", "MIT"}, ""},
		{"Mozilla", words(t, "MPL-2.0"), []string{"MPL-2.0"}, ""},
		{"a licence that binds the whole", words(t, "GPL-3.0"), nil, "GPL-3.0 may not be linked"},
		{"one of those hidden behind another", words(t, "MIT") + "\n\n" + words(t, "AGPL-3.0"), nil, "AGPL-3.0 may not be linked"},
		{"words of somebody's own", "You may use this on Mondays, if you are kind. " + strings.Repeat("Be kind. ", 50), nil, "0 % of it are words of a licence that is known (none)"},
		{"words of somebody's own around a licence", words(t, "MIT") + strings.Repeat("This holds on Mondays. ", 300), nil, "want 60 %"},
		{"nothing", "", nil, "0 % of it"},
	}
	for _, c := range cases {
		got, err := Classify([]byte(c.text))
		holds(t, c.name, err, c.wrong)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestWhatHasToBePassedOnIsFound(t *testing.T) {
	mit := words(t, "MIT")
	cases := []struct {
		name    string
		files   map[string]string
		folders []string
		want    string // the files, in order
		wrong   string
	}{
		{"at the top", map[string]string{"LICENSE": mit, "README.md": "x"}, []string{"."}, "LICENSE", ""},
		{"British", map[string]string{"LICENCE.md": mit}, []string{"."}, "LICENCE.md", ""},
		{"a notice and patents", map[string]string{"LICENSE": mit, "NOTICE.txt": "n", "PATENTS": "p"}, []string{"."}, "LICENSE NOTICE.txt PATENTS", ""},
		{"above a linked package", map[string]string{"LICENSE": mit, "a/COPYING": mit, "a/b/c.go": "package b"}, []string{"a/b"}, "LICENSE a/COPYING", ""},
		{"beside a package that is not linked", map[string]string{"LICENSE": mit, "a/LICENSE": words(t, "GPL-3.0"), "b/b.go": ""}, []string{"b"}, "LICENSE", ""},
		{"below, of the wrong kind", map[string]string{"LICENSE": mit, "a/LICENSE": words(t, "GPL-3.0")}, []string{".", "a"}, "", "a/LICENSE: GPL-3.0 may not be linked"},
		{"code about licences", map[string]string{"UNLICENSE": words(t, "Unlicense"), "license.go": "package x"}, []string{"."}, "UNLICENSE", ""},
		{"none", map[string]string{"README.md": "MIT"}, []string{"."}, "", "has no licence"},
		{"none but below", map[string]string{"a/LICENSE": mit}, []string{"a"}, "", "has no licence"},
		{"just a notice", map[string]string{"NOTICE": mit}, []string{"."}, "", "has no licence"},
		{"the longest", map[string]string{"LICENSE": mit + strings.Repeat("\n", largestText-len(mit))}, []string{"."}, "LICENSE", ""},
		{"a flood", map[string]string{"LICENSE": mit + strings.Repeat("\n", largestText-len(mit)+1)}, []string{"."}, "", "1048577 bytes, more than the 1048576"},
	}
	for _, c := range cases {
		texts, err := Texts(Module{Path: "example.com/m", Version: "v1.0.0", Dir: folder(t, c.files), Folders: c.folders})
		holds(t, c.name, err, c.wrong)
		var got []string
		for _, text := range texts {
			got = append(got, text.File)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, want %q", c.name, got, c.want)
		}
	}
}

func TestEveryModuleWithoutLicenceIsNamed(t *testing.T) {
	bare := folder(t, map[string]string{"README": ""})
	_, err := License([]Module{{Path: "own", Own: true, Dir: bare}, {Path: "a", Dir: bare}, {Path: "b", Dir: bare}})
	holds(t, "two", err, "module a  has no licence")
	holds(t, "two", err, "module b  has no licence")
	if err != nil && strings.Contains(err.Error(), "own") {
		t.Errorf("got %v, want nothing of the module of the checkout", err)
	}
}

func TestTheSameWordsArePassedOnOnce(t *testing.T) {
	mit := words(t, "MIT")
	modules := []Module{
		{Path: "example.com/a", Version: "v1.0.0", Dir: folder(t, map[string]string{"LICENSE": mit}), Folders: []string{"."}},
		{Path: "example.com/b", Version: "v1.1.0", Dir: folder(t, map[string]string{"LICENSE": strings.ReplaceAll(mit, "\n", "\r\n") + "  \n\n", "NOTICE": "of b"}), Folders: []string{"."}},
		{Path: std, Dir: folder(t, map[string]string{"LICENSE": words(t, "BSD-3-Clause")}), Folders: []string{"."}},
	}
	all, err := License(modules)
	if err != nil {
		t.Fatal(err)
	}
	got := string(ThirdParty(all))
	for _, want := range []string{"\n  example.com/a v1.0.0: MIT\n  example.com/b v1.1.0: MIT\n  Go: BSD-3-Clause\n", "=\nexample.com/a LICENSE\nexample.com/b LICENSE\n=", "=\nexample.com/b NOTICE\n=", "=\nGo LICENSE\n="} {
		if !strings.Contains(got, want) {
			t.Errorf("got %.900q, want %q in it", got, want)
		}
	}
	if n := strings.Count(got, "Permission is hereby granted"); n != 1 {
		t.Errorf("the words of MIT are there %d times, want once", n)
	}
	if strings.Contains(got, "\r") {
		t.Error("got carriage returns, want none")
	}
}

func TestThePageOfDependenciesIsHeldAgainstWhatIsLinked(t *testing.T) {
	texts := []Text{{File: "LICENSE", IDs: []string{"MIT"}}, {File: "x/LICENSE", IDs: []string{"Apache-2.0"}}}
	all := []Licensed{{Module: Module{Path: "example.com/a"}, Texts: texts}, {Module: Module{Path: std}, Texts: texts}}
	cases := []struct{ name, page, want string }{
		{"right", "| example.com/a | MIT | why |\n", ""},
		{"two", "| example.com/a | MIT and Apache-2.0 | why |\n", ""},
		{"a line of what is not linked", "| example.com/a | MIT | why |\n| example.com/test | GPL-3.0 | tests; not part of the binary |\n", ""},
		{"another licence", "| example.com/a | BSD-3-Clause | why |\n", "example.com/a is said to be under BSD-3-Clause, and its files hold Apache-2.0, MIT"},
		{"linked after all", "| example.com/a | MIT | tests; not part of the binary |\n", "is said not to be part of the binary"},
		{"no line", "", "example.com/a is linked and has no line"},
	}
	for _, c := range cases {
		holds(t, c.name, Page([]byte(c.page), all), c.want)
	}
}

func TestExitCodesTellWhatIsWrongFromWhatWasNotLookedAt(t *testing.T) {
	cases := []struct {
		args []string
		want int
	}{
		{nil, wrongUsage},
		{[]string{"unknown"}, wrongUsage},
		{[]string{"licences", "-unknown"}, wrongUsage},
		{[]string{"licences", "word"}, wrongUsage},
		{[]string{"licences", "-help"}, 0},
		{[]string{"licences", "-root", t.TempDir()}, 1},
		{[]string{"sbom"}, wrongUsage},
		{[]string{"sbom", "-binary", "made_test.go"}, 1},
		{[]string{"vulncheck", "-least", "0"}, wrongUsage},
		{[]string{"vulncheck", "-db", "file:///nowhere"}, 1},
		{[]string{"vulncheck", "-db", "http://127.0.0.1:1"}, notLooked},
	}
	for _, c := range cases {
		var out, complaints strings.Builder
		got := run(t.Context(), c.args, &out, &complaints)
		if got != c.want {
			t.Errorf("audit %q: got %d %s, want %d", c.args, got, complaints.String(), c.want)
		}
	}
}
