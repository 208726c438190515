//go:build amd64 || arm64

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
			p.tier.nearestSecond(&blocks[from*p.d], n/s.unit, p.d, q, &best[from], &second[from], &index[from], i == 0)
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
		o.tier.own(&blocks[at*o.d], count, o.d, &o.table[0], 4*o.stride, &labels[at], &out[at])
	}
}

// callBlocks bounds the blocks of a call that does little with each of them.
const callBlocks = 1 << 14

func survivorsSIMD(tier Tier, t *Thresholds, labels []uint16, slack []float32, masks []uint16) int {
	count := 0
	for from := 0; from < len(masks); from += callBlocks {
		n, at := min(callBlocks, len(masks)-from), from*Lanes
		count += tier.survivors(&labels[at], &slack[at], n, &t.High[0], 4*len(t.High), &masks[from])
	}
	return count
}

func marginsSIMD(tier Tier, t *Thresholds, best, second []float32, index []int32, down, up float32, slack []float32) {
	for from, n := 0, len(best)/Lanes; from < n; from += callBlocks {
		count, at := min(callBlocks, n-from), from*Lanes
		tier.margins(&best[at], &second[at], &index[at], count, &t.Low[0], 4*len(t.Low), down, up, &slack[at])
	}
}
