package main

// distances is for one centroid: memory, not arithmetic, is its limit.
func distances(p *program) {
	p.function("distancesNEON", "blocks *float32, units int, d int, centroid *float32, out *float32", "",
		"distancesNEON writes the distances of units pairs of blocks from one centroid.")
	const out = best
	p.load("blocks", block)
	p.load("units", units)
	p.load("d", dim)
	p.load("centroid", panel)
	p.load("out", out)
	p.asm("LSL $6, %v, %v", dim, stride)
	p.label("unit")
	p.asm("MOVD %v, %v", panel, cursor)
	p.loop("single", 1, true)
	for i := 0; i < vectors; i += 2 {
		p.vectors(storePair(acc(0, i), acc(0, i+1), out, 16*i))
	}
	p.asm("ADD %v<<1, %v", stride, block)
	p.asm("ADD $%d, %v", unitSize, out)
	p.asm("SUBS $1, %v", units)
	p.asm("BNE unit")
	p.end()
}

// Masks of 16 bits are made from comparisons with two registers: the values of the bits, one for each byte, and a count,
// in four lanes, of the rows that do not get a bit, downwards. lookup leaves them alone.
const bitValues, unmarked vector = 14, 15

func (p *program) beginMarks() {
	p.asm("MOVD $0x8040201008040201, %v", free)
	p.vectors(spread64(bitValues, free), zero(unmarked))
}

// mark stores at masks the bits of the rows for which the four comparisons from c on do not hold, and moves masks on. It
// overwrites the comparisons.
func (p *program) mark(c vector, masks general) {
	for i := range vector(4) {
		p.vectors(add.of(unmarked, unmarked, c+i))
	}
	p.vectors(
		uzp1.of(h8, c, c, c+1), uzp1.of(h8, c+2, c+2, c+3), uzp1.of(b16, c, c, c+2),
		bic.of(c, bitValues, c),
		addp.of(c, c, c), addp.of(c, c, c), addp.of(c, c, c),
		take16(free, c))
	p.asm("MOVH.P %v, 2(%v)", free, masks)
}

// endMarks returns how many of 16·blocks rows were marked.
func (p *program) endMarks(blocks general) {
	p.vectors(addv(unmarked, unmarked), take32(free, unmarked))
	p.asm("SXTW %v, %v", free, free)
	p.asm("ADD %v<<4, %v", blocks, free)
	p.result(free)
	p.end()
}

// changed compares blocks of 16 indexes with their labels.
func changed(p *program) {
	p.function("changedNEON", "labels *uint16, index *int32, blocks int, masks *uint16", "int",
		"changedNEON writes the mask of differing lanes of each block of 16, and returns how many there are.")
	const labels, blocks, count, masks general = 0, 1, 2, 3
	const packed, wide, other vector = 0, 4, 8
	p.load("labels", labels)
	p.load("index", index)
	p.load("blocks", blocks)
	p.load("masks", masks)
	p.asm("MOVD %v, %v", blocks, count)
	p.beginMarks()
	p.label("block")
	p.vectors(loadPair(packed, packed+1, labels, 0))
	p.quad(loadPair, other, index)
	for i := range vector(4) {
		p.vectors(widen(i%2 == 1, wide+i, packed+i/2))
	}
	for i := range vector(4) {
		p.vectors(cmeq.of(wide+i, wide+i, other+i))
	}
	p.mark(wide, masks)
	p.asm("ADD $32, %v", labels)
	p.asm("ADD $64, %v", index)
	p.asm("SUBS $1, %v", count)
	p.asm("BNE block")
	p.endMarks(blocks)
}

// peak is what the benchmarks are compared with.
func peak(p *program) {
	p.function("peakNEON", "rounds int", "",
		"peakNEON executes rounds × 16 independent fused multiply-adds: the most that a core can do.")
	p.load("rounds", units)
	for i := range vector(17) {
		p.vectors(zero(i))
	}
	p.label("round")
	for i := range vector(16) {
		p.vectors(fmla.of(i, 16, 16))
	}
	p.asm("SUBS $1, %v", units)
	p.asm("BNE round")
	p.end()
}
