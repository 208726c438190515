package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed are the licences that may be linked: each lets the whole be given away under Apache-2.0, as long as its words go
// with it. MPL-2.0 and nothing stronger asks for the sources of its own files, which nobody here has changed.
var allowed = map[string]bool{
	"0BSD": true, "Apache-2.0": true, "BSD-2-Clause": true, "BSD-3-Clause": true, "ISC": true, "MIT": true,
	"MIT-0": true, "MPL-2.0": true, "Unlicense": true, "Zlib": true,
}

const (
	// largestText bounds the file of a licence; the longest of those that are common has 35 KB.
	largestText = 1 << 20
	// leastKnown is how much of the file, in percent of its words, has to be known words of licences. The rest is who
	// holds the copyright, and which files are meant.
	leastKnown = 60
)

// Text is a file that has to be passed on with what it lies beside.
type Text struct {
	File string   // below the top of its module, with slashes
	Body []byte   // with "\n" ends of lines, without blank ends
	IDs  []string // the SPDX names of the licences in it, in order; none in a notice
}

var (
	// licenceName is how files with licences are called, noticeName what else licences ask to be kept.
	licenceName = regexp.MustCompile(`(?i)^(un)?licen[cs]e|^copying`)
	noticeName  = regexp.MustCompile(`(?i)^(notice|patents|copyright)`)
	sourceName  = regexp.MustCompile(`(?i)\.(go|s|c|h|json|ya?ml|py|sh)$`)
	trailing    = regexp.MustCompile(`[ \t]+\n`)
)

// Texts are the files of a module that have to be passed on: those at its top, and those between there and each linked package.
// A module without a licence, or with one that is not known or not allowed, is an error.
func Texts(m Module) ([]Text, error) {
	var folders []string
	for _, folder := range m.Folders {
		for ; folder != "."; folder = path.Dir(folder) {
			folders = append(folders, folder)
		}
	}
	var texts []Text
	for _, folder := range unique(append(folders, ".")) {
		entries, err := os.ReadDir(filepath.Join(m.Dir, filepath.FromSlash(folder)))
		if err != nil {
			return nil, fmt.Errorf("module %s: %w", m.Path, err)
		}
		for _, entry := range entries {
			if !entry.Type().IsRegular() || sourceName.MatchString(entry.Name()) {
				continue
			}
			licence := licenceName.MatchString(entry.Name())
			if !licence && !noticeName.MatchString(entry.Name()) {
				continue
			}
			text, err := readText(m, path.Join(folder, entry.Name()), licence)
			if err != nil {
				return nil, fmt.Errorf("module %s %s, %s: %w", m.Path, m.Version, path.Join(folder, entry.Name()), err)
			}
			texts = append(texts, text)
		}
	}
	if !slices.ContainsFunc(texts, func(t Text) bool { return len(t.IDs) > 0 && path.Dir(t.File) == "." }) {
		return nil, fmt.Errorf("module %s %s has no licence: leave it out, or ask its authors for one", m.Path, m.Version)
	}
	return texts, nil
}

// readText reads one file, and tells the licences in it where it is to be one.
func readText(m Module, name string, licence bool) (Text, error) {
	file := filepath.Join(m.Dir, filepath.FromSlash(name))
	info, err := os.Stat(file)
	if err != nil {
		return Text{}, err
	}
	if info.Size() > largestText {
		return Text{}, fmt.Errorf("%d bytes, more than the %d of any licence", info.Size(), largestText)
	}
	body, err := os.ReadFile(file)
	if err != nil {
		return Text{}, err
	}
	body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	text := Text{File: name, Body: trailing.ReplaceAll(append(bytes.TrimRight(body, " \t\n"), '\n'), []byte("\n"))}
	if licence {
		text.IDs, err = Classify(body)
	}
	return text, err
}

// Classify gives the SPDX names of the licences whose words a text is made of, in order.
func Classify(body []byte) ([]string, error) {
	cover := licensecheck.Scan(body)
	var ids []string
	for _, match := range cover.Match {
		if !match.IsURL || match.ID == "Apache-2.0" { // the head that Apache asks for is a link
			ids = append(ids, match.ID)
		}
	}
	if ids = unique(ids); len(ids) == 0 || cover.Percent < leastKnown {
		return nil, fmt.Errorf("%.0f %% of it are words of a licence that is known (%s), want %d %%: read it, and if it may be linked say so in internal/audit", cover.Percent, cmp.Or(strings.Join(ids, ", "), "none"), leastKnown)
	}
	for _, id := range ids {
		if !allowed[id] {
			return nil, fmt.Errorf("%s may not be linked into the program: only %s", id, strings.Join(slices.Sorted(maps.Keys(allowed)), ", "))
		}
	}
	return ids, nil
}

// Licensed is a module with what has to be passed on with it.
type Licensed struct {
	Module
	Texts []Text
}

// IDs are the SPDX names of all licences in the module, in order.
func (l Licensed) IDs() []string {
	var ids []string
	for _, text := range l.Texts {
		ids = append(ids, text.IDs...)
	}
	return unique(ids)
}

// License finds the texts of all modules but that of the checkout. The error names every module that has none or the wrong one.
func License(modules []Module) ([]Licensed, error) {
	var all []Licensed
	var wrong []error
	for _, m := range modules {
		if m.Own {
			continue
		}
		texts, err := Texts(m)
		if err != nil {
			wrong = append(wrong, err)
		}
		all = append(all, Licensed{Module: m, Texts: texts})
	}
	return all, errors.Join(wrong...)
}
