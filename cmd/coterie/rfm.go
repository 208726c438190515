package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/dataset/rfm"
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/progress"
	"github.com/coterie-project/coterie/internal/spill"
)

// rfmOptions are the flags of coterie rfm.
type rfmOptions struct {
	rfm.Options
	window  string
	prefix  string
	threads int64
	memory  int64
	output  string
	json    bool
}

// rfmDocument is the result of rfm --json.
type rfmDocument struct {
	RowsRead  int64       `json:"rows_read"`
	RowsUsed  int64       `json:"rows_used"`
	Customers int64       `json:"customers"`
	AsOf      string      `json:"as_of"`
	Dropped   rfm.Dropped `json:"dropped"`
	Columns   rfm.Roles   `json:"columns"`
	Spilled   int64       `json:"spilled_bytes,omitempty"`
}

// newRFMCommand is coterie rfm.
func newRFMCommand(app *App) *cobra.Command {
	o := &rfmOptions{}
	cmd := &cobra.Command{
		Use:   "rfm TRANSACTIONS...",
		Short: "Make one row per customer from transactions: recency, frequency, monetary value",
		Long: "rfm reads what a till or a shop writes, one line for each item sold, and gives one row for each customer.\n" +
			"Every line that is not used is counted, with the reason.\n\n" +
			"While it reads, it keeps about 110 bytes for a customer, the length of the id, and 30 to 60 bytes for each invoice\n" +
			"of a customer after the first, whatever the number of lines; then 60 bytes for a customer and the length of the id. What\n" +
			"does not fit into --memory goes to --spill, where it takes less than that. The result is the same, byte for byte.",
		Example: "  coterie rfm sales.csv.gz -o customers.parquet\n" +
			"  coterie rfm tx/*.parquet --window 365d --as-of 2026-01-01 -o customers.csv",
		Args: someArgs("TRANSACTIONS"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), app, args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.output, "output", "o", "", "the table of customers: `FILE`.csv, .csv.gz, .csv.zst or .parquet; - for CSV on standard output")
	flags.StringVar(&o.Customer, "customer", "", "the column `COL` with the customer (default: found by its name, as are the next four)")
	flags.StringVar(&o.Invoice, "invoice", "", "the column `COL` with the invoice")
	flags.StringVar(&o.Date, "date", "", "the column `COL` with the date")
	flags.StringVar(&o.Quantity, "quantity", "", "the column `COL` with the quantity")
	flags.StringVar(&o.Price, "price", "", "the column `COL` with the price of one piece")
	flags.StringVar(&o.AsOf, "as-of", "", "the day `YYYY-MM-DD` from which recency is counted back (default: the day after the last line used)")
	flags.StringVar(&o.window, "window", "", "leave out lines older than `SPAN` before the as-of day: 365d, 52w (default no limit)")
	flags.StringVar(&o.prefix, "cancelled-prefix", "C", "invoices that begin with `PREFIX` are cancellations; empty: none are")
	flags.Var(newChoice(&o.Returns, "drop", "drop", "net"), "returns", "leave out returned goods, or take them off the customer's items and value")
	flags.StringVar(&o.DateFormat, "date-format", "", "the form of the dates, as `FORMAT` of strptime: %d/%m/%Y %H:%M (default: found from the data)")
	flags.Var(newBytes(&o.memory, 0, 1), "memory", "how many `BYTES` all of it may take, such as 2GiB (default three quarters of this machine's or its control group's)")
	flags.StringVar(&o.Spill, "spill", "", "`DIR` for what does not fit into --memory (default the temporary folder); nothing stays there")
	bindThreads(cmd, &o.threads)
	addJSON(cmd, &o.json)
	require(cmd, "output")
	return cmd
}

// check is what can be said before any data is read.
func (o *rfmOptions) check() error {
	window, err := rfm.ParseWindow(o.window)
	if err != nil {
		return err
	}
	o.Window = window
	if o.AsOf != "" {
		if _, err := time.Parse(time.DateOnly, o.AsOf); err != nil {
			return fault.Usagef("--as-of: %q is not a day", o.AsOf).Do("write it as 2026-01-31")
		}
	}
	o.CancelledPrefix, o.NoCancellations = o.prefix, o.prefix == ""
	o.Threads = int(o.threads)
	if o.Memory = o.memory; o.memory == 0 {
		if limit := spill.Limit(); limit > 0 {
			o.Memory = max(limit, rfm.LeastMemory(o.readers()))
		}
	}
	if err := rfm.CheckMemory(o.Memory, o.readers()); err != nil {
		return err
	}
	if _, _, err := spill.Folder(o.Spill); err != nil {
		return err
	}
	if err := checkStdout(o.json, o.output); err != nil {
		return err
	}
	return checkOutput("-o", o.output, ".csv", ".csv.gz", ".csv.zst", ".parquet")
}

