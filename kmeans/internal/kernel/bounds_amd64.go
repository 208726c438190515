package kernel

func (t Tier) own(blocks *float32, n, d int, table *float32, stride int, labels *uint16, out *float32) {
	if t == AVX2 {
		ownAVX2(blocks, n, d, table, stride, labels, out)
		return
	}
	ownAVX512(blocks, n, d, table, stride, labels, out)
}

func (t Tier) survivors(labels *uint16, slack *float32, n int, high *float32, bytes int, masks *uint16) int {
	if t == AVX2 {
		return survivorsAVX2(labels, slack, n, high, bytes, masks)
	}
	return survivorsAVX512(labels, slack, n, high, bytes, masks)
}

func (t Tier) margins(best, second *float32, index *int32, n int, low *float32, bytes int, down, up float32, slack *float32) {
	if t == AVX2 {
		marginsAVX2(best, second, index, n, low, bytes, down, up, slack)
		return
	}
	marginsAVX512(best, second, index, n, low, bytes, down, up, slack)
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
