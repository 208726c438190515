package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset/moves"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/segment"
)

// lastMonth is the model that a fit goes on from.
type lastMonth struct {
	*model.Model
	file    string
	matched *segment.Matching
	overlap *segment.Overlap // nil without labels
	growth  *float64
}

// readLast reads the model that the fit goes on from, and fills in what is not asked for otherwise: as many segments as it
// has, its metric, its columns and what is done with them. nil: there is none.
func readLast(r *FitRequest) (*lastMonth, error) {
	if r.From == "" {
		return nil, nil
	}
	m, err := model.ReadFile(r.From)
	if err != nil {
		return nil, err
	}
	if r.K == 0 {
		r.K = m.K
	}
	if max(r.K, m.K) > segment.MaxMatch {
		return nil, fault.Usagef("--from: %d segments cannot go on from %d: %d are the most that are matched", r.K, m.K, segment.MaxMatch).
			Do("fit without --from, or with fewer segments")
	}
	if r.MetricOfFrom {
		r.Cosine = m.Metric == model.Cosine
	}
	last, given := &lastMonth{Model: m, file: r.From}, r.Data
	if given.Features != nil {
		if err := last.sameFeatures(slices.Concat(given.Features, given.Categorical)); err != nil {
			return nil, err
		}
	}
	if err := last.newest(r.Model); err != nil {
		return nil, err
	}
	r.Data = r.Data.goesOn(m.Transform.Spec())
	if r.KeepTransforms {
		err = keepsTransforms(&given, m, r)
	}
	return last, err
}

// newest refuses to replace a model that this one goes on from: the months are in the wrong order.
func (l *lastMonth) newest(output string) error {
	there, err := model.ReadFile(output)
	if err != nil || !descends(l.Model, there) {
		return nil // whatever is there is no older month
	}
	return fault.Inputf(fault.In(l.file), "goes on from %s, which this fit would replace: the months are in the wrong order", output).
		Do("give the older model with --from, or another file with -o")
}

// goesOn is the data as the fit of a model read it, but for what is given.
func (d Data) goesOn(spec *feature.Spec) Data {
	if d.Features == nil { // an empty list is none, nil any
		d.Features = append([]string{}, spec.Numeric...)
		if d.Categorical == nil {
			d.Categorical = spec.Categorical
		}
	}
	if d.Log1p == nil {
		d.Log1p = spec.Log1p
	}
	if d.Weights == nil {
		d.Weights = spec.Weights
	}
	if d.Orders == nil {
		d.Orders = spec.Orders
	}
	d.Scale, d.Missing = or(d.Scale, string(spec.Scale)), or(d.Missing, string(spec.Missing))
	return d
}

// keepsTransforms refuses what contradicts the transforms that are kept.
func keepsTransforms(given *Data, m *model.Model, r *FitRequest) error {
	spec := m.Transform.Spec()
	for _, c := range []struct {
		flag   string
		differ bool
	}{
		{"--log1p", given.Log1p != nil && !(&feature.Spec{Log1p: given.Log1p}).Equal(&feature.Spec{Log1p: spec.Log1p})},
		{"--scale", given.Scale != "" && given.Scale != string(spec.Scale)},
		{"--missing", given.Missing != "" && given.Missing != string(spec.Missing)},
		{"--fold-levels", given.Fold != nil},
		{"--metric", r.Cosine != spec.Normalize},
	} {
		if c.differ {
			return fault.Usagef("--keep-transforms: %s asks for other transforms than %s has", c.flag, r.From).
				Do("leave out %s, or --keep-transforms", c.flag)
		}
	}
	return nil
}

func (l *lastMonth) sameFeatures(features []string) error {
	if slices.Equal(l.Features(), features) {
		return nil
	}
	return fault.Inputf(fault.In(l.file), "was fitted on other features: %s; here they are %s", strings.Join(l.Features(), ", "), strings.Join(features, ", ")).
		Do("name the same ones in the same order, or fit without --from")
}

