package worker

import (
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// sampleOf is the first so many columns of those Points that are in the sample of a table of so many rows, row by row. Which
// they are depends on the numbers of the rows alone.
func sampleOf(p *kmeans.Points, columns int, rows int64) []float32 {
	step := wire.SampleStep(rows, columns)
	if step == 0 {
		return nil
	}
	var sample []float32
	point := make([]float32, p.Columns())
	for i, n := 0, p.Rows(); i < n; i++ {
		off := p.RowNumber(i) % step
		if off == 0 {
			sample = append(sample, p.At(i, point)[:columns]...)
		} else if next := i + int(step-off); next < n && p.RowNumber(next) == p.RowNumber(i)+step-off {
			i = next - 1 // no row is left out in between
		}
	}
	return sample
}
