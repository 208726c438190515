package main

// accumulate continues the chains of one unit with the centroids of a panel over a range of dimensions, keeping them in
// memory.
func accumulate(p *program) {
	p.function("accumulateNEON", "x *float32, bytes int, d int, panel *float32, size int, groups int, acc *float32", "",
		"accumulateNEON adds d coordinates of two blocks at x to their distances acc from every centroid (32 values each).",
		"bytes is the size of a block. The groups of size are as in nearestNEON.")
	const out = best
	p.load("x", block)
	p.load("bytes", stride)
	p.load("d", dim)
	p.load("panel", panel)
	p.load("size", size)
	p.load("groups", hi)
	p.load("acc", out)
	p.asm("MOVD ZR, %v", lo)
	p.inGroups(size, hi, lo, func(s int) {
		for i := 0; i < vectors*s; i += 2 {
			p.vectors(loadPair(vector(i), vector(i+1), out, 16*i))
		}
		p.asm("ADD $%d, %v", 4*s, cursor)
		p.loop([]string{"", "single", "double"}[s], s, false)
		for i := 0; i < vectors*s; i += 2 {
			p.vectors(storePair(vector(i), vector(i+1), out, 16*i))
		}
		p.asm("ADD $%d, %v", unitSize*s, out)
	})
	p.end()
}

// In the functions that compare, a block's four vectors of each kind of result stay in registers while the distances of
// all centroids pass; then it is the other block's turn.

// argmin compares the distances that accumulate left.
func argmin(p *program) {
	p.function("argminNEON", "acc *float32, n int, best *float32, index *int32, first int32", "",
		"argminNEON updates best and index of two blocks with the distances acc of n centroids, numbered from first on.")
	const acc, n, blocks, walk, count general = 0, 1, 2, 3, 4
	const number, one vector = 8, 9
	least, at, a, mask := vector(0), vector(4), vector(16), vector(20)
	p.load("acc", acc)
	p.load("n", n)
	p.load("best", best)
	p.load("index", index)
	p.inBlocks(blocks, func() {
		p.quad(loadPair, least, best)
		p.quad(loadPair, at, index)
		p.counter(number, one)
		p.overCentroids(acc, n, walk, count, func() {
			p.quad(loadPair, a, walk)
			for i := range vector(4) {
				p.vectors(fcmgt.of(mask+i, least+i, a+i))
			}
			for i := range vector(4) {
				p.vectors(bit.of(at+i, number, mask+i), fmin.of(least+i, least+i, a+i))
			}
			p.vectors(add.of(number, number, one))
		})
		p.quad(storePair, least, best)
		p.quad(storePair, at, index)
	}, acc, best, index)
	p.end()
}

// argminTwo keeps the second as well.
func argminTwo(p *program) {
	p.function("argminTwoNEON",
		"acc *float32, n int, best *float32, second *float32, index *int32, secondIndex *int32, first int32", "",
		"argminTwoNEON is argminNEON for the least and the second least distance.")
	const acc, n, blocks, walk, count, secondIndex general = 0, 1, 2, 3, 4, 5
	const number, one vector = 24, 25
	const mask, mask2, larger vector = 26, 27, 28
	least, at, least2, at2, a := vector(0), vector(4), vector(8), vector(12), vector(16)
	state := map[vector]general{least: best, at: index, least2: second, at2: secondIndex}
	p.load("acc", acc)
	p.load("n", n)
	p.load("best", best)
	p.load("second", second)
	p.load("index", index)
	p.load("secondIndex", secondIndex)
	p.inBlocks(blocks, func() {
		for _, v := range []vector{least, at, least2, at2} {
			p.quad(loadPair, v, state[v])
		}
		p.counter(number, one)
		p.overCentroids(acc, n, walk, count, func() {
			p.quad(loadPair, a, walk)
			for i := range vector(4) {
				p.vectors(
					fcmgt.of(mask, least+i, a+i),
					fcmgt.of(mask2, least2+i, a+i),
					bit.of(at2+i, number, mask2),
					bit.of(at2+i, at+i, mask),
					bit.of(at+i, number, mask),
					// The new second is the larger of a and the least, unless the old second is smaller still.
					fmax.of(larger, least+i, a+i),
					fmin.of(least2+i, least2+i, larger),
					fmin.of(least+i, least+i, a+i))
			}
			p.vectors(add.of(number, number, one))
		})
		for _, v := range []vector{least, at, least2, at2} {
			p.quad(storePair, v, state[v])
		}
	}, acc, best, second, index, secondIndex)
	p.end()
}

// inBlocks calls body for both blocks, and moves the cursors on by a block in between.
func (p *program) inBlocks(blocks general, body func(), cursors ...general) {
	p.asm("MOVD $2, %v", blocks)
	p.label("block")
	body()
	for _, c := range cursors {
		p.asm("ADD $%d, %v", unitSize/2, c)
	}
	p.asm("SUBS $1, %v", blocks)
	p.asm("BNE block")
}

// overCentroids calls body with walk at the distances of a block from each of n centroids.
func (p *program) overCentroids(acc, n, walk, count general, body func()) {
	p.asm("MOVD %v, %v", acc, walk)
	p.asm("MOVD %v, %v", n, count)
	p.label("next")
	body()
	p.asm("ADD $%d, %v", unitSize, walk)
	p.asm("SUBS $1, %v", count)
	p.asm("BNE next")
}

// quad moves the four vectors of a block.
func (p *program) quad(move func(vector, vector, general, int) instruction, first vector, at general) {
	p.vectors(move(first, first+1, at, 0), move(first+2, first+3, at, 32))
}

// counter sets number to the parameter first in all lanes, and one to 1.
func (p *program) counter(number, one vector) {
	p.load("first", free)
	p.vectors(spread32(number, free))
	p.asm("MOVD $1, %v", free)
	p.vectors(spread32(one, free))
}
