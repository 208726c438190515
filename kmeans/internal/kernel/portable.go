package kernel

import "math"

// fma32 returns x·x + acc rounded once to float32, for acc ≥ 0.
//
// The product p of two 24-bit significands has at most 48 bits, and float64 holds it exactly (its exponent
// range includes the squares of all float32s, subnormal ones too). So s = p + acc is the exact sum e
// rounded once, to 53 bits, and float32(s) rounds a second time. All roundings are to nearest even.
//
// If s is not the midpoint of two neighbouring float32s, float32(s) is right: a midpoint is a float64
// (25 bits), rounding to float64 is monotone and leaves midpoints where they are, so e and s lie strictly
// on the same side of every midpoint but for those that s meets. If s is a midpoint, e may lie on either
// side of it, or on it. For a normal result the float32s keep the upper 23 of the 52 mantissa bits, so
// that s is a midpoint exactly if the lower 29 read 1 followed by 28 zeros; this covers the midpoint of
// the largest float32 and 2^128 as well, where the result turns to +Inf. For a subnormal result the place
// of that bit varies, and all sums are treated as if they were midpoints.
func fma32(x, acc float32) float32 {
	p := float64(x) * float64(x)
	s := p + float64(acc)
	if math.Float64bits(s)&(1<<29-1) == 1<<28 || s < 0x1p-126 {
		return roundOdd(p, float64(acc), s)
	}
	return float32(s)
}

// roundOdd returns p + acc rounded once to float32, given s, the sum rounded to float64. Knuth's TwoSum
// gives the exact error of s. Where it is not zero, s and its neighbour on the side of the error enclose
// the exact sum e, and we take the one with the odd last bit: rounding to odd. That value is no midpoint
// of float32s, since those have a last bit of zero, and no midpoint lies strictly between it and e: so the
// second rounding sees e's side (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
// Here s ≥ 0, so the neighbours are the next bit patterns.
//
// Products are exact: a compiler that fuses one with an addition changes nothing.
func roundOdd(p, acc, s float64) float32 {
	b := s - p
	e := (p - (s - b)) + (acc - b)
	bits := math.Float64bits(s)
	switch {
	case bits&1 != 0:
	case e > 0:
		s = math.Float64frombits(bits + 1)
	case e < 0:
		s = math.Float64frombits(bits - 1)
	}
	return float32(s)
}

// distanceBlock writes the distances of the points of one block (d×Lanes values) to one centroid.
func distanceBlock(block, centroid []float32, acc *[Lanes]float32) {
	*acc = [Lanes]float32{}
	for t, c := range centroid {
		x := (*[Lanes]float32)(block[t*Lanes:])
		for i := range acc {
			acc[i] = fma32(x[i]-c, acc[i])
		}
	}
}

func nearestPortable(p *Panel, blocks, best []float32, index []int32, base int32) {
	var acc [Lanes]float32
	for b := 0; b*Lanes < len(best); b++ {
		block := blocks[b*p.d*Lanes : (b+1)*p.d*Lanes]
		least, at := (*[Lanes]float32)(best[b*Lanes:]), (*[Lanes]int32)(index[b*Lanes:])
		for j := range p.k {
			distanceBlock(block, p.data[j*p.d:(j+1)*p.d], &acc)
			for i, a := range acc {
				if a < least[i] {
					least[i], at[i] = a, base+p.number(j)
				}
			}
		}
	}
}

func twoNearestPortable(p *Panel, blocks, best, second []float32, index, secondIndex []int32) {
	var acc [Lanes]float32
	for b := 0; b*Lanes < len(best); b++ {
		block := blocks[b*p.d*Lanes : (b+1)*p.d*Lanes]
		for j := range p.k {
			distanceBlock(block, p.data[j*p.d:(j+1)*p.d], &acc)
			for l, a := range acc {
				i := b*Lanes + l
				switch {
				case a < best[i]:
					second[i], secondIndex[i] = best[i], index[i]
					best[i], index[i] = a, p.number(j)
				case a < second[i]:
					second[i], secondIndex[i] = a, p.number(j)
				}
			}
		}
	}
}

func nearestSecondPortable(p *Panel, blocks, best, second []float32, index []int32) {
	var acc [Lanes]float32
	for b := 0; b*Lanes < len(best); b++ {
		block := blocks[b*p.d*Lanes : (b+1)*p.d*Lanes]
		for j := range p.k {
			distanceBlock(block, p.data[j*p.d:(j+1)*p.d], &acc)
			for l, a := range acc {
				i := b*Lanes + l
				second[i] = min(second[i], max(a, best[i]))
				if a < best[i] {
					best[i], index[i] = a, p.number(j)
				}
			}
		}
	}
}

func distancesPortable(blocks, centroid, out []float32) {
	d := len(centroid)
	for b := 0; b*Lanes < len(out); b++ {
		distanceBlock(blocks[b*d*Lanes:(b+1)*d*Lanes], centroid, (*[Lanes]float32)(out[b*Lanes:]))
	}
}

// changedPortable is Changed for whole blocks and one begun block at the end.
func changedPortable(labels []uint16, index []int32, masks []uint16) int {
	clear(masks)
	count := 0
	for i, label := range labels {
		if int32(label) != index[i] {
			masks[i/Lanes] |= 1 << (i % Lanes)
			count++
		}
	}
	return count
}
