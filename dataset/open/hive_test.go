package open

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

// texts reads columns as they are written, rows of cells joined by |; "·" is missing.
func texts(t *testing.T, s dataset.Source, first, rows int64, as dataset.As) []string {
	t.Helper()
	var fields []dataset.Field
	for i := range s.Schema().Columns {
		fields = append(fields, dataset.Field{Column: i, As: as})
	}
	r, err := s.Read(t.Context(), first, rows, fields)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var list []string
	for {
		b, err := r.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			var cells []string
			for _, v := range b.Columns {
				switch {
				case v.Missing != nil && v.Missing[i]:
					cells = append(cells, "·")
				case v.Micros != nil:
					cells = append(cells, fmt.Sprint(v.Micros[i]))
				case v.Float32 != nil:
					cells = append(cells, fmt.Sprint(v.Float32[i]))
				case v.Float64 != nil:
					cells = append(cells, fmt.Sprint(v.Float64[i]))
				default:
					cells = append(cells, string(v.Text.At(i)))
				}
			}
			list = append(list, strings.Join(cells, "|"))
		}
	}
}

func TestFoldersTellColumns(t *testing.T) {
	dir := folderOf(t, map[string]string{
		"dt=2026-09-30/region=eu/month=9/a.csv": "x\n1\n2\n", "dt=2026-10-01/region=a%2Fb%3Dc/month=10/a.csv": "x\n3\n", "dt=2026-10-01/region=__HIVE_DEFAULT_PARTITION__/month=10/b.csv": "x\n4\n",
	})
	s := sources(t, Options{}, dir)
	for i, want := range []dataset.Column{{Name: "x", Kind: dataset.Number}, {Name: "dt", Kind: dataset.Time, Partition: true}, {Name: "region", Kind: dataset.Text, Partition: true}, {Name: "month", Kind: dataset.Number, Partition: true}} {
		if got := s.Schema().Columns[i]; got != want {
			t.Errorf("column %d: got %+v, want %+v", i, got, want)
		}
	}
	want := []string{"1|2026-09-30|eu|9", "2|2026-09-30|eu|9", "4|2026-10-01|·|10", "3|2026-10-01|a/b=c|10"}
	if got := texts(t, s, 0, 4, dataset.AsText); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := texts(t, s, 1, 2, dataset.AsText); fmt.Sprint(got) != fmt.Sprint(want[1:3]) {
		t.Errorf("from row 1: got %q, want %q", got, want[1:3])
	}
	r, err := s.Read(t.Context(), 1, 2, []dataset.Field{{Column: 1, As: dataset.AsTime}, {Column: 3}, {Column: 0}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := r.Next()
	if err != nil || b.Columns[0].Micros[0] != 1790726400e6 || b.Columns[1].Float64[0] != 9 || b.Columns[2].Float64[0] != 2 {
		t.Errorf("got %+v, %v", b, err)
	}
	if pins := dataset.PinsOf(s); len(pins) != 3 {
		t.Errorf("%d pins for three files", len(pins))
	}
	_, err = s.Read(t.Context(), 0, 1, []dataset.Field{{Column: 2}})
	if fault.Code(err) != 3 || !strings.Contains(err.Error(), "region: is told by the names of folders and holds text, not numbers") {
		t.Errorf("got %v", err)
	}
}

func TestASingleFileInAFolderThatTellsAColumn(t *testing.T) {
	dir := folderOf(t, map[string]string{"month=7/a.csv": "x\n1\n"})
	for _, name := range []string{dir, dir + "/month=7", dir + "/month=7/a.csv", dir + "/month=*/*.csv"} {
		if got := texts(t, sources(t, Options{}, name), 0, 1, dataset.AsNumber); fmt.Sprint(got) != "[1|7]" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestFoldersThatDoNotAgreeAreNamed(t *testing.T) {
	dir := folderOf(t, map[string]string{
		"deep/a=1/b=2/x.csv": "x\n1\n", "deep/a=2/x.csv": "x\n1\n", "order/a=1/b=2/x.csv": "x\n1\n", "order/b=1/a=2/x.csv": "x\n1\n",
		"own/x=1/x.csv": "x\n1\n", "twice/a=1/a=2/x.csv": "x\n1\n", "plain/y.csv": "x\n1\n",
	})
	for _, c := range []struct {
		want []string
		data []string
	}{
		{[]string{"deep/a=2/x.csv: lies in folders that tell a, but ", "deep/a=1/b=2/x.csv in folders that tell a, b"}, []string{dir + "/deep"}},
		{[]string{"order/b=1/a=2/x.csv: lies in folders that tell b, a, but "}, []string{dir + "/order"}},
		{[]string{"own/x=1/x.csv: column x: is a column of the file, and the name of a folder too: x=1"}, []string{dir + "/own"}},
		{[]string{"column a: is the name of two folders"}, []string{dir + "/twice"}},
		{[]string{"plain/y.csv: lies in folders that tell no column, but ", "own/x=1/x.csv in folders that tell x"}, []string{dir + "/own", dir + "/plain"}},
	} {
		_, err := Sources(context.Background(), c.data, Options{})
		for _, want := range c.want {
			if fault.Code(err) != 3 || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got %v (code %d), want code 3 with %q", c.data, err, fault.Code(err), want)
			}
		}
	}
}
