package open

import (
	"strconv"

	"github.com/coterie-project/coterie/dataset"
)

// converter brings one column of a file to the representation that the union promises, where the files differ:
// float32 becomes float64, and an integer id its decimal text. Its buffers are used again for every Block.
type converter struct {
	float64s []float64
	text     dataset.Strings
}

func (c *converter) convert(v dataset.Vector, as dataset.As, column *dataset.Column) dataset.Vector {
	switch {
	case as == dataset.AsNumber && v.Float32 != nil && !column.Float32:
		c.float64s = c.float64s[:0]
		for _, x := range v.Float32 {
			c.float64s = append(c.float64s, float64(x))
		}
		v.Float64, v.Float32 = c.float64s, nil
	case as == dataset.AsID && v.Int64 != nil && !column.Integer:
		c.text.Data, c.text.Offsets = c.text.Data[:0], append(c.text.Offsets[:0], 0)
		for i, x := range v.Int64 {
			if v.Missing == nil || !v.Missing[i] {
				c.text.Data = strconv.AppendInt(c.text.Data, x, 10)
			}
			c.text.Offsets = append(c.text.Offsets, len(c.text.Data))
		}
		v.Text, v.Int64 = c.text, nil
	}
	return v
}
