package monthly

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// Manifest says what a month's folder holds and what it was made of.
type Manifest struct {
	Format  string   `json:"format"`
	Version int      `json:"version"`
	Month   string   `json:"month"`
	Last    string   `json:"last"` // the month that it goes on from; "": it is the first
	Key     string   `json:"key"`  // of everything that the month depends on: equal keys, equal months
	Coterie string   `json:"coterie"`
	Inputs  []Input  `json:"inputs"`
	Steps   []Done   `json:"steps"`
	Outputs []Output `json:"outputs"`
}

// Input is a file that was read.
type Input struct {
	Path     string `json:"path"`
	Bytes    int64  `json:"bytes"`
	Modified int64  `json:"modified"` // nanoseconds since 1970 UTC
}

// Done is a step that was done, with what it answered.
type Done struct {
	Command string          `json:"command"`
	Seconds float64         `json:"seconds"`
	Result  json.RawMessage `json:"result,omitempty"`
}

// Output is a file of the month.
type Output struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

const (
	manifestFormat  = "coterie-month"
	manifestVersion = 1
	maxManifest     = 64 << 20 // a month of 65,536 segments in its steps' answers is less
)

// readManifest reads the manifest of a folder; nil if there is none that can be read.
func readManifest(folder string) *Manifest {
	f, err := os.Open(filepath.Join(folder, manifestFile))
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil || len(data) > maxManifest {
		return nil
	}
	m := new(Manifest)
	if json.Unmarshal(data, m) != nil || m.Format != manifestFormat || m.Version != manifestVersion {
		return nil
	}
	return m
}

// intact says whether the outputs are there with the sizes that they were written with.
func (m *Manifest) intact(folder string) bool {
	for _, o := range m.Outputs {
		info, err := os.Stat(filepath.Join(folder, filepath.FromSlash(o.Name)))
		if err != nil || info.Size() != o.Bytes {
			return false
		}
	}
	return true
}

// inputsOf describes the files that data names.
func inputsOf(data []string) ([]Input, error) {
	files, err := open.Files(data)
	if err != nil {
		return nil, err
	}
	list := make([]Input, 0, len(files))
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			return nil, &fault.Error{Kind: fault.Input, Place: fault.In(path), Problem: "cannot be read", Err: err}
		}
		list = append(list, Input{path, info.Size(), info.ModTime().UnixNano()})
	}
	return list, nil
}

// keyOf is a digest of all that a month depends on: what is to be done, with which arithmetic, on which files, and what it
// goes on from. calls must be those of a folder of a fixed name.
func keyOf(calls []*Call, inputs []Input, arithmetic, last string) (string, error) {
	h := sha256.New()
	encoder := json.NewEncoder(h)
	for _, part := range []any{manifestVersion, arithmetic, last, inputs} {
		if err := encoder.Encode(part); err != nil {
			return "", err
		}
	}
	for _, c := range calls {
		if err := encoder.Encode([]any{c.Command, c.Args}); err != nil {
			return "", err
		}
		for _, n := range []*yaml.Node{c.Flags, c.Shared} {
			if n == nil {
				continue
			}
			text, err := yaml.Marshal(n)
			if err != nil {
				return "", err
			}
			h.Write(text)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// outputsOf lists what lies in a folder, in name order.
func outputsOf(folder string) ([]Output, error) {
	var list []Output
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		n, err := io.Copy(h, f)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		list = append(list, Output{filepath.ToSlash(name), n, hex.EncodeToString(h.Sum(nil))})
		return err
	})
	slices.SortFunc(list, func(a, b Output) int { return strings.Compare(a.Name, b.Name) })
	if err != nil {
		return nil, fault.Failedf(err, "%s: the results cannot be listed", folder)
	}
	return list, nil
}

// write puts the manifest into a folder.
func (m *Manifest) write(folder string) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(m); err != nil {
		return err
	}
	return store.WriteFile(filepath.Join(folder, manifestFile), func(w io.Writer) error {
		_, err := w.Write(text.Bytes())
		return err
	})
}

// lastBefore finds the newest whole month before m among the folders of output; "" if there is none.
func lastBefore(output string, m Month) (folder string, manifest *Manifest, err error) {
	entries, err := os.ReadDir(output)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, fault.Failedf(err, "%s: the months cannot be listed", output)
	}
	for _, e := range slices.Backward(entries) { // in name order, which is that of time
		month, err := ParseMonth(e.Name())
		if err != nil || !e.IsDir() || !month.before(m) {
			continue
		}
		folder := filepath.Join(output, e.Name())
		if manifest := readManifest(folder); manifest != nil && manifest.intact(folder) {
			return folder, manifest, nil
		}
	}
	return "", nil, nil
}
