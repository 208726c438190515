package pipeline

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// HostMemory is the memory of this machine in bytes, or 0 where it is not known.
func HostMemory() int64 { return kibOf("/proc/meminfo", "MemTotal:") }

// peakMemory is the most memory that this process has had in bytes, or 0 where it is not known.
func peakMemory() int64 { return kibOf("/proc/self/status", "VmHWM:") }

// kibOf reads a size of a file of the system's, in bytes; 0 where there is none.
func kibOf(path, name string) int64 {
	file, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if rest, ok := strings.CutPrefix(scanner.Text(), name); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}
