package parquet

import (
	"bytes"
	"slices"
	"testing"

	library "github.com/parquet-go/parquet-go"

	"github.com/coterie-project/coterie/dataset/pinned"
)

// memory is a file in memory.
type memory struct{ *bytes.Reader }

func (memory) State() (pinned.State, error) { return pinned.State{}, nil }
func (memory) Want([]pinned.Span)           {}
func (memory) Keep()                        {}
func (memory) Close() error                 { return nil }

func TestPagesAreFoundByTheirHeadersAsTheIndexSays(t *testing.T) {
	type row struct {
		X float64 `parquet:"x,plain"`
		D int64   `parquet:"d,dict"`
	}
	rows := make([]row, 50_000)
	for i := range rows {
		rows[i] = row{float64(i), int64(i / 100)}
	}
	var file bytes.Buffer
	w := library.NewGenericWriter[row](&file, library.PageBufferSize(20_000), library.MaxRowsPerRowGroup(30_000))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := &source{File: &pinned.File{Size: int64(file.Len())}}
	handle := memory{bytes.NewReader(file.Bytes())}
	if err := s.load(handle); err != nil {
		t.Fatal(err)
	}
	for _, g := range s.footer.groups {
		for i := range g.chunks {
			k := &g.chunks[i]
			want, err := readIndex(handle, k)
			if err != nil || len(want) < 5 {
				t.Fatalf("the index has %d pages (%v)", len(want), err)
			}
			m := s.pages.of(k)
			for _, row := range []int64{1, 10_000, 12_000, g.rows} {
				if err := m.learn(handle, k, nil, row, g.rows); err != nil {
					t.Fatal(err)
				}
				n := m.upTo(row)
				if n.rows < row || !slices.Equal(n.list, want[:len(n.list)]) || row < g.rows && len(n.list) == len(want) {
					t.Errorf("column %d, up to row %d: got %d pages of %d rows that differ from the %d of the index, or all", i, row, len(n.list), n.rows, len(want))
				}
			}
			if n := s.pages.of(k).upTo(g.rows); len(n.list) != len(want) || n.rows != g.rows {
				t.Errorf("column %d: got %d pages of %d rows, want %d of %d", i, len(n.list), n.rows, len(want), g.rows)
			}
			if err := m.learn(handle, k, nil, g.rows+1, g.rows); err != errRest {
				t.Errorf("column %d: got %v for rows that are not there, want errRest", i, err)
			}
		}
	}
}
