package main

// A step of all kernels takes two blocks of points, eight vectors, against a group of one or two centroids. So sixteen
// independent chains stay in registers, and filling a vector with one coordinate, which takes a slot of the arithmetic,
// serves eight differences and eight multiply-adds: a seventeenth of the slots, where one block of points and four
// centroids would spend a ninth.
//
// The least distances and their centroids have no registers: each group compares its own with those in memory.
const (
	vectors  = 8   // of points
	group    = 2   // centroids, at most
	unitSize = 128 // bytes of a value for each point of two blocks
)

// Registers with one meaning in all functions that run over dimensions.
const (
	block   general = 0  // the points of the unit
	units   general = 1  // units left
	dim     general = 2  // d
	panel   general = 3  // the centroids
	stride  general = 11 // bytes from the first block to the second
	cursor  general = 12 // in the panel
	groups  general = 13 // left
	x0, x1  general = 14, 15
	left    general = 16 // dimensions
	numbers general = 17 // of the group's centroids
	free    general = 19
)

// acc is the accumulator of centroid j and point vector i; the other vectors are those of points, the coordinates of the
// next one or two dimensions, one of them in all lanes, and differences.
func acc(j, i int) vector { return vector(vectors*j + i) }

func point(i int) vector { return vector(16 + i) }

const coordinates, coordinate vector = 24, 25

// difference has six registers, which take turns.
func difference(i int) vector { return vector(26 + i%6) }

// delay is how many other differences come between one and its product, so that a processor that executes in order does
// not wait for it: a sixth of the time in llvm-mca's model of a Cortex-A55, nothing in those that reorder.
const delay = 4

// step adds dimension t from the cursors to the chains of size centroids, whose coordinates are lanes of coordinates from
// lane on. The first one starts the chain: fma(diff, diff, 0) is the rounded square.
func (p *program) step(size, t, lane int, first bool) {
	for i := 0; i < vectors; i += 2 {
		from := x0
		if i >= vectors/2 {
			from = x1
		}
		p.vectors(loadPair(point(i), point(i+1), from, 64*t+16*(i%4)))
	}
	product := fmla
	if first {
		product = fmul
	}
	for n := range vectors*size + delay {
		if n < vectors*size {
			if n%vectors == 0 {
				p.vectors(spread(coordinate, coordinates, uint32(lane+n/vectors)))
			}
			p.vectors(fsub.of(difference(n), point(n%vectors), coordinate))
		}
		if n >= delay {
			diff := difference(n - delay)
			p.vectors(product.of(acc(0, n-delay), diff, diff))
		}
	}
}

// loop runs over all dimensions of a group of size centroids, two at a time, and leaves the cursor behind them.
func (p *program) loop(name string, size int, first bool) {
	p.asm("MOVD %v, %v", block, x0)
	p.asm("ADD %v, %v, %v", stride, block, x1)
	one := func(first bool) {
		p.vectors(loadNext(coordinates, cursor, size))
		p.step(size, 0, 0, first)
	}
	advance := func(dimensions int) {
		p.asm("ADD $%d, %v", 64*dimensions, x0)
		p.asm("ADD $%d, %v", 64*dimensions, x1)
	}
	rest := dim
	if first {
		one(true)
		advance(1)
		p.asm("SUB $1, %v, %v", dim, left)
		rest = left
	}
	p.asm("LSR $1, %v, %v", rest, left)
	p.asm("CBZ %v, %sodd", left, name)
	p.label("%spair", name)
	p.vectors(loadNext(coordinates, cursor, 2*size))
	p.step(size, 0, 0, false)
	p.step(size, 1, size, false)
	advance(2)
	p.asm("SUBS $1, %v", left)
	p.asm("BNE %spair", name)
	p.label("%sodd", name)
	odd := "TBZ"
	if first {
		odd = "TBNZ"
	}
	p.asm("%s $0, %v, %send", odd, dim, name)
	one(false)
	p.label("%send", name)
}

// inGroups calls body for hi groups of size centroids and then for lo groups of one less, with the cursor at their numbers.
func (p *program) inGroups(size, hi, lo general, body func(size int)) {
	p.asm("MOVD %v, %v", panel, cursor)
	p.asm("MOVD %v, %v", hi, groups)
	p.asm("CMP $%d, %v", group, size)
	p.asm("BNE one")
	p.label("two")
	body(2)
	p.asm("SUBS $1, %v", groups)
	p.asm("BNE two")
	p.asm("MOVD %v, %v", lo, groups)
	p.asm("CBZ %v, grouped", groups)
	p.label("one")
	body(1)
	p.asm("SUBS $1, %v", groups)
	p.asm("BNE one")
	p.label("grouped")
}
