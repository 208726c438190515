package spill

import (
	"os"

	"golang.org/x/sys/unix"
)

// openDirect opens a file so that the page cache is passed by; file systems in memory, and some of networks, refuse that.
func openDirect(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|unix.O_DIRECT, 0o600)
}

// written has a range that was written leave the page cache, where it would count against the memory of a control group.
// What cannot be done is left: the file is there all the same.
func written(file *os.File, at, size int64) {
	fd := int(file.Fd())
	const wait = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	if unix.SyncFileRange(fd, at, size, wait) == nil {
		done(file, at, size)
	}
}

// done has a range that was read leave the page cache.
func done(file *os.File, at, size int64) {
	_ = unix.Fadvise(int(file.Fd()), at, size, unix.FADV_DONTNEED)
}

// inMemory says whether a folder's file system lies in memory, so that what is written there is not out of it.
func inMemory(folder string) bool {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return false
	}
	switch int64(uint32(s.Type)) {
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.HUGETLBFS_MAGIC & 0xffffffff:
		return true
	}
	return false
}

// freeBytes is what may still be written to a folder; −1 where that is not known.
func freeBytes(folder string) int64 {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return -1
	}
	return int64(s.Bavail) * s.Bsize
}
