package store

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// TryLock takes the lock on f, or says that another process holds it. It ends with the process, however that ends.
// Windows lets nobody read locked bytes: the one byte locked lies far behind the text that says who holds the lock.
func TryLock(f *os.File) (held bool, err error) {
	at := windows.Overlapped{OffsetHigh: 1}
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
