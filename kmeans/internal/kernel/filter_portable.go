package kernel

import "math"

// The functions of this file are what assembly does in the same names, for processors without it and for tests.

func (f *Filter) quantizePortable(blocks []float32, n int, r *FilterRoom) {
	clear(r.bytes)
	for i := range n * Lanes {
		product, sum, residual := int32(0), int32(0), float32(0)
		for t := range f.d {
			x := blocks[i/Lanes*Lanes*f.d+t*Lanes+i%Lanes]
			at := float32(float64(float64(x)*float64(f.grid.inverse)) - float64(f.shift[t])) // but for one rounding the fused one
			whole := float32(math.RoundToEven(float64(min(255, max(0, at)))))
			q := int32(whole)
			r.bytes[t/4*4*filterUnit+4*i+t%4] = uint8(q)
			product += q * (q - 128)
			sum += q
			rest := float64(at) - float64(whole)
			residual = float32(float64(rest*rest) + float64(residual))
		}
		r.products[i], r.totals[i], r.residuals[i] = product, sum, residual
	}
}

func (f *Filter) productsPortable(first, lines int, r *FilterRoom) {
	fours := (f.d + 3) / 4
	line := filterGroup * 4 * (fours + 1)
	for l := range (lines + filterGroup - 1) / filterGroup * filterGroup {
		j := first + l
		group, place := f.bytes[j/filterGroup*line:], j%filterGroup
		start := int32(0)
		for i := range 4 {
			start |= int32(uint8(group[4*place+i])) << (8 * i)
		}
		for i := range filterUnit {
			sum := start
			for t := range fours * 4 {
				sum += int32(r.bytes[t/4*4*filterUnit+4*i+t%4]) * int32(group[filterGroup*4*(t/4+1)+4*place+t%4])
			}
			r.sums[l*filterUnit+i] = sum
		}
	}
}

func (f *Filter) quantizeWordsPortable(blocks []float32, n int, r *FilterRoom) {
	clear(r.words)
	most := float32(f.grid.high)
	for i := range n * Lanes {
		product, residual := int32(0), float32(0)
		for t := range f.d {
			x := blocks[i/Lanes*Lanes*f.d+t*Lanes+i%Lanes]
			at := float32(float64(float64(x)*float64(f.grid.inverse)) - float64(f.shift[t])) // but for one rounding the fused one
			whole := float32(math.RoundToEven(float64(min(most, max(-most, at)))))
			q := int32(whole)
			r.words[t/2*2*filterUnit+2*i+t%2] = int16(q)
			product += q * q
			rest := float64(at) - float64(whole)
			residual = float32(float64(rest*rest) + float64(residual))
		}
		r.products[i], r.residuals[i] = product, residual
	}
}

// nearestWordsPortable is nearestWordsVNNI for the first n rows of a unit.
func (f *Filter) nearestWordsPortable(n int, r *FilterRoom) {
	pairs := (f.d + 1) / 2
	line := wordGroup * 2 * (pairs + 1)
	for j := range f.k {
		group, place := f.words[j/wordGroup*line:], j%wordGroup
		start := int32(uint16(group[2*place])) | int32(group[2*place+1])<<16
		for i := range n {
			v := start
			for t := range pairs * 2 {
				v += int32(r.words[t/2*2*filterUnit+2*i+t%2]) * int32(group[wordGroup*2*(t/2+1)+2*place+t%2])
			}
			switch {
			case v > r.best[i]:
				r.best[i], r.second[i], r.index[i] = v, r.best[i], int32(j)
			case v > r.second[i]:
				r.second[i] = v
			}
		}
	}
}

func twoLargestPortable(first, lines int, r *FilterRoom) {
	for l := range lines {
		for i, v := range r.sums[l*filterUnit:][:filterUnit] {
			switch {
			case v > r.best[i]:
				r.best[i], r.second[i], r.index[i] = v, r.best[i], int32(first+l)
			case v > r.second[i]:
				r.second[i] = v
			}
		}
	}
}

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// outcome says for row i how far the nearest centroid is at most, how far all others are at least, and which sum a centroid has
// to reach to be in question; open if there are others that do.
func (f *Filter) outcome(i int, r *FilterRoom) (open bool) {
	b := &f.bounds
	base := r.products[i] - r.totals[i]<<7
	square := float32(max(0, base-2*r.best[i]) + 1)
	e := b.centroid + float32(sqrt32(float32(r.products[i]+r.totals[i]<<7))*b.ofLength)
	e = float32((e + float32(sqrt32(r.residuals[i])*b.residualUp)) * b.up)
	r.errors[i] = e
	u := float32((sqrt32(square) + e) * b.nearUp)
	z := float32((u + e) * b.up)
	g := b.slack - float32(square/2) + float32(z*z*b.wide)
	if !(g < b.most) {
		g = b.most
	}
	t := r.best[i] - int32(math.RoundToEven(float64(g)))
	open = t <= r.second[i]
	if !open {
		t = math.MaxInt32
	}
	r.thresholds[i] = t
	o := float32(max(0, float32(sqrt32(float32(max(0, base-2*r.second[i])))*b.down)-e) * b.step)
	r.others[i] = o * o * b.down
	n := u * b.step
	r.nearest[i] = n * n * b.up
	return open
}

func (f *Filter) outcomesPortable(r *FilterRoom) (open uint64) {
	for i := range filterUnit {
		if f.outcome(i, r) {
			open |= 1 << i
		}
	}
	return open
}

func reachedPortable(first, lines int, r *FilterRoom) int {
	n := 0
	for l := range lines {
		mask := uint64(0)
		for i, v := range r.sums[l*filterUnit:][:filterUnit] {
			if v >= r.thresholds[i] {
				mask |= 1 << i
			}
		}
		if mask != 0 {
			r.numbers[n], r.masks[n] = int32(first+l), mask
			n++
		}
	}
	return n
}

// squaresPortable is the distances of a row, whose coordinates lie Lanes apart, from the first n listed centroids.
func (f *Filter) squaresPortable(x []float32, list []int32, n int, r *FilterRoom) {
	for c, j := range list[:n] {
		sum := 0.0
		for t, v := range f.rows[int(j)*f.d:][:f.d] {
			diff := float64(x[t*Lanes]) - float64(v)
			sum += float64(diff * diff)
		}
		r.distances[c] = float32(sum)
	}
}

// definedPortable is squaresPortable by the definition.
func (f *Filter) definedPortable(x []float32, list []int32, n int, r *FilterRoom) {
	for c, j := range list[:n] {
		acc := float32(0)
		for t, v := range f.rows[int(j)*f.d:][:f.d] {
			acc = fma32(x[t*Lanes]-v, acc)
		}
		r.distances[c] = acc
	}
}
