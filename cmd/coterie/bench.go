package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/roofline"
	"github.com/coterie-project/coterie/kmeans"
)

// newBenchCommand is coterie bench with its subcommand.
func newBenchCommand(app *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench roofline",
		Short: "Measure what this machine can do at most",
		Args:  noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fault.Usagef("%s needs roofline", cmd.CommandPath()).Do("usage: %s", cmd.UseLine())
		},
	}
	cmd.AddCommand(newBenchRooflineCommand(app))
	return cmd
}

// rooflineConfig says what is measured; tests measure less.
var rooflineConfig = roofline.Default

// rooflineDocument is the result of bench roofline --json.
type rooflineDocument struct {
	Processor      string         `json:"processor"`
	Kernel         string         `json:"kernel"` // that fits use here; the loops measured are named in each row
	BytesPerThread int64          `json:"bytes_per_thread"`
	Repetitions    int            `json:"repetitions"`
	Threads        []roofline.Row `json:"threads"`
	Notes          []string       `json:"notes"`
}

func newBenchRooflineCommand(app *App) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "roofline",
		Short: "Measure peak arithmetic and memory bandwidth by number of threads",
		Long: "Roofline measures what no program can beat on this machine: float32 multiply-adds (GFLOP/s, each being two\n" +
			"operations) and bytes read from memory (GB/s), for each number of threads. It takes a few seconds and up to a\n" +
			"quarter of the available memory. The best of many short repetitions counts: on a busy machine the median lies below.",
		Example: "  coterie bench roofline\n  coterie bench roofline --json",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := rooflineConfig()
			if err != nil {
				return err
			}
			r, err := roofline.Measure(cmd.Context(), config)
			if err != nil {
				return err
			}
			doc := documentOfRoofline(r)
			return app.answer(asJSON, doc, func(w io.Writer) { writeRoofline(w, doc, app.width()) })
		},
	}
	cmd.Flags().SortFlags = false
	addJSON(cmd, &asJSON)
	return cmd
}

func documentOfRoofline(r *roofline.Report) *rooflineDocument {
	return &rooflineDocument{r.Processor, kmeans.Tier(), r.BytesPerThread, r.Repetitions, r.Rows, append([]string{}, r.Notes...)}
}

func writeRoofline(w io.Writer, doc *rooflineDocument, width int) {
	fmt.Fprintf(w, "%s, kernel %s\n", visible(doc.Processor), doc.Kernel)
	g := newGrid(6, ">threads", ">GFLOP/s", ">median", "loop", ">GB/s", ">median", "loop")
	for _, r := range doc.Threads {
		g.add(fmt.Sprint(r.Threads), fmt.Sprintf("%.1f", r.GFLOPS), fmt.Sprintf("%.1f", r.GFLOPSMedian), r.GFLOPSLoop,
			fmt.Sprintf("%.1f", r.GBytes), fmt.Sprintf("%.1f", r.GBytesMedian), r.GBytesLoop)
	}
	g.write(w, width)
	fmt.Fprintf(w, "the best and the median of %d repetitions of the best loop; memory is read from %s a thread\n",
		doc.Repetitions, inBytes(doc.BytesPerThread))
	for _, note := range doc.Notes {
		fmt.Fprintln(w, note)
	}
}
