package pipeline

import (
	"strings"

	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/segment"
)

// scatterRows is how many customers the picture shows: the first of every so many.
const scatterRows = 2000

// tableWidth is the width of the segments' table: it fits a terminal of 100 columns.
const tableWidth = 100

// ModelTable is the segments of a model as a table that a manager can read, for a terminal of width cells; 0: it is not
// known.
func ModelTable(m *model.Model, width int) string {
	if width <= 0 {
		width = tableWidth
	}
	var b strings.Builder
	// A Builder does not fail.
	_ = segment.FromModel(m).Table(&b, width)
	return b.String()
}
