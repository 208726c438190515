package open

import (
	"context"
	"io"
	"os"
	"runtime"
	"sync"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/csv"
	"github.com/coterie-project/coterie/dataset/npy"
	"github.com/coterie-project/coterie/dataset/parquet"
	"github.com/coterie-project/coterie/dataset/spool"
	"github.com/coterie-project/coterie/dataset/synth"
	"github.com/coterie-project/coterie/internal/fault"
)

// Options say how to open data. The zero value is ready.
type Options struct {
	SpoolDir      string    // folder for decompressed or piped data that is large; default the temporary folder
	SpoolMemory   int64     // bytes of it kept in memory first; default spool.MemoryBytes
	Stdin         io.Reader // what "-" reads; default os.Stdin
	NumericSample int       // rows of a text file that decide about the kinds of columns; default csv.DefaultSampleRows
	// Roots, if not nil, are the folders, and the prefixes s3://bucket/… of objects, that may be read, for names that others
	// give: files are named by absolute paths without "..", and lie within a root also once symbolic links are followed.
	// Standard input, devices and pipes are refused; synth://… lies nowhere and may be named.
	Roots []string
	// Pins, if not nil, are what the files must be: the same paths in the same order, of these sizes, times and ETags.
	Pins []dataset.Pin
}

// opener opens the items of one call, which share the memory for spools.
type opener struct {
	Options
	files
	budget  *spool.Budget
	threads int // for each file
}

// Sources opens everything that data names as one table: .csv, .tsv, .csv.gz, .csv.zst, .parquet and .npy files,
// folders and globs of them, the same of objects (s3://bucket/…), synth://…, and - for standard input. Rows are numbered over the files in order. Every
// file must have the same columns, by name. Errors are *fault.Error: Usage for a name that cannot be data, Input
// for data that is missing, damaged or empty, lies outside of the Roots or differs from the Pins. The caller closes the
// Source.
func Sources(ctx context.Context, data []string, o Options) (dataset.Source, error) {
	find := finder{files: everywhere{}, ctx: ctx}
	if o.Roots != nil {
		folders, buckets, err := splitRoots(o.Roots)
		if err != nil {
			return nil, err
		}
		r, err := newRoots(folders)
		if err != nil {
			return nil, err
		}
		find = finder{files: r, ctx: ctx, guarded: true, buckets: buckets}
	}
	items, err := find.expand(data)
	if err != nil {
		return nil, err
	}
	if err := o.foresee(find, items); err != nil {
		return nil, err
	}
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	if o.SpoolMemory <= 0 {
		o.SpoolMemory = spool.MemoryBytes
	}
	cores := runtime.GOMAXPROCS(0)
	op := &opener{Options: o, files: find.files, budget: spool.NewBudget(o.SpoolMemory), threads: max(1, cores/len(items))}
	sources, err := op.all(ctx, items, min(cores, len(items)))
	if err != nil {
		return nil, err
	}
	joined, err := join(items, sources)
	if err == nil {
		joined, err = byFolders(items, sources, joined)
	}
	if err == nil && joined.Rows() == 0 {
		err = fault.Inputf(fault.In(display(items[0].path)), "has no rows").Do("is it the right file?")
	}
	if err == nil {
		err = o.hold(dataset.PinsOf(joined))
	}
	if err != nil {
		closeAll(sources)
		return nil, err
	}
	return joined, nil
}

// all opens the items, several at a time. The error is that of the first item that fails: items are begun in
// order, and none is begun after a failure.
func (op *opener) all(ctx context.Context, items []item, threads int) ([]dataset.Source, error) {
	sources := make([]dataset.Source, len(items))
	errs := make([]error, len(items))
	var mu sync.Mutex
	next, failed := 0, false
	take := func() int {
		mu.Lock()
		defer mu.Unlock()
		if failed || next == len(items) {
			return -1
		}
		next++
		return next - 1
	}
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() {
			for i := take(); i >= 0; i = take() {
				sources[i], errs[i] = op.open(ctx, items[i])
				if errs[i] != nil {
					mu.Lock()
					failed = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			closeAll(sources)
			return nil, err
		}
	}
	return sources, nil
}

func closeAll(sources []dataset.Source) {
	for _, s := range sources {
		if s != nil {
			s.Close()
		}
	}
}

// open opens one item. A nil *csv.Table must not become a Source that is not nil.
func (op *opener) open(ctx context.Context, i item) (dataset.Source, error) {
	switch i.format {
	case parquetFormat:
		return parquet.OpenWith(ctx, i.path, op.handle(i))
	case npyFormat:
		return npy.OpenWith(ctx, i.path, op.handle(i))
	case synthFormat:
		return synth.Open(i.path)
	case streamFormat:
		return op.stream(ctx, i.path)
	}
	o := op.csvOptions(i.path)
	o.Open = op.handle(i)
	t, err := csv.Open(ctx, i.path, o)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (op *opener) csvOptions(path string) csv.Options {
	return csv.Options{Name: display(path), SampleRows: op.NumericSample, Threads: op.threads, SpoolDir: op.SpoolDir, Budget: op.budget}
}

// display is how messages name an item.
func display(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}
