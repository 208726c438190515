package pipeline

import (
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/internal/wire"
)

// writeBadRows writes the rows set aside: where each stood, why, and the record itself where the format has one.
func writeBadRows(path string, bad []wire.BadRow) error {
	columns := []table.Column{{Name: "row", Type: table.Int64}, {Name: "file", Type: table.Text}, {Name: "line", Type: table.Int64},
		{Name: "column", Type: table.Text}, {Name: "reason", Type: table.Text}, {Name: "record", Type: table.Text}}
	w, err := table.Create(path, columns, table.Options{})
	if err != nil {
		return err
	}
	defer w.Abort()
	n := len(bad)
	rows, lines := make([]int64, n), make([]int64, n)
	files, names, reasons, raws := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, b := range bad {
		rows[i], lines[i] = b.Row, b.Place.Line
		files[i], names[i], reasons[i], raws[i] = b.Place.File, b.Place.Column, b.Reason, b.Raw
	}
	if err := w.Write(&table.Batch{Rows: n, Columns: []any{rows, files, lines, names, reasons, raws}}); err != nil {
		return err
	}
	return w.Commit()
}
