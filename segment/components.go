package segment

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// maxComponentColumns bounds the covariance matrix of Components.
const maxComponentColumns = 256

// Components is a Scatter of Points (n×d row-major) on their first two principal components, for data of which no two
// columns tell enough. Of more than 256 columns those with the greatest variance are used. Directions are signed so
// that the greatest loading is positive. It is a picture, not a result: no promise of equal bits is made for it.
// Nil where there are fewer than two Points.
func Components(points []float32, d int, labels []int32) *Scatter {
	n := len(labels)
	if n < 2 || d < 1 || len(points) < n*d {
		return nil
	}
	columns := widest(points, n, d)
	x := mat.NewDense(n, len(columns), nil)
	for i := range n {
		for c, j := range columns {
			x.Set(i, c, float64(points[i*d+j]))
		}
	}
	var covariance mat.SymDense
	stat.CovarianceMatrix(&covariance, x, nil)
	var eigen mat.EigenSym
	if !eigen.Factorize(&covariance, true) {
		return nil
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	values := eigen.Values(nil) // ascending
	total := 0.0
	for _, v := range values {
		total += max(v, 0)
	}
	scatter := &Scatter{Points: make([][2]float64, n), Labels: labels}
	names := [2]string{"second direction", "second direction"}
	for axis := range min(2, len(columns)) {
		at := len(values) - 1 - axis
		direction := mat.Col(nil, at, &vectors)
		orient(direction)
		scatter.Loadings[axis] = make([]float64, d)
		for c, j := range columns {
			scatter.Loadings[axis][j] = direction[c]
		}
		for i := range n {
			scatter.Points[i][axis] = mat.Dot(x.RowView(i), mat.NewVecDense(len(direction), direction))
		}
		names[axis] = fmt.Sprintf("principal component %d", axis+1)
		if total > 0 {
			names[axis] += ", " + percent(max(values[at], 0)/total)
		}
	}
	scatter.XName, scatter.YName = names[0], names[1]
	return scatter
}

// orient turns a direction so that its greatest loading is positive.
func orient(direction []float64) {
	greatest := 0.0
	for _, v := range direction {
		if math.Abs(v) > math.Abs(greatest) {
			greatest = v
		}
	}
	if greatest < 0 {
		for i := range direction {
			direction[i] = -direction[i]
		}
	}
}

// widest is the columns of the greatest variance, in column order.
func widest(points []float32, n, d int) []int {
	columns := make([]int, d)
	for j := range columns {
		columns[j] = j
	}
	if d <= maxComponentColumns {
		return columns
	}
	variance := make([]float64, d)
	column := make([]float64, n)
	for j := range d {
		for i := range n {
			column[i] = float64(points[i*d+j])
		}
		variance[j] = stat.Variance(column, nil)
	}
	slices.SortStableFunc(columns, func(a, b int) int { return cmp.Compare(variance[b], variance[a]) })
	columns = columns[:maxComponentColumns]
	slices.Sort(columns)
	return columns
}
