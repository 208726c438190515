//go:build unix

package store

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// fifo makes a pipe with a name.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	return path
}

// release lets go of an open that stays behind: it gets its other side.
func release(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
}

func TestNoOpenOfAPipeOutlastsItsContext(t *testing.T) {
	path := fifo(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := OpenInput(ctx, path)
		done <- err
	}()
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("got %v, want the end of the context", err)
	}
	release(t, path)
}

func TestNoReadOfAPipeOutlastsItsContext(t *testing.T) {
	path := fifo(t)
	release(t, path) // somebody who says nothing
	ctx, cancel := context.WithCancel(t.Context())
	in, err := OpenInput(ctx, path)
	if err != nil || in.Size >= 0 {
		t.Fatalf("got %v, %v, want a pipe", in, err)
	}
	defer in.Close()
	done := make(chan error, 1)
	go func() {
		_, err := in.Read(make([]byte, 1))
		done <- err
	}()
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("got %v, want the end of the context", err)
	}
}

func TestWhatComesThroughAPipeIsRead(t *testing.T) {
	path := fifo(t)
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(path, []byte("abc"), 0) }()
	got, err := ReadInput(t.Context(), path, 10)
	if string(got) != "abc" || err != nil || <-written != nil {
		t.Errorf("got %q, %v, want abc", got, err)
	}
}

func TestARegularFileIsNoPipeAndNoDevice(t *testing.T) {
	for path, want := range map[string]error{fifo(t): errPipe, "/dev/zero": errDevice, t.TempDir(): errFolder} {
		if _, err := OpenRegular(path); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
	if _, err := OpenInput(t.Context(), "/dev/zero"); !errors.Is(err, errDevice) {
		t.Errorf("got %v, want %v", err, errDevice)
	}
	if r, err := OpenStream(t.Context(), "/dev/zero"); err != nil {
		t.Error(err)
	} else if n, err := io.ReadFull(r, make([]byte, streamBytes+1)); err != nil {
		t.Errorf("got %d bytes, %v", n, err)
	}
}
