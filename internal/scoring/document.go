package scoring

import (
	"encoding/json"
	"io"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/model"
)

// Format and Version tell a scoring document from other JSON.
const (
	Format  = "coterie scoring document"
	Version = 1
)

// Document is a model in the simplest words. A row's coordinates are those of Coordinates; with Normalise they are then divided by
// the root of the sum of their squares, and a row of zeros has no segment. The row belongs to the segment whose Centroid is
// nearest, the first of equals. The distance is the root of the sum of squared differences, or half that sum where Distance
// is cosine. A row has no segment where a feature lacks a value that the document does not fill in, or has one that is out of
// its bounds or no text of its order.
type Document struct {
	Format      string       `json:"format"`
	Version     int          `json:"version"`
	Digest      string       `json:"digest"` // of the model
	Features    []Feature    `json:"features"`
	Coordinates []Coordinate `json:"coordinates"`
	Normalise   bool         `json:"normalise"`
	Distance    string       `json:"distance"` // euclidean or cosine
	Segments    []Segment    `json:"segments"`
}

// Feature is a column of the input.
type Feature struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // number; order: a text that stands for its position in Order, from 0; text
	// Order is the texts of an order.
	Order []string `json:"order,omitempty"`
	// Above and Most are the bounds of a number: above < x, |x| ≤ most. Above is absent where there is no such bound.
	Above *float64 `json:"above,omitempty"`
	Most  float64  `json:"most,omitempty"`
	// Fill stands for a missing number or text of an order. Without it, and in texts with Required, a row that lacks the value
	// has no segment.
	Fill     *float64 `json:"fill,omitempty"`
	Required bool     `json:"required,omitempty"`
}

// The kinds of features and coordinates.
const (
	KindNumber  = "number"
	KindOrder   = "order"
	KindText    = "text"
	KindMissing = "missing"
	KindLevel   = "level"
)

// Coordinate is what is made of a feature. A number becomes (x − center) / spread × weight, of x = ln(1 + x) with Log1p. The
// coordinate of a level is Weight where the text is one of Texts, or is missing with Missing, else 0. That of missing is
// Weight where the value is missing, else 0.
type Coordinate struct {
	Name    string   `json:"name"`
	Feature string   `json:"feature"`
	Kind    string   `json:"kind"` // number, level or missing
	Log1p   bool     `json:"log1p,omitempty"`
	Center  float64  `json:"center"`
	Spread  float64  `json:"spread"`
	Weight  float64  `json:"weight"`
	Texts   []string `json:"texts,omitempty"`
	Missing bool     `json:"missing,omitempty"`

	feature int // position in Features
}

// Segment is where a segment lies.
type Segment struct {
	Segment  int       `json:"segment"`
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Rows     int64     `json:"rows"`     // of the fit
	Centroid []float64 `json:"centroid"` // one for each coordinate, in its units
	Input    []float64 `json:"input"`    // the same in the units of the features, for people; not needed to score
}

// New is the document of a model.
func New(m *model.Model) *Document {
	t := m.Transform
	d := &Document{Format: Format, Version: Version, Digest: m.Digest(), Normalise: t.Normalize, Distance: m.Metric}
	for j := range t.Numeric {
		c := &t.Numeric[j]
		f := Feature{Name: c.Name, Kind: KindNumber, Most: feature.MaxMagnitude, Fill: c.Fill, Required: c.Fill == nil, Order: c.Order}
		if c.Log1p {
			above := -1.0
			f.Above = &above
		}
		if len(c.Order) > 0 {
			f.Kind, f.Above, f.Most = KindOrder, nil, 0
		}
		d.Features = append(d.Features, f)
		d.Coordinates = append(d.Coordinates, Coordinate{Name: c.Name, Feature: c.Name, Kind: KindNumber, Log1p: c.Log1p, Center: c.Center,
			Spread: c.Spread, Weight: factor(c.Weight), feature: j})
	}
	for j := range t.Numeric {
		if c := &t.Numeric[j]; c.Indicator != nil {
			d.Coordinates = append(d.Coordinates, Coordinate{Name: c.Name + "=missing", Feature: c.Name, Kind: KindMissing, Spread: 1,
				Weight: factor(c.Weight), feature: j})
		}
	}
	for i := range t.Categorical {
		d.addText(t, &t.Categorical[i])
	}
	grids := t.Grids()
	for i, s := range m.Segments {
		centroid := make([]float64, len(grids))
		for j, x := range m.Centroid(i) {
			centroid[j] = float64(x) + grids[j].Shift
		}
		d.Segments = append(d.Segments, Segment{Segment: i, ID: s.ID, Name: s.Name, Rows: m.Counts[i], Centroid: centroid, Input: m.CentroidInput(i)})
	}
	return d
}

// factor is what a weight multiplies by.
func factor(weight float64) float64 {
	if weight == 0 {
		return 1
	}
	return weight
}

// addText adds a column of text with its levels.
func (d *Document) addText(t *feature.Transform, c *feature.CategoricalColumn) {
	at := len(d.Features)
	d.Features = append(d.Features, Feature{Name: c.Name, Kind: KindText, Required: t.Missing == feature.Fail || t.Missing == feature.Drop})
	level := Coordinate{Feature: c.Name, Kind: KindLevel, Spread: 1, Weight: factor(c.Weight), feature: at}
	for _, l := range c.Levels {
		one := level
		one.Name, one.Texts = c.Name+"="+l.Value, []string{l.Value}
		if l.Value == feature.FoldedLevel {
			one.Texts = append(one.Texts, c.Folded...)
		}
		// Where a text says just that, it is the level of what is missing.
		one.Missing = l.Value == "missing" && c.Missing == nil && t.Missing == feature.Indicator
		d.Coordinates = append(d.Coordinates, one)
	}
	if c.Missing != nil {
		level.Name, level.Kind = c.Name+"=missing", KindMissing
		d.Coordinates = append(d.Coordinates, level)
	}
}

// JSON writes the document, indented.
func (d *Document) JSON(w io.Writer) error {
	data, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return fault.Failedf(err, "the model cannot be written as JSON")
	}
	_, err = w.Write(append(data, '\n'))
	return err
}
