package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/pipeline"
)

// lookupFlags are those of coterie lookup.
type lookupFlags struct {
	model    string
	labels   string
	data     string
	idColumn string
	ids      []string
	values   string
	json     bool
}

// newLookupCommand is coterie lookup.
func newLookupCommand(app *App) *cobra.Command {
	f := &lookupFlags{}
	cmd := &cobra.Command{
		Use:   "lookup --model model.json [--labels FILE] [--data FILE] [--id X…] [--values name=value,…]",
		Short: "Say which segment a customer belongs to, how near, and why",
		Example: "  coterie lookup --model model.json --values recency_days=3,frequency=12,monetary=4000\n" +
			"  coterie lookup --model model.json --labels labels.parquet --id 12347,12348\n" +
			"  coterie lookup --model model.json --data customers.parquet --id 12347",
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), app) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.model, "model", "", "the model: `FILE`.json")
	flags.StringVar(&f.labels, "labels", "", "a labels `FILE` of this model, to look ids up in")
	flags.StringVar(&f.data, "data", "", "the `FILE` with the customers' values, to look ids up in and to say why")
	flags.StringVar(&f.idColumn, "id-column", "", "the column `COL` of --data with the id (default customer_id, customerid or id, else the row number)")
	flags.Var(newNames(&f.ids), "id", "the ids to look up in --labels or --data")
	flags.StringVar(&f.values, "values", "", "a customer's values: `name=value,…` in the units of the input")
	addJSON(cmd, &f.json)
	require(cmd, "model")
	return cmd
}

func (f *lookupFlags) run(ctx context.Context, app *App) error {
	values, err := parseValues(f.values)
	switch {
	case err != nil:
		return err
	case len(f.ids) == 0 && values == nil:
		return fault.Usagef("lookup: neither --id nor --values").Do("give ids with --labels or --data, or values")
	case len(f.ids) > 0 && f.labels == "" && f.data == "":
		return fault.Usagef("--id: %q without --labels or --data", f.ids[0]).
			Do("name the file that assign wrote with --labels, or the customers' table with --data")
	case f.labels != "" && len(f.ids) == 0:
		return fault.Usagef("--labels: %q without --id", f.labels).Do("name the ids to look up")
	case f.data != "" && len(f.ids) == 0:
		return fault.Usagef("--data: %q without --id", f.data).Do("name the ids to look up")
	case f.idColumn != "" && f.data == "":
		return fault.Usagef("--id-column: %q without --data", f.idColumn).Do("name the customers' table with --data")
	}
	found, err := pipeline.Lookup(ctx, &pipeline.LookupRequest{Model: f.model, Labels: f.labels, Data: f.data, IDColumn: f.idColumn, IDs: f.ids,
		Values: values, Stdin: app.Stdin})
	if err != nil {
		return err
	}
	doc := map[string]any{"results": found}
	return app.answer(f.json, doc, func(w io.Writer) {
		for i := range found {
			writeFound(w, &found[i])
		}
	})
}

// parseValues reads name=value,name=value; a part with a comma stands in double quotes. Nothing gives nil.
func parseValues(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	parts, err := commaList(text)
	if err != nil || len(parts) == 0 {
		return nil, fault.Usagef("--values: %q is not a list of name=value", text)
	}
	values := make(map[string]string)
	for _, part := range parts {
		name, value, ok := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		if _, twice := values[name]; !ok || name == "" || twice {
			return nil, fault.Usagef("--values: %q is not name=value, or is there twice", part)
		}
		values[name] = strings.TrimSpace(value)
	}
	return values, nil
}

// writeFound says in words where a customer belongs.
func writeFound(w io.Writer, f *pipeline.Found) {
	who := "this customer"
	if f.ID != nil {
		who = *f.ID
	}
	fmt.Fprintf(w, "%s: segment %d, %s, at distance %.4g", who, f.Segment, f.Name, f.Distance)
	if f.SecondSegment != nil {
		fmt.Fprintf(w, "; next is segment %d at %.4g, a margin of %.4g", *f.SecondSegment, *f.SecondDistance, *f.Margin)
	}
	fmt.Fprintln(w)
	for _, b := range f.Because {
		value := b.Value
		if value == nil {
			value = "(missing)"
		}
		fmt.Fprintf(w, "  %-20s %-12v centroid %-12.6g pull %+.4g\n", b.Feature, value, b.Centroid, b.Pull)
	}
}
