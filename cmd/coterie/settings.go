package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// configLimit bounds what is read of a configuration file.
const configLimit = 1 << 20

// origin is where a flag has its value from. The stronger is the greater.
type origin int

const (
	byDefault origin = iota
	byFile
	byEnvironment
	byLine
)

// settle fills in the flags that the command line leaves open: from the environment, else from the file of --config.
// The whole file is checked, also the keys that are overruled.
func (app *App) settle(cmd *cobra.Command) error {
	app.origins = make(map[string]origin)
	cmd.Flags().Visit(func(f *pflag.Flag) { app.origins[f.Name] = byLine })
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if err == nil && settable(f) && app.origins[f.Name] == byDefault {
			if err = app.fromEnvironment(f); f.Changed {
				app.origins[f.Name] = byEnvironment
			}
		}
	})
	if err != nil {
		return err
	}
	if app.config != "" {
		document, err := readConfig(app.config)
		if err != nil {
			return err
		}
		if err := app.fromFile(cmd, section{file: app.config, keys: document}); err != nil {
			return err
		}
	}
	for _, s := range app.sections {
		if err := app.fromFile(cmd, s); err != nil {
			return err
		}
	}
	return nil
}

// section is a mapping from flags to values that stands in a file.
type section struct {
	file string
	keys *yaml.Node // nil: none
	// shared means that the section is for several commands: keys that this one does not have are for the others.
	shared bool
}

// settable says whether a flag can be set from elsewhere.
func settable(f *pflag.Flag) bool { return !f.Hidden && f.Name != "help" && f.Name != "version" }

// spellings are the names under which a flag can be set from elsewhere: its own and its short form.
func spellings(f *pflag.Flag) []string {
	if f.Shorthand == "" || f.Shorthand == f.Name {
		return []string{f.Name}
	}
	return []string{f.Name, f.Shorthand}
}

// fromEnvironment sets a flag from COTERIE_<FLAG>. An empty variable counts as none.
func (app *App) fromEnvironment(f *pflag.Flag) error {
	set := ""
	for _, name := range spellings(f) {
		variable := "COTERIE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		value := app.env[variable]
		switch {
		case value == "":
			continue
		case set != "" && app.env[set] != value:
			return fault.Usagef("%s: %s is %q but %s is %q", spelled(f), set, app.env[set], variable, value).
				Do("unset one of them")
		case set != "":
			continue
		}
		if err := f.Value.Set(value); err != nil {
			return badValue(f, variable, value, err)
		}
		f.Changed = true
		set = variable
	}
	return nil
}

// fromFile sets the flags that have no value yet from a section of a file.
func (app *App) fromFile(cmd *cobra.Command, s section) error {
	document := s.keys
	if document == nil {
		return nil
	}
	flags := make(map[string]*pflag.Flag)
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if settable(f) && f.Name != "config" {
			known = append(known, f.Name)
			for _, name := range spellings(f) {
				flags[name] = f
			}
		}
	})
	seen := make(map[string]*yaml.Node)
	for i := 0; i+1 < len(document.Content); i += 2 {
		key, value := document.Content[i], document.Content[i+1]
		f := flags[key.Value]
		if f == nil && s.shared {
			continue
		}
		if f == nil || key.Kind != yaml.ScalarNode {
			return s.unknownKey(cmd, key, known)
		}
		if first := seen[f.Name]; first != nil {
			return fault.Usagef("%s: %s is set on line %d and on line %d", s.file, f.Name, first.Line, key.Line)
		}
		seen[f.Name] = key
		taken := app.origins[f.Name] > byFile || s.shared && app.origins[f.Name] == byFile // a step's own key is stronger
		if err := s.fromNode(f, key, value, taken); err != nil {
			return err
		}
		if !taken {
			app.origins[f.Name] = byFile
		}
	}
	return nil
}

func (s section) unknownKey(cmd *cobra.Command, key *yaml.Node, known []string) error {
	err := fault.Usagef("%s: line %d: unknown key %q for %s", s.file, key.Line, key.Value, cmd.CommandPath())
	if near := fault.Nearest(key.Value, known); near != "" {
		return err.Do("did you mean %q?", near)
	}
	return err.Do("the keys are the flags of %s without their dashes", cmd.CommandPath())
}

// fromNode sets one flag from its value in the file. A flag that is taken keeps its value, but the file's must have
// the right form.
func (s section) fromNode(f *pflag.Flag, key, value *yaml.Node, taken bool) error {
	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	from := fmt.Sprintf("%s, line %d", s.file, key.Line)
	text, list, err := plainValue(value)
	if err != nil {
		return fault.Usagef("%s: %s %v", from, key.Value, err)
	}
	if list == nil {
		if !taken {
			if err := f.Value.Set(text); err != nil {
				return badValue(f, from, text, err)
			}
			f.Changed = true
		}
		return nil
	}
	many, ok := f.Value.(pflag.SliceValue)
	if !ok {
		return fault.Usagef("%s: %s takes one value, not a list", from, key.Value)
	}
	if !taken {
		if err := many.Replace(list); err != nil {
			return badValue(f, from, strings.Join(list, ","), err)
		}
		f.Changed = true
	}
	return nil
}

// plainValue is a scalar as it is written, or a list of scalars (never nil for a list).
func plainValue(node *yaml.Node) (text string, list []string, err error) {
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
		return "", nil, fmt.Errorf("has no value")
	case node.Kind == yaml.ScalarNode:
		return node.Value, nil, nil
	case node.Kind != yaml.SequenceNode:
		return "", nil, fmt.Errorf("must be a value or a list of values")
	}
	list = []string{}
	for _, item := range node.Content {
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			return "", nil, fmt.Errorf("has an item on line %d that is not a plain value", item.Line)
		}
		list = append(list, item.Value)
	}
	return "", list, nil
}

// readConfig parses a configuration file; nil if it holds nothing.
func readConfig(path string) (*yaml.Node, error) {
	data, err := store.ReadInput(store.ProcessContext(), path, configLimit)
	switch {
	case err != nil:
		return nil, fault.Usagef("--config: %v", err).Do("give the path of a YAML file")
	case len(data) > configLimit:
		return nil, fault.Usagef("--config: %s is larger than %d bytes", path, configLimit)
	}
	return parseConfig(path, data)
}

// parseConfig is the mapping that data holds; nil for an empty document.
func parseConfig(path string, data []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	var document, more yaml.Node
	switch err := decoder.Decode(&document); {
	case err == io.EOF:
		return nil, nil
	case err != nil:
		return nil, fault.Usagef("--config: %s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(&more); err != io.EOF {
		return nil, fault.Usagef("--config: %s holds more than one document", path)
	}
	if len(document.Content) == 0 {
		return nil, nil
	}
	top := document.Content[0]
	if top.Kind == yaml.ScalarNode && top.Tag == "!!null" {
		return nil, nil
	}
	if top.Kind != yaml.MappingNode {
		return nil, fault.Usagef("--config: %s must be a mapping from flags to values", path).Do("for example: seed: 7")
	}
	return top, nil
}
