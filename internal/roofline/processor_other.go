//go:build !amd64

package roofline

// Processor is the processor as it calls itself; other architectures have no way to ask it that a program may use.
func Processor() string { return unnamed() }
