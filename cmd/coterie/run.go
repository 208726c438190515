package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/monthly"
	"github.com/coterie-project/coterie/kmeans"
)

// runFlags are those of coterie run.
type runFlags struct {
	month  string
	force  bool
	dryRun bool
	json   bool
}

// newRunCommand is coterie run.
func newRunCommand(app *App) *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run FILE.yaml",
		Short: "Do a month as a pipeline file says: from transactions to segments, moves and lists",
		Long: "Run does the steps of a pipeline file in this order: rfm, check, fit, assign, profile, migrate, export. A step's keys\n" +
			"are the flags of that command. {month}, {year}, {mm} and {as_of} (the day after the month) stand for the month.\n\n" +
			"The results appear whole, in a folder named for the month, with a manifest. A month that is there and up to date is\n" +
			"left alone; a step or a gate that fails leaves everything as it was. Fit goes on from the newest month before.",
		Example: "  coterie run segments.yaml --month 2026-10\n" +
			"  coterie run segments.yaml --month 2026-10 --dry-run",
		Args: exactArgs("FILE.yaml"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), app, cmd.Root(), args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.month, "month", "", "the month to do: `YYYY-MM` (default: the last one that is over)")
	flags.BoolVar(&f.force, "force", false, "do it again even if it is up to date")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the commands, and do nothing")
	addJSON(cmd, &f.json)
	return cmd
}

// runDocument is what run --json prints.
type runDocument struct {
	Month    string           `json:"month"`
	Last     *string          `json:"last"`
	Folder   string           `json:"folder"`
	UpToDate bool             `json:"up_to_date"`
	Steps    []monthly.Done   `json:"steps"`
	Outputs  []monthly.Output `json:"outputs"`
}

func (f *runFlags) run(ctx context.Context, app *App, root *cobra.Command, path string) error {
	month := monthly.MonthBefore(time.Now())
	if f.month != "" {
		var err error
		if month, err = monthly.ParseMonth(f.month); err != nil {
			return err
		}
	}
	if f.dryRun && f.json {
		return fault.Usagef("--dry-run: prints commands, not --json").Do("leave one of them out")
	}
	file, err := monthly.ReadFile(path)
	if err != nil {
		return err
	}
	program := commandProgram{app, root}
	r := &monthly.Request{File: file, Month: month, Force: f.force, Version: version(), Arithmetic: kmeans.Arithmetic, Settings: app.settings()}
	if f.dryRun {
		calls, err := monthly.Calls(ctx, r, program)
		if err != nil {
			return err
		}
		return app.answer(false, nil, func(w io.Writer) {
			for _, c := range calls {
				fmt.Fprintln(w, program.commandLine(c))
			}
		})
	}
	if !app.quiet {
		r.Began = func(c *monthly.Call) { fmt.Fprintln(app.Stderr, flattened(fmt.Sprintf("%s: %s", month, c.Command))) }
	}
	outcome, err := monthly.Run(ctx, r, program)
	if err != nil {
		return err
	}
	m := outcome.Manifest
	doc := runDocument{Month: m.Month, Folder: outcome.Folder, UpToDate: outcome.UpToDate, Steps: m.Steps, Outputs: m.Outputs}
	if m.Last != "" {
		doc.Last = &m.Last
	}
	return app.answer(f.json, doc, func(w io.Writer) { writeRun(w, outcome) })
}

func writeRun(w io.Writer, o *monthly.Outcome) {
	m := o.Manifest
	if o.UpToDate {
		fmt.Fprintf(w, "%s is up to date: %s\n", m.Month, o.Folder)
		return
	}
	since := "the first month"
	if m.Last != "" {
		since = "since " + m.Last
	}
	total := 0.0
	for _, s := range m.Steps {
		total += s.Seconds
	}
	fmt.Fprintf(w, "%s, %s: %d steps in %.1f s\n", m.Month, since, len(m.Steps), total)
	width := 0
	for _, out := range m.Outputs {
		width = max(width, len(out.Name))
	}
	for _, out := range m.Outputs {
		fmt.Fprintf(w, "  %-*s  %12s bytes\n", width, out.Name, grouped(out.Bytes))
	}
	fmt.Fprintf(w, "folder  %s\n", o.Folder)
}

// settings are the variables of the environment that can change what a month comes to, sorted.
func (app *App) settings() []string {
	list := []string{}
	for name, value := range app.env {
		switch flag, ours := strings.CutPrefix(name, "COTERIE_"); {
		case !ours || value == "":
		case slices.Contains([]string{"THREADS", "WORKERS", "KERNEL", "QUIET", "PROGRESS", "CONFIG", "JSON", "MONTH", "FORCE", "DRY_RUN"}, flag):
		default:
			list = append(list, name+"="+value)
		}
	}
	slices.Sort(list)
	return list
}

// commandProgram runs the commands of this program.
type commandProgram struct {
	app  *App
	root *cobra.Command
}

// Knows implements monthly.Program.
func (p commandProgram) Knows(command, flag string) bool {
	cmd, _, err := p.root.Find([]string{command})
	return err == nil && cmd.Flags().Lookup(flag) != nil
}

// Check implements monthly.Program.
func (p commandProgram) Check(ctx context.Context, c *monthly.Call) error {
	if c.Flags != nil {
		for i := 0; i+1 < len(c.Flags.Content); i += 2 {
			if key := c.Flags.Content[i]; slices.Contains(c.Taken, key.Value) {
				return fault.Usagef("%s: line %d: %s of %s is not for the file to set", c.File, key.Line, key.Value, c.Command).
					Do("leave it out: the month decides")
			}
		}
	}
	app := p.sub(c, io.Discard)
	app.checking = true
	if err := app.execute(ctx, p.arguments(c)); !errors.Is(err, errChecked) {
		return err
	}
	return nil
}

// Do implements monthly.Program.
func (p commandProgram) Do(ctx context.Context, c *monthly.Call) ([]byte, error) {
	var out bytes.Buffer
	err := p.sub(c, &out).execute(ctx, p.arguments(c))
	return out.Bytes(), err
}

// sub is an App for one call.
func (p commandProgram) sub(c *monthly.Call, out io.Writer) *App {
	app := newApp(strings.NewReader(""), out, p.app.Stderr, nil)
	app.env = p.app.env
	app.sections = []section{{file: c.File, keys: c.Flags}, {file: c.File, keys: c.Shared, shared: true}}
	return app
}

func (p commandProgram) arguments(c *monthly.Call) []string {
	args := append([]string{c.Command}, c.Args...)
	if p.app.quiet {
		args = append(args, "--quiet")
	}
	return append(args, "--progress="+p.app.progress)
}

// commandLine is a call as it would be typed.
func (p commandProgram) commandLine(c *monthly.Call) string {
	words := []string{"coterie", c.Command}
	for _, a := range c.Args {
		if a != "--json" {
			words = append(words, quoted(a))
		}
	}
	own := make(map[string]bool)
	for _, n := range []*yaml.Node{c.Flags, c.Shared} {
		if n == nil {
			continue
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i].Value, n.Content[i+1]
			if own[key] || n == c.Shared && !p.Knows(c.Command, key) {
				continue
			}
			own[key] = true
			items := []string{value.Value}
			if value.Kind == yaml.SequenceNode {
				items = nil
				for _, item := range value.Content {
					items = append(items, item.Value)
				}
			}
			words = append(words, "--"+key+"="+quoted(strings.Join(items, ",")))
		}
	}
	return strings.Join(words, " ")
}
