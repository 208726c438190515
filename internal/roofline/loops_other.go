//go:build !amd64

package roofline

func fmaLoops() []fmaLoop   { return []fmaLoop{portableFMA} }
func readLoops() []readLoop { return []readLoop{portableRead} }
