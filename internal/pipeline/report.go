package pipeline

import (
	"bytes"
	"context"

	"github.com/coterie-project/coterie/model"
)

// report is the page about a model that was just fitted: one more pass over the rows of the fit. Nil where none is asked for.
func (f *fit) report(ctx context.Context, m *model.Model) ([]byte, error) {
	r := f.request
	if r.Report == "" {
		return nil, nil
	}
	p, err := newProfilingOf(&ProfileRequest{Engine: r.Engine}, m, f.source, f.input)
	if err != nil {
		return nil, err
	}
	if err := p.read(ctx); err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := p.page(p.summary(), r.Version).Render(&page); err != nil {
		return nil, err
	}
	return page.Bytes(), nil
}
