//go:build unix

package open

import (
	"context"
	"net"
	"strings"
	"syscall"
	"testing"
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
