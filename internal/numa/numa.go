package numa

import (
	"runtime"
	"sync"
)

// Node is a part of the machine: processors and the memory near to them. A nil Node is anywhere.
type Node struct {
	ID   int   // as the system numbers them
	CPUs []int // that this process may use, ascending
}

// Nodes are those whose processors this process may use, as they were when it was first asked for, ascending; nil where they
// are not at least two.
var Nodes = sync.OnceValue(nodes)

// Divide says of each of so many threads on which node it runs, so that each node has its share by its processors. Threads of
// a node are neighbours; those that would make it unequal come last and run anywhere (nil): several processes that each had a
// thread more on the first node would wait for each other there. Where only one node gets threads, all run anywhere.
func Divide(nodes []*Node, threads int) []*Node {
	cpus := 0
	for _, n := range nodes {
		cpus += len(n.CPUs)
	}
	list := make([]*Node, 0, threads)
	with := 0
	for _, n := range nodes {
		share := threads * len(n.CPUs) / cpus
		if share > 0 {
			with++
		}
		for range share {
			list = append(list, n)
		}
	}
	if with < 2 {
		list = list[:0]
	}
	rest := len(list)
	list = list[:threads]
	clear(list[rest:])
	return list
}

// Run runs a function on this goroutine, with its thread bound to the node. Goroutines that it starts are not bound. The
// thread gets back the processors that it had, whatever the function does.
func (n *Node) Run(do func()) {
	if n == nil {
		do()
		return
	}
	// From here on Go makes no threads from this one, so that none inherits what it is bound to.
	runtime.LockOSThread()
	undo, bound := bind(n.CPUs)
	defer func() {
		// A thread that cannot be freed stays with this goroutine, and Go ends it with that.
		if !bound || undo() {
			runtime.UnlockOSThread()
		}
	}()
	do() // even where the processors have been taken from the process meanwhile: it is as right elsewhere
}
