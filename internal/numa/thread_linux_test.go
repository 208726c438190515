package numa

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// allowed are the processors that this thread may run on.
func allowed(t *testing.T) (cpus []int) {
	t.Helper()
	mask := unix.NewCPUSet(maxCPUs)
	if err := unix.SchedGetaffinityDynamic(0, mask); err != nil {
		t.Fatal(err)
	}
	for cpu := range maxCPUs {
		if mask.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

func TestAThreadGetsBackTheProcessorsThatItHad(t *testing.T) {
	runtime.LockOSThread() // what is asked before and after is the same thread
	defer runtime.UnlockOSThread()
	before := allowed(t)
	if len(before) < 2 {
		t.Skip("one processor is all that this process has")
	}
	n := &Node{0, before[len(before)-1:]}
	look := func() {
		if got := allowed(t); !slices.Equal(got, n.CPUs) {
			t.Errorf("bound to %v: got %v", n.CPUs, got)
		}
	}
	n.Run(func() {
		look()
		(&Node{1, before[:1]}).Run(func() {})
		look()
		(*Node)(nil).Run(look)
	})
	if got := allowed(t); !slices.Equal(got, before) {
		t.Errorf("afterwards: got %v, want %v", got, before)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was lost")
			}
		}()
		n.Run(func() { panic("no") })
	}()
	if got := allowed(t); !slices.Equal(got, before) {
		t.Errorf("after a panic: got %v, want %v", got, before)
	}
}

func TestProcessorsThatAreNotThereBindNothing(t *testing.T) {
	ran := false
	(&Node{0, []int{maxCPUs - 1}}).Run(func() {
		ran = true
		if len(allowed(t)) == 0 {
			t.Error("no processors")
		}
	})
	if !ran {
		t.Error("it was not run")
	}
}

// TestNoOtherThreadIsBound looks at threads that Go makes while others are bound.
func TestNoOtherThreadIsBound(t *testing.T) {
	before := allowed(t)
	if len(before) < 2 {
		t.Skip("one processor is all that this process has")
	}
	var wait sync.WaitGroup
	hold := make(chan bool)
	(&Node{0, before[:1]}).Run(func() {
		for range 20 {
			wait.Go(func() {
				runtime.LockOSThread() // each on a thread of its own, most of them new, which end with the goroutine
				<-hold
				if got := allowed(t); !slices.Equal(got, before) {
					t.Errorf("got %v, want %v", got, before)
				}
			})
		}
		close(hold)
		wait.Wait()
	})
}

func TestMemoryThatWasRenewedIsZeroAndItsNeighboursStay(t *testing.T) {
	page := unix.Getpagesize() / 4
	all := make([]float32, 5*page)
	lo, hi := page+7, 4*page-5 // within pages
	for i := range all {
		all[i] = 1
	}
	clear(all[lo:hi])
	n := &Node{}
	n.Renew(all[lo:hi])
	n.Renew(all[lo : lo+3])
	n.Renew(nil)
	for i, v := range all {
		if inside := i >= lo && i < hi; inside != (v == 0) {
			t.Fatalf("word %d of [%d,%d): got %v", i, lo, hi, v)
		}
	}
	(*Node)(nil).Renew(all)
	if all[0] != 1 || all[2*page] != 0 {
		t.Error("anywhere: the memory was renewed")
	}
	n.Renew(all)
	if all[0] != 1 && uintptr(unsafe.Pointer(&all[0]))%uintptr(4*page) != 0 || all[2*page-1] != 0 {
		t.Error("what shares a page with others was renewed")
	}
}
