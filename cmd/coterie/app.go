package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/progress"
	"github.com/coterie-project/coterie/internal/trace"
)

// App is one run of the program: its streams, its environment and the settings that every command has.
type App struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer

	env      map[string]string
	quiet    bool
	progress string            // auto, bar, plain, json or none
	config   string            // the file of --config; empty = none
	origins  map[string]origin // where the command's flags have their values from, by name
	working  bool              // the command itself has begun: an error is no longer a wrong call
	sections []section         // of files other than that of --config, with values for the command's flags
	objects  object.Options    // of the service that s3:// names lie in
	checking bool              // the command is not to be done: only its flags are looked at

	span      *trace.Span                 // of the command
	endTraces func()                      // nil: there is nothing to end
	log       atomic.Pointer[slog.Logger] // of a command that runs on and on; nil for others
}

// errChecked ends a command whose flags alone were looked at: they are right.
var errChecked = errors.New("the flags are right")

// newApp makes an App; environ has the form of os.Environ.
func newApp(stdin io.Reader, stdout, stderr io.Writer, environ []string) *App {
	app := &App{Stdin: stdin, Stdout: stdout, Stderr: stderr, env: make(map[string]string, len(environ))}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			app.env[name] = value
		}
	}
	return app
}

// execute does what args say.
func (app *App) execute(ctx context.Context, args []string) error {
	root := newRoot(app)
	if args == nil {
		args = []string{} // cobra reads os.Args where it finds nil
	}
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	app.traced(err)
	known := (*fault.Error)(nil)
	if err != nil && !app.working && !errors.As(err, &known) && !errors.Is(err, errChecked) {
		err = fault.Usagef("%v", err)
	}
	return err
}

// run executes args and returns the exit code; an error is one line on Stderr.
func (app *App) run(ctx context.Context, args []string) int {
	err := app.execute(ctx, args)
	if err == nil {
		return 0
	}
	known := (*fault.Error)(nil)
	if ctx.Err() != nil {
		text := "interrupted"
		if errors.As(err, &known) && known.Kind == fault.Interrupted {
			text = known.Error() // it says how to go on
		}
		app.complain(text)
		return int(fault.Interrupted)
	}
	app.complain(err.Error())
	return fault.Code(err)
}

// complain prints the one line that says why the program fails.
func (app *App) complain(text string) {
	prefix := "coterie:"
	if app.colour() {
		prefix = "\x1b[1;31mcoterie:\x1b[0m"
	}
	fmt.Fprintf(app.Stderr, "%s %s\n", prefix, flattened(text))
}

// warn prints a line on Stderr about what is not wrong enough to stop.
func (app *App) warn(format string, args ...any) {
	fmt.Fprintf(app.Stderr, "coterie: %s\n", flattened(fmt.Sprintf(format, args...)))
}

// terminal says whether w is a terminal that can move its cursor.
func (app *App) terminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && app.env["TERM"] != "dumb" && term.IsTerminal(int(file.Fd()))
}

// colour says whether Stderr may be coloured: see no-color.org.
func (app *App) colour() bool { return app.env["NO_COLOR"] == "" && app.terminal(app.Stderr) }

// reporter opens the progress report that the user asked for. The caller closes it before printing a result.
func (app *App) reporter() progress.Reporter {
	kind := progress.Kind(app.progress)
	switch {
	case app.quiet:
		kind = progress.None
	case app.progress == "auto" && app.terminal(app.Stderr):
		kind = progress.Bar
	case app.progress == "auto":
		kind = progress.Plain
	}
	return progress.New(kind, app.Stderr)
}

// newRoot is the tree of all commands.
func newRoot(app *App) *cobra.Command {
	root := &cobra.Command{
		Use:   "coterie",
		Short: "Find groups of similar customers, exactly and at any size",
		Long: "Coterie divides customers into segments with k-means. The same data, configuration and seed give the\n" +
			"same bits on any number of threads, workers and machines.",
		Version:           version(),
		Args:              noSuchCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: app.prepare,
	}
	root.SetIn(app.Stdin)
	root.SetOut(app.Stdout)
	root.SetErr(app.Stderr)
	root.SetVersionTemplate("coterie {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	flags := root.PersistentFlags()
	flags.StringVar(&app.config, "config", "", "`FILE`.yaml with a value for any flag of the command")
	flags.BoolVar(&app.quiet, "quiet", false, "no progress and no notes on standard error")
	flags.Var(newChoice(&app.progress, "auto", "auto", "bar", "plain", "json", "none"), "progress",
		"how to show progress on standard error; auto is bar on a terminal, else plain")
	bindObjects(flags, &app.objects)
	flags.SortFlags = false
	for _, add := range commands {
		command := add(app)
		command.Flags().SortFlags = false
		completeChoices(command, command.Flags())
		root.AddCommand(command)
	}
	completeChoices(root, flags)
	root.SetHelpCommand(newHelpCommand(app))
	return root
}

// prepare is done for every command once its arguments are parsed: the settings from elsewhere, what must be there,
// and the kernel.
func (app *App) prepare(cmd *cobra.Command, _ []string) error {
	if strings.HasPrefix(cmd.Name(), "__") {
		return nil // a shell asks for completions
	}
	if err := app.settle(cmd); err != nil {
		return err
	}
	if err := checkRequired(cmd); err != nil {
		return err
	}
	if app.checking {
		return errChecked
	}
	if err := app.chooseKernel(); err != nil {
		return err
	}
	object.Configure(app.objects)
	app.working = true
	app.trace(cmd)
	return nil
}
