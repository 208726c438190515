package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/coterie-project/coterie/internal/store"
)

const (
	partsKind    = "coterie labels"
	partsVersion = 1
	// maxManifest is the largest manifest that is read, in bytes: twice what a million parts take.
	maxManifest = 128 << 20
)

// partsManifest says that a folder of labels is whole, and what is in it.
type partsManifest struct {
	Kind      string     `json:"kind"` // partsKind
	Version   int        `json:"version"`
	Job       string     `json:"job"`
	Extension string     `json:"extension"`
	Rows      int64      `json:"rows"`
	Parts     []partInfo `json:"parts"`
}

type partInfo struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
}

// marker says whose parts a folder is to hold, and whether those of an earlier job are gone.
type marker struct {
	Job   string `json:"job"`
	Ready bool   `json:"ready"`
}

// partsFound is what lies in a folder.
type partsFound struct {
	manifest         *partsManifest
	marker           *marker
	parts, leftovers []string // ascending
}

// lookAt lists a folder of labels. Anything in it that is none of ours is an error: it is not removed, and would be read as
// labels or be lost.
func lookAt(folder string) (*partsFound, error) {
	entries, err := os.ReadDir(folder) // sorted by name
	if err != nil {
		return nil, store.Explain(folder, err)
	}
	found := &partsFound{}
	for _, e := range entries {
		name := e.Name()
		switch {
		case !e.Type().IsRegular():
			err = atFolder(folder, "holds %q, which is no file", name).Do("name another folder, or one that is empty")
		case name == manifestName:
			found.manifest = new(partsManifest)
			err = readJSON(folder, name, found.manifest)
			if err == nil {
				err = found.manifest.check(folder)
			}
		case name == markerName:
			found.marker = new(marker)
			err = readJSON(folder, name, found.marker)
		case partNames.MatchString(name):
			found.parts = append(found.parts, name)
		case leftovers.MatchString(name):
			found.leftovers = append(found.leftovers, name)
		default:
			err = atFolder(folder, "holds %q, which is no part of labels", name).Do("name another folder, or one that is empty")
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// check refuses the manifest of something else.
func (m *partsManifest) check(folder string) error { return m.checkNames(folder, partNames) }

func (m *partsManifest) checkNames(folder string, names *regexp.Regexp) error {
	if m.Kind != partsKind || m.Version != partsVersion {
		return atFolder(filepath.Join(folder, manifestName), "is of kind %q and version %d, not of %q and %d", m.Kind, m.Version, partsKind, partsVersion).
			Do("name another folder, or one that is empty")
	}
	sum := int64(0)
	for _, p := range m.Parts {
		if !names.MatchString(p.Name) || p.Rows < 0 || p.Rows > m.Rows-sum {
			return damagedParts(folder, manifestName, fmt.Errorf("part %q of %d rows", p.Name, p.Rows))
		}
		sum += p.Rows
	}
	if sum != m.Rows {
		return damagedParts(folder, manifestName, fmt.Errorf("%d rows in parts of %d", m.Rows, sum))
	}
	return nil
}

func damagedParts(folder, name string, err error) error {
	e := atFolder(filepath.Join(folder, name), "is damaged").Do("remove the folder or name another one")
	e.Err = err
	return e
}

func readJSON(folder, name string, into any) error {
	file, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		var cause *fs.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		e := atFolder(filepath.Join(folder, name), "cannot be read").Do("change its rights")
		e.Err = err
		return e
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxManifest+1))
	if err == nil && len(data) > maxManifest {
		err = fmt.Errorf("more than %d bytes", maxManifest)
	}
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return damagedParts(folder, name, err)
	}
	return nil
}

// writeJSON writes a file of a folder of labels, whole or not at all.
func writeJSON(folder, name string, value any) error {
	path := filepath.Join(folder, name)
	if err := ordinary(path); err != nil {
		return err
	}
	return store.WriteFile(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(value)
	})
}
