package parquet_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	library "github.com/parquet-go/parquet-go"

	"github.com/coterie-project/coterie/dataset/parquet"
	"github.com/coterie-project/coterie/dataset/pinned"
)

// far is a file that says that it is an object, and counts what is read without having been announced.
type far struct {
	pinned.Handle
	asked *asked
}

type asked struct {
	mu     sync.Mutex
	spans  []pinned.Span
	wanted int64 // bytes announced
	reads  int   // requests of their own
	bytes  int64 // of them
}

func (f far) State() (pinned.State, error) {
	s, err := f.Handle.State()
	return pinned.State{Size: s.Size, ETag: `"e"`}, err
}

func (f far) Want(spans []pinned.Span) {
	f.asked.mu.Lock()
	defer f.asked.mu.Unlock()
	f.asked.spans = append(f.asked.spans, spans...)
	for _, s := range spans {
		f.asked.wanted += s.To - s.From
	}
}

func (f far) ReadAt(b []byte, at int64) (int, error) {
	f.asked.mu.Lock()
	defer f.asked.mu.Unlock()
	if !slices.ContainsFunc(f.asked.spans, func(s pinned.Span) bool { return s.From <= at && at+int64(len(b)) <= s.To }) {
		f.asked.reads++
		f.asked.bytes += int64(len(b))
	}
	return f.Handle.ReadAt(b, at)
}

func TestOfAnObjectOnlyThePagesThatAreNeededAreFetched(t *testing.T) {
	const rows, pageRows = 300_000, 10_000 // at most, in a page
	for name, options := range map[string][]library.WriterOption{
		"version 1": {library.DataPageVersion(1)}, "version 2": {library.DataPageVersion(2)}, "groups": {library.MaxRowsPerRowGroup(110_000)},
	} {
		path := tallFile(t, rows, options...)
		near, err := parquet.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		var now *asked
		s, err := parquet.OpenWith(t.Context(), path, func(ctx context.Context, path string) (pinned.Handle, error) {
			h, err := pinned.OpenLocal(ctx, path)
			now = &asked{}
			return far{h, now}, err
		})
		if err != nil {
			t.Fatal(err)
		}
		if now.reads > 1 {
			t.Errorf("%s: opening took %d more requests than that for the tail", name, now.reads)
		}
		all := s.Bytes()
		for _, part := range [][2]int64{{0, rows}, {0, 5}, {1, 3000}, {65_535, 70_000}, {100_000, 230_000}, {rows - 1, rows}} {
			first, n := part[0], part[1]-part[0]
			want, err := readTall(near, first, n)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readTall(s, first, n)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%s, rows %v: they differ from the file's (%v)", name, part, err)
			}
			if now.reads > 3 || now.bytes > 16<<10 {
				t.Errorf("%s, rows %v: %d requests for %d bytes were not announced; want those for the indexes", name, part, now.reads, now.bytes)
			}
			if most := all * min(rows, n+4*pageRows) / rows; now.wanted > most {
				t.Errorf("%s, rows %v: %d bytes of %d were announced, want at most %d", name, part, now.wanted, all, most)
			}
		}
	}
}
