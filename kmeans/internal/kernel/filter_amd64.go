package kernel

import "golang.org/x/sys/cpu"

// vnni says that the processor multiplies bytes.
var vnni = cpu.X86.HasAVX512VNNI && detectedAVX512()

func detectedAVX512() bool {
	for _, t := range available {
		if t == AVX512 {
			return true
		}
	}
	return false
}

// Filters says that a Filter is fast in this tier on this machine; elsewhere it is right, and slow.
func (t Tier) Filters() bool { return t == AVX512 && vnni }

func (f *Filter) fast() bool { return f.tier.Filters() }

func (f *Filter) quantize(blocks []float32, n int, r *FilterRoom) {
	if !f.fast() {
		f.quantizePortable(blocks, n, r)
		return
	}
	quantizeVNNI(&blocks[0], n, f.d, &f.shift[0], f.grid.inverse, &r.bytes[0], &r.products[0], &r.totals[0], &r.residuals[0])
}

func (f *Filter) products(first, lines int, r *FilterRoom) {
	if !f.fast() {
		f.productsPortable(first, lines, r)
		return
	}
	fours, groups := (f.d+3)/4, (lines+filterGroup-1)/filterGroup
	line := filterGroup * 4 * (fours + 1)
	step := max(1, callFMAs*4/(filterUnit*line)) // see callFMAs
	for from := 0; from < groups; from += step {
		productsVNNI(&r.bytes[0], fours, &f.bytes[(first/filterGroup+from)*line], min(step, groups-from), &r.sums[from*filterGroup*filterUnit])
	}
}

func (f *Filter) quantizeWords(blocks []float32, n int, r *FilterRoom) {
	if !f.fast() {
		f.quantizeWordsPortable(blocks, n, r)
		return
	}
	quantizeWordsVNNI(&blocks[0], n, f.d, &f.shift[0], f.grid.inverse, float32(f.grid.high), &r.words[0], &r.products[0], &r.residuals[0])
}

func (f *Filter) nearestWords(n int, r *FilterRoom) {
	if !f.fast() {
		f.nearestWordsPortable(n, r)
		return
	}
	pairs, groups := (f.d+1)/2, (f.k+wordGroup-1)/wordGroup
	line := wordGroup * 2 * (pairs + 1)
	step := max(1, callFMAs*2/(pairPoints*line)) // see callFMAs
	for from := 0; from < n; from += pairPoints {
		for g := 0; g < groups; g += step {
			nearestWordsVNNI(&r.words[2*from], pairs, &f.words[g*line], min(step, groups-g), int32(g*wordGroup), &r.best[from],
				&r.second[from], &r.index[from])
		}
	}
}

func (f *Filter) twoLargest(first, lines int, r *FilterRoom) {
	if !f.fast() {
		twoLargestPortable(first, lines, r)
		return
	}
	twoLargestAVX512(&r.sums[0], lines, int32(first), &r.best[0], &r.second[0], &r.index[0])
}

func (f *Filter) outcomes(r *FilterRoom) uint64 {
	if !f.fast() {
		return f.outcomesPortable(r)
	}
	return outcomesAVX512(&f.bounds.residualUp, &r.products[0], &r.totals[0], &r.residuals[0], &r.best[0], &r.second[0], &r.thresholds[0],
		&r.errors[0], &r.nearest[0], &r.others[0])
}

func (f *Filter) reached(first, lines int, r *FilterRoom) int {
	if !f.fast() {
		return reachedPortable(first, lines, r)
	}
	return reachedAVX512(&r.sums[0], lines, int32(first), &r.thresholds[0], &r.numbers[0], &r.masks[0])
}

func (f *Filter) squares(x []float32, list []int32, n int, r *FilterRoom) {
	if !f.fast() {
		f.squaresPortable(x, list, n, r)
		return
	}
	whole := (n + 3) / 4 * 4
	for i := n; i < whole; i++ {
		list[i] = list[0]
	}
	rowAVX512(&x[0], f.d, &r.x[0])
	squaresAVX512(&r.x[0], f.d, &f.rows[0], &list[0], whole, &r.distances[0])
}

func (f *Filter) defined(x []float32, list []int32, n int, r *FilterRoom) {
	if !f.fast() {
		f.definedPortable(x, list, n, r)
		return
	}
	whole := (n + 3) / 4 * 4
	for i := n; i < whole; i++ {
		list[i] = list[0]
	}
	rowAVX512(&x[0], f.d, &r.x[0])
	definedAVX512(&r.x[0], f.d, &f.rows[0], &list[0], whole, &r.distances[0])
}
