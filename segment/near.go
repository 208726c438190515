package segment

import (
	"math"

	"github.com/coterie-project/coterie/model"
)

// maxNear is how many segments are compared with each other at most: k²·d.
const maxNear = 4096

// NearestSegments is, by segment, the one whose centroid is nearest, in the space of the Points; the lower index of equals, and
// Segment -1 where there is none. Nil beyond 4,096 segments.
func NearestSegments(m *model.Model) []Near {
	if m.K > maxNear {
		return nil
	}
	near := make([]Near, m.K)
	for i := range near {
		near[i] = Near{Segment: -1, Distance: math.Inf(1)}
	}
	for i := range m.K {
		a := m.Centroid(i)
		for j := range i {
			d := 0.0
			for t, v := range m.Centroid(j) {
				diff := float64(v) - float64(a[t])
				d += float64(diff * diff)
			}
			for _, pair := range [2][2]int{{i, j}, {j, i}} {
				n := &near[pair[0]]
				if d < n.Distance || d == n.Distance && pair[1] < n.Segment {
					*n = Near{Segment: pair[1], Distance: d}
				}
			}
		}
	}
	for i := range near {
		switch {
		case near[i].Segment < 0:
			near[i].Distance = 0
		case m.Metric == model.Cosine:
			near[i].Distance /= 2 // of unit vectors: 1 − cos
		default:
			near[i].Distance = math.Sqrt(near[i].Distance)
		}
	}
	return near
}
