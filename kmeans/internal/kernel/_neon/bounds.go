package main

// rows are the registers that hold the labels of a block.
var rows = [16]general{8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24}

// The functions that look things up by label have these for their arguments and counts.
const (
	walk1, walk2, walk3, walk4 general = 0, 1, 2, 3
	walk5, walk6, walk7, walk8 general = 4, 5, 6, 7
	last, more                 general = 25, 26
)

// readRows loads sixteen labels with the given instruction, size bytes apart.
func (p *program) readRows(load string, size int, from general) {
	for i, r := range rows {
		p.asm("%s %d(%v), %v", load, size*i, from, r)
	}
}

// lookup reads the entries of the table that rows name into four vectors from dst on, by way of sixteen: entries are
// loaded into registers of their own, since a load into a lane would wait for what the register held.
func (p *program) lookup(table general, dst vector) {
	const lane vector = 16
	for i, r := range rows {
		p.vectors(loadEntry(lane+vector(i), table, r))
	}
	for i := range vector(4) {
		v := lane + 4*i
		p.vectors(zip1.of(s4, v, v, v+1), zip1.of(s4, v+2, v+2, v+3), zip1.of(d2, dst+i, v, v+2))
	}
}

// own is the distances of rows from the centroids of their labels.
func own(p *program) {
	p.function("ownNEON", "blocks *float32, n int, d int, table *float32, stride int, labels *uint16, out *float32", "",
		"ownNEON writes the distances of n blocks of 16 rows from the centroids that their labels name. table has a line of",
		"stride bytes for each of d dimensions.")
	const points, n, d, table, stride, labels, out, line = walk1, walk2, walk3, walk4, walk5, walk6, walk7, walk8
	const count = last
	sum, x, c := vector(0), vector(4), vector(8)
	p.load("blocks", points)
	p.load("n", n)
	p.load("d", d)
	p.load("table", table)
	p.load("stride", stride)
	p.load("labels", labels)
	p.load("out", out)
	p.label("block")
	p.readRows("MOVHU", 2, labels)
	for i := range vector(4) {
		p.vectors(zero(sum + i))
	}
	p.asm("MOVD %v, %v", table, line)
	p.asm("MOVD %v, %v", d, count)
	p.label("dimension")
	p.lookup(line, c)
	p.quad(loadPair, x, points)
	for i := range vector(4) {
		p.vectors(fsub.of(x+i, x+i, c+i))
	}
	for i := range vector(4) {
		p.vectors(fmla.of(sum+i, x+i, x+i))
	}
	p.asm("ADD $64, %v", points)
	p.asm("ADD %v, %v", stride, line)
	p.asm("SUBS $1, %v", count)
	p.asm("BNE dimension")
	p.quad(storePair, sum, out)
	p.asm("ADD $32, %v", labels)
	p.asm("ADD $64, %v", out)
	p.asm("SUBS $1, %v", n)
	p.asm("BNE block")
	p.end()
}

// survivors compares slacks with thresholds.
func survivors(p *program) {
	p.function("survivorsNEON", "labels *uint16, slack *float32, n int, high *float32, masks *uint16", "int",
		"survivorsNEON marks the rows of n blocks whose slack is not above the threshold of their label, and returns how many",
		"there are.")
	const labels, slack, n, high, masks = walk1, walk2, walk3, walk4, walk5
	// mark needs a register that holds a row's label at other times: free is one of rows, and read anew for each block.
	const count = last
	threshold, s := vector(0), vector(4)
	p.load("labels", labels)
	p.load("slack", slack)
	p.load("n", n)
	p.load("high", high)
	p.load("masks", masks)
	p.asm("MOVD %v, %v", n, count)
	p.beginMarks()
	p.label("block")
	p.readRows("MOVHU", 2, labels)
	p.lookup(high, threshold)
	p.quad(loadPair, s, slack)
	for i := range vector(4) { // a slack that is no number is above nothing
		p.vectors(fcmgt.of(s+i, s+i, threshold+i))
	}
	p.mark(s, masks)
	p.asm("ADD $32, %v", labels)
	p.asm("ADD $64, %v", slack)
	p.asm("SUBS $1, %v", count)
	p.asm("BNE block")
	p.endMarks(n)
}

// margins makes slacks.
func margins(p *program) {
	p.function("marginsNEON",
		"best *float32, second *float32, index *int32, n int, low *float32, down float32, up float32, slack *float32", "",
		"marginsNEON makes the slacks of n blocks of rows from the squared distances to the nearest and the second nearest",
		"centroids.")
	const nearest, next, at, n, low, slack = walk1, walk2, walk3, walk4, walk5, walk6
	const down, up, most vector = 12, 13, 14
	const bits = more
	near, far, t := vector(0), vector(4), vector(8)
	p.load("best", nearest)
	p.load("second", next)
	p.load("index", at)
	p.load("n", n)
	p.load("low", low)
	p.load("slack", slack)
	p.load("down", bits)
	p.vectors(spread32(down, bits))
	p.load("up", bits)
	p.vectors(spread32(up, bits))
	p.asm("MOVD $0x7f7fffff, %v", bits) // the largest finite one
	p.vectors(spread32(most, bits))
	p.label("block")
	p.readRows("MOVWU", 4, at)
	p.lookup(low, t)
	for _, side := range []struct {
		v      vector
		from   general
		factor vector
	}{{far, next, down}, {near, nearest, up}} {
		p.quad(loadPair, side.v, side.from)
		for i := range vector(4) {
			p.vectors(fmin.of(side.v+i, side.v+i, most), fsqrt(side.v+i, side.v+i), fmul.of(side.v+i, side.v+i, side.factor))
		}
	}
	for i := range vector(4) {
		p.vectors(fsub.of(far+i, far+i, near+i), fadd.of(far+i, far+i, t+i))
	}
	p.quad(storePair, far, slack)
	for _, r := range []general{nearest, next, at, slack} {
		p.asm("ADD $64, %v", r)
	}
	p.asm("SUBS $1, %v", n)
	p.asm("BNE block")
	p.end()
}
