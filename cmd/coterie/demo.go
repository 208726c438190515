package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/pipeline"
)

// newDemoCommand is coterie demo.
func newDemoCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Make customers, find their segments and show them: no files, no flags",
		Args:  exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			reporter := app.reporter()
			engine := engineFlags{}
			out, err := pipeline.Demo(cmd.Context(), engine.request(app, reporter), version())
			reporter.Close()
			if err != nil {
				return err
			}
			return app.answer(false, nil, func(w io.Writer) {
				m := out.Fit.Model
				fmt.Fprintf(w, "%s made customers, 4 workers, %d segments in %.1f s\n\n", grouped(m.Rows), m.K, out.Fit.Seconds.Total)
				fmt.Fprint(w, out.Table)
				fmt.Fprintf(w, "\nThe same as a page, to open in a browser:\n%s\n", out.Page)
			})
		},
	}
}
