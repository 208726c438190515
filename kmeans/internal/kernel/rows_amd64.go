package kernel

func listSIMD(masks []uint16, rows []int32) int {
	return listAVX512(&masks[0], len(masks), &rows[0])
}

func labelSIMD(index []int32, labels []uint16, blocks int) {
	for from := 0; from < blocks; from += callBlocks {
		labelAVX512(&index[from*Lanes], min(callBlocks, blocks-from), &labels[from*Lanes])
	}
}

// moversSIMD takes panels that a call takes whole, for as many points as one call may be long.
func moversSIMD(p *Panel, blocks []float32, index []int32, labels []uint16, rows []int32) (found int, ok bool) {
	s := shapes[AVX512]
	if tiles, _ := s.tiles(p.d); tiles > 1 || len(p.parts) > 1 || len(labels)*p.d*p.k > callFMAs {
		return 0, false
	}
	q, units := &p.parts[0], len(labels)/s.unit
	if p.d <= s.straight {
		return nearestLowMoversAVX512(&blocks[0], units, p.d, &q.data[0], q.size, q.hi, q.lo, &labels[0], &index[0], &rows[0]), true
	}
	return nearestHighMoversAVX512(&blocks[0], units, p.d, &q.data[0], q.size, q.hi, q.lo, &labels[0], &index[0], &rows[0]), true
}

// callValues bounds the coordinates that a call moves one by one.
const callValues = 1 << 18

func gatherSIMD(blocks []float32, d int, rows []int32, dst []float32) {
	step := max(1, callValues/(d*Lanes)) * Lanes
	for from := 0; from < len(rows); from += step {
		n := min(step, len(rows)-from)
		gatherAVX512(&blocks[0], d, &rows[from], n/Lanes, &dst[from*d])
	}
}

func (l *Ledger) moveSIMD(blocks []float32, rows []int32, labels []uint16, index []int32) {
	step := max(1, callValues/l.D)
	for from := 0; from < len(rows); from += step {
		moveAVX512(&blocks[0], l.D, &rows[from], min(step, len(rows)-from), &labels[0], &index[0], &l.Sums[0], 8*LedgerStride(l.D),
			&l.Units[0], &l.Counts[0], &l.Touched[0])
	}
}

func (l *Ledger) addSIMD(blocks []float32, index []int32) {
	bytes, stride := l.D*Lanes*4, 8*LedgerStride(l.D)
	for from := 0; from < len(index); from += callBlocks {
		n := min(callBlocks, len(index)-from)
		for t := 0; t < l.D; t += 8 {
			sum, d := sum8AVX512, min(8, l.D-t)
			if d <= 4 {
				sum = sum4AVX512
			}
			sum(&blocks[from*l.D+t*Lanes], n/Lanes, bytes, &index[from], &l.Sums[t], stride, &l.Units[t], d)
		}
	}
}

// fetchSIMD may be given any rows: asking for memory that is not there is no fault.
func fetchSIMD(blocks []float32, d int, rows []int32) {
	step := max(1, callValues/(d*Lanes))
	for from := 0; from < len(rows); from += step {
		fetchRows(&blocks[0], d, &rows[from], min(step, len(rows)-from))
	}
}
