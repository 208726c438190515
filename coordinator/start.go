package coordinator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/model"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
	"github.com/coterie-project/coterie/segment"
)

// Start is starting centroids as somebody gave them: k rows in the units of the input, or a model of other data. What
// they are among the Points is known once the transform is.
type Start struct {
	Name    string      // of the file, for messages
	K       int         // rows
	Numeric [][]float64 // by column, K each
	Text    [][]string  // by categorical column
	Missing [][]bool    // by categorical column
	Places  []fault.Place
	Model   []byte // a model file; then there are no rows. Where it has more centroids than K, the most alike are merged
	// Keep says that the Points are in the space of the model's own transform.
	Keep bool
}

// Centroids transforms the rows as those of the data are.
func (s *Start) Centroids(t *feature.Transform) (*kmeans.Centroids, error) {
	if s.Model != nil {
		return s.fromModel(t)
	}
	b := feature.Batch{Rows: s.K, Numeric: s.Numeric, Numeric32: make([][]float32, len(s.Numeric))}
	for c := range s.Text {
		text, missing := s.Text[c], s.Missing[c]
		b.Text = append(b.Text, feature.TextColumn{At: func(i int) []byte { return []byte(text[i]) },
			Missing: func(i int) bool { return missing[i] }})
	}
	out := make([][]float32, t.Width())
	for i := range out {
		out[i] = make([]float32, s.K)
	}
	if _, err := t.Apply(&b, out, make([]bool, s.K)); err != nil {
		return nil, s.locate(err)
	}
	start := &kmeans.Centroids{K: s.K, D: t.Width()}
	for row := range s.K {
		for _, column := range out {
			start.Values = append(start.Values, column[row]+0)
		}
	}
	return start, nil
}

// locate gives an error of a row its place.
func (s *Start) locate(err error) error {
	var value *feature.ValueError
	if !errors.As(err, &value) {
		return err
	}
	at := fault.In(s.Name)
	if value.Row >= 0 && value.Row < len(s.Places) {
		at = s.Places[value.Row]
	}
	at.Column = value.Column
	return fault.Inputf(at, "%s", value.Problem()).Do("%s", value.Remedy)
}

// fromModel takes another model's centroids, by way of the units of the input: K of them, or all there are where it has fewer.
func (s *Start) fromModel(t *feature.Transform) (*kmeans.Centroids, error) {
	m, err := model.Decode(s.Model, s.Name)
	if err != nil {
		return nil, err
	}
	numeric, categorical := t.Columns()
	if !slices.Equal(m.Features(), slices.Concat(numeric, categorical)) {
		return nil, fault.Inputf(fault.In(s.Name), "was fitted on other features: %s", strings.Join(m.Features(), ", ")).
			Do("name the same ones with --features")
	}
	start := &kmeans.Centroids{K: m.K, D: t.Width()}
	place := m.Into(t)
	if s.Keep {
		start.Values = slices.Clone(m.Centroids)
	}
	for j := 0; j < m.K && !s.Keep; j++ {
		point, err := place(j)
		if err != nil {
			return nil, fault.Inputf(fault.In(s.Name), "centroid %d cannot be placed: %v", j, err).
				Do("start from a model of similar data, or with --init k-means-parallel")
		}
		start.Values = append(start.Values, point...)
	}
	return s.reduced(start, m.Counts)
}

// keep gives the transform of the model that is the start, for data that is read by its rules.
func (s *Start) keep(spec *feature.Spec) (*feature.Transform, error) {
	m, err := model.Decode(s.Model, s.Name)
	switch {
	case err != nil:
		return nil, err
	case !m.Transform.Spec().Equal(spec):
		return nil, fmt.Errorf("%w: the transforms to keep are of other columns or rules than the data", ErrSpec)
	}
	s.Keep = true
	return m.Transform, nil
}

// reduced merges centroids until there are no more than K.
func (s *Start) reduced(c *kmeans.Centroids, counts []int64) (*kmeans.Centroids, error) {
	if s.K < 1 || s.K >= c.K {
		return c, nil
	}
	if c.K > segment.MaxMatch {
		return nil, fmt.Errorf("%w: %d centroids cannot be brought down to %d", ErrStart, c.K, s.K)
	}
	return kmeans.MergeNearest(c, counts, s.K), nil
}

// Message is the start as it travels to a coordinator.
func (s *Start) Message() *pb.Start {
	m := &pb.Start{K: uint32(s.K), Model: s.Model, Name: s.Name}
	for i := range s.K {
		for _, column := range s.Numeric {
			m.Numeric = binary.LittleEndian.AppendUint64(m.Numeric, math.Float64bits(column[i]))
		}
		for c, column := range s.Text {
			m.Text = append(m.Text, column[i])
			bit := byte(0)
			if s.Missing[c][i] {
				bit = 1
			}
			m.Missing = append(m.Missing, bit)
		}
	}
	for _, p := range s.Places {
		m.Places = append(m.Places, &pb.Place{File: p.File, Line: p.Line, Row: p.Row, Column: p.Column})
	}
	return m
}

// startFrom reads a message back, for the columns of spec.
func startFrom(m *pb.Start, spec *feature.Spec) (*Start, error) {
	k, numeric, text := int(m.K), len(spec.Numeric), len(spec.Categorical)
	s := &Start{Name: m.Name, K: k}
	if len(m.Model) > 0 {
		s.Model = m.Model
		return s, nil
	}
	if k < 1 || k > kmeans.MaxClusters || len(m.Numeric) != 8*k*numeric || len(m.Text) != k*text || len(m.Missing) != k*text {
		return nil, fmt.Errorf("%w: %d rows with %d bytes of numbers and %d texts", ErrStart, k, len(m.Numeric), len(m.Text))
	}
	s.Numeric, s.Text, s.Missing = make([][]float64, numeric), make([][]string, text), make([][]bool, text)
	for i := range k {
		for c := range numeric {
			s.Numeric[c] = append(s.Numeric[c], math.Float64frombits(binary.LittleEndian.Uint64(m.Numeric[8*(i*numeric+c):])))
		}
		for c := range text {
			s.Text[c] = append(s.Text[c], m.Text[i*text+c])
			s.Missing[c] = append(s.Missing[c], m.Missing[i*text+c] != 0)
		}
	}
	for _, p := range m.Places {
		s.Places = append(s.Places, fault.Place{File: p.GetFile(), Line: p.GetLine(), Row: p.GetRow(), Column: p.GetColumn()})
	}
	return s, nil
}
