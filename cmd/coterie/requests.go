package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/pipeline"
	"github.com/coterie-project/coterie/internal/progress"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// request is the flags as the pipeline takes them. A feature that is also categorical is encoded, and is no number:
// to name all of them in --features is the one way to cluster on categories alone.
func (d *dataFlags) request(files []string) pipeline.Data {
	features := slices.DeleteFunc(slices.Clone(d.features), func(name string) bool { return slices.Contains(d.categorical, name) })
	return pipeline.Data{Files: files, ID: d.id, Features: features, Weight: d.weight, Categorical: d.categorical,
		Log1p: d.log1p, Scale: d.scale, Missing: d.missing, BadRows: d.badRows, BadRowsOut: d.badRowsOut,
		Duplicates: d.duplicates, Weights: d.weights, Fold: d.foldRule(), Orders: d.ordinal}
}

// foldRule is the rule by which levels are folded; nil if none are.
func (d *dataFlags) foldRule() *feature.Fold {
	if d.fold == (feature.Fold{}) {
		return nil
	}
	rule := d.fold
	return &rule
}

// request is the flags as the pipeline takes them.
func (e *engineFlags) request(app *App, r progress.Reporter) pipeline.Engine {
	kmeans.UseProcessors(int(e.threads))
	return pipeline.Engine{Workers: int(max(e.workers, 1)), Threads: int(e.threads), Stdin: app.Stdin, Reporter: r,
		Silent: app.quiet || app.progress == string(progress.None)}
}

// leftOut counts the rows that were read and not used, where there are any.
type leftOut struct {
	Bad        int64 `json:"bad"`
	Missing    int64 `json:"missing"`
	Duplicates int64 `json:"duplicates"`
	Imputed    int64 `json:"imputed_values"`
	Unseen     int64 `json:"unseen_levels"`
}

func leftOutOf(n *wire.Intake) *leftOut {
	l := &leftOut{Bad: n.Bad, Missing: n.Missing, Duplicates: n.Duplicates, Imputed: n.Imputed}
	for _, c := range n.Unseen {
		l.Unseen += c
	}
	if *l == (leftOut{}) {
		return nil
	}
	return l
}

// tellLeftOut says on standard error what became of rows that do not count: nothing is dropped silently.
func (app *App) tellLeftOut(n *wire.Intake) {
	l := leftOutOf(n)
	if l == nil || app.quiet {
		return
	}
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{l.Bad, "rows set aside as bad"}, {l.Missing, "rows left out for missing values"}, {l.Duplicates, "rows left out for a repeated id"},
		{l.Imputed, "missing values filled in"}, {l.Unseen, "values unknown to the model"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", grouped(p.n), p.what))
		}
	}
	fmt.Fprintf(app.Stderr, "coterie: of %s rows read: %s\n", grouped(n.Read), strings.Join(parts, ", "))
}
