package open

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/csv"
	"github.com/coterie-project/coterie/dataset/parquet"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// stream opens standard input or a named pipe: CSV, perhaps packed with gzip or zstd, or Parquet, told apart by the
// first bytes.
func (op *opener) stream(ctx context.Context, path string) (dataset.Source, error) {
	in := store.Interruptible(ctx, op.Stdin)
	if path != "-" {
		file, err := store.OpenStream(ctx, path)
		if err != nil {
			return nil, &fault.Error{Kind: fault.Input, Place: fault.In(path), Problem: "cannot be read", Err: err}
		}
		defer file.Close()
		in = file
	}
	buffered := bufio.NewReaderSize(in, 256<<10)
	head, _ := buffered.Peek(4) // an error comes again when the bytes are read
	if bytes.Equal(head, []byte("PAR1")) {
		return op.parquetStream(ctx, path, buffered)
	}
	t, err := csv.OpenStream(ctx, buffered, op.csvOptions(path))
	if err != nil {
		return nil, err
	}
	return named{t, path}, nil
}

// named is a table under the name that the caller wrote, which is not the one that messages show.
type named struct {
	*csv.Table
	name string
}

func (n named) Names() []string { return []string{n.name} }

// parquetStream copies a stream to a file, since Parquet is read from its end, and opens that.
func (op *opener) parquetStream(ctx context.Context, path string, r io.Reader) (_ dataset.Source, err error) {
	file, err := os.CreateTemp(op.SpoolDir, "coterie-stdin-*.parquet")
	if err != nil {
		return nil, spoolError(err)
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	_, err = io.Copy(file, contextReader{ctx, r})
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, spoolError(err)
	}
	s, err := parquet.Open(ctx, file.Name())
	if err != nil {
		return nil, rename(err, file.Name(), display(path))
	}
	return &temporary{Source: s, file: file.Name(), name: path}, nil
}

func spoolError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := fault.Failedf(err, "piped data cannot be kept in a temporary file")
	if errors.Is(err, syscall.ENOSPC) {
		return e.Do("the disk is full: free some space or name another folder with --spill")
	}
	return e.Do("name another folder with --spill")
}

// contextReader ends a long copy when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// temporary is a Source over a file of ours, which goes when it is closed, and whose name no message shows.
type temporary struct {
	dataset.Source
	file, name string
}

func (t *temporary) Names() []string { return []string{t.name} }

func (t *temporary) Locate(row int64) fault.Place {
	place := t.Source.Locate(row)
	place.File = display(t.name)
	return place
}

func (t *temporary) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	r, err := t.Source.Read(ctx, first, rows, fields)
	if err != nil {
		return nil, rename(err, t.file, display(t.name))
	}
	return &renaming{r, t}, nil
}

func (t *temporary) Close() error {
	err := t.Source.Close()
	if removed := os.Remove(t.file); err == nil && !errors.Is(removed, os.ErrNotExist) {
		err = removed
	}
	return err
}

type renaming struct {
	dataset.Reader
	t *temporary
}

func (r *renaming) Next() (*dataset.Block, error) {
	b, err := r.Reader.Next()
	if err != nil {
		return nil, rename(err, r.t.file, display(r.t.name))
	}
	for i := range b.Bad {
		b.Bad[i].Place.File = display(r.t.name)
	}
	return b, nil
}

// rename puts the name that the user knows into an error about a temporary file.
func rename(err error, file, name string) error {
	var e *fault.Error
	if errors.As(err, &e) && e.Place.File == file {
		copied := *e
		copied.Place.File = name
		return &copied
	}
	return err
}
