package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/synth"
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/progress"
)

// synthFlags are the flags of coterie synth; 0 stands for what was not given.
type synthFlags struct {
	rows, seed, d, centers int64
	customers              int64
	spread                 float64
	threads                int64
	output                 string
	json                   bool
}

// synthDocument is the result of synth --json.
type synthDocument struct {
	Rows    int64 `json:"rows"`
	Columns int   `json:"columns"`
}

// newSynthCommand is coterie synth.
func newSynthCommand(app *App) *cobra.Command {
	o := &synthFlags{}
	cmd := &cobra.Command{
		Use:   "synth KIND",
		Short: "Make up a table: " + strings.Join(synth.Kinds(), ", "),
		Long: "synth makes up rows to try things on. customers have known groups in true_segment, transactions look as a till\n" +
			"writes them, blobs are round groups of points, uniform points have no groups; neither has load, which\n" +
			"is the cheapest to make, for load tests. The same seed gives the same rows whatever the number of threads and the\n" +
			"format.",
		Example:   "  coterie synth customers -n 100000 -o customers.parquet\n  coterie synth blobs -n 1e6 -d 16 --centers 20 -o blobs.npy",
		ValidArgs: synth.Kinds(),
		Args:      exactArgs("KIND: " + strings.Join(synth.Kinds(), ", ")),
		RunE:      func(cmd *cobra.Command, args []string) error { return o.run(cmd, app, args[0]) },
	}
	flags := cmd.Flags()
	flags.VarP(newWhole(&o.rows, 0, 1, math.MaxInt64), "rows", "n", "how many `ROWS` to make")
	flags.StringVarP(&o.output, "output", "o", "", "the table: `FILE`.csv, .csv.gz, .csv.zst, .parquet or .npy; - for CSV on standard output")
	flags.Var(newWhole(&o.seed, 0, 0, math.MaxInt64), "seed", "other `SEED`s give other rows")
	flags.Var(newWhole(&o.customers, 0, 1, math.MaxInt64), "customers", "`C` customers who may buy in transactions, not all of whom do (default one for 90 rows)")
	flags.VarP(newWhole(&o.d, 0, 1, math.MaxInt32), "d", "d", fmt.Sprintf("`D` columns x0, x1, … of blobs, uniform and load (default %d)", synth.DefaultD))
	flags.Var(newWhole(&o.centers, 0, 1, math.MaxInt32), "centers", fmt.Sprintf("`C` groups of blobs (default %d)", synth.DefaultCenters))
	flags.Var(newReal(&o.spread, 0, 0), "spread", fmt.Sprintf("the standard deviation `S` of blobs around their centers (default %g)", synth.DefaultSpread))
	bindThreads(cmd, &o.threads)
	addJSON(cmd, &o.json)
	require(cmd, "rows", "output")
	return cmd
}

// open checks the flags and gives the table to write.
func (o *synthFlags) open(cmd *cobra.Command, kind string) (dataset.Source, error) {
	if near := fault.Nearest(kind, synth.Kinds()); near != "" && near != kind {
		return nil, fault.Usagef("KIND: %q is none of %s", kind, strings.Join(synth.Kinds(), ", ")).Do("did you mean %q?", near)
	}
	if cmd.Flags().Changed("spread") && o.spread == 0 {
		return nil, fault.Usagef(`--spread: "0" must be more than 0`)
	}
	if err := checkStdout(o.json, o.output); err != nil {
		return nil, err
	}
	if err := checkOutput("-o", o.output, tables...); err != nil {
		return nil, err
	}
	return synth.New(kind, synth.Options{Rows: o.rows, Seed: uint64(o.seed), Customers: o.customers, D: int(o.d), Centers: int(o.centers), Spread: o.spread})
}

func (o *synthFlags) run(cmd *cobra.Command, app *App, kind string) error {
	source, err := o.open(cmd, kind)
	if err != nil {
		return err
	}
	defer source.Close()
	report := app.reporter()
	defer report.Close()
	report.Phase("write", source.Rows())
	if err := copyTable(cmd.Context(), source, o.output, int(o.threads), report); err != nil {
		return err
	}
	report.Close()
	if o.output == stdio {
		return nil
	}
	app.tellNameless(source.Schema(), o.output)
	document := synthDocument{source.Rows(), len(source.Schema().Columns)}
	return app.answer(o.json, document, func(w io.Writer) {
		fmt.Fprintf(w, "%s rows × %d columns in %s\n", grouped(document.Rows), document.Columns, o.output)
	})
}