// readers is the number of threads, also where none was given.
func (o *rfmOptions) readers() int {
	if o.threads == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return int(o.threads)
}

// besideHeap is what the process takes that the garbage collector does not count: its code, and threads of the system.
const besideHeap = 32 << 20

func (o *rfmOptions) run(ctx context.Context, app *App, transactions []string) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.Memory > besideHeap {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(o.Memory - besideHeap))
	}
	report := app.reporter()
	defer report.Close()
	result, err := o.count(ctx, app, report, transactions)
	if err != nil {
		return err
	}
	defer result.Close()
	report.Phase("write", result.Customers)
	if err := writeCustomers(ctx, o.output, result, report); err != nil {
		return err
	}
	report.Close()
	if o.output == stdio {
		return nil
	}
	document := rfmDocument{result.RowsRead, result.RowsUsed, result.Customers, result.AsOf.Format(time.DateOnly), result.Dropped, result.Roles, result.SpilledBytes}
	return app.answer(o.json, document, func(w io.Writer) {
		fmt.Fprintf(w, "%s customers from %s of %s lines, as of %s, in %s\n",
			grouped(result.Customers), grouped(result.RowsUsed), grouped(result.RowsRead), document.AsOf, o.output)
		for _, d := range result.Dropped.Counts() {
			if d.Lines > 0 {
				fmt.Fprintf(w, "  %12s lines left out: %s\n", grouped(d.Lines), d.Reason)
			}
		}
		if result.SpilledRuns > 0 {
			fmt.Fprintf(w, "spilled %s in %s runs, beyond %s of memory\n", inBytes(result.SpilledBytes), grouped(result.SpilledRuns), inBytes(o.Memory))
		}
	})
}

// count reads the transactions.
func (o *rfmOptions) count(ctx context.Context, app *App, report progress.Reporter, transactions []string) (*rfm.Result, error) {
	source, err := open.Sources(ctx, transactions, open.Options{Stdin: app.Stdin})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	report.Phase("read", source.Rows())
	told := int64(0)
	o.Progress = func(rows int64) {
		report.Add(rows - told)
		told = rows
	}
	return rfm.Run(ctx, source, o.Options)
}

// customerGroup is the size of a row group of customers in a Parquet file, in bytes of memory: several of them must leave
// room to the customers that are still to come.
const customerGroup = 16 << 20

// writeCustomers writes the table of a result.
func writeCustomers(ctx context.Context, path string, result *rfm.Result, report progress.Reporter) error {
	var header []table.Column
	for _, c := range result.Columns() {
		column, _ := written(c)
		column.Nullable = false // no customer is without a value
		header = append(header, column)
	}
	out, err := table.Create(path, header, table.Options{Rows: result.Customers, GroupBytes: customerGroup})
	if err != nil {
		return err
	}
	defer out.Abort()
	err = result.Rows(ctx, func(block *dataset.Block) error {
		report.Add(int64(block.Rows))
		return writeBlock(out, block)
	})
	if err != nil {
		return err
	}
	return out.Commit()
}

// vectorType is the type under which a vector is written.
func vectorType(v *dataset.Vector) table.Type {
	switch {
	case v.Float64 != nil:
		return table.Float64
	case v.Float32 != nil:
		return table.Float32
	case v.Micros != nil:
		return table.Time
	case v.Text.Offsets != nil:
		return table.Text
	default:
		return table.Int64
	}
}

// writeBlock writes a block to a table whose columns are its own.
func writeBlock(out table.Writer, block *dataset.Block) error {
	batch := table.Batch{Rows: block.Rows}
	for i := range block.Columns {
		batch.Columns = append(batch.Columns, valuesOf(&block.Columns[i]))
	}
	return out.Write(&batch)
}

// valuesOf is the slice of a vector that its type names.
func valuesOf(v *dataset.Vector) any {
	switch vectorType(v) {
	case table.Float64:
		return v.Float64
	case table.Float32:
		return v.Float32
	case table.Time:
		return v.Micros
	case table.Text:
		return v.Text
	default:
		return v.Int64
	}
}
