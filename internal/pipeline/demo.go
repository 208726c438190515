package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
)

// demoData is the customers of the demo: made, not read.
const demoData = "synth://customers?rows=200000&seed=2026"

// demoWorkers is how many workers the demo's cluster has.
const demoWorkers = 4

// DemoOutcome is what the demo made.
type DemoOutcome struct {
	Fit   *FitOutcome
	Table string // the segments, for a terminal
	Page  string // path of the HTML page
	Model string // path of the model
}

// Demo makes customers, fits them on an embedded cluster of four workers, and writes a page and the model to a new
// folder in the system's temporary one.
func Demo(ctx context.Context, e Engine, version string) (*DemoOutcome, error) {
	folder, err := os.MkdirTemp("", "coterie-demo-")
	if err != nil {
		return nil, fault.Failedf(err, "no folder for the demo can be made").Do("set TMPDIR to a folder that can be written")
	}
	e.Workers = demoWorkers
	out := &DemoOutcome{Page: filepath.Join(folder, "segments.html"), Model: filepath.Join(folder, "model.json")}
	out.Fit, err = Fit(ctx, &FitRequest{Engine: e, K: 5, Init: "k-means-parallel", Runs: 4, MaxIter: 300, Tolerance: 1e-4,
		Algorithm: "auto", Model: out.Model, Version: version,
		Data: Data{Files: []string{demoData}, Features: []string{"recency_days", "frequency", "monetary"},
			Log1p: []string{"recency_days", "frequency", "monetary"}}})
	if err == nil {
		err = out.render(ctx, e, version)
	}
	if err != nil {
		os.RemoveAll(folder)
		return nil, err
	}
	return out, nil
}

// render shows what was written.
func (o *DemoOutcome) render(ctx context.Context, e Engine, version string) error {
	profile, err := Profile(ctx, &ProfileRequest{Data: Data{Files: []string{demoData}}, Engine: e, Model: o.Model, Page: o.Page, Version: version})
	if err != nil {
		return err
	}
	var table strings.Builder
	if err := profile.Summary.Table(&table, tableWidth); err != nil {
		return err
	}
	o.Table = table.String()
	return nil
}
