package roofline

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/coterie-project/coterie/internal/fault"
)

// acquire gets words of memory that nobody has touched, in huge pages where the system has them: with small ones the
// walks through page tables would be measured too. release gives them back.
func acquire(words int) (memory []uint64, release func(), err error) {
	pages, err := unix.Mmap(-1, 0, 8*words, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, fault.Failedf(err, "%d bytes of memory to read from", 8*words).Do("end what else needs memory")
	}
	// Refused by systems without huge pages, and then there are none.
	_ = unix.Madvise(pages, unix.MADV_HUGEPAGE)
	return unsafe.Slice((*uint64)(unsafe.Pointer(&pages[0])), words), func() { _ = unix.Munmap(pages) }, nil
}

// threadTime is how long this thread has run on a core.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return wallTime()
	}
	return time.Duration(t.Nano())
}

// availableMemory is what the system says could be used without swapping, in bytes; 0 where it does not say.
func availableMemory() int64 {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
			return kibibytes(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		}
	}
	return 0
}

// lastCache is the size of the first core's last-level cache in bytes; 0 where the system does not say.
func lastCache() int64 {
	size := int64(0)
	for _, index := range []string{"2", "3", "4"} {
		text, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cache/index" + index + "/size")
		if err == nil {
			size = max(size, kibibytes(strings.TrimSuffix(strings.TrimSpace(string(text)), "K")))
		}
	}
	return size
}

// kibibytes reads a number of them; 0 for what is none.
func kibibytes(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 1<<50 {
		return 0
	}
	return n << 10
}
