//go:build !linux

package numa

func nodes() []*Node { return nil }

func bind([]int) (undo func() bool, bound bool) { return nil, false }

// Renew does nothing here.
func (n *Node) Renew([]float32) {}