// tellNameless says which columns of an .npy file are not to be clustered on: it holds no names, and a fit would take
// the id and the group for features.
func (app *App) tellNameless(schema *dataset.Schema, path string) {
	if app.quiet || !strings.EqualFold(filepath.Ext(path), ".npy") {
		return
	}
	var parts []string
	for i, c := range schema.Columns {
		if c.Name == "id" || c.Name == "true_segment" {
			parts = append(parts, fmt.Sprintf("%s becomes x%d", c.Name, i))
		}
	}
	app.warn("an .npy file holds no column names: %s (name the others with --features when you cluster)",
		strings.Join(parts, " and "))
}

// copyTable writes all rows of a source to path. The rows are read by threads goroutines (0: one for each core) and
// written in order.
func copyTable(ctx context.Context, source dataset.Source, path string, threads int, report progress.Reporter) error {
	var header []table.Column
	var fields []dataset.Field
	for i, c := range source.Schema().Columns {
		column, as := written(c)
		header = append(header, column)
		fields = append(fields, dataset.Field{Column: i, As: as})
	}
	out, err := table.Create(path, header, table.Options{Rows: source.Rows()})
	if err != nil {
		return err
	}
	defer out.Abort()
	err = inOrder(ctx, source, fields, threads, func(block *dataset.Block) error {
		report.Add(int64(block.Rows))
		return writeBlock(out, block)
	})
	if err != nil {
		return err
	}
	return out.Commit()
}

// written is how a column of a source stands in a table, and how it is read for that.
func written(c dataset.Column) (table.Column, dataset.As) {
	switch {
	case c.Kind == dataset.Number && c.Integer:
		return table.Column{Name: c.Name, Type: table.Int64}, dataset.AsID
	case c.Kind == dataset.Number && c.Float32:
		return table.Column{Name: c.Name, Type: table.Float32}, dataset.AsNumber
	case c.Kind == dataset.Number:
		return table.Column{Name: c.Name, Type: table.Float64}, dataset.AsNumber
	case c.Kind == dataset.Time:
		return table.Column{Name: c.Name, Type: table.Time}, dataset.AsTime
	default:
		return table.Column{Name: c.Name, Type: table.Text, Nullable: true}, dataset.AsText
	}
}

// inOrder gives all rows of a source to each, in order and from one goroutine, a block at a time. Block b is made by
// goroutine b mod threads, which then waits until each is done with it: the memory is one block for each thread.
func inOrder(ctx context.Context, source dataset.Source, fields []dataset.Field, threads int, each func(*dataset.Block) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	blocks := (source.Rows() + dataset.BlockRows - 1) / dataset.BlockRows
	lanes := make([]lane, min(int64(threads), max(blocks, 1)))
	for i := range lanes {
		lanes[i] = lane{made: make(chan made), done: make(chan struct{})}
		readers.Go(func() {
			for b := int64(i); b < blocks; b += int64(len(lanes)) {
				if !lanes[i].make(ctx, source, fields, b) {
					return
				}
			}
		})
	}
	for b := range blocks {
		l := &lanes[b%int64(len(lanes))]
		var next made
		select {
		case next = <-l.made:
		case <-ctx.Done():
			return ctx.Err()
		}
		if next.err != nil {
			return next.err
		}
		if err := each(next.block); err != nil {
			return err
		}
		select {
		case l.done <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// made is one block on its way to the writer.
type made struct {
	block *dataset.Block
	err   error
}

// lane joins a goroutine that makes blocks to the one that writes them.
type lane struct {
	made chan made
	done chan struct{} // the writer needs the block no more
}

// make makes block b and waits until it is written; false ends the lane.
func (l *lane) make(ctx context.Context, source dataset.Source, fields []dataset.Field, b int64) bool {
	first := b * dataset.BlockRows
	rows := min(dataset.BlockRows, source.Rows()-first)
	var next made
	reader, err := source.Read(ctx, first, rows, fields)
	if err == nil {
		defer reader.Close()
		next.block, err = reader.Next()
	}
	if err == nil && int64(next.block.Rows) != rows {
		err = errors.New("a block is shorter than the rows asked for")
	}
	next.err = err
	select {
	case l.made <- next:
	case <-ctx.Done():
		return false
	}
	select {
	case <-l.done:
		return true
	case <-ctx.Done():
		return false
	}
}
