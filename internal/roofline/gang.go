package roofline

import (
	"runtime"
	"sync"
)

// member is one goroutine that keeps its thread, and the memory that this thread was the first to touch: where a
// machine has several memories, that is the nearest.
type member struct {
	number int
	orders chan func(*member)
	sums   []float32 // of the loops that multiply

	words     []uint64 // the buffer: word i is first + i
	first     uint64
	release   func() // gives words back; nil = there are none
	at        int    // where in each stream the next chunk begins, in words
	got, want uint64 // the sums of what was read, and of what was to be read
}

// gang is a group of members. Its caller closes it.
type gang struct {
	members []*member
	ended   sync.WaitGroup
}

func newGang(n int) *gang {
	g := &gang{}
	for i := range n {
		m := &member{number: i, orders: make(chan func(*member)), sums: make([]float32, mostSums)}
		g.members = append(g.members, m)
		g.ended.Go(func() {
			// Never unlocked: the thread ends with the goroutine.
			runtime.LockOSThread()
			for order := range m.orders {
				order(m)
			}
		})
	}
	return g
}

// do lets the first n members do the same, and waits for them.
func (g *gang) do(n int, order func(*member)) {
	var wait sync.WaitGroup
	wait.Add(n)
	for _, m := range g.members[:n] {
		m.orders <- func(m *member) {
			defer wait.Done()
			order(m)
		}
	}
	wait.Wait()
}

func (g *gang) close() {
	for _, m := range g.members {
		close(m.orders)
	}
	g.ended.Wait()
}
