package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/segment"
	"github.com/coterie-project/coterie/worker"
)

// ProfileRequest asks what the segments of a model are like in some data.
type ProfileRequest struct {
	Data    Data // how rows are read; the features are the model's
	Engine  Engine
	Model   string
	Value   string // the column that says what a customer is worth; "": one called monetary, if there is one
	WithIDs bool   // name the customers nearest to each segment's centre
	Page    string // where the HTML page goes; "": nowhere
	Sweep   string // the JSON file of a sweep, for the page; "": none
	Moves   string // the JSON document of migrate, for the page; "": none
	Version string // of the program, for the page
}

// ProfileOutcome is what the segments are like.
type ProfileOutcome struct {
	Model   *model.Model
	Summary *segment.Summary
	Intake  wire.Intake
}

// Profile reads the rows once, on all threads, labels them and measures each segment in the units of the input. It writes
// the page, where one is asked for, or nothing.
func Profile(ctx context.Context, r *ProfileRequest) (*ProfileOutcome, error) {
	m, err := model.ReadFile(r.Model)
	if err != nil {
		return nil, err
	}
	sweep, err := readDocument(r.Sweep, "sweep", "coterie sweep -o FILE.json writes it", segment.ReadSweep)
	if err != nil {
		return nil, err
	}
	moves, err := readDocument(r.Moves, "migration", "coterie migrate --json prints it", segment.ReadMigration)
	if err != nil {
		return nil, err
	}
	data := r.Data.forModel(m)
	source, err := openData(ctx, &data, &r.Engine)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	p, err := newProfiling(r, &data, m, source)
	if err == nil {
		err = p.read(ctx)
	}
	if err != nil {
		return nil, explain(err, source)
	}
	if p.whole.Intake.Kept == 0 {
		return nil, fault.Inputf(fault.In(firstName(source)), "the data has no rows that can be used")
	}
	summary := p.summary()
	if r.Data.BadRowsOut != "" {
		if err := writeBadRows(r.Data.BadRowsOut, p.whole.Bad); err != nil {
			return nil, err
		}
	}
	if r.Page != "" {
		page := p.page(summary, r.Version)
		page.Sweep, page.Flows = sweep, moves
		if err := store.WriteFile(r.Page, func(w io.Writer) error { return page.Render(w) }); err != nil {
			return nil, err
		}
	}
	return &ProfileOutcome{Model: m, Summary: summary, Intake: p.whole.Intake}, nil
}

// maxDocument bounds what is read of an object that is to be a document: sweeps and migrations have kilobytes, and one of
// the largest k, with its matrix, some megabytes.
const maxDocument = 256 << 20

// readDocument reads a file or an object for the page; nil where none is named.
func readDocument[T any](path, what, origin string, read func(io.Reader) (*T, error)) (*T, error) {
	if path == "" {
		return nil, nil
	}
	f, err := store.OpenDocument(path, maxDocument)
	var known *fault.Error
	if errors.As(err, &known) {
		return nil, err
	}
	if err != nil {
		return nil, &fault.Error{Kind: fault.Input, Place: fault.In(path), Problem: "cannot be read", Err: err}
	}
	defer f.Close()
	document, err := read(f)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Input, Place: fault.In(path), Problem: "is not the document of a " + what, Err: err, Remedy: origin}
	}
	return document, nil
}

// newProfiling finds the columns.
func newProfiling(r *ProfileRequest, data *Data, m *model.Model, source dataset.Source) (*profiling, error) {
	schema := source.Schema()
	in, err := modelInput(data, m, schema, firstName(source), r.Model)
	if err != nil {
		return nil, err
	}
	return newProfilingOf(r, m, source, in)
}

// newProfilingOf is newProfiling where it is known how rows are read.
func newProfilingOf(r *ProfileRequest, m *model.Model, source dataset.Source, in *wire.Input) (*profiling, error) {
	schema := source.Schema()
	p := &profiling{m: m, source: source, engine: &r.Engine, withIDs: r.WithIDs, reading: worker.Reading{Source: source, Input: in}}
	var err error
	p.features, p.categorical = m.Transform.Columns()
	p.numeric = slices.Clone(p.features)
	if p.value, err = valueColumn(r.Value, p.features, schema, firstName(source)); err != nil {
		return nil, err
	}
	if p.value != "" && !slices.Contains(p.numeric, p.value) {
		p.numeric = append(p.numeric, p.value)
		p.reading.Extra = []dataset.Field{{Column: schema.Index(p.value), As: dataset.AsNumber}}
	}
	p.manifest, err = cut(source, in)
	return p, err
}

// valueColumn is the column that says what a customer is worth; "" if there is none.
func valueColumn(asked string, features []string, schema *dataset.Schema, file string) (string, error) {
	if asked != "" {
		if err := mustHave(schema, file, asked); err != nil {
			return "", err
		}
		if c := schema.Columns[schema.Index(asked)]; c.Kind != dataset.Number {
			return "", fault.Inputf(fault.Place{File: file, Row: fault.NoRow, Column: asked}, "is no column of numbers").Do("name one with --value")
		}
		return asked, nil
	}
	if name := segment.DefaultValue(features); name != "" {
		return name, nil
	}
	var numeric []string
	for _, c := range schema.Columns {
		if c.Kind == dataset.Number && c.Unusable == "" {
			numeric = append(numeric, c.Name)
		}
	}
	return segment.DefaultValue(numeric), nil
}

// summary puts together what was measured.
func (p *profiling) summary() *segment.Summary {
	s := p.part.profile.Summary(p.m.Segments, p.value)
	s.Nearest = segment.NearestSegments(p.m)
	sample := p.sample()
	s.Rules = segment.FindRules(&sample.Sample, p.numeric, p.categorical, p.m.K)
	if p.withIDs {
		s.Examples = p.part.examples.list(p.m)
	}
	return s
}

// page is the report.
func (p *profiling) page(s *segment.Summary, version string) *segment.Page {
	title := "Customer segments"
	page := &segment.Page{Title: title, Generated: fmt.Sprintf("%s, coterie %s", time.Now().Format("2 January 2006"), version), Summary: s, Model: p.m}
	sample := p.sample()
	if x, y, ok := s.Axes(); ok && max(x, y) < len(p.numeric) {
		c := &segment.Scatter{XName: s.Columns[x].Name, YName: s.Columns[y].Name}
		for _, i := range sample.mapped {
			c.Points = append(c.Points, [2]float64{sample.Numeric[x][i], sample.Numeric[y][i]})
			c.Labels = append(c.Labels, sample.Labels[i])
		}
		page.Scatter = c
	}
	labels := make([]int32, len(sample.mapped))
	for n, i := range sample.mapped {
		labels[n] = sample.Labels[i]
	}
	page.Components = segment.Components(sample.points, p.m.Width(), labels)
	if recency, frequency, ok := s.RFMColumns(); ok {
		page.RFM = segment.NewRFMGrid(sample.Numeric[recency], sample.Numeric[frequency], sample.Labels, p.m.K)
	}
	return page
}
