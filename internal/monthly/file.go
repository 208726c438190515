package monthly

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// Limits of a pipeline file.
const (
	maxFile    = 1 << 20 // bytes
	maxExports = 100
	maxDepth   = 8 // of lists and mappings within each other: a flag's value has one
)

// File is a pipeline file.
type File struct {
	Path   string
	folder string // that relative paths in it are relative to
	output string // the folder of the months
	data   []string
	// transactions are the input of rfm, as they are written; nil: there is no rfm, and data are the customers.
	transactions []string
	customers    *yaml.Node // flags for every step that reads customers; nil: none
	sections     map[string][]*section
}

// section is one step of the file.
type section struct {
	command string
	flags   *yaml.Node // a mapping; nil: none
	line    int
}

// The keys of a file, in the order of the steps.
var (
	stepKeys = []string{"rfm", "check", "fit", "assign", "profile", "migrate", "export"}
	fileKeys = append([]string{"output", "customers"}, stepKeys...)
)

// ReadFile reads a pipeline file. An error that is the file's names the line.
func ReadFile(path string) (*File, error) {
	data, err := store.ReadInput(store.ProcessContext(), path, maxFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fault.Inputf(fault.In(path), "does not exist").Do("give the path of a pipeline file")
	case err != nil:
		return nil, &fault.Error{Kind: fault.Input, Place: fault.In(path), Problem: "cannot be read", Err: err}
	}
	return Parse(path, data)
}

// Parse is ReadFile on what the file holds.
func Parse(path string, data []byte) (*File, error) {
	f := &File{Path: path, folder: filepath.Dir(path), sections: make(map[string][]*section)}
	if len(data) > maxFile {
		return nil, fault.Inputf(fault.In(path), "is larger than %d bytes", maxFile)
	}
	var document, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, fault.Usagef("%s: is empty", path).Do("it needs at least output, customers or rfm, and fit")
	case err != nil:
		return nil, fault.Usagef("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fault.Usagef("%s: holds more than one document", path)
	}
	top := document.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, f.wrong(top, "must be a mapping with the keys %s", strings.Join(fileKeys, ", "))
	}
	if err := f.plain(top, 0); err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(top.Content); i += 2 {
		if err := f.take(top.Content[i], top.Content[i+1]); err != nil {
			return nil, err
		}
	}
	return f, f.complete()
}

// wrong is an error at a node.
func (f *File) wrong(n *yaml.Node, format string, args ...any) *fault.Error {
	e := fault.Usagef(format, args...)
	e.Place = fault.Place{File: f.Path, Line: int64(n.Line), Row: fault.NoRow}
	return e
}

// plain refuses what a pipeline file has no use for: aliases, which can make a small file endless, and keys given twice.
func (f *File) plain(n *yaml.Node, depth int) error {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return f.wrong(n, "anchors and aliases are not taken").Do("write the value where it belongs")
	case depth > maxDepth:
		return f.wrong(n, "lists and mappings lie more than %d deep", maxDepth)
	case n.Kind == yaml.MappingNode:
		seen := make(map[string]bool)
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || seen[key.Value] {
				return f.wrong(key, "the key %q is there twice, or is no plain text", key.Value)
			}
			seen[key.Value] = true
		}
	}
	for _, c := range n.Content {
		if err := f.plain(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// take books one key of the file.
func (f *File) take(key, value *yaml.Node) error {
	switch {
	case !slices.Contains(fileKeys, key.Value):
		err := f.wrong(key, "unknown key %q", key.Value)
		if near := fault.Nearest(key.Value, fileKeys); near != "" {
			return err.Do("did you mean %q?", near)
		}
		return err.Do("the keys are %s", strings.Join(fileKeys, ", "))
	case key.Value == "output":
		if value.Kind != yaml.ScalarNode || value.Value == "" {
			return f.wrong(value, "output must be the name of a folder")
		}
		if strings.Contains(value.Value, "{") {
			return f.wrong(value, "output is the folder of all months: %q names one of them", value.Value).Do("leave the month out of it")
		}
		f.output = f.path(value.Value)
		return nil
	case key.Value == "export" && value.Kind == yaml.SequenceNode:
		if len(value.Content) > maxExports {
			return f.wrong(value, "%d exports, at most %d are allowed", len(value.Content), maxExports)
		}
		for _, item := range value.Content {
			if err := f.addSection(key.Value, item); err != nil {
				return err
			}
		}
		return nil
	case key.Value == "customers":
		flags, err := f.mapping(key.Value, value)
		if err != nil {
			return err
		}
		f.data, f.customers, err = f.inputs(flags, "data")
		return err
	}
	return f.addSection(key.Value, value)
}

func (f *File) addSection(command string, value *yaml.Node) error {
	flags, err := f.mapping(command, value)
	if err != nil {
		return err
	}
	if command == "rfm" {
		if f.transactions, flags, err = f.inputs(flags, "transactions"); err != nil {
			return err
		}
		if f.transactions == nil {
			return f.wrong(value, "rfm needs transactions").Do("for example transactions: tx/{month}/*.parquet")
		}
	}
	f.sections[command] = append(f.sections[command], &section{command: command, flags: flags, line: value.Line})
	return nil
}

// mapping is a section's flags; nil where it has none.
func (f *File) mapping(name string, value *yaml.Node) (*yaml.Node, error) {
	switch {
	case value.Kind == yaml.MappingNode:
		return value, nil
	case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
		return nil, nil
	}
	return nil, f.wrong(value, "%s must be a mapping from flags to values", name)
}

// inputs takes the key that names data out of a mapping.
func (f *File) inputs(flags *yaml.Node, name string) ([]string, *yaml.Node, error) {
	if flags == nil {
		return nil, nil, nil
	}
	rest := *flags
	rest.Content = nil
	var list []string
	for i := 0; i+1 < len(flags.Content); i += 2 {
		key, value := flags.Content[i], flags.Content[i+1]
		if key.Value != name {
			rest.Content = append(rest.Content, key, value)
			continue
		}
		items := value.Content
		if value.Kind != yaml.SequenceNode {
			items = []*yaml.Node{value}
		}
		for _, item := range items {
			if item.Kind != yaml.ScalarNode || item.Value == "" {
				return nil, nil, f.wrong(item, "%s must be the name of a file, folder or glob, or a list of them", name)
			}
			list = append(list, item.Value)
		}
	}
	return list, &rest, nil
}

// path makes a name in the file one that the process can use.
func (f *File) path(name string) string {
	if filepath.IsAbs(name) || strings.Contains(name, "://") {
		return name
	}
	return filepath.Join(f.folder, name)
}

// complete holds that all is there that a month needs.
func (f *File) complete() error {
	missing := func(format string, args ...any) error {
		return fault.Usagef("%s: "+format, append([]any{f.Path}, args...)...)
	}
	switch {
	case f.output == "":
		return missing("has no output: the folder that months are written to")
	case f.sections["fit"] == nil:
		return missing("has no fit")
	case f.transactions == nil && f.data == nil:
		return missing("has neither rfm with transactions, nor customers with data")
	case f.transactions != nil && f.data != nil:
		return missing("has customers with data as well as rfm, which makes them")
	}
	return nil
}
