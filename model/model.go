package model

import (
	"fmt"
	"math"
	"time"

	"github.com/coterie-project/coterie/feature"
)

// The metrics.
const (
	Euclidean = "euclidean"
	Cosine    = "cosine"
)

// Limits of a model.
const (
	MaxSegments = 1 << 16 // k
	MaxBytes    = 1 << 30 // the file
	maxText     = 4096    // bytes of an id, a name or any other single text of ours
	maxList     = 1 << 16 // entries of a list that is not one of k: parents, sources
	maxID       = 1 << 30 // the number of an id: a month has at most MaxSegments new ones
)

// Model is a fitted clustering. The zero value is not usable; fill in at least K, Metric, Transform,
// Centroids, Counts and Segments. It is read by any number of goroutines at once, and changed by none then.
type Model struct {
	K          int
	Metric     string             // Euclidean or Cosine
	Transform  *feature.Transform // rows become Points of width d
	Centroids  []float32          // k×d row-major, in the space of the Points
	Counts     []int64            // rows by segment index
	Inertia    float64            // (weighted) sum of the distances squared; cosine: of 1 − cos
	Iterations int                // centroid updates
	Converged  bool
	Rows       int64 // rows that count in the fit
	Segments   []Segment
	Parents    []Parent // the models that this one was fitted from, the nearest first
	// LastID is the number of the newest id sN that this model or an older one it was fitted from has given; 0: that of its
	// own segments. It is no part of the digest.
	LastID int
	// Base says how the rows of the fit are spread in each numeric feature, for months to come; nil: it is not known. It is no
	// part of the digest.
	Base   []Spread
	Origin Origin
}

// Segment is the name that people know a centroid by. The id stays when months go by, the name may be changed.
type Segment struct {
	Index int    `json:"index"` // of the centroid; what labels hold
	ID    string `json:"id"`    // unique within the model
	Name  string `json:"name"`
	Named bool   `json:"named,omitempty"` // a person gave the name: nothing automatic replaces it
}

// Parent names a model that this one descends from.
type Parent struct {
	Digest string `json:"digest"`
	File   string `json:"file,omitempty"` // as it was called then, without its folder
}

// Origin is how the model came to be. Nothing in it changes what the model computes, and it is no part of the digest.
type Origin struct {
	Coterie    string    `json:"coterie"`    // version of the program
	Arithmetic string    `json:"arithmetic"` // version of the definition of the numbers
	Created    time.Time `json:"created"`    // written in UTC, to the second
	Seed       uint64    `json:"seed"`
	Init       string    `json:"init"`
	Runs       int       `json:"runs"`
	Tolerance  float64   `json:"tolerance"`
	Algorithm  string    `json:"algorithm"`
	Sources    []string  `json:"sources"` // names of the data files
}

// Width is the number of output columns, d.
func (m *Model) Width() int { return m.Transform.Width() }

// Features are the names of the input columns in the order of the transform: numeric ones, then categorical ones.
func (m *Model) Features() []string {
	numeric, categorical := m.Transform.Columns()
	return append(numeric, categorical...)
}

// Centroid is the centroid of segment i, length d, in the space of the Points; it is the Model's own memory.
func (m *Model) Centroid(i int) []float32 {
	d := m.Width()
	return m.Centroids[i*d : (i+1)*d : (i+1)*d]
}

// CentroidInput is the centroid of segment i in the units of the input, one entry for each output column of the
// transform: numbers, then shares of missing values and of levels.
func (m *Model) CentroidInput(i int) []float64 { return m.Transform.Inverse(m.Centroid(i)) }

// NewSegments gives k segments the ids s1, s2, … and the names "Segment 1", "Segment 2", ….
func NewSegments(k int) []Segment {
	segments := make([]Segment, k)
	for i := range segments {
		segments[i] = Segment{Index: i, ID: fmt.Sprintf("s%d", i+1), Name: fmt.Sprintf("Segment %d", i+1)}
	}
	return segments
}

