package spill

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
)

// Folder is where to spill: the folder that was given, which must be there, or the temporary one, where it lies on a disk.
// Either must take a file now, not first when rows have to go there. Without either it is "", and why says so in a few words.
// The error is of kind Failed, or Usage.
func Folder(given string) (folder, why string, err error) {
	if given == "" {
		folder = os.TempDir()
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			return "", "there is no temporary folder " + folder, nil
		}
		if inMemory(folder) {
			return "", "the temporary folder " + folder + " lies in memory itself", nil
		}
		if err := try(folder); err != nil {
			return "", err.Error(), nil
		}
		return folder, "", nil
	}
	switch info, err := os.Stat(given); {
	case err == nil && !info.IsDir():
		return "", "", fault.Failedf(nil, "--spill %s: is a file, not a folder", given).Do("name a folder on a disk")
	case err != nil:
		return "", "", fault.Failedf(nil, "--spill %s: there is no such folder", given).Do("make it: mkdir -p %s", given)
	}
	if inMemory(given) {
		return "", "", fault.Usagef("--spill %s: this folder lies in memory itself (tmpfs)", given).Do("name a folder on a disk")
	}
	if err := try(given); err != nil {
		return "", "", err
	}
	return given, "", nil
}

// try opens a File in a folder, which then is gone again: rights and read-only disks show in no other way everywhere.
func try(folder string) error {
	f, err := Open(folder)
	if err != nil {
		return err
	}
	return f.Close()
}

// Free is how many bytes may be written to a folder; −1 where that is not known.
func Free(folder string) int64 { return freeBytes(folder) }

// Limit is the memory that this process may take if nothing else is said, in bytes: three quarters of what its control group
// or the machine has, whichever is less. 0: not known.
func Limit() int64 { return Whole() / 4 * 3 }

// Whole is the memory that there is for this process: its control group's limit (either version) or the machine's memory,
// whichever is less. 0: not known.
func Whole() int64 {
	whole := int64(math.MaxInt64)
	if machine := SizeIn("/proc/meminfo", "MemTotal:"); machine > 0 {
		whole = machine
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err == nil {
		for _, limit := range groupLimits(string(groups), "/sys/fs/cgroup") {
			whole = min(whole, limit)
		}
	}
	if whole == math.MaxInt64 {
		return 0
	}
	return whole
}

// SizeIn is the size in bytes that a file of Linux such as /proc/meminfo says under a name, in kB; 0 where it says none.
func SizeIn(path, name string) int64 {
	file, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil || kib < 0 || kib > math.MaxInt64>>10 {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// groupLimits are the limits of the control groups that a process is in, and of those above them. groups is the text of
// /proc/self/cgroup. In a container the path is that of the host, and the root of the mount is the group itself.
func groupLimits(groups, root string) []int64 {
	var limits []int64
	for line := range strings.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		base, name := root, "memory.max"
		switch {
		case parts[0] == "0" && parts[1] == "":
		case strings.Contains(","+parts[1]+",", ",memory,"):
			base, name = filepath.Join(root, "memory"), "memory.limit_in_bytes"
		default:
			continue
		}
		for path := filepath.Clean("/" + parts[2]); ; path = filepath.Dir(path) {
			if n, ok := readLimit(filepath.Join(base, path, name)); ok {
				limits = append(limits, n)
			}
			if path == "/" || path == "." {
				break
			}
		}
	}
	return limits
}

// readLimit reads a limit; "max" and numbers beyond any machine are none.
func readLimit(path string) (int64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil && n > 0 && n < 1<<60
}
