package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestAnInputIsAFileOrNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, data string
		err        error
	}{{path, "abc", nil}, {os.DevNull, "", nil}, {folder, "", errFolder}, {path + "b", "", fs.ErrNotExist}} {
		if got, err := ReadInput(t.Context(), c.path, 10); string(got) != c.data || !errors.Is(err, c.err) {
			t.Errorf("%s: got %q, %v, want %q, %v", c.path, got, err, c.data, c.err)
		}
	}
	if got, err := ReadInput(t.Context(), path, 1); string(got) != "ab" || err != nil {
		t.Errorf("got %q, %v, want a byte more than the limit", got, err)
	}
	in, err := OpenInput(t.Context(), path)
	if err != nil || in.Size != 3 {
		t.Fatalf("got %v, %v, want a size of 3", in, err)
	}
	in.Close()
}

func TestAnInterruptibleReaderGivesAllThatIsRead(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789"), streamBytes/4)
	for name, r := range map[string]io.Reader{"at once": bytes.NewReader(want), "in halves": iotest.HalfReader(bytes.NewReader(want)),
		"with the end": iotest.DataErrReader(bytes.NewReader(want))} {
		if got, err := io.ReadAll(iotest.OneByteReader(Interruptible(t.Context(), r))); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %d bytes, %v, want %d", name, len(got), err, len(want))
		}
	}
	broken := errors.New("broken")
	r := Interruptible(t.Context(), io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)))
	for range 2 {
		if got, err := io.ReadAll(r); err != broken || len(got) > 3 {
			t.Errorf("got %q, %v, want the error of the reader", got, err)
		}
	}
}

func TestAReadThatWaitsEndsWithItsContext(t *testing.T) {
	silent, other := io.Pipe()
	defer other.Close() // lets go of the read that stays behind
	ctx, cancel := context.WithCancel(t.Context())
	r := Interruptible(ctx, io.MultiReader(strings.NewReader("abc"), silent))
	buf := make([]byte, 10)
	if n, err := r.Read(buf); n != 3 || err != nil {
		t.Fatalf("got %d, %v, want what is there", n, err)
	}
	cancel()
	for range 2 {
		if n, err := r.Read(buf); n != 0 || err != context.Canceled {
			t.Errorf("got %d, %v, want the end of the context", n, err)
		}
	}
}
