package monthly

import (
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Call is one command to run.
type Call struct {
	Command string
	Args    []string // inputs, and the flags that the month decides on
	// Flags are those of the file, a mapping with the month filled in; nil: none. The command must know them all.
	Flags *yaml.Node
	// Shared are flags of the file for every step that reads customers, of which the command may know some; nil: none.
	Shared *yaml.Node
	// Taken are the flags that the month decides on, which the file must not set.
	Taken []string
	// File is the pipeline file's name, for messages.
	File string
	// result is the file that the command's answer is kept in; "": in the manifest alone.
	result string
}

// The names in a month's folder.
const (
	customersFile = "customers.parquet"
	modelFile     = "model.json"
	labelsFile    = "labels.parquet"
	manifestFile  = "manifest.json"
	checkFile     = "check.json"
	reportFile    = "report.html"
	profileFile   = "profile.json"
	flowsFile     = "migration.html"
	movesFile     = "migration.json"
	moversFile    = "movers.parquet"
)

// ownFiles are the names that exports must not take.
var ownFiles = []string{customersFile, modelFile, labelsFile, manifestFile, checkFile, reportFile, profileFile, flowsFile, movesFile, moversFile}

// pathFlags are flags whose values are files, which lie where the pipeline file does.
var pathFlags = []string{"init", "from", "from-labels", "data", "bad-rows-out"}

// planner makes the calls of a month.
type planner struct {
	file  *File
	month Month
	dir   string // where results go
	last  string // the folder of the last month; "": there is none
	// plain leaves names as they are in the file: a month depends on what is written there, not on where the process runs.
	plain bool
	taken map[string]bool // names of results
	calls []*Call
}

// calls are the commands of a month, in order. dir is where results go, last the folder of the month before, or "".
func (f *File) calls(m Month, dir, last string) ([]*Call, error) {
	return (&planner{file: f, month: m, dir: dir, last: last}).plan()
}

func (p *planner) plan() ([]*Call, error) {
	p.taken = make(map[string]bool)
	for _, name := range ownFiles {
		p.taken[name] = true
	}
	for _, step := range []func() error{p.rfm, p.check, p.fit, p.assign, p.migrate, p.profile, p.exports} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p.calls, nil
}

// at is a file of the month that is made.
func (p *planner) at(name string) string { return filepath.Join(p.dir, name) }

// add makes a call of a section. taken are flags and their values; one without a value is only forbidden to the file.
func (p *planner) add(s *section, inputs []string, result string, taken ...[2]string) error {
	c := &Call{Command: s.command, File: p.file.Path, Args: slices.Clone(inputs), result: result, Taken: []string{"json", "config", "quiet", "progress"}}
	for _, flag := range taken {
		c.Taken = append(c.Taken, flag[0])
		if flag[1] != "" {
			c.Args = append(c.Args, "--"+flag[0]+"="+flag[1])
		}
	}
	c.Args = append(c.Args, "--json")
	var err error
	if c.Flags, err = p.filled(s.flags); err != nil {
		return err
	}
	if s.command != "rfm" {
		c.Shared, err = p.filled(p.file.customers)
	}
	p.calls = append(p.calls, c)
	return err
}

// filled is a copy of flags with the month put into their values.
func (p *planner) filled(n *yaml.Node) (*yaml.Node, error) {
	if n == nil {
		return nil, nil
	}
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		var err error
		if c.Content[i], err = p.filled(child); err != nil {
			return nil, err
		}
	}
	switch c.Kind {
	case yaml.ScalarNode:
		var err error
		if c.Value, err = p.month.fill(c.Value); err != nil {
			return nil, p.file.wrong(n, "%v", err)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(c.Content); i += 2 {
			if slices.Contains(pathFlags, c.Content[i].Value) {
				p.place(c.Content[i+1])
			}
		}
	}
	return &c, nil
}

// place makes the names of files in a flag's value ones that the process can use. What has no extension is a word, such as a
// way to seed.
func (p *planner) place(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && filepath.Ext(n.Value) != "" && !p.plain {
		n.Value = p.file.path(n.Value)
	}
	for _, c := range n.Content {
		p.place(c)
	}
}

// given are the inputs of the month.
func (p *planner) given(names []string) ([]string, error) {
	list := make([]string, len(names))
	for i, name := range names {
		var err error
		if list[i], err = p.month.fill(name); err != nil {
			return nil, p.file.wrong(&yaml.Node{}, "%v", err)
		}
		if !p.plain {
			list[i] = p.file.path(list[i])
		}
	}
	return list, nil
}

// inputs are what the month reads: transactions, or customers.
func (p *planner) inputs() ([]string, error) {
	if p.file.transactions != nil {
		return p.given(p.file.transactions)
	}
	return p.given(p.file.data)
}

// customers are what steps after rfm read.
func (p *planner) customers() ([]string, error) {
	if p.file.transactions != nil {
		return []string{p.at(customersFile)}, nil
	}
	return p.given(p.file.data)
}

// has gives the value of a flag in a section, "" where it has none.
func (s *section) has(flag string) string {
	if s.flags == nil {
		return ""
	}
	for i := 0; i+1 < len(s.flags.Content); i += 2 {
		if s.flags.Content[i].Value == flag {
			return s.flags.Content[i+1].Value
		}
	}
	return ""
}

// only gives the one section of a command; nil if the file has none.
func (p *planner) only(command string) *section {
	if list := p.file.sections[command]; len(list) > 0 {
		return list[0]
	}
	return nil
}

func (p *planner) rfm() error {
	s := p.only("rfm")
	if s == nil {
		return nil
	}
	inputs, err := p.given(p.file.transactions)
	if err != nil {
		return err
	}
	flags := [][2]string{{"output", p.at(customersFile)}}
	if s.has("as-of") == "" {
		flags = append(flags, [2]string{"as-of", p.month.asOf()})
	}
	return p.add(s, inputs, "", flags...)
}

func (p *planner) check() error {
	s := p.only("check")
	if s == nil {
		return nil
	}
	inputs, err := p.customers()
	if err != nil {
		return err
	}
	model := ""
	if p.last != "" {
		model = filepath.Join(p.last, modelFile)
	}
	return p.add(s, inputs, checkFile, [2]string{"model", model})
}

// fit goes on from last month, unless the file says from: none.
func (p *planner) fit() error {
	s := p.only("fit")
	inputs, err := p.customers()
	if err != nil {
		return err
	}
	flags := [][2]string{{"output", p.at(modelFile)}, {"labels", ""}, {"report", ""}, {"detach", ""}}
	switch from := s.has("from"); {
	case from == "none", from == "last", from == "":
		s = s.without("from")
		if p.last != "" && from != "none" {
			flags = append(flags, [2]string{"from", filepath.Join(p.last, modelFile)}, [2]string{"from-labels", filepath.Join(p.last, labelsFile)})
		} else {
			s = s.withoutGates("max-inertia-growth", "min-agreement") // there is nothing to hold it against
		}
	}
	return p.add(s, inputs, "", flags...)
}

// without is a section less one flag.
func (s *section) without(flag string) *section {
	if s.has(flag) == "" {
		return s
	}
	c, flags := *s, *s.flags
	flags.Content = nil
	for i := 0; i+1 < len(s.flags.Content); i += 2 {
		if s.flags.Content[i].Value != flag {
			flags.Content = append(flags.Content, s.flags.Content[i:i+2]...)
		}
	}
	c.flags = &flags
	return &c
}

// withoutGates is a section less some of its gates.
func (s *section) withoutGates(names ...string) *section {
	if s.flags == nil {
		return s
	}
	c, flags := *s, *s.flags
	flags.Content = nil
	for i := 0; i+1 < len(s.flags.Content); i += 2 {
		key, value := s.flags.Content[i], s.flags.Content[i+1]
		if key.Value == "gate" {
			var kept []*yaml.Node
			for _, item := range append([]*yaml.Node{value}, value.Content...) {
				for _, gate := range strings.Split(item.Value, ",") {
					name, _, _ := strings.Cut(strings.TrimSpace(gate), "=")
					if item.Kind == yaml.ScalarNode && !slices.Contains(names, name) {
						one := *item
						one.Value = gate
						kept = append(kept, &one)
					}
				}
			}
			if kept == nil {
				continue
			}
			value = &yaml.Node{Kind: yaml.SequenceNode, Line: value.Line, Content: kept}
		}
		flags.Content = append(flags.Content, key, value)
	}
	c.flags = &flags
	return &c
}

// assign is always done: what comes after it needs the labels.
func (p *planner) assign() error {
	s := p.only("assign")
	if s == nil {
		s = &section{command: "assign"}
	}
	inputs, err := p.customers()
	if err != nil {
		return err
	}
	return p.add(s, inputs, "", [2]string{"model", p.at(modelFile)}, [2]string{"output", p.at(labelsFile)}, [2]string{"detach", ""})
}

func (p *planner) profile() error {
	s := p.only("profile")
	if s == nil {
		return nil
	}
	inputs, err := p.customers()
	if err != nil {
		return err
	}
	flags := [][2]string{{"model", p.at(modelFile)}, {"output", p.at(reportFile)}}
	if p.only("migrate") != nil && p.last != "" {
		flags = append(flags, [2]string{"moves", p.at(movesFile)}) // the page shows where the customers came from
	}
	return p.add(s, inputs, profileFile, flags...)
}

// migrate needs a month to come from. It writes the page, and the movers as a table.
func (p *planner) migrate() error {
	s := p.only("migrate")
	if s == nil || p.last == "" {
		return nil
	}
	for _, out := range []struct{ name, result string }{{flowsFile, movesFile}, {moversFile, ""}} {
		err := p.add(s, nil, out.result, [2]string{"from", filepath.Join(p.last, labelsFile)}, [2]string{"to", p.at(labelsFile)},
			[2]string{"from-model", filepath.Join(p.last, modelFile)}, [2]string{"to-model", p.at(modelFile)}, [2]string{"output", p.at(out.name)})
		if err != nil {
			return err
		}
	}
	return nil
}

// exports are lists of customers, or the model for other systems; each says where it goes.
func (p *planner) exports() error {
	for _, s := range p.file.sections["export"] {
		name := s.has("output")
		if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
			return p.file.wrong(&yaml.Node{Line: s.line}, "export: output is %q, which is not the name of a file", name).
				Do("give a name such as champions.csv; it is written to the month's folder")
		}
		filled, err := p.month.fill(name)
		if err != nil {
			return p.file.wrong(&yaml.Node{Line: s.line}, "%v", err)
		}
		if p.taken[filled] {
			return p.file.wrong(&yaml.Node{Line: s.line}, "export: output is %q, which is the name of another result", filled).Do("choose another name")
		}
		p.taken[filled] = true
		flags := [][2]string{{"model", p.at(modelFile)}, {"output", p.at(filled)}}
		if s.has("as") == "" {
			inputs, err := p.customers()
			if err != nil {
				return err
			}
			flags = append(flags, [2]string{"labels", p.at(labelsFile)})
			for _, in := range inputs {
				flags = append(flags, [2]string{"data", in})
			}
		}
		if err := p.add(s.without("output"), nil, "", flags...); err != nil {
			return err
		}
	}
	return nil
}
