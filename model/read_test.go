package model

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// endless is a byte again and again, and counts how much of it was read.
type endless struct {
	b    byte
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.b
	}
	e.read += len(p)
	return len(p), nil
}

func (e *endless) Close() error { return nil }

func TestOfWhatIsNoModelOnlyTheBeginningIsRead(t *testing.T) {
	for _, b := range []byte{0, '{', ' '} {
		for _, size := range []int64{-1, MaxBytes} {
			e := &endless{b: b}
			_, err := read("m.json", func() (*store.Input, error) { return &store.Input{ReadCloser: e, Size: size}, nil })
			if fault.Code(err) != int(fault.Input) || !strings.HasPrefix(err.Error(), "m.json: is not a model") {
				t.Errorf("%q: got %v", b, err)
			}
			if e.read > headBytes {
				t.Errorf("%q: %d bytes were read, at most %d are needed", b, e.read, headBytes)
			}
		}
	}
}

func TestOfAFileAsMuchIsReadAsItHad(t *testing.T) {
	data := append(encode(t, example()), make([]byte, 100_000)...)
	in := func(size int64) *store.Input {
		return &store.Input{ReadCloser: io.NopCloser(io.MultiReader(bytes.NewReader(data), bytes.NewReader(data))), Size: size}
	}
	got, err := readAll(in(int64(len(data))))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v, want the file's %d", len(got), err, len(data))
	}
	if c := cap(got); c > len(data)*3/2 {
		t.Errorf("a file of %d bytes is read into %d", len(data), c)
	}
	if got, err := readAll(in(-1)); err != nil || len(got) != 2*len(data) {
		t.Errorf("got %d bytes, %v, want all that comes through a pipe, %d", len(got), err, 2*len(data))
	}
}

func TestADeviceIsNoModel(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip(err)
	}
	for _, read := range []func(string) (*Model, error){ReadFile, ReadRegular} {
		if _, err := read("/dev/zero"); fault.Code(err) != int(fault.Input) || !strings.HasPrefix(err.Error(), "/dev/zero: the model cannot be read: it is a device") {
			t.Errorf("got %v, want it refused", err)
		}
	}
}

func TestAModelThatNobodySendsIsWaitedForUntilTheProcessEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe.json")
	release := pipe(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	store.Until(ctx)
	defer store.Until(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := ReadFile(path)
		done <- err
	}()
	cancel()
	if err := <-done; fault.Code(err) != int(fault.Interrupted) {
		t.Errorf("got %v, want the end of the process", err)
	}
	release()
	if _, err := ReadRegular(path); err == nil || !strings.Contains(err.Error(), "it is a pipe") {
		t.Errorf("got %v, want it refused", err)
	}
}
