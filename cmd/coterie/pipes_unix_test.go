//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/store"
)

func TestNoPipeHoldsUpTheEnd(t *testing.T) {
	folder := t.TempDir()
	table, out := filepath.Join(folder, "c.csv"), filepath.Join(folder, "out")
	if err := os.WriteFile(table, []byte("id,x\n1,2\n3,4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"assign TABLE --model PIPE -o OUT.csv", "fit TABLE -k 2 --config PIPE -o OUT.json", "fit TABLE -k 2 --from PIPE -o OUT.json", "fit TABLE -k 2 --init PIPE -o OUT.json",
		"fit PIPE -k 2 -o OUT.json", "check PIPE", "run PIPE", "migrate --from PIPE --to PIPE", "serve --model PIPE --listen 127.0.0.1:0 --http 127.0.0.1:0",
		"profile TABLE --model PIPE"} {
		t.Run(line, func(t *testing.T) {
			pipe := filepath.Join(t.TempDir(), "pipe.csv")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Skip(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			store.Until(ctx)
			defer store.Until(context.Background())
			done := make(chan outcome, 1)
			go func() {
				args := strings.Fields(strings.NewReplacer("TABLE", table, "OUT", out, "PIPE", pipe).Replace(line))
				done <- runWith(ctx, nil, args...)
			}()
			writer := silent(t, pipe, done)
			defer writer.Close()
			cancel()
			if got := <-done; got.code != 130 || got.stderr != "coterie: interrupted\n" {
				t.Errorf("got %+v, want it interrupted", got)
			}
		})
	}
}

// silent is the writing side of a pipe once somebody opens it to read it.
func silent(t *testing.T, pipe string, ended <-chan outcome) *os.File {
	t.Helper()
	for ; ; time.Sleep(time.Millisecond) {
		file, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			return file
		}
		if !errors.Is(err, syscall.ENXIO) {
			t.Fatal(err)
		}
		select {
		case got := <-ended:
			t.Fatalf("got %+v before the pipe was opened", got)
		default:
		}
	}
}
