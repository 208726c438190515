package segment

import (
	"math"

	"github.com/coterie-project/coterie/model"
)

// maxNear bounds the coordinates, k²·d, that are looked at to compare segments with each other: a few seconds.
const maxNear = 1 << 32

// NearestSegments is, by segment, the one whose centroid is nearest, in the space of the Points; the lower index of equals,
// and Segment -1 where there is none. Nil where k²·d is beyond 2^32.
func NearestSegments(m *model.Model) []Near {
	if int64(m.K)*int64(m.K)*int64(m.Width()) > maxNear {
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
