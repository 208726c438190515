package numa

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

func nodes() []*Node {
	mask := unix.NewCPUSet(maxCPUs)
	if unix.SchedGetaffinityDynamic(0, mask) != nil {
		return nil
	}
	list, err := read("/sys/devices/system/node", mask.IsSet)
	if err != nil || len(list) < 2 {
		return nil
	}
	return list
}

// bind has this thread run on these processors alone; undo gives it back those that it had, and says whether it could.
func bind(cpus []int) (undo func() bool, bound bool) {
	before, mask := unix.NewCPUSet(maxCPUs), unix.NewCPUSet(maxCPUs)
	for _, cpu := range cpus {
		mask.Set(cpu)
	}
	if unix.SchedGetaffinityDynamic(0, before) != nil || unix.SchedSetaffinityDynamic(0, mask) != nil {
		return nil, false
	}
	return func() bool { return unix.SchedSetaffinityDynamic(0, before) == nil }, true
}

// Renew gives the pages of memory that is zero back to the system, so that who writes there next decides anew where they lie:
// Go's memory has often been used before, by somebody else. It is zero afterwards, too.
func (n *Node) Renew(memory []float32) {
	if n == nil || len(memory) == 0 {
		return
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(memory))), 4*len(memory))
	page := os.Getpagesize()
	// What shares its page with others stays.
	lead := -int(uintptr(unsafe.Pointer(unsafe.SliceData(bytes)))) & (page - 1)
	if whole := (len(bytes) - lead) &^ (page - 1); whole > 0 {
		_ = unix.Madvise(bytes[lead:lead+whole], unix.MADV_DONTNEED) // refused where memory is locked, which then lies as it does
	}
}
