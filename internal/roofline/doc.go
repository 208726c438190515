// Package roofline measures what this machine can do at most: float32 multiply-adds a second and bytes read from
// memory a second, for one thread and for more. A pass of k-means cannot be faster than the larger of the two limits
// that follow from them (Bound), and its speed is told as a fraction of that (Fraction).
//
// Measure starts with measure.go; the loops are listed in loops_amd64.go and made by the generator in _asm, with plain
// Go (portable.go) for other architectures, whose figures are estimates and are called that. A loop is trusted only
// for what it proves: the reading loops return the sum of every word that they were to read, the multiplying ones all
// of their sums, and both are held against closed forms in every measurement.
//
// What it does not do: measure the program's own kernel (the benchmarks do), bind threads to cores, or look at caches
// between the registers and memory. Nothing on the walk of a row passes through here.
package roofline
