package segment

import (
	"math"
	"slices"

	"github.com/coterie-project/coterie/feature"
)

// Neighbour is a segment and how far a Point lies from its centroid.
type Neighbour struct {
	Segment int     // -1: none
	Squared float32 // what the distance function gave
}

// Distance is the root of Squared, rounded once to float32.
func (n Neighbour) Distance() float32 {
	// The root of a float32 in float64 has more than twice float32's digits, so the second rounding is harmless.
	return float32(math.Sqrt(float64(n.Squared)))
}

// Nearest finds the two nearest centroids (k×d row-major) of a Point of length d; distance gives the squared distance
// by the product's definition. Ties go to the lowest index. With one centroid the second is Segment -1.
func Nearest(point, centroids []float32, distance func(point, centroid []float32) float32) (first, second Neighbour) {
	first, second = Neighbour{-1, float32(math.Inf(1))}, Neighbour{-1, float32(math.Inf(1))}
	d := len(point)
	for i := 0; (i+1)*d <= len(centroids) && d > 0; i++ {
		n := Neighbour{i, distance(point, centroids[i*d:(i+1)*d])}
		switch {
		case first.Segment < 0 || n.Squared < first.Squared:
			first, second = n, first
		case second.Segment < 0 || n.Squared < second.Squared:
			second = n
		}
	}
	return first, second
}

// Because is what one feature has to say for the nearest segment.
type Because struct {
	Feature  string  `json:"feature"`
	Value    any     `json:"value"`    // the customer's: float64, string, or nil for a missing one
	Centroid float64 `json:"centroid"` // the segment's, in the units of the input; the share of the customer's level for a categorical feature
	// Pull is how much this feature speaks for the nearest segment against the second: (x − c2)² − (x − c1)² in the space
	// of the Points, summed over the feature's columns. Negative: it speaks for the second. The pulls of all
	// features add up to the difference of the squared distances.
	Pull float64 `json:"pull"`
}

// Explain says why a Point (length d) lies in segment first rather than second, the weightiest feature first, equals in
// the order of the features. centroids is k×d row-major; values holds the customer's value for each input column by
// name, a float64 or a string, nil or absent where it is missing. With second -1 a pull is −(x − c1)².
func Explain(point, centroids []float32, first, second int, t *feature.Transform, values map[string]any) []Because {
	d := len(point)
	input := t.Inverse(centroids[first*d : (first+1)*d])
	pull := func(j int) float64 {
		near := float64(point[j]) - float64(centroids[first*d+j])
		if second < 0 {
			return -float64(near * near)
		}
		far := float64(point[j]) - float64(centroids[second*d+j])
		return float64(far*far) - float64(near*near)
	}
	because := make([]Because, 0, len(t.Numeric)+len(t.Categorical))
	next := len(t.Numeric)
	for j := range t.Numeric {
		b := Because{Feature: t.Numeric[j].Name, Value: values[t.Numeric[j].Name], Centroid: sayable(input[j]), Pull: pull(j)}
		if t.Numeric[j].Indicator != nil {
			b.Pull += pull(next)
			next++
		}
		because = append(because, b)
	}
	for i := range t.Categorical {
		c := &t.Categorical[i]
		b := Because{Feature: c.Name, Value: values[c.Name]}
		for l := range c.Levels {
			if b.Value == c.Levels[l].Value || b.Value == nil && c.Levels[l].Value == missingLevel {
				b.Centroid = sayable(input[next])
			}
			b.Pull += pull(next)
			next++
		}
		if c.Missing != nil {
			if b.Value == nil {
				b.Centroid = sayable(input[next])
			}
			b.Pull += pull(next)
			next++
		}
		because = append(because, b)
	}
	slices.SortStableFunc(because, func(a, b Because) int {
		x, y := math.Abs(a.Pull), math.Abs(b.Pull)
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return because
}

// sayable keeps a number within what JSON can say.
func sayable(x float64) float64 {
	return max(-math.MaxFloat64, min(x, math.MaxFloat64))
}
