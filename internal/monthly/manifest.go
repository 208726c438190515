package monthly

import (
	"bytes"
	"context"
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
	"github.com/coterie-project/coterie/model"
)

// Manifest says what a month's folder holds and what it was made of.
type Manifest struct {
	Format  string   `json:"format"`
	Version int      `json:"version"`
	Month   string   `json:"month"`
	Last    string   `json:"last"` // the month that it goes on from; "": it is the first
	Key     string   `json:"key"`  // of everything that the month depends on: equal keys, equal months
	Coterie string   `json:"coterie"`
	Model   string   `json:"model"` // the digest of the model, which renaming segments leaves as it is
	Inputs  []Input  `json:"inputs"`
	Steps   []Done   `json:"steps"`
	Outputs []Output `json:"outputs"`
}

// Input is a file or an object that was read.
type Input struct {
	Path     string `json:"path"`
	Bytes    int64  `json:"bytes"`
	Modified int64  `json:"modified"`       // of a file: nanoseconds since 1970 UTC
	ETag     string `json:"etag,omitempty"` // of an object
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

// damaged names an output that is gone, or no longer what was written; "": all are well. Segments of the model may have been
// renamed.
func (m *Manifest) damaged(folder string) string {
	for _, o := range m.Outputs {
		path := filepath.Join(folder, filepath.FromSlash(o.Name))
		if !filepath.IsLocal(filepath.FromSlash(o.Name)) {
			return o.Name // no month has an output elsewhere
		}
		if o.Name == modelFile && m.Model != "" {
			if is, err := model.ReadFile(path); err != nil || is.Digest() != m.Model {
				return o.Name
			}
			continue
		}
		if is, err := outputOf(path, o.Name); err != nil || is != o {
			return o.Name
		}
	}
	return ""
}

// outputOf describes a file.
func outputOf(path, name string) (Output, error) {
	f, err := os.Open(path)
	if err != nil {
		return Output{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return Output{name, n, hex.EncodeToString(h.Sum(nil))}, err
}

// inputsOf describes the files and objects that data names.
func inputsOf(ctx context.Context, data []string) ([]Input, error) {
	files, err := open.Files(ctx, data)
	if err != nil {
		return nil, err
	}
	list := make([]Input, 0, len(files))
	for _, f := range files {
		list = append(list, Input{Path: f.Path, Bytes: f.Size, Modified: f.Modified, ETag: f.ETag})
	}
	return list, nil
}

// filesOf are the files that flags of the file name: their values that are files.
func filesOf(calls []*Call) []Input {
	var list []Input
	var look func(n *yaml.Node)
	look = func(n *yaml.Node) {
		if n == nil {
			return
		}
		if n.Kind == yaml.ScalarNode && filepath.Ext(n.Value) != "" {
			if info, err := os.Stat(n.Value); err == nil && info.Mode().IsRegular() {
				list = append(list, Input{Path: n.Value, Bytes: info.Size(), Modified: info.ModTime().UnixNano()})
			}
		}
		for _, c := range n.Content {
			look(c)
		}
	}
	for _, c := range calls {
		look(c.Flags)
		look(c.Shared)
	}
	return list
}

// keyOf is a digest of all that a month depends on: what is to be done, with which arithmetic and settings, on which files, and
// what it goes on from. calls must have the names of the file, and files count by where they lie from it.
func keyOf(calls []*Call, r *Request, files []Input, last string) (string, error) {
	h := sha256.New()
	encoder := json.NewEncoder(h)
	seen := make([]Input, len(files))
	for i, f := range files {
		if seen[i] = f; f.ETag != "" {
			continue // an object lies where its name says
		}
		a, errA := filepath.Abs(f.Path)
		b, errB := filepath.Abs(r.File.folder)
		if rel, err := filepath.Rel(b, a); errA == nil && errB == nil && err == nil {
			seen[i].Path = filepath.ToSlash(rel)
		}
	}
	for _, part := range []any{manifestVersion, r.Arithmetic, r.Settings, last, seen} {
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
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		o, err := outputOf(path, filepath.ToSlash(name))
		list = append(list, o)
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
		manifest := readManifest(folder)
		if manifest == nil {
			continue // it is not ours
		}
		if name := manifest.damaged(folder); name != "" {
			return "", nil, fault.Inputf(fault.In(filepath.Join(folder, name)), "is not what was written when %s was made", month).
				Do("make that month again with --month %s --force", month)
		}
		return folder, manifest, nil
	}
	return "", nil, nil
}
