package spool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

func noise(n int) []byte {
	random := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

func TestReadAtGivesWhatWasWritten(t *testing.T) {
	data := noise(3<<20 + 12345)
	for name, memory := range map[string]int64{"memory": 64 << 20, "disk": 0, "both": 2<<20 + 100} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := New(dir, NewBudget(memory))
			random := rand.New(rand.NewPCG(1, 1))
			for from := 0; from < len(data); {
				to := min(len(data), from+random.IntN(300_000))
				if n, err := s.Write(data[from:to]); n != to-from || err != nil {
					t.Fatal(n, err)
				}
				from = to
				checkRange(t, s, data, random.IntN(to+1), to)
			}
			if s.Size() != int64(len(data)) {
				t.Errorf("size %d, want %d", s.Size(), len(data))
			}
			if n, err := s.ReadAt(make([]byte, 100), s.Size()-10); n != 10 || err != io.EOF {
				t.Errorf("reading over the end gives %d, %v; want 10 and io.EOF", n, err)
			}
			if entries, _ := os.ReadDir(dir); len(entries) > 0 && runtime.GOOS != "windows" {
				t.Errorf("the file has a name: %v", entries)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if entries, _ := os.ReadDir(dir); len(entries) > 0 {
				t.Errorf("left behind: %v", entries)
			}
			if _, err := s.ReadAt(make([]byte, 1), 0); err == nil {
				t.Error("a closed spool can be read")
			}
		})
	}
}

func checkRange(t *testing.T, s *Spool, data []byte, from, to int) {
	t.Helper()
	got := make([]byte, to-from)
	if n, err := s.ReadAt(got, int64(from)); n != len(got) || (err != nil && err != io.EOF) || !bytes.Equal(got, data[from:to]) {
		t.Fatalf("range %d to %d: %d bytes, %v, or they differ", from, to, n, err)
	}
}

func TestBudgetIsSharedAndGivenBack(t *testing.T) {
	b := NewBudget(3 << 20)
	one, two := New(t.TempDir(), b), New(t.TempDir(), b)
	one.Write(make([]byte, 2<<20))
	two.Write(make([]byte, 2<<20))
	if one.file != nil || two.file == nil {
		t.Errorf("on disk: %v and %v, want the second only", one.file != nil, two.file != nil)
	}
	one.Close()
	two.Close()
	if left := b.left.Load(); left != 3<<20 {
		t.Errorf("%d bytes left in the budget, want all", left)
	}
}

func TestMissingFolderIsAFailureWithARemedy(t *testing.T) {
	s := New("/no/such/folder", NewBudget(0))
	_, err := s.Write([]byte("x"))
	if fault.Code(err) != 1 || !strings.Contains(err.Error(), "--spill") {
		t.Errorf("got %v", err)
	}
	s.Close()
}

func TestFillStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := New("", NewBudget(1<<20))
	defer s.Close()
	err := s.Fill(ctx, zeros{}, func(size int64) error {
		if size > 100_000 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func packed(t testing.TB, c Compression, data []byte, options ...zstd.EOption) []byte {
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if c == Zstd {
		e, err := zstd.NewWriter(&b, options...)
		if err != nil {
			t.Fatal(err)
		}
		w = e
	}
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func unpack(b []byte, c Compression) ([]byte, error) {
	r, err := Decompress("f", bytes.NewReader(b), c)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestDecompress(t *testing.T) {
	data := noise(500_000)
	for _, c := range []Compression{Gzip, Zstd} {
		p := packed(t, c, data)
		if Detect(p) != c {
			t.Errorf("%s is detected as %s", c, Detect(p))
		}
		got, err := unpack(append(bytes.Clone(p), p...), c)
		if err != nil || !bytes.Equal(got, append(bytes.Clone(data), data...)) {
			t.Errorf("%s of two members: %v, or the data differ", c, err)
		}
		for name, bad := range map[string]struct {
			b    []byte
			want string
		}{
			"empty":     {nil, "is empty"},
			"one byte":  {p[:1], "is truncated"},
			"truncated": {p[:len(p)-5], "is truncated"},
			"text":      {[]byte("a,b\n1,2\n"), "is not " + c.String()},
			"other":     {packed(t, 3-c, data), "it is " + (3 - c).String() + ": rename it"},
			"trailer":   {append(bytes.Clone(p), "trailing text"...), "is damaged"},
		} {
			if _, err := unpack(bad.b, c); fault.Code(err) != 3 || !strings.Contains(err.Error(), bad.want) || !strings.HasPrefix(err.Error(), "f: ") {
				t.Errorf("%s, %s: got %v, want an input error with %q", c, name, err, bad.want)
			}
		}
	}
	if Detect([]byte("a,b\n")) != Plain || Detect(nil) != Plain {
		t.Error("text is detected as compressed")
	}
}

func TestLargeZstdWindowIsRefused(t *testing.T) {
	// A frame header that asks for a window of 2 GiB, with a content that never comes.
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00}
	if _, err := unpack(frame, Zstd); fault.Code(err) != 3 || !strings.Contains(err.Error(), "window") {
		t.Errorf("got %v, want that the window is too large", err)
	}
}

func TestErrorsOfTheStreamPassThrough(t *testing.T) {
	boom := errors.New("boom")
	p := packed(t, Gzip, noise(600_000))
	r, err := Decompress("f", io.MultiReader(bytes.NewReader(p[:400_000]), failing{boom}), Gzip)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	if !errors.Is(err, boom) {
		t.Errorf("got %v, want boom", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestABombStaysOutOfMemory(t *testing.T) {
	bomb := packed(t, Gzip, make([]byte, 96<<20))
	r, err := Decompress("f", bytes.NewReader(bomb), Gzip)
	if err != nil {
		t.Fatal(err)
	}
	s := New(t.TempDir(), NewBudget(1<<20))
	defer s.Close()
	if err := s.Fill(context.Background(), r, func(int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if s.Size() != 96<<20 || s.file == nil || m.HeapAlloc > 64<<20 {
		t.Errorf("%d bytes spooled, file %v, heap %d", s.Size(), s.file != nil, m.HeapAlloc)
	}
}

// FuzzDecompress holds that no input panics, that memory stays bounded, and that errors are input errors.
func FuzzDecompress(f *testing.F) {
	for _, c := range []Compression{Gzip, Zstd} {
		f.Add(packed(f, c, []byte("a,b\n1,2\n")), c == Zstd)
	}
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00}, true)
	f.Fuzz(func(t *testing.T, b []byte, z bool) {
		// A decoder may take the largest window that is allowed, twice.
		hostile.Ceiling(t, len(b), 2*maxWindow, 64, func() {
			c := Gzip
			if z {
				c = Zstd
			}
			r, err := Decompress("f", bytes.NewReader(b), c)
			if err == nil {
				_, err = io.Copy(io.Discard, io.LimitReader(r, 8<<20))
				r.Close()
			}
			if err != nil && fault.Code(err) != int(fault.Input) {
				t.Fatalf("got %v, want an input error", err)
			}
		})
	})
}
