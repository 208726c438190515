package spill

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// page is what extents begin at a multiple of, and what direct transfers are made of: no disk has larger sectors.
const page = 4096

// Extent is where something lies in a File. The zero value is nowhere.
type Extent struct {
	at   int64
	size int // bytes that were put; they take whole pages
	sum  uint32
}

// Size is how many bytes were put.
func (e Extent) Size() int { return e.size }

// File is room on a disk. It may be used from several goroutines. Close it.
type File struct {
	name   string // for messages: nothing has it any more
	file   *os.File
	direct bool // the page cache is passed by
	read   atomic.Int64

	mu     sync.Mutex
	end    int64    // of what was ever taken
	free   []Extent // what was given back before it, ascending, no two next to each other
	used   int64
	closed bool
}

var (
	// ErrChanged is an extent that is not what was put.
	ErrChanged = errors.New("what was spilled has changed on the disk")
	errClosed  = errors.New("the spill file is closed")
)

// Trouble is an error of the disk that is spilled to, and of nothing else on the machine.
type Trouble struct{ as *fault.Error }

func (t *Trouble) Error() string { return t.as.Error() }

// Unwrap gives the error with its place and the next step.
func (t *Trouble) Unwrap() error { return t.as }

// refused is a folder that takes no file. Where it is there, and the system says that something is not (/proc), the usual
// words would be wrong.
func refused(folder string, err error) error {
	var cause *os.PathError
	if _, missing := os.Stat(folder); missing != nil || !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &cause) {
		return explain(filepath.Join(folder, "coterie-spill"), err)
	}
	err = cause.Err
	e := fault.Failedf(err, "the folder to spill to takes no files").Do("name another folder with --spill")
	e.Place.File = folder
	return &Trouble{e}
}

// table is Castagnoli's polynomial, which processors compute as fast as memory is read.
var table = crc32.MakeTable(crc32.Castagnoli)

// Open makes a File in a folder that exists. Its errors are a *Trouble, which is a *fault.Error of kind Failed.
func Open(folder string) (*File, error) {
	file, err := os.CreateTemp(folder, "coterie-spill-*")
	if err != nil {
		return nil, refused(folder, err)
	}
	f := &File{name: file.Name(), file: file}
	if direct, err := openDirect(f.name); err == nil {
		file.Close()
		f.file, f.direct = direct, true
	}
	unlink(f.name)
	return f, nil
}

// Name is what the file was called while it was opened, for messages.
func (f *File) Name() string { return f.name }

// Used is how many bytes of the disk are in use.
func (f *File) Used() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used
}

// ReadBytes is how many bytes have been read so far.
func (f *File) ReadBytes() int64 { return f.read.Load() }

// Close gives the disk its room back.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed, f.used = true, 0
	err := f.file.Close()
	remove(f.name)
	return err
}

// Put writes b, which is a Buffer or begins like one and has room to the end of its last page. Of a write that fails nothing
// is kept. The error is a *Trouble: it says what became of the disk, and names the folder.
func (f *File) Put(b []byte) (Extent, error) {
	whole := pages(len(b))
	if cap(b) < whole {
		return Extent{}, fmt.Errorf("spill: %d bytes without room for %d", len(b), whole)
	}
	e, err := f.take(len(b))
	if err != nil {
		return Extent{}, err
	}
	clear(b[len(b):whole])
	e.sum = crc32.Checksum(b, table)
	if _, err := f.file.WriteAt(b[:whole], e.at); err != nil {
		f.Free(e)
		return Extent{}, explain(f.name, err)
	}
	if !f.direct {
		written(f.file, e.at, int64(whole))
	}
	return e, nil
}

// Get reads an extent into the beginning of a Buffer of at least its size, in whole pages, and gives that part of it. The
// errors are a *Trouble that names the file; ErrChanged is among them.
func (f *File) Get(e Extent, buffer []byte) ([]byte, error) {
	whole := pages(e.size)
	if len(buffer) < whole {
		return nil, fmt.Errorf("spill: a buffer of %d bytes for %d", len(buffer), whole)
	}
	n, err := f.file.ReadAt(buffer[:whole], e.at)
	f.read.Add(int64(n))
	if err != nil && (!errors.Is(err, io.EOF) || n < e.size) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, failed(f.name, err, "what was spilled cannot be read", "see whether the disk is failing; name another folder with --spill")
	}
	if !f.direct {
		done(f.file, e.at, int64(whole))
	}
	if b := buffer[:e.size]; crc32.Checksum(b, table) == e.sum {
		return b, nil
	}
	return nil, failed(f.name, fmt.Errorf("%w: bytes %d to %d", ErrChanged, e.at, e.at+int64(e.size)), "",
		"the disk or its controller is failing: check it, and name another folder with --spill")
}

// Free gives the room of an extent back, for others.
func (f *File) Free(e Extent) {
	if e.size == 0 {
		return
	}
	e.size = pages(e.size)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used -= int64(e.size)
	at, _ := slices.BinarySearchFunc(f.free, e.at, func(x Extent, at int64) int { return int(min(max(x.at-at, -1), 1)) })
	f.free = slices.Insert(f.free, at, e)
	if at+1 < len(f.free) && f.free[at].after() == f.free[at+1].at {
		f.free[at].size += f.free[at+1].size
		f.free = slices.Delete(f.free, at+1, at+2)
	}
	if at > 0 && f.free[at-1].after() == f.free[at].at {
		f.free[at-1].size += f.free[at].size
		f.free = slices.Delete(f.free, at, at+1)
	}
	if n := len(f.free); n > 0 && f.free[n-1].after() == f.end {
		f.end = f.free[n-1].at
		f.free = f.free[:n-1]
	}
}

func (e Extent) after() int64 { return e.at + int64(e.size) }

// take finds room: the first that is large enough, or at the end.
func (f *File) take(size int) (Extent, error) {
	whole := pages(size)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return Extent{}, errClosed
	}
	f.used += int64(whole)
	for i := range f.free {
		free := &f.free[i]
		if free.size < whole {
			continue
		}
		e := Extent{at: free.at, size: size}
		free.at += int64(whole)
		if free.size -= whole; free.size == 0 {
			f.free = slices.Delete(f.free, i, i+1)
		}
		return e, nil
	}
	e := Extent{at: f.end, size: size}
	f.end += int64(whole)
	return e, nil
}

// pages is n rounded up to whole pages.
func pages(n int) int { return (n + page - 1) / page * page }

// Buffer is memory for so many bytes, in whole pages, that begins where a direct transfer can.
func Buffer(n int) []byte {
	whole := pages(n)
	b := make([]byte, whole+page)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) % page)
	return b[skip : skip+whole : skip+whole]
}

// BufferBytes is the memory of a Buffer of so many bytes.
func BufferBytes(n int) int64 { return int64(pages(n) + page) }

func failed(name string, cause error, problem, remedy string) *Trouble {
	e := fault.Failedf(cause, "%s", problem).Do("%s", remedy)
	e.Place.File = name
	return &Trouble{e}
}

// explain says what is wrong with the folder or the disk around a name.
func explain(name string, err error) error {
	e := store.Explain(name, err)
	var known *fault.Error
	if !errors.As(e, &known) {
		return e
	}
	remedy := "name another folder with --spill"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		remedy = "free some room, or " + remedy
	}
	return &Trouble{known.Do("%s", remedy)}
}
