//go:build unix

package open

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
)

func TestWhatIsNoFileIsRefusedWithoutWaiting(t *testing.T) {
	root, _ := guardedTree(t, map[string]string{"root/null.csv": "/dev/null", "root/self.csv": "self.csv", "root/sub/pipe.csv": "../pipe.csv"})
	if err := syscall.Mkfifo(root+"/pipe.csv", 0o644); err != nil {
		t.Skip(err)
	}
	listener, err := net.Listen("unix", root+"/socket.csv")
	if err != nil {
		t.Skip(err)
	}
	defer listener.Close()
	for name, want := range map[string]string{
		"pipe.csv": "is a device or a pipe", "socket.csv": "is a device or a pipe", "sub/pipe.csv": "is a device or a pipe", "null.csv": "does not lie within",
		"self.csv": "leads over more than 40 symbolic links", "so*.csv": "is a device or a pipe", "nobody.csv": "does not exist", "a.csv/b.csv": "not a directory",
		"\xff.csv": "has a name that is not UTF-8", "a.csv\x00": "invalid argument", "no*.csv": "no file matches", "[.csv": "syntax error in pattern",
	} {
		_, err := Sources(context.Background(), []string{root + "/" + name}, Options{Roots: []string{root}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

func TestAPipeIsReadToItsEnd(t *testing.T) {
	path := t.TempDir() + "/pipe.csv"
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Skip(err)
	}
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(path, []byte("id,x\n1,2\n3,4\n"), 0) }()
	s, err := Sources(t.Context(), []string{path}, Options{})
	if err != nil || <-written != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Rows() != 2 {
		t.Errorf("got %d rows, want 2", s.Rows())
	}
}

func TestSilentStreamsAreWaitedForUntilTheContextEnds(t *testing.T) {
	folder := t.TempDir()
	absent, silent := folder+"/absent.csv", folder+"/silent.csv"
	for _, path := range []string{absent, silent} {
		if err := syscall.Mkfifo(path, 0o644); err != nil {
			t.Skip(err)
		}
	}
	open := func(path string) io.Closer { // both sides of a pipe
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	defer open(silent).Close()
	stdin, other := io.Pipe()
	defer other.Close()
	for _, path := range []string{absent, silent, "-"} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := Sources(ctx, []string{path}, Options{Stdin: stdin})
			done <- err
		}()
		cancel()
		if err := <-done; fault.Code(err) != int(fault.Interrupted) {
			t.Errorf("%s: got %v, want the end of the context", path, err)
		}
	}
	defer open(absent).Close() // lets go of the open that stays behind
}
