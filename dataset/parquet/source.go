package parquet

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/coterie-project/coterie/internal/fault"
)

const (
	magic          = "PAR1"
	encryptedMagic = "PARE"
	tailBytes      = 8 // the footer's length and the magic
	maxFooter      = 512 << 20
	footerGuess    = 64 << 10 // asked for with the tail: most metadata is smaller
)

// source is one Parquet file. It keeps the footer, not the file: every Reader opens the file for itself and
// finds it unchanged or fails, so that a folder of ten thousand files costs no ten thousand open files.
type source struct {
	*pinned.File
	tree   *tree
	footer *footer
	pages  pageMaps // of an object
}

// Open reads the footer of the Parquet file at path. A damaged, truncated, encrypted or foreign file is a
// fault.Input error that names the file. Nested columns are listed as unusable.
func Open(ctx context.Context, path string) (dataset.Source, error) { return OpenWith(ctx, path, nil) }

// OpenWith is Open of a file that open opens, each time anew.
func OpenWith(ctx context.Context, path string, open pinned.Opener) (dataset.Source, error) {
	pin, file, err := pinned.Open(ctx, path, "a Parquet file", open)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	s := &source{File: pin}
	if err := s.load(file); err != nil {
		return nil, err
	}
	return s, nil
}

// load reads and checks the footer.
func (s *source) load(file pinned.Handle) error {
	file.Want([]pinned.Span{{From: 0, To: int64(len(magic))}, {From: s.Size - footerGuess, To: s.Size}})
	data, err := s.readFooter(file)
	if err != nil {
		return err
	}
	defer func() { data = nil }()
	if s.footer, err = parseFooter(data); err != nil {
		return s.damaged("the metadata cannot be read: %w", err)
	}
	if s.tree, err = buildTree(s.footer.schema); err != nil {
		return s.damaged("%w", err)
	}
	if len(s.tree.schema.Columns) == 0 {
		return fault.Inputf(fault.In(s.Path), "has no columns")
	}
	seen := make(map[string]bool, len(s.tree.schema.Columns))
	for i := range s.tree.schema.Columns {
		name := s.tree.schema.Columns[i].Name
		if seen[name] {
			return fault.Inputf(fault.Place{File: s.Path, Row: fault.NoRow, Column: name},
				"two columns have this name").Do("rename one of them")
		}
		seen[name] = true
	}
	if err := s.footer.check(s.Size-tailBytes-int64(len(data)), s.tree.leaves); err != nil {
		return s.damaged("%w", err)
	}
	s.footer.schema = nil
	return nil
}

// readFooter gives the metadata's bytes, never more than the file has.
func (s *source) readFooter(file io.ReaderAt) ([]byte, error) {
	var head [len(magic)]byte
	var tail [tailBytes]byte
	if s.Size < int64(len(magic)+tailBytes) {
		return nil, s.truncated()
	}
	if err := s.readAt(file, head[:], 0); err != nil {
		return nil, err
	}
	if err := s.readAt(file, tail[:], s.Size-tailBytes); err != nil {
		return nil, err
	}
	if string(tail[4:]) == encryptedMagic {
		return nil, fault.Inputf(fault.In(s.Path), "encrypted Parquet is not supported").Do("write it without encryption")
	}
	if string(head[:]) != magic || string(tail[4:]) != magic {
		return nil, s.truncated()
	}
	n := int64(binary.LittleEndian.Uint32(tail[:4]))
	if n == 0 || n > s.Size-int64(len(magic)+tailBytes) {
		return nil, s.truncated()
	}
	if n > maxFooter {
		return nil, fault.Inputf(fault.In(s.Path), "has %d bytes of metadata; the limit is %d", n, maxFooter).
			Do("write fewer, larger row groups")
	}
	data := make([]byte, n)
	return data, s.readAt(file, data, s.Size-tailBytes-n)
}

func (s *source) readAt(file io.ReaderAt, b []byte, at int64) error {
	if n, err := file.ReadAt(b, at); n < len(b) {
		if err == io.EOF {
			return s.truncated()
		}
		return pinned.Unreadable(s.Path, err)
	}
	return nil
}

func (s *source) truncated() error {
	return fault.Inputf(fault.In(s.Path), "is truncated or not Parquet").Do("copy or export it again")
}

func (s *source) damaged(format string, args ...any) error {
	e := fault.Inputf(fault.In(s.Path), "is damaged").Do("copy or export it again")
	e.Err = fmt.Errorf(format, args...)
	return e
}

// Schema is the file's top-level columns.
func (s *source) Schema() *dataset.Schema { return &s.tree.schema }

// Rows is the number of rows in the file.
func (s *source) Rows() int64 { return s.footer.rows }

// Tag implements dataset.Tagged.
func (s *source) Tag(key string) string { return s.footer.tags[key] }

// Cuts are the first rows of the row groups. Inside a group a start costs reading the headers of the pages before.
func (s *source) Cuts() []int64 {
	if len(s.footer.groups) == 0 {
		return []int64{0}
	}
	cuts := make([]int64, len(s.footer.groups))
	for i := range s.footer.groups {
		cuts[i] = s.footer.groups[i].first
	}
	return cuts
}

// Locate is the row's place in the file.
func (s *source) Locate(row int64) fault.Place { return fault.Place{File: s.Path, Row: row} }

// Bytes is the size of the pages after decompression, as the file gives it.
func (s *source) Bytes() int64 {
	total := int64(0)
	for i := range s.footer.groups {
		for _, c := range s.footer.groups[i].chunks {
			if total+c.uncompressed < total {
				return 0
			}
			total += c.uncompressed
		}
	}
	return total
}

// Names is the path, as it was given to Open.
func (s *source) Names() []string { return []string{s.Path} }

// Close has nothing to do: no file is held open.
func (s *source) Close() error { return nil }
