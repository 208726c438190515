package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/trace"
)

// daemons are the commands that have no end of their own: jobs are traced under who submits them.
var daemons = []string{"coordinator", "worker", "serve"}

// trace sets spans up as the environment says, and begins that of the command, under the TRACEPARENT of who called the program.
func (app *App) trace(cmd *cobra.Command) {
	daemon := slices.Contains(daemons, cmd.Name())
	service := "coterie"
	if daemon {
		service += "-" + cmd.Name()
	}
	if !trace.On() { // else this command is a step of another
		app.endTraces = trace.Setup(cmd.Context(), trace.Options{Service: service, Version: version(), Lookup: func(name string) string { return app.env[name] },
			Problem: app.tracesLost})
	}
	if daemon || !trace.On() {
		return
	}
	ctx := cmd.Context()
	if trace.ID(ctx) == "" {
		ctx = trace.Remote(ctx, app.env["TRACEPARENT"])
	}
	ctx, app.span = trace.Start(ctx, cmd.CommandPath())
	cmd.SetContext(ctx)
}

// traced ends what trace began.
func (app *App) traced(err error) {
	app.span.End(err)
	if app.endTraces != nil {
		app.endTraces()
	}
}

// tracesLost tells why spans go nowhere: the work goes on.
func (app *App) tracesLost(err error) {
	switch log := app.log.Load(); {
	case log != nil:
		log.Warn("traces lost", "error", err)
	case !app.quiet:
		app.warn("traces are lost, the work goes on: %v", err)
	}
}
