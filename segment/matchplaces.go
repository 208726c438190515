package segment

import (
	"math"
	"reflect"

	"github.com/coterie-project/coterie/model"
)

// month is one side of a geometry.
type month struct {
	points [][]float64 // by segment, in the scaled space of the old transform; nil: it has no place there
	share  []float64   // of the month's rows
}

// geometry is how the centroids of two months lie in the scaled space of the older one.
type geometry struct {
	old, now *month
	squared  [][]float64 // distances from old i to new j, squared; +Inf where there is no way from one space to the other
	reach    []float64   // by old segment: the distance to the nearest other old centroid; +Inf where there is none
	cosine   bool
}

func newGeometry(old, now *model.Model) *geometry {
	g := &geometry{old: newMonth(old), now: newMonth(now), cosine: old.Metric == model.Cosine}
	place := now.Into(old.Transform)
	same := reflect.DeepEqual(old.Transform, now.Transform)
	for i := range g.old.points {
		g.old.points[i] = widened(old.Centroid(i))
	}
	for j := range g.now.points {
		if same {
			g.now.points[j] = widened(now.Centroid(j))
		} else if p, err := place(j); err == nil {
			g.now.points[j] = widened(p)
		}
	}
	for i, a := range g.old.points {
		row := make([]float64, len(g.now.points))
		for j, b := range g.now.points {
			row[j] = apart(a, b)
		}
		g.squared = append(g.squared, row)
		reach := math.Inf(1)
		for other, b := range g.old.points {
			if other != i {
				reach = min(reach, apart(a, b))
			}
		}
		g.reach = append(g.reach, math.Sqrt(reach))
	}
	return g
}

func newMonth(m *model.Model) *month {
	s := &month{points: make([][]float64, m.K), share: make([]float64, m.K)}
	for i, n := range m.Counts {
		s.share[i] = float64(n) / float64(max(m.Rows, 1))
	}
	return s
}

func widened(p []float32) []float64 {
	w := make([]float64, len(p))
	for i, v := range p {
		w[i] = float64(v)
	}
	return w
}

// apart is the squared distance of two points; +Inf where one has no place.
func apart(a, b []float64) float64 {
	if a == nil || b == nil {
		return math.Inf(1)
	}
	sum := 0.0
	for i, v := range a {
		d := v - b[i]
		sum += float64(d * d)
	}
	return sum
}

// near tells whether new centroid j lies no farther from old i than the nearest other old one did.
func (g *geometry) near(i, j int) bool {
	return !math.IsInf(g.squared[i][j], 1) && math.Sqrt(g.squared[i][j]) <= g.reach[i]
}

// nearestOld is the old centroid that new j is nearest to, the lowest of equals; -1: it has no place among them.
func (g *geometry) nearestOld(j int) int {
	best, at := math.Inf(1), -1
	for i := range g.squared {
		if g.squared[i][j] < best {
			best, at = g.squared[i][j], i
		}
	}
	return at
}

// nearestNew is the new centroid that old i is nearest to.
func (g *geometry) nearestNew(i int) int {
	best, at := math.Inf(1), -1
	for j, d := range g.squared[i] {
		if d < best {
			best, at = d, j
		}
	}
	return at
}

// belongs tells whether segments a and b of one month together are more like one segment of the other month than a is
// alone.
func belongs(whole *month, one int, parts *month, a, b int) bool {
	p, q := parts.points[a], parts.points[b]
	if p == nil || q == nil || whole.points[one] == nil {
		return false
	}
	share := parts.share[a] + parts.share[b]
	if share == 0 || math.Abs(share-whole.share[one]) >= math.Abs(parts.share[a]-whole.share[one]) {
		return false
	}
	middle := make([]float64, len(p))
	for i := range middle {
		middle[i] = (float64(p[i]*parts.share[a]) + float64(q[i]*parts.share[b])) / share
	}
	return apart(middle, whole.points[one]) < apart(p, whole.points[one])
}
