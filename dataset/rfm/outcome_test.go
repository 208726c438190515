package rfm

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/coterie-project/coterie/dataset"
)

// outcome is all that a Result says, so that two can be compared.
type outcome struct {
	RowsRead, RowsUsed, Customers int64
	AsOf                          time.Time
	Dropped                       Dropped
	Roles                         Roles
	Columns                       []dataset.Column
	Values                        []dataset.Vector // by column, all rows
	spilled                       int64            // runs; compared by nobody
}

// finished runs, takes the outcome and closes the Result.
func finished(t testing.TB, src dataset.Source, o Options) *outcome {
	t.Helper()
	r, err := Run(context.Background(), src, o)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return outcomeOf(t, r)
}

// reporter is testing.TB or *rapid.T.
type reporter interface {
	Helper()
	Fatalf(string, ...any)
}

// outcomeOf takes the outcome and closes the Result.
func outcomeOf(t reporter, r *Result) *outcome {
	t.Helper()
	o := &outcome{RowsRead: r.RowsRead, RowsUsed: r.RowsUsed, Customers: r.Customers, AsOf: r.AsOf, Dropped: r.Dropped,
		Roles: r.Roles, Columns: r.Columns(), Values: make([]dataset.Vector, outColumns), spilled: r.SpilledRuns}
	o.Values[outID].Text.Offsets = []int{0}
	next := 0
	err := r.Rows(context.Background(), func(b *dataset.Block) error {
		if b.First != int64(next) || b.Rows == 0 || b.Rows > dataset.BlockRows {
			t.Fatalf("a block of %d rows begins at row %d, want at %d", b.Rows, b.First, next)
		}
		next += b.Rows
		for i := range b.Columns {
			v, all := &b.Columns[i], &o.Values[i]
			all.Int64, all.Float64, all.Micros = append(all.Int64, v.Int64...), append(all.Float64, v.Float64...), append(all.Micros, v.Micros...)
			for at := range v.Text.Len() {
				all.Text.Data = append(all.Text.Data, v.Text.At(at)...)
				all.Text.Offsets = append(all.Text.Offsets, len(all.Text.Data))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("Rows: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	return o
}

// same compares two outcomes.
func same(t reporter, what string, want, got *outcome) {
	t.Helper()
	if want.RowsRead != got.RowsRead || want.RowsUsed != got.RowsUsed || want.Customers != got.Customers || !want.AsOf.Equal(got.AsOf) ||
		want.Dropped != got.Dropped || want.Roles != got.Roles || !slices.Equal(want.Columns, got.Columns) {
		a, b := *want, *got
		a.Values, b.Values = nil, nil
		t.Fatalf("%s: got %+v, want %+v", what, b, a)
	}
	for i := range want.Values {
		a, b := &want.Values[i], &got.Values[i]
		if !slices.Equal(a.Int64, b.Int64) || !slices.Equal(a.Float64, b.Float64) || !slices.Equal(a.Micros, b.Micros) ||
			!bytes.Equal(a.Text.Data, b.Text.Data) || !slices.Equal(a.Text.Offsets, b.Text.Offsets) {
			t.Fatalf("%s: column %s differs", what, want.Columns[i].Name)
		}
	}
}
