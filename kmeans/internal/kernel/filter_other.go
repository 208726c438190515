//go:build !amd64

package kernel

// Filters says that a Filter is fast in this tier on this machine; elsewhere it is right, and slow.
func (t Tier) Filters() bool { return false }

func (f *Filter) quantize(blocks []float32, n int, r *FilterRoom) { f.quantizePortable(blocks, n, r) }

func (f *Filter) products(first, lines int, r *FilterRoom) { f.productsPortable(first, lines, r) }

func (f *Filter) twoLargest(first, lines int, r *FilterRoom) { twoLargestPortable(first, lines, r) }

func (f *Filter) outcomes(r *FilterRoom) uint64 { return f.outcomesPortable(r) }

func (f *Filter) reached(first, lines int, r *FilterRoom) int {
	return reachedPortable(first, lines, r)
}

func (f *Filter) squares(x []float32, list []int32, n int, r *FilterRoom) {
	f.squaresPortable(x, list, n, r)
}

func (f *Filter) defined(x []float32, list []int32, n int, r *FilterRoom) {
	f.definedPortable(x, list, n, r)
}

func (f *Filter) quantizeWords(blocks []float32, n int, r *FilterRoom) {
	f.quantizeWordsPortable(blocks, n, r)
}

func (f *Filter) nearestWords(n int, r *FilterRoom) { f.nearestWordsPortable(n, r) }
