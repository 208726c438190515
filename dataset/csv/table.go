package csv

import (
	"bytes"
	"context"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/coterie-project/coterie/dataset/spool"
	"github.com/coterie-project/coterie/internal/fault"
)

// DefaultSampleRows is how many rows decide about the kinds of columns.
const DefaultSampleRows = 20000

// Options say how to open a table. The zero value is ready.
type Options struct {
	Name       string        // what messages call the file; default: the path
	SampleRows int           // rows that decide about the kinds of columns; default DefaultSampleRows
	Threads    int           // goroutines for the index pass; default all cores
	SpoolDir   string        // where decompressed data goes if it is large; default the temporary folder
	Budget     *spool.Budget // memory for decompressed data, shared among tables; default spool.MemoryBytes
	Open       pinned.Opener // opens the file, each time anew; default pinned.OpenLocal
}

func (o Options) withDefaults(path string) Options {
	if o.Name == "" {
		o.Name = path
	}
	if o.SampleRows <= 0 {
		o.SampleRows = DefaultSampleRows
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Budget == nil {
		o.Budget = spool.NewBudget(spool.MemoryBytes)
	}
	if o.Open == nil {
		o.Open = pinned.OpenLocal
	}
	return o
}

// Table is one CSV file or stream. It implements dataset.Source.
type Table struct {
	name    string     // in messages
	file    *plainFile // what was opened; nil for a stream
	content content
	layout  layout
	tallies []Tally
	index   index
	located located
}

var _ dataset.Source = (*Table)(nil)

// Open indexes the file at path: .csv or .tsv read in place, .gz and .zst behind either through a spool. A file
// with a header and no rows is a table of no rows. Errors are *fault.Error with the line where there is one.
func Open(ctx context.Context, path string, o Options) (*Table, error) {
	o = o.withDefaults(path)
	file, err := pin(ctx, path, o.Name, o.Open)
	if err != nil {
		return nil, err
	}
	if file.state.IsDir() {
		return nil, fault.Inputf(fault.In(o.Name), "is a folder, not a CSV file")
	}
	lower := strings.ToLower(path)
	packing := spool.Plain
	switch {
	case strings.HasSuffix(lower, ".gz"):
		packing, lower = spool.Gzip, strings.TrimSuffix(lower, ".gz")
	case strings.HasSuffix(lower, ".zst"):
		packing, lower = spool.Zstd, strings.TrimSuffix(lower, ".zst")
	}
	tabs := strings.HasSuffix(lower, ".tsv")
	if packing == spool.Plain {
		return openPlain(ctx, file, tabs, o)
	}
	in, closer, err := file.open(ctx, 0, file.size())
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	t, err := openStream(ctx, io.NewSectionReader(in, 0, file.size()), packing, tabs, o)
	if err != nil {
		return nil, err
	}
	if err := file.unchanged(ctx); err != nil {
		t.Close()
		return nil, err
	}
	t.file = file
	return t, nil
}

// OpenStream reads r to its end into a spool and indexes it. gzip and zstd are recognised by their first bytes.
// Options.Name must be set.
func OpenStream(ctx context.Context, r io.Reader, o Options) (*Table, error) {
	o = o.withDefaults(o.Name)
	head := make([]byte, 4)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, unreadable(o.Name, err)
	}
	head = head[:n]
	return openStream(ctx, io.MultiReader(bytes.NewReader(head), r), spool.Detect(head), false, o)
}

func openPlain(ctx context.Context, file *plainFile, tabs bool, o Options) (*Table, error) {
	src, closer, err := file.whole(ctx)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	l, err := sniff(o.Name, src, file.size(), tabs)
	if err != nil {
		return nil, err
	}
	x := newIndexer(ctx, o.Name, src, l, o.Threads)
	found, err := x.finish(file.size())
	if err != nil {
		return nil, err
	}
	t := &Table{name: o.Name, file: file, content: file, layout: l, index: found}
	if err := t.sample(ctx, src, o); err != nil {
		return nil, err
	}
	if err := file.unchanged(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// openStream fills a spool and indexes it while it fills.
func openStream(ctx context.Context, r io.Reader, packing spool.Compression, tabs bool, o Options) (_ *Table, err error) {
	unpacked, err := spool.Decompress(o.Name, r, packing)
	if err != nil {
		return nil, streamError(o.Name, err)
	}
	defer unpacked.Close()
	s := spool.New(o.SpoolDir, o.Budget)
	var x *indexer
	defer func() {
		if err != nil {
			if x != nil {
				x.stop()
			}
			s.Close()
		}
	}()
	var l layout
	start := func(size int64) (err error) {
		if l, err = sniff(o.Name, s, size, tabs); err == nil {
			x = newIndexer(ctx, o.Name, s, l, o.Threads)
		}
		return err
	}
	err = s.Fill(ctx, unpacked, func(size int64) error {
		// A header may be as long as any record; until it is surely there, only the spool is filled.
		if x == nil && size > maxRecord+sniffBytes {
			if err := start(size); err != nil {
				return err
			}
		}
		if x == nil {
			return nil
		}
		return x.advance(size)
	})
	if err != nil {
		return nil, streamError(o.Name, err)
	}
	if x == nil {
		if err := start(s.Size()); err != nil {
			return nil, err
		}
	}
	found, err := x.finish(s.Size())
	if err != nil {
		return nil, err
	}
	t := &Table{name: o.Name, content: spooled{s}, layout: l, index: found}
	if err := t.sample(ctx, s, o); err != nil {
		return nil, err
	}
	return t, nil
}

// streamError gives a file's name to an error of the system; others have theirs.
func streamError(name string, err error) error {
	if _, ok := err.(*os.PathError); ok {
		return unreadable(name, err)
	}
	return err
}

func (t *Table) sample(ctx context.Context, src io.ReaderAt, o Options) error {
	tallies, err := tally(ctx, src, &t.layout, t.index.end, o.SampleRows)
	if err != nil {
		return err
	}
	t.tallies = tallies
	t.decide(tallies)
	return nil
}

func (t *Table) decide(tallies []Tally) {
	for i := range tallies {
		t.layout.schema.Columns[i].Kind = tallies[i].Kind()
	}
}

// Tallies are what the sample showed, by column.
func (t *Table) Tallies() []Tally { return t.tallies }

// SetKinds replaces the kinds found from this file's sample, so that the files of one table agree. It must not be
// called once there are Readers.
func (t *Table) SetKinds(kinds []dataset.Kind) {
	for i, kind := range kinds {
		t.layout.schema.Columns[i].Kind = kind
	}
}

// Schema gives the columns in file order.
func (t *Table) Schema() *dataset.Schema { return &t.layout.schema }

// Rows is the number of records behind the header.
func (t *Table) Rows() int64 { return t.index.rows }

// Cuts are the numbers of the rows that begin first in each mebibyte.
func (t *Table) Cuts() []int64 {
	cuts := make([]int64, len(t.index.cuts))
	for i, c := range t.index.cuts {
		cuts[i] = c.row
	}
	return cuts
}

// Bytes is the size of the decompressed text.
func (t *Table) Bytes() int64 { return t.content.size() }

// Names is the one file.
func (t *Table) Names() []string { return []string{t.name} }

// Pins is the one file, as it was when it was opened; a stream has none.
func (t *Table) Pins() []dataset.Pin {
	if t.file == nil {
		return nil
	}
	return []dataset.Pin{t.file.state.Pin(t.file.path)}
}

// Close frees the spool, if there is one. Readers must be closed before.
func (t *Table) Close() error { return t.content.close() }
