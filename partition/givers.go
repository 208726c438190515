package partition

import "container/heap"

// giver is a seat with what it had too many of when it was entered. A seat whose holding changes is entered again, and what
// was said of it before is passed over.
type giver struct {
	over int64
	seat int
}

// givers is a heap of them: most too many first, of equals the first seat.
type givers []giver

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (g givers) Len() int { return len(g) }
func (g givers) Less(a, b int) bool {
	return g[a].over > g[b].over || g[a].over == g[b].over && g[a].seat < g[b].seat
}
func (g givers) Swap(a, b int) { g[a], g[b] = g[b], g[a] }
func (g *givers) Push(x any)   { *g = append(*g, x.(giver)) }
func (g *givers) Pop() any {
	last := len(*g) - 1
	x := (*g)[last]
	*g = (*g)[:last]
	return x
}

// most is the seat with most too many of which what was entered holds, and stays entered; -1 if there is none.
func (g *givers) most(holds func(giver) bool) int {
	for len(*g) > 0 {
		if holds((*g)[0]) {
			return (*g)[0].seat
		}
		heap.Pop(g)
	}
	return -1
}
