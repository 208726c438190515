package main

import (
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
)

// dataFlags say which columns of the data to use and what to do with rows that are not as they should be. They are
// the same for every command that reads customers.
type dataFlags struct {
	id          string          // the column with the customer's id; empty = find it
	features    []string        // the columns to cluster on, in this order; nil = find them
	weight      string          // the column with a weight per row; empty = none
	categorical []string        // columns to encode one-hot
	log1p       []string        // features to take log(1+x) of
	ordinal     []feature.Order // columns of text whose values have an order
	weights     []feature.Weight
	fold        feature.Fold // which levels of categorical columns become one; zero = none
	scale       string       // standard, minmax, robust or none
	missing     string       // fail, mean, median, indicator or drop
	badRows     string       // fail or quarantine
	badRowsOut  string       // where rows in quarantine go; empty = nowhere, they are counted
	duplicates  string       // fail, first or last
}

// bind adds the flags to a command that finds its own transforms.
func (d *dataFlags) bind(cmd *cobra.Command) {
	d.bindRows(cmd)
	flags := cmd.Flags()
	flags.Var(newNames(&d.features), "features", "the columns to cluster on, in this order (default every numeric column)")
	flags.StringVar(&d.weight, "weight", "", "the column `COL` with a weight per row, at least 0")
	flags.Var(newNames(&d.categorical), "categorical", "columns to encode one-hot")
	flags.Var(newNames(&d.log1p), "log1p", "features to take log(1+x) of before scaling")
	flags.Var(newChoice(&d.scale, "standard", "standard", "minmax", "robust", "none"), "scale",
		"how to scale the features")
	flags.Var(newChoice(&d.missing, "fail", "fail", "mean", "median", "indicator", "drop"), "missing",
		"what to do with missing values")
	flags.Var(newOrders(&d.ordinal), "ordinal",
		"make the numbers 0, 1, 2, … of a column of text, by the order of its values; for several columns give it again")
	flags.Var(newWeights(&d.weights), "feature-weight", "multiply features after scaling: above 1 they count more, below 1 less")
	flags.Var(newFold(&d.fold), "fold-levels",
		"levels of categorical columns that fewer rows have become one, other: a number of rows, or a share such as 1%")
}

// bindRows adds only the flags that a command with a finished model needs: which column is the id, and what to do
// with bad rows.
func (d *dataFlags) bindRows(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&d.id, "id", "", "the column `COL` with the customer's id (default customer_id, customerid or id, else the row number)")
	flags.Var(newChoice(&d.badRows, "fail", "fail", "quarantine"), "bad-rows",
		"what to do with rows that cannot be read")
	flags.StringVar(&d.badRowsOut, "bad-rows-out", "", "where to keep the rows in quarantine, with reasons: `FILE`.csv")
	flags.Var(newChoice(&d.duplicates, "fail", "fail", "first", "last"), "duplicates",
		"which row counts where an id is there twice")
}

// check finds what contradicts itself before any data is read. Whether the columns exist is for the reader to say.
func (d *dataFlags) check() error {
	for _, name := range d.log1p {
		if slices.Contains(d.categorical, name) {
			return fault.Usagef("--log1p: %q is also in --categorical", name).Do("log1p is for numbers")
		}
		if d.features != nil && !slices.Contains(d.features, name) {
			return fault.Usagef("--log1p: %q is not one of the --features", name).Do("add it to --features, or leave it out")
		}
	}
	for _, o := range d.ordinal {
		switch {
		case slices.Contains(d.categorical, o.Column):
			return fault.Usagef("--ordinal: %q is also in --categorical", o.Column).Do("choose one of the two")
		case d.features != nil && !slices.Contains(d.features, o.Column):
			return fault.Usagef("--ordinal: %q is not one of the --features", o.Column).Do("add it to --features, or leave it out")
		}
	}
	for _, w := range d.weights {
		if d.features != nil && !slices.Contains(d.features, w.Column) && !slices.Contains(d.categorical, w.Column) {
			return fault.Usagef("--feature-weight: %q is not one of the features", w.Column).
				Do("the features are %s", strings.Join(slices.Concat(d.features, d.categorical), ", "))
		}
	}
	if d.fold != (feature.Fold{}) && len(d.categorical) == 0 {
		return fault.Usagef("--fold-levels: %q without --categorical", newFold(&d.fold)).Do("name the columns of text with --categorical, or leave it out")
	}
	for _, used := range []struct{ flag, name string }{{"--id", d.id}, {"--weight", d.weight}} {
		if used.name != "" && (slices.Contains(d.features, used.name) || slices.Contains(d.categorical, used.name)) {
			return fault.Usagef("%s: %q is also a column to cluster on", used.flag, used.name).Do("leave it out of --features and --categorical")
		}
	}
	if d.weight != "" && d.weight == d.id {
		return fault.Usagef("--weight: %q is also the --id", d.weight)
	}
	if d.badRowsOut == "" {
		return nil
	}
	if d.badRows != "quarantine" {
		return fault.Usagef("--bad-rows-out: %q without --bad-rows quarantine", d.badRowsOut).Do("add --bad-rows quarantine")
	}
	return checkOutput("--bad-rows-out", d.badRowsOut, ".csv", ".csv.gz", ".csv.zst", ".parquet")
}

// engineFlags size the embedded cluster.
type engineFlags struct {
	workers int64 // workers of the embedded cluster
	threads int64 // threads of the whole process; 0 = all cores
}

// bind adds the flags to a command that runs on the embedded cluster.
func (e *engineFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(newWhole(&e.workers, 1, 1, 1024), "workers", "`W` workers in this process; the answer does not depend on it")
	bindThreads(cmd, &e.threads)
}

// bindThreads adds --threads, for commands that are parallel without being a cluster.
func bindThreads(cmd *cobra.Command, to *int64) {
	cmd.Flags().Var(newWhole(to, 0, 1, math.MaxInt32), "threads", "`T` threads for the whole process (default all cores)")
	cmd.Flags().Lookup("threads").DefValue = "0" // pflag leaves out a zero value, and the text says it
}