// fits holds that the input is of the features of the model, and, where transforms are kept, that these say the same.
func (l *lastMonth) fits(in *wire.Input, keep bool) error {
	if err := l.sameFeatures(slices.Concat(in.Spec.Numeric, in.Spec.Categorical)); err != nil {
		return err
	}
	for _, was := range l.Transform.Spec().Orders {
		for _, is := range in.Spec.Orders {
			if was.Column == is.Column && !slices.Equal(was.Levels, is.Levels) {
				return fault.Inputf(fault.In(l.file), "was fitted with %s in the order %s, and here it is %s", was.Column, strings.Join(was.Levels, " < "), strings.Join(is.Levels, " < ")).
					Do("leave out --ordinal, which then is as it was, or fit without --from")
			}
		}
	}
	if keep && !l.Transform.Spec().Equal(in.Spec) {
		return fault.Usagef("--keep-transforms: --feature-weight or --ordinal asks for other transforms than %s has", l.file).
			Do("leave them out, or --keep-transforms")
	}
	return nil
}

// start is the old centroids as a start of k.
func (l *lastMonth) start(k int, keep bool) (*coordinator.Start, error) {
	data, err := l.Encode()
	return &coordinator.Start{Name: l.file, K: k, Model: data, Keep: keep}, err
}

// openOldLabels opens the labels of the customers a month ago.
func (f *fit) openOldLabels(ctx context.Context) (err error) {
	if f.request.FromLabels == "" {
		return nil
	}
	if f.input.ID == "" {
		return fault.Inputf(fault.In(firstName(f.source)), "has no column of ids, by which customers are found in %s", f.request.FromLabels).
			Do("name it with --id, or leave out --from-labels")
	}
	source, err := open.Sources(ctx, []string{f.request.FromLabels}, open.Options{Stdin: f.request.Engine.Stdin})
	if err != nil {
		return err
	}
	f.old = &moves.Labels{Source: source}
	return findLabels(f.old, f.request.FromLabels, f.last.Model, f.last.file)
}

// carry gives the segments that go on their ids and names, and the others ids that nobody has had. An automatic name gives
// way where the segment has changed a lot. It says which old names have changed.
func (l *lastMonth) carry(m *model.Model) (renamed []string) {
	fresh := make([]model.Segment, m.K)
	taken := make(map[string]bool)
	renamed = make([]string, m.K)
	for j := range fresh {
		fresh[j] = model.Segment{Index: j, Name: m.Segments[j].Name}
		i := l.matched.From[j]
		if i < 0 {
			continue
		}
		old := l.Segments[i]
		fresh[j].ID, fresh[j].Named = old.ID, old.Named
		if old.Named || !l.matched.Changed(j) {
			fresh[j].Name = old.Name
			taken[old.Name] = true
		} else if fresh[j].Name != old.Name {
			renamed[j] = old.Name
		}
	}
	for j := range fresh {
		if i := l.matched.From[j]; i >= 0 && fresh[j].Name == l.Segments[i].Name && renamed[j] == "" && taken[fresh[j].Name] {
			continue
		}
		fresh[j].Name = untaken(fresh[j].Name, taken)
	}
	m.Segments = fresh
	m.LastID = 0
	older := &model.Model{Segments: l.Segments, LastID: l.LastID}
	for j := range fresh {
		if fresh[j].ID == "" {
			fresh[j].ID = older.FreshID()
		}
	}
	m.LastID = older.LastID
	return renamed
}

// untaken is a name that no other segment has, with a number where it must.
func untaken(name string, taken map[string]bool) string {
	out := name
	for n := 2; taken[out]; n++ {
		out = fmt.Sprintf("%s %d", name, n)
	}
	taken[out] = true
	return out
}

// agreement is how many customers both months have, and the share of them whose segment goes on from the one they were in.
func (l *lastMonth) agreement() (shared int64, share float64, ok bool) {
	if l.overlap == nil {
		return 0, 0, false
	}
	stayed := int64(0)
	for j, i := range l.matched.From {
		if i >= 0 {
			stayed += l.overlap.Matrix[i][j]
		}
	}
	shared = l.overlap.Shared()
	return shared, float64(stayed) / float64(max(shared, 1)), shared > 0
}
