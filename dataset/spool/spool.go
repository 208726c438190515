package spool

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/coterie-project/coterie/internal/fault"
)

// MemoryBytes is how much decoded data the Spools of one Budget keep in memory before they turn to the disk.
const MemoryBytes = 64 << 20

const chunkBytes = 1 << 20

// Budget is the memory that several Spools share, so that a folder of a thousand small files does not take a
// thousand times the limit. It is safe for concurrent use.
type Budget struct{ left atomic.Int64 }

// NewBudget is a Budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	b := &Budget{}
	b.left.Store(bytes)
	return b
}

func (b *Budget) take(n int64) bool {
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.left.Add(n)
	return false
}

// Spool holds bytes that are written once, in order, and read at any place, also while more is written. One
// goroutine may write; ReadAt and Size are safe for concurrent use.
type Spool struct {
	folder string
	budget *Budget

	mu     sync.RWMutex
	size   int64
	chunks [][]byte // in memory: all of chunkBytes but the last, which fills up; nil once there is a file
	file   *os.File
	remove string // the file's name where it could not be unlinked while open
	closed bool
}

// New is an empty Spool which keeps its file, if it needs one, in folder ("" is the system's temporary folder).
func New(folder string, budget *Budget) *Spool {
	if folder == "" {
		folder = os.TempDir()
	}
	return &Spool{folder: folder, budget: budget}
}

// Write appends p. Errors are *fault.Error: the spill folder is missing, its disk is full.
func (s *Spool) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, os.ErrClosed
	}
	written := 0
	for s.file == nil && written < len(p) {
		last := len(s.chunks) - 1
		if last < 0 || len(s.chunks[last]) == chunkBytes {
			s.chunks = append(s.chunks, nil)
			last++
		}
		// The last chunk grows by append: a small file should not cost a megabyte.
		n := min(chunkBytes-len(s.chunks[last]), len(p)-written)
		if !s.budget.take(int64(n)) {
			if err := s.moveToDisk(); err != nil {
				return written, err
			}
			break
		}
		s.chunks[last] = append(s.chunks[last], p[written:written+n]...)
		written += n
		s.size += int64(n)
	}
	if written == len(p) {
		return written, nil
	}
	n, err := s.file.WriteAt(p[written:], s.size)
	s.size += int64(n)
	if err != nil {
		return written + n, s.explain(err)
	}
	return written + n, nil
}

// moveToDisk writes what memory holds to a file and frees it.
func (s *Spool) moveToDisk() error {
	file, err := os.CreateTemp(s.folder, "coterie-spool-*.tmp")
	if err != nil {
		return s.explain(err)
	}
	if os.Remove(file.Name()) != nil { // Windows keeps the name of an open file
		s.remove = file.Name()
	}
	var at int64
	for _, chunk := range s.chunks {
		n, err := file.WriteAt(chunk, at)
		at += int64(n)
		if err != nil {
			file.Close()
			if s.remove != "" {
				os.Remove(s.remove)
			}
			return s.explain(err)
		}
	}
	s.file = file
	s.release()
	return nil
}

func (s *Spool) release() {
	s.budget.left.Add(s.size)
	s.chunks = nil
}

func (s *Spool) explain(err error) error {
	e := fault.Failedf(err, "decompressed or piped data cannot be kept in the folder %s", s.folder)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return e.Do("its disk is full: free some space or name another folder with --spill")
	case errors.Is(err, os.ErrNotExist):
		return e.Do("make the folder or name another one with --spill")
	}
	return e.Do("name another folder with --spill")
}

// ReadAt is io.ReaderAt over what has been written.
func (s *Spool) ReadAt(p []byte, at int64) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, os.ErrClosed
	}
	if s.file != nil {
		return s.file.ReadAt(p, at)
	}
	n := 0
	for n < len(p) && at+int64(n) < s.size {
		chunk, from := (at+int64(n))/chunkBytes, (at+int64(n))%chunkBytes
		n += copy(p[n:], s.chunks[chunk][from:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Size is the number of bytes written.
func (s *Spool) Size() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.size
}

// Close frees the memory and the disk. Reading afterwards is an error.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.file == nil {
		s.release()
		return nil
	}
	err := s.file.Close()
	if s.remove != "" {
		os.Remove(s.remove)
	}
	return err
}
