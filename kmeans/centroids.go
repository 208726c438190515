package kmeans

import (
	"fmt"
	"math"
	"slices"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// Centroids is a k×d matrix, row-major, in the space of the Points.
type Centroids struct {
	K, D   int
	Values []float32
}

// NewCentroids makes k×d zeros.
func NewCentroids(k, d int) *Centroids {
	return &Centroids{K: k, D: d, Values: make([]float32, k*d)}
}

// Row is centroid j, length d; it belongs to the Centroids.
func (c *Centroids) Row(j int) []float32 { return c.Values[j*c.D : (j+1)*c.D] }

// Clone is a deep copy.
func (c *Centroids) Clone() *Centroids {
	return &Centroids{K: c.K, D: c.D, Values: slices.Clone(c.Values)}
}

// Equal says whether both are the same, bit for bit.
func (c *Centroids) Equal(o *Centroids) bool {
	return c.K == o.K && c.D == o.D && slices.EqualFunc(c.Values, o.Values, func(a, b float32) bool {
		return math.Float32bits(a) == math.Float32bits(b)
	})
}

// Movement is the squared movement of all centroids between c and o, summed over both in float64, in order.
func (c *Centroids) Movement(o *Centroids) float64 {
	sum := 0.0
	for i, v := range c.Values {
		diff := float64(v) - float64(o.Values[i])
		sum += float64(diff * diff)
	}
	return sum
}

// Validate checks the shape and that every value is finite.
func (c *Centroids) Validate() error {
	if c.K < 1 || c.K > MaxClusters || c.D < 1 || len(c.Values) != c.K*c.D {
		return fmt.Errorf("%w: %d×%d centroids with %d values", ErrShape, c.K, c.D, len(c.Values))
	}
	for i, v := range c.Values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("%w: centroid %d, column %d is not finite", ErrShape, i/c.D, i%c.D)
		}
	}
	return nil
}

// Space is what a centroid needs to know of its columns: the grid of each, and with the cosine metric the shift of
// each, since a centroid is normalised with the shift added back.
type Space struct {
	Grid   []int
	Cosine bool
	Shift  []float64 // used with Cosine only
}

// Update gives the next centroids: each the exact mean of its rows rounded once to float32, or, under cosine, that
// mean brought back to length one. A cluster without weight keeps its centroid from before, and so does one whose
// mean is zero under cosine.
func (s *Sums) Update(before *Centroids, space *Space) *Centroids {
	after := before.Clone()
	kernel.SpreadOut(s.K, s.D, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			s.mean(j, space, after.Row(j))
		}
	})
	return after
}

// mean writes cluster j's centroid to row, if it has any weight.
func (s *Sums) mean(j int, space *Space, row []float32) {
	weight := s.Weight(j)
	switch {
	case weight.Sign() <= 0:
	case space.Cosine:
		s.direction(j, weight, space, row)
	default:
		for t := range row {
			row[t] = s.Values[j*s.D+t].Mean32(weight, space.Grid[t])
		}
	}
}

// direction writes the unit vector of cluster j's mean to row; rounding is float64, in order, and fixed.
func (s *Sums) direction(j int, weight exact.Int128, space *Space, row []float32) {
	mean := make([]float64, s.D)
	total := weight.Float64(0)
	norm := 0.0
	for t := range mean {
		mean[t] = float64(s.Values[j*s.D+t].Float64(space.Grid[t])/total) + space.Shift[t]
		norm += float64(mean[t] * mean[t])
	}
	norm = math.Sqrt(norm)
	if norm == 0 {
		return
	}
	for t := range mean {
		row[t] = float32(float64(mean[t]/norm) - space.Shift[t])
	}
}
