package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/dataset/rfm"
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/progress"
)

// rfmOptions are the flags of coterie rfm.
type rfmOptions struct {
	rfm.Options
	window  string
	prefix  string
	threads int64
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
}

// newRFMCommand is coterie rfm.
func newRFMCommand(app *App) *cobra.Command {
	o := &rfmOptions{}
	cmd := &cobra.Command{
		Use:   "rfm TRANSACTIONS...",
		Short: "Make one row per customer from transactions: recency, frequency, monetary value",
		Long: "rfm reads what a till or a shop writes, one line for each item sold, and gives one row for each customer.\n" +
			"Every line that is not used is counted, with the reason.",
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
	if err := checkStdout(o.json, o.output); err != nil {
		return err
	}
	return checkOutput("-o", o.output, ".csv", ".csv.gz", ".csv.zst", ".parquet")
}

func (o *rfmOptions) run(ctx context.Context, app *App, transactions []string) error {
	if err := o.check(); err != nil {
		return err
	}
	report := app.reporter()
	defer report.Close()
	result, err := o.count(ctx, app, report, transactions)
	if err != nil {
		return err
	}
	report.Phase("write", result.Customers)
	if err := writeCustomers(ctx, o.output, result, report); err != nil {
		return err
	}
	report.Close()
	if o.output == stdio {
		return nil
	}
	document := rfmDocument{result.RowsRead, result.RowsUsed, result.Customers, result.AsOf.Format(time.DateOnly), result.Dropped, result.Roles}
	return app.answer(o.json, document, func(w io.Writer) {
		fmt.Fprintf(w, "%s customers from %s of %s lines, as of %s, in %s\n",
			grouped(result.Customers), grouped(result.RowsUsed), grouped(result.RowsRead), document.AsOf, o.output)
		for _, d := range result.Dropped.Counts() {
			if d.Lines > 0 {
				fmt.Fprintf(w, "  %12s lines left out: %s\n", grouped(d.Lines), d.Reason)
			}
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

// writeRows is the number of rows that a table is given at a time.
const writeRows = 1 << 16

// writeCustomers writes the table of a result.
func writeCustomers(ctx context.Context, path string, result *rfm.Result, report progress.Reporter) error {
	columns := result.Table()
	var header []table.Column
	for _, c := range columns {
		header = append(header, table.Column{Name: c.Name, Type: vectorType(&c.Values)})
	}
	out, err := table.Create(path, header, table.Options{Rows: result.Customers})
	if err != nil {
		return err
	}
	defer out.Abort()
	for first := 0; first < int(result.Customers); first += writeRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows := min(writeRows, int(result.Customers)-first)
		batch := table.Batch{Rows: rows}
		for i := range columns {
			batch.Columns = append(batch.Columns, vectorPart(&columns[i].Values, first, rows))
		}
		if err := out.Write(&batch); err != nil {
			return err
		}
		report.Add(int64(rows))
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

// vectorPart is rows [first, first+rows) of a vector, without a copy.
func vectorPart(v *dataset.Vector, first, rows int) any {
	switch vectorType(v) {
	case table.Float64:
		return v.Float64[first : first+rows]
	case table.Float32:
		return v.Float32[first : first+rows]
	case table.Time:
		return v.Micros[first : first+rows]
	case table.Text:
		return dataset.Strings{Data: v.Text.Data, Offsets: v.Text.Offsets[first : first+rows+1]}
	default:
		return v.Int64[first : first+rows]
	}
}
