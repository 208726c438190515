package worker

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/coterie-project/coterie/internal/numa"
)

// hugePage is as far as the page of a neighbour may reach into a partition.
const hugePage = 2 << 20

// pagesByNode counts on which nodes the pages of memory lie, but for those at its ends, which it may share with others.
func pagesByNode(t *testing.T, memory []float32) map[int]int {
	t.Helper()
	page := uintptr(os.Getpagesize())
	begin := uintptr(unsafe.Pointer(&memory[0]))
	end := begin + uintptr(4*len(memory)) - hugePage
	begin = (begin + hugePage + page - 1) &^ (page - 1)
	var pages []uintptr
	for ; begin+page <= end; begin += page {
		pages = append(pages, begin)
	}
	status := make([]int32, len(pages))
	// Without nodes to move them to, move_pages says where they are.
	if _, _, failed := unix.Syscall6(unix.SYS_MOVE_PAGES, 0, uintptr(len(pages)), uintptr(unsafe.Pointer(&pages[0])), 0,
		uintptr(unsafe.Pointer(&status[0])), 0); failed != 0 {
		t.Fatal("move_pages: ", failed)
	}
	runtime.KeepAlive(memory)
	counts := make(map[int]int)
	for _, node := range status {
		counts[int(node)]++
	}
	return counts
}

// cpu is the processor that this thread runs on.
func cpu(t *testing.T) int {
	var n uint32
	if _, _, failed := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&n)), 0, 0); failed != 0 {
		t.Error("getcpu: ", failed)
	}
	return int(n)
}

// TestRowsLieWithTheThreadsThatWalkThem asks the kernel. The first job's memory is new, that of the others is not.
func TestRowsLieWithTheThreadsThatWalkThem(t *testing.T) {
	nodes := numa.Nodes()
	if len(nodes) < 2 {
		t.Skip("this machine has one node; internal/numa/emulate.sh makes one that has two")
	}
	threads := 0
	for _, n := range nodes {
		t.Logf("node %d has the processors %v", n.ID, n.CPUs)
		threads += len(n.CPUs)
	}
	const each = 150_000 // of 16 columns: some 9 MiB
	manifest := cutAt(each, each, each, each, each, each)
	var columns []string
	for i := range 16 {
		columns = append(columns, fmt.Sprint("c", i))
	}
	for job := range 4 {
		raw := []int64{0, 1 << 30}[job%2] // rows are read once for all, or twice
		e := loadLattice(t, Config{Manifest: manifest, Threads: threads, Raw: raw}, columns...)
		used := make(map[int]int)
		for id, h := range e.held {
			got := pagesByNode(t, h.points.Blocks())
			if h.node == nil {
				t.Fatalf("job %d: partition %d has no node", job, id)
			}
			if len(got) != 1 || got[h.node.ID] == 0 {
				t.Errorf("job %d, partition %d: its pages by node are %v, want all on %d", job, id, got, h.node.ID)
				continue
			}
			used[h.node.ID]++
		}
		t.Logf("job %d: partitions by node: %v", job, used)
		if len(used) != len(nodes) {
			t.Errorf("job %d: partitions by node: got %v, want some on each", job, used)
		}
		list, err := e.holdings([]int{0, 1, 2, 3, 4, 5})
		if err != nil {
			t.Fatal(err)
		}
		ran := make([][]int, threads)
		first := firstSpans(t, e, cut(list), func(slot int, _ span) { ran[slot] = append(ran[slot], cpu(t)) })
		for slot, th := range e.threads {
			if first[slot].h.node != th.node {
				t.Errorf("job %d: thread %d of node %d began with rows of node %d", job, slot, th.node.ID, first[slot].h.node.ID)
			}
			for _, c := range ran[slot] {
				if !slices.Contains(th.node.CPUs, c) {
					t.Errorf("job %d: thread %d of node %d was on processor %d", job, slot, th.node.ID, c)
				}
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		runtime.GC() // the next job gets this one's memory
	}
}
