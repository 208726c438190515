package main

// Registers of nearest beside those of the tile.
const (
	size   general = 4
	hi     general = 5
	lo     general = 6
	best   general = 7
	index  general = 8
	base   general = 9
	second general = 10
)

// nearest is the kernel for every d whose points fit the first-level cache: with or without the distance of the second
// nearest centroid.
func nearest(p *program, two bool) {
	if two {
		p.function("nearestSecondNEON",
			"blocks *float32, units int, d int, panel *float32, size int, hi int, lo int, best *float32, second *float32, index *int32, fresh bool", "",
			"nearestSecondNEON is nearestNEON with the distances of the second nearest, and without a base.")
		p.load("second", second)
	} else {
		p.function("nearestNEON",
			"blocks *float32, units int, d int, panel *float32, size int, hi int, lo int, best *float32, index *int32, base int32, fresh bool", "",
			"nearestNEON updates best and index of units pairs of blocks with hi groups of size centroids, 1 or 2, and lo of size-1.",
			"Group: size int32 numbers, then d×size coordinates. If fresh, best and index are set first, to what a point has",
			"before it meets a centroid.")
		p.load("base", base)
	}
	p.load("blocks", block)
	p.load("units", units)
	p.load("d", dim)
	p.load("panel", panel)
	p.load("size", size)
	p.load("hi", hi)
	p.load("lo", lo)
	p.load("best", best)
	p.load("index", index)
	p.asm("LSL $6, %v, %v", dim, stride)
	p.label("unit")
	p.load("fresh", free)
	p.asm("CBZ %v, begun", free)
	p.begin(two)
	p.label("begun")
	p.inGroups(size, hi, lo, func(s int) {
		p.asm("MOVD %v, %v", cursor, numbers)
		p.asm("ADD $%d, %v", 4*s, cursor)
		p.loop([]string{"", "single", "double"}[s], s, true)
		p.update(s, two)
	})
	p.asm("ADD %v<<1, %v", stride, block)
	p.asm("ADD $%d, %v", unitSize, best)
	p.asm("ADD $%d, %v", unitSize, index)
	if two {
		p.asm("ADD $%d, %v", unitSize, second)
	}
	p.asm("SUBS $1, %v", units)
	p.asm("BNE unit")
	p.end()
}

// begin sets the results of a unit.
func (p *program) begin(two bool) {
	const far, none vector = 16, 17
	p.asm("MOVD $0x7f800000, %v", free) // +Inf
	p.vectors(spread32(far, free))
	if two {
		p.vectors(zero(none))
	} else {
		p.vectors(spread32(none, base))
	}
	for offset := 0; offset < unitSize; offset += 32 {
		p.vectors(storePair(far, far, best, offset), storePair(none, none, index, offset))
		if two {
			p.vectors(storePair(far, far, second, offset))
		}
	}
}

// update takes the group's centroids, in ascending order, where they are strictly nearer, two vectors of points at a
// time. The second least distance is the larger of a centroid's distance and the least one so far, where that is smaller
// than the second so far.
func (p *program) update(s int, two bool) {
	number := [group]vector{16, 17}
	least, at, other := [2]vector{18, 19}, [2]vector{20, 21}, [2]vector{22, 23}
	mask, larger := [2]vector{24, 25}, [2]vector{26, 27}
	for j := range s {
		p.asm("MOVW %d(%v), %v", 4*j, numbers, free)
		if !two {
			p.asm("ADDW %v, %v", base, free)
		}
		p.vectors(spread32(number[j], free))
	}
	for i := 0; i < vectors; i += 2 {
		p.vectors(loadPair(least[0], least[1], best, 16*i), loadPair(at[0], at[1], index, 16*i))
		if two {
			p.vectors(loadPair(other[0], other[1], second, 16*i))
		}
		for j := range s {
			for v := range 2 {
				a := acc(j, i+v)
				p.vectors(fcmgt.of(mask[v], least[v], a))
				if two {
					p.vectors(fmax.of(larger[v], least[v], a), fmin.of(other[v], other[v], larger[v]))
				}
				p.vectors(fmin.of(least[v], least[v], a), bit.of(at[v], number[j], mask[v]))
			}
		}
		p.vectors(storePair(least[0], least[1], best, 16*i), storePair(at[0], at[1], index, 16*i))
		if two {
			p.vectors(storePair(other[0], other[1], second, 16*i))
		}
	}
}
