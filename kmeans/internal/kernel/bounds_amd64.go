package kernel

// nearestSecondSIMD is nearestSIMD, fresh, with the second distances.
func nearestSecondSIMD(p *Panel, blocks, best, second []float32, index []int32) {
	s := shapes[p.tier]
	if tiles, _ := s.tiles(p.d); tiles > 1 {
		nearestSecondTiled(p, blocks, best, second, index)
		return
	}
	for i := range p.parts {
		q := &p.parts[i]
		step := max(1, callFMAs/(s.unit*p.d*q.centroids())) * s.unit
		for from := 0; from < len(best); from += step {
			n := min(step, len(best)-from)
			x, b, b2, at := &blocks[from*p.d], &best[from], &second[from], &index[from]
			switch {
			case p.tier == AVX2:
				nearestHighSecondAVX2(x, n/s.unit, p.d, &q.data[0], q.size, q.hi, q.lo, b, b2, at, i == 0)
			case p.d <= s.straight:
				nearestLowSecondAVX512(x, n/s.unit, p.d, &q.data[0], q.size, q.hi, q.lo, b, b2, at, i == 0)
			default:
				nearestHighSecondAVX512(x, n/s.unit, p.d, &q.data[0], q.size, q.hi, q.lo, b, b2, at, i == 0)
			}
		}
	}
}

// nearestSecondTiled compares distances that were put together from tiles, which are numbered from 0 on.
func nearestSecondTiled(p *Panel, blocks, best, second []float32, index []int32) {
	const rows = 512
	var unused [rows]int32
	for from := 0; from < len(best); from += rows {
		to := min(from+rows, len(best))
		b, b2, at := best[from:to], second[from:to], index[from:to]
		for i := range b {
			b[i], b2[i], at[i] = inf32, inf32, 0
		}
		twoNearestSIMD(p, blocks[from*p.d:to*p.d], b, b2, at, unused[:to-from])
		if p.numbers == nil {
			continue
		}
		for i, j := range at {
			at[i] = p.numbers[j]
		}
	}
}

func (o *Own) distancesSIMD(blocks []float32, labels []uint16, out []float32) {
	step := max(1, callFMAs/(8*Lanes*o.d))
	for from, n := 0, len(labels)/Lanes; from < n; from += step {
		count, at := min(step, n-from), from*Lanes
		if o.tier == AVX2 {
			ownAVX2(&blocks[at*o.d], count, o.d, &o.table[0], 4*o.stride, &labels[at], &out[at])
		} else {
			ownAVX512(&blocks[at*o.d], count, o.d, &o.table[0], 4*o.stride, &labels[at], &out[at])
		}
	}
}

// callBlocks bounds the blocks of a call that does little with each of them.
const callBlocks = 1 << 14

func survivorsSIMD(tier Tier, t *Thresholds, labels []uint16, slack []float32, masks []uint16) int {
	count := 0
	for from := 0; from < len(masks); from += callBlocks {
		n, at := min(callBlocks, len(masks)-from), from*Lanes
		if tier == AVX2 {
			count += survivorsAVX2(&labels[at], &slack[at], n, &t.High[0], 4*len(t.High), &masks[from])
		} else {
			count += survivorsAVX512(&labels[at], &slack[at], n, &t.High[0], 4*len(t.High), &masks[from])
		}
	}
	return count
}

func marginsSIMD(tier Tier, t *Thresholds, best, second []float32, index []int32, down, up float32, slack []float32) {
	for from, n := 0, len(best)/Lanes; from < n; from += callBlocks {
		count, at := min(callBlocks, n-from), from*Lanes
		if tier == AVX2 {
			marginsAVX2(&best[at], &second[at], &index[at], count, &t.Low[0], 4*len(t.Low), down, up, &slack[at])
		} else {
			marginsAVX512(&best[at], &second[at], &index[at], count, &t.Low[0], 4*len(t.Low), down, up, &slack[at])
		}
	}
}

// compactSIMD leaves the tier that has no compressing instruction to the plain code: its rows are moved value by value.
// The marked rows of one call are those of a span, so that calls are short.
func compactSIMD(tier Tier, blocks []float32, d int, masks []uint16, dst []float32) {
	if tier != AVX512 {
		compactPortable(blocks, d, masks, dst)
		return
	}
	const group = 16 // dimensions at a time
	for t := 0; t < d; t += group {
		compactAVX512(&blocks[t*Lanes], len(masks), d*Lanes*4, min(group, d-t), &masks[0], &dst[t*Lanes])
	}
}

func spreadSIMD(masks []uint16, index []int32, margin []float32, labels []uint16, slack []float32, rows []int32, changed []uint16) int {
	return spreadAVX512(&masks[0], len(masks), &index[0], &margin[0], &labels[0], &slack[0], &rows[0], &changed[0])
}
