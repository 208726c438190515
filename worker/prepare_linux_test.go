package worker

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// removals are the names that are removed from a folder while do runs, in their order.
func removals(t *testing.T, folder string, do func()) (names []string) {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err != nil {
		t.Skip("the kernel tells nothing of files: ", err)
	}
	defer syscall.Close(fd)
	if _, err := syscall.InotifyAddWatch(fd, folder, syscall.IN_DELETE); err != nil {
		t.Skip("the kernel tells nothing of the folder: ", err)
	}
	do()
	events := make([]byte, 1<<16)
	n, err := syscall.Read(fd, events)
	if err != nil {
		t.Fatal("nothing was removed: ", err)
	}
	for events = events[:n]; len(events) > 0; {
		length := int(binary.NativeEndian.Uint32(events[12:16]))
		name, _, _ := strings.Cut(string(events[16:16+length]), "\x00")
		names, events = append(names, name), events[16+length:]
	}
	return names
}

// Wherever the worker dies, or a file cannot be removed: what is left is no manifest without one of its parts.
func TestTheManifestGoesBeforeTheParts(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "labels")
	sizes := []int{4, 3, 2}
	s, err := NewPartSink(folder, ".csv", nil, PartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.job, s.count = "job-1", len(sizes)
	if err := labelAll(t, s, sizes); err != nil {
		t.Fatal(err)
	}
	left := []string{manifestName, ".coterie-0a.tmp", partName(0, ".csv"), partName(1, ".csv"), partName(2, ".csv")}
	if err := os.WriteFile(filepath.Join(folder, ".coterie-0a.tmp"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	names := removals(t, folder, func() { err = PrepareParts(folder, nil, "job-2") })
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		left = slices.DeleteFunc(left, func(l string) bool { return l == name })
		parts := slices.DeleteFunc(slices.Clone(left), func(l string) bool { return !partNames.MatchString(l) })
		if slices.Contains(left, manifestName) && len(parts) < len(sizes) {
			t.Errorf("once %s is removed, the manifest stands and of its %d parts %d: who reads them takes them for whole", name, len(sizes), len(parts))
		}
	}
	if len(left) > 0 {
		t.Errorf("removed was %q, left %q", names, left)
	}
}
