package checkpoint

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/coterie-project/coterie/internal/store"
)

// maxHolder is how much of the lock file is shown: a process number and a host's name, which has at most 255 bytes.
const maxHolder = 300

// lock takes the folder for this process. The lock file stays when it is given back: who deletes it lets two
// coordinators in.
func lock(folder string, of Owner) (*os.File, error) {
	path := filepath.Join(folder, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, store.Explain(path, err)
	}
	held, err := store.TryLock(f)
	if held {
		if err = sign(f); err == nil {
			return f, nil
		}
	}
	holder := "another process"
	if text, _ := io.ReadAll(io.NewSectionReader(f, 0, maxHolder)); !held && len(text) > 0 {
		holder = strings.TrimSpace(strings.ToValidUTF8(string(text), "?"))
	}
	f.Close()
	if err != nil {
		return nil, problem(path, err, "cannot be locked").Do("choose a folder on a local disk")
	}
	return nil, problem(folder, ErrLocked, "is held by %s", holder).
		Do("stop that %s, or give this one a folder of its own", of.name)
}

// sign writes into the lock file who holds it. A full disk does not matter: it is for people.
func sign(f *os.File) error {
	host, err := os.Hostname()
	if err != nil {
		host = "this host"
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	fmt.Fprintf(io.NewOffsetWriter(f, 0), "process %d on %s\n", os.Getpid(), host)
	return nil
}
