package spill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

// opened is a File in a folder of its own.
func opened(t *testing.T) *File {
	t.Helper()
	f, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// filled is a Buffer of n bytes that depend on a seed.
func filled(n int, seed uint64) []byte {
	b, r := Buffer(n)[:n], rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func put(t *testing.T, f *File, b []byte) Extent {
	t.Helper()
	e, err := f.Put(b)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhatIsPutIsRead(t *testing.T) {
	f := opened(t)
	sizes := []int{1, 511, page, page + 1, 3*page - 1, 100_000}
	var extents []Extent
	for i, n := range sizes {
		extents = append(extents, put(t, f, filled(n, uint64(i))))
	}
	buffer := Buffer(slices.Max(sizes))
	for i, e := range extents {
		got, err := f.Get(e, buffer)
		if want := filled(sizes[i], uint64(i)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %d others, %v", sizes[i], len(got), err)
		}
	}
}

func TestAFileHasNoNameOnceItIsOpen(t *testing.T) {
	folder := t.TempDir()
	f, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	put(t, f, filled(page, 1))
	if left, err := os.ReadDir(folder); unlinks && (err != nil || len(left) > 0) {
		t.Errorf("while it is open: got %v, %v, want nothing", left, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("afterwards: got %v, %v, want nothing", left, err)
	}
	if _, err := f.Put(filled(1, 1)); !errors.Is(err, errClosed) {
		t.Errorf("a closed file: got %v, want %v", err, errClosed)
	}
}

func TestRoomThatIsGivenBackIsUsedAgain(t *testing.T) {
	f, r := opened(t), rand.New(rand.NewPCG(3, 3))
	held := make(map[Extent][]byte)
	buffer := Buffer(8 * page)
	for step := range 300 {
		if r.IntN(3) > 0 || len(held) == 0 {
			b := filled(1+r.IntN(8*page), uint64(step))
			held[put(t, f, b)] = b
			continue
		}
		for e := range held {
			f.Free(e)
			delete(held, e)
			break
		}
	}
	used := int64(0)
	for e, want := range held {
		used += int64(pages(len(want)))
		if got, err := f.Get(e, buffer); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("bytes %d to %d: got others, %v", e.at, e.after(), err)
		}
	}
	if f.Used() != used {
		t.Errorf("got %d bytes in use, want %d", f.Used(), used)
	}
	for e := range held {
		f.Free(e)
	}
	if f.Used() != 0 || f.end != 0 || len(f.free) != 0 {
		t.Errorf("all given back: got %d in use, the end at %d, %v free; want nothing", f.Used(), f.end, f.free)
	}
}

// flip changes one bit of the file behind everybody's back.
func flip(t *testing.T, f *File, at int64) {
	t.Helper()
	b := Buffer(page)
	from := at / page * page
	if _, err := f.file.ReadAt(b, from); err != nil {
		t.Fatal(err)
	}
	b[at-from] ^= 1 << 3
	if _, err := f.file.WriteAt(b, from); err != nil {
		t.Fatal(err)
	}
}

func TestAFlippedBitIsNoticedWhereverItIs(t *testing.T) {
	f := opened(t)
	const size = 2*page + 77
	put(t, f, filled(page, 1))
	e := put(t, f, filled(size, 2))
	buffer := Buffer(size)
	for _, at := range []int64{0, 1, page - 1, page, 2 * page, size - 1} {
		flip(t, f, e.at+at)
		_, err := f.Get(e, buffer)
		var known *fault.Error
		if !errors.Is(err, ErrChanged) || !errors.As(err, &known) || known.Kind != fault.Failed || known.Place.File != f.Name() {
			t.Errorf("byte %d: got %v, want an error that names %s", at, err, f.Name())
		}
		flip(t, f, e.at+at)
	}
	if _, err := f.Get(e, buffer); err != nil {
		t.Errorf("all as it was: got %v", err)
	}
}

func TestAFileThatWasCutIsAnError(t *testing.T) {
	f := opened(t)
	e := put(t, f, filled(3*page, 1))
	if err := f.file.Truncate(page); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Get(e, Buffer(3*page)); err == nil || !strings.Contains(err.Error(), f.Name()) {
		t.Errorf("got %v, want an error that names %s", err, f.Name())
	}
}

func TestFoldersThatCannotBeSpilledToAreNamed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := Open(missing); err == nil || !strings.Contains(err.Error(), missing) || fault.Code(err) != int(fault.Failed) {
		t.Errorf("Open: got %v, want an error that names %s", err, missing)
	}
	if _, _, err := Folder(missing); err == nil || !strings.Contains(err.Error(), "mkdir -p "+missing) {
		t.Errorf("Folder: got %v, want one that says how to make %s", err, missing)
	}
	if folder, why, err := Folder(""); err != nil || (folder == "") == (why == "") {
		t.Errorf("the default: got %q, %q, %v", folder, why, err)
	}
}

// streamed reads all pieces with so many threads that take them, and says which came.
func streamed(ctx context.Context, f *File, pieces []Piece, buffers [][]byte, threads int, skip func(int) bool) (came []int, err error) {
	s := f.Stream(ctx, pieces, buffers, skip)
	var wait sync.WaitGroup
	var mu sync.Mutex
	for range threads {
		wait.Go(func() {
			for p := range s.Ready() {
				mu.Lock()
				if bytes.Equal(p.Data, filled(len(p.Data), uint64(p.Index))) {
					came = append(came, p.Index)
				}
				mu.Unlock()
				s.Release(p)
			}
		})
	}
	wait.Wait()
	err = s.Close()
	slices.Sort(came)
	return came, err
}

func pieceList(t *testing.T, f *File, n int) []Piece {
	t.Helper()
	var pieces []Piece
	for i := range n {
		pieces = append(pieces, Piece{Extent: put(t, f, filled(1000+i*131, uint64(i))), Index: i})
	}
	return pieces
}

func TestAStreamReadsEachPieceOnceInFewBuffers(t *testing.T) {
	f := opened(t)
	pieces := pieceList(t, f, 40)
	for _, buffers := range []int{1, 2, 7} {
		for _, threads := range []int{1, 3} {
			var rooms [][]byte
			for range buffers {
				rooms = append(rooms, Buffer(8000))
			}
			skip := func(i int) bool { return i%5 == 2 }
			came, err := streamed(t.Context(), f, pieces, rooms, threads, skip)
			var want []int
			for i := range pieces {
				if !skip(i) {
					want = append(want, i)
				}
			}
			if err != nil || !slices.Equal(came, want) {
				t.Errorf("%d buffers, %d threads: got %v, %v, want %v", buffers, threads, came, err, want)
			}
		}
	}
}

func TestAStreamEndsWithItsFirstErrorAndWithItsContext(t *testing.T) {
	f := opened(t)
	pieces := pieceList(t, f, 20)
	rooms := [][]byte{Buffer(8000), Buffer(8000)}
	flip(t, f, pieces[11].Extent.at)
	if _, err := streamed(t.Context(), f, pieces, rooms, 2, nil); !errors.Is(err, ErrChanged) {
		t.Errorf("a changed piece: got %v, want %v", err, ErrChanged)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := f.Stream(ctx, pieces[:10], rooms, nil)
	cancel()
	if err := s.Close(); !errors.Is(err, context.Canceled) { // nobody has released anything
		t.Errorf("cancelled: got %v, want %v", err, context.Canceled)
	}
}

func TestLimitsOfControlGroupsAreFound(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("memory/a/b/memory.limit_in_bytes", "9223372036854771712\n") // none
	write("memory/a/memory.limit_in_bytes", "300\n")
	write("x/memory.max", "200\n")
	write("x/y/memory.max", "max\n")
	write("memory.max", "77\n")
	for _, c := range []struct {
		groups string
		want   string
	}{
		{"4:memory:/a/b\n0::/\n", "[300 77]"},
		{"0::/x/y\n", "[200 77]"},
		{"0::/not/mounted/here\n", "[77]"},
		{"3:cpu,memory:/a\n", "[300]"},
		{"3:cpuset:/a\nnonsense\n::\n", "[]"},
		{"", "[]"},
	} {
		if got := fmt.Sprint(groupLimits(c.groups, root)); got != c.want {
			t.Errorf("%q: got %s, want %s", c.groups, got, c.want)
		}
	}
}

func FuzzGroupLimits(f *testing.F) {
	f.Add("4:memory:/a/b\n0::/\n")
	f.Add("0::/../../..\n")
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, groups string) {
		hostile.Ceiling(t, len(groups), 256<<10, 64, func() {
			for _, n := range groupLimits(groups, root) {
				t.Errorf("%q: got a limit of %d where there are no groups", groups, n)
			}
		})
	})
}

func contains(s string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}