// validate tells what does not fit together in a Model whose Transform is valid, or nil. The message has no place.
func (m *Model) validate() error {
	switch {
	case m.K < 1 || m.K > MaxSegments:
		return fmt.Errorf("k is %d, which is not in 1..%d", m.K, MaxSegments)
	case m.Metric != Euclidean && m.Metric != Cosine:
		return fmt.Errorf("the metric %q is unknown", m.Metric)
	case (m.Metric == Cosine) != m.Transform.Normalize:
		return fmt.Errorf("the metric is %s, but the transform's normalisation is %t", m.Metric, m.Transform.Normalize)
	case m.Transform.NeedsSecondPass():
		return fmt.Errorf("the transform is not finished")
	case m.Iterations < 0:
		return fmt.Errorf("iterations is %d", m.Iterations)
	case m.LastID < 0 || m.LastID > maxID:
		return fmt.Errorf("the last id is %d", m.LastID)
	case !(m.Inertia >= 0) || math.IsInf(m.Inertia, 0):
		return fmt.Errorf("inertia is %v", m.Inertia)
	case m.Origin.Runs < 0 || math.IsNaN(m.Origin.Tolerance) || math.IsInf(m.Origin.Tolerance, 0):
		return fmt.Errorf("the origin says %d runs and tolerance %v", m.Origin.Runs, m.Origin.Tolerance)
	}
	if err := m.validateCentroids(); err != nil {
		return err
	}
	if err := m.validateBase(); err != nil {
		return err
	}
	return m.validateSegments()
}

func (m *Model) validateCentroids() error {
	d := m.Width()
	if len(m.Centroids) != m.K*d {
		return fmt.Errorf("%d centroid coordinates, not k × d = %d × %d", len(m.Centroids), m.K, d)
	}
	for i, c := range m.Centroids {
		if c != c || math.IsInf(float64(c), 0) {
			return fmt.Errorf("coordinate %d of centroid %d is %v", i%d, i/d, c)
		}
	}
	if len(m.Counts) != m.K {
		return fmt.Errorf("%d counts for %d segments", len(m.Counts), m.K)
	}
	left := m.Rows
	for i, n := range m.Counts {
		if n < 0 || n > left {
			return fmt.Errorf("count %d is %d, which does not fit %d rows", i, n, m.Rows)
		}
		left -= n
	}
	if left != 0 {
		return fmt.Errorf("the counts add up to %d, not to %d rows", m.Rows-left, m.Rows)
	}
	return nil
}

func (m *Model) validateSegments() error {
	if len(m.Segments) != m.K {
		return fmt.Errorf("%d segment names for %d segments", len(m.Segments), m.K)
	}
	ids := make(map[string]bool, m.K)
	for i, s := range m.Segments {
		switch {
		case s.Index != i:
			return fmt.Errorf("segment %d has the index %d", i, s.Index)
		case s.ID == "" || ids[s.ID]:
			return fmt.Errorf("segment %d has the id %q, which is empty or taken", i, s.ID)
		}
		ids[s.ID] = true
	}
	return m.validateTexts()
}

// validateTexts holds that texts are short and survive JSON, which turns invalid UTF-8 into something else.
func (m *Model) validateTexts() error {
	texts := []string{m.Origin.Coterie, m.Origin.Arithmetic, m.Origin.Init, m.Origin.Algorithm}
	texts = append(texts, m.Origin.Sources...)
	for _, s := range m.Segments {
		texts = append(texts, s.ID, s.Name)
	}
	for _, p := range m.Parents {
		texts = append(texts, p.Digest, p.File)
	}
	for _, text := range texts {
		if err := checkText(text); err != nil {
			return err
		}
	}
	if len(m.Parents) > maxList || len(m.Origin.Sources) > maxList {
		return fmt.Errorf("%d parents and %d sources, of each at most %d", len(m.Parents), len(m.Origin.Sources), maxList)
	}
	return nil
}
