package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	nearestSignature = "func(blocks *float32, units, d int, panel *float32, size, hi, lo int, best *float32, index *int32, base int32, fresh bool)"
	moversSignature  = "func(blocks *float32, units, d int, panel *float32, size, hi, lo int, labels *uint16, index, rows *int32) int"
	secondSignature  = "func(blocks *float32, units, d int, panel *float32, size, hi, lo int, best, second *float32, index *int32, fresh bool)"
)

// variant is a nearest kernel.
type variant struct {
	isa
	second bool // with the distance of the second nearest, over which ptr walks
	// movers lists the points whose nearest centroid is not that of their label, in place of keeping distances; ptr walks
	// over the list. All centroids are in one panel. It is for the tier that lists without a branch.
	movers bool
	ptr    reg.GPPhysical
}

func (v variant) text(name string, doc ...string) {
	signature := nearestSignature
	if v.second {
		name, signature = name+"Second", secondSignature
	}
	if v.movers {
		name, signature = name+"Movers", moversSignature
	}
	TEXT(name+v.name, NOSPLIT, signature)
	doc[0] = name + v.name + doc[0]
	if v.movers {
		doc = append(doc, "It does not keep distances, but lists in rows, and counts, the points whose label is not their index.")
	}
	Doc(doc...)
	Pragma("noescape")
}

// Registers that mean the same in both nearest kernels.
var (
	block   = reg.RSI // the two point vectors' coordinates
	units   = reg.RCX // pairs of vectors left
	panel   = reg.RDI
	group   = reg.R8  // cursor in the panel
	dim     = reg.RBX // d
	stride  = reg.RDX // bytes of a block
	bestPtr = reg.R12
	idxPtr  = reg.R13
	// labelPtr walks over the labels where distances are not kept.
	labelPtr = bestPtr
)

func (v variant) loadNearest() {
	if v.second && v.ptr == reg.R10 {
		Load(Param("second"), v.ptr)
	}
	Load(Param("blocks"), block)
	Load(Param("d"), dim)
	if v.movers {
		Load(Param("labels"), labelPtr)
		v.beginList()
	} else {
		Load(Param("best"), bestPtr)
	}
	Load(Param("index"), idxPtr)
	MOVQ(dim, stride)
	SHLQ(Imm(6), stride)
}

// begin sets best and index of a unit: +Inf and 0 if fresh, else as they are, relative to base.
func (v variant) begin(g tile, r running, fresh, begun string, inMemory bool) {
	keep := func(i int) {
		if inMemory {
			v.store(r, i, bestPtr, idxPtr)
		}
	}
	if !v.movers {
		CMPB(parameter("fresh"), I8(0))
		JNE(LabelRef(fresh))
		if !v.second {
			v.broadcast("base", g.c)
		}
		for i := range 2 {
			v.load(r, i, bestPtr, idxPtr)
			if !v.second {
				VPSUBD(g.c, r.index[i], r.index[i])
			} else if !inMemory {
				VMOVUPS(at(v.ptr, v.bytes()*i), r.second[i])
			}
			keep(i)
		}
		JMP(LabelRef(begun))
		Label(fresh)
	}
	for i := range 2 {
		VBROADCASTSS(infinity, r.best[i])
		v.zero(r.index[i])
		keep(i)
		if v.second && inMemory {
			VMOVUPS(r.best[i], at(v.ptr, v.bytes()*i))
		} else if v.second {
			VMOVAPS(r.best[i], r.second[i])
		}
	}
	if !v.movers {
		Label(begun)
	}
}

// ahead is how far the points are fetched before their use, in bytes: a few memory latencies at the shapes where memory
// matters. On virtual machines the processor's own prefetching may be of little use (docs/diary.md).
const ahead = 4096

// prefetch asks for the cache lines of a unit of the straight-line kernels. They go to the second-level cache: what is fetched
// to the first waits for its few places.
func (v isa) prefetch(begun string) {
	const step = 2
	for n := step; ; n += step {
		PREFETCHT1(at(block, ahead+64*(n-2)))
		PREFETCHT1(at(block, ahead+64*(n-1)))
		if n == v.straight*v.blocks() {
			break
		}
		CMPQ(dim, I32(n/v.blocks()))
		JLE(LabelRef(begun + "fetched"))
	}
	Label(begun + "fetched")
}

// labelsAhead is how far the labels are fetched before their use, in bytes: sixteen lines, of 32 labels each.
const labelsAhead = 1024

// numbers, step, found and was are the registers of a list of movers: the numbers of the points of a vector, 16, the
// numbers of those that move, and labels.
func (v variant) listed() (numbers, step, found, was reg.Register) {
	return v.vec(28), v.vec(29), v.vec(30), v.vec(31)
}

func (v variant) beginList() {
	numbers, step, _, _ := v.listed()
	VMOVDQU32(lanes, numbers)
	MOVL(U32(16), reg.R14L)
	VPBROADCASTD(reg.R14L, step)
}

// list keeps the indexes of a unit, and lists the points whose label is another: without a branch, since nobody can guess
// them.
func (v variant) list(r running, mask reg.GPPhysical) {
	numbers, step, found, was := v.listed()
	PREFETCHT0(at(labelPtr, labelsAhead))
	for i := range 2 {
		VMOVUPS(r.index[i], at(idxPtr, v.bytes()*i))
		VPMOVZXWD(at(labelPtr, 2*v.lanes*i), was)
		VPCMPD(Imm(notEqual), r.index[i], was, reg.K1)
		KMOVW(reg.K1, mask.As32())
		VPCOMPRESSD(numbers, reg.K1, found)
		VMOVDQU32(found, at(v.ptr, 0))
		POPCNTL(mask.As32(), mask.As32())
		LEAQ(Mem{Base: v.ptr, Index: mask, Scale: 4}, v.ptr)
		VPADDD(step, numbers, numbers)
	}
}

// end ends a function.
func (v variant) end() {
	if !v.movers {
		done()
		return
	}
	VZEROUPPER()
	SUBQ(parameter("rows"), v.ptr)
	SHRQ(Imm(2), v.ptr)
	Store(v.ptr, ReturnIndex(0))
	RET()
}

// nextUnit moves on by two vectors of points.
func (v variant) nextUnit() {
	if v.second {
		ADDQ(I32(2*v.bytes()), v.ptr)
	}
	for range v.blocks() {
		ADDQ(stride, block)
	}
	if v.movers {
		ADDQ(I32(2*2*v.lanes), labelPtr)
	} else {
		ADDQ(I32(2*v.bytes()), bestPtr)
	}
	ADDQ(I32(2*v.bytes()), idxPtr)
}

// lowTile assigns registers where best and index stay in registers too.
func (v isa) lowTile(size int) (tile, running, [2]reg.Register) {
	n := 2 * v.low
	if v.lanes == 16 {
		n = 2 * v.high
	}
	r := running{
		best:  [2]reg.Register{v.vec(n), v.vec(n + 1)},
		index: [2]reg.Register{v.vec(n + 2), v.vec(n + 3)},
	}
	g := tile{isa: v, size: size, x: [2]reg.Register{v.vec(n + 4), v.vec(n + 5)}, c: v.vec(n + 6)}
	g.diff = v.vec(n + 7)
	if v.lanes == 16 {
		r.second, g.spare = [2]reg.Register{v.vec(n + 8), v.vec(n + 9)}, [2]reg.Register{v.vec(n + 10), v.vec(n + 11)}
	}
	return g, r, [2]reg.Register{v.vec(n + 7), v.vec(n + 4)}
}

// nearestLow is for few dimensions: straight-line code, left where d ends, so that nothing but
// a never-taken branch is spent on the loop over dimensions.
func nearestLow(v variant) {
	v.ptr = reg.R14
	v.text("nearestLow", " updates best and index of units pairs of vectors with hi groups of size centroids and lo of",
		"size-1, for d up to the tier's straight limit. Group: size int32 numbers, then d×size coordinates.")
	v.loadNearest()
	Load(Param("units"), units)
	Load(Param("panel"), panel)
	size := reg.R15
	hiStride, loStride, hiEnd, loEnd := reg.RAX, reg.R11, reg.R9, reg.R10
	Load(Param("size"), size)
	// A group takes 4·(d+1) bytes for each centroid.
	LEAQ(Mem{Base: dim, Disp: 1}, loStride)
	SHLQ(Imm(2), loStride)
	MOVQ(loStride, hiStride)
	IMULQ(size, hiStride)
	Load(Param("hi"), hiEnd)
	IMULQ(hiStride, hiEnd)
	ADDQ(panel, hiEnd)
	NEGQ(loStride)
	ADDQ(hiStride, loStride)
	Load(Param("lo"), loEnd)
	IMULQ(loStride, loEnd)
	ADDQ(hiEnd, loEnd)
	if v.second {
		Load(Param("second"), v.ptr)
	}
	if v.movers {
		Load(Param("rows"), v.ptr)
	}
	for s := 1; s < v.low; s++ {
		CMPQ(size, I32(s))
		JEQ(LabelRef(label("size%d", s)))
	}
	for s := v.low; s >= 1; s-- {
		if s < v.low {
			Label(label("size%d", s))
		}
		v.lowBlocks(s, hiStride, loStride, hiEnd, loEnd)
	}
}

// lowBlocks is the loop over points of nearestLow for one size of groups.
func (v variant) lowBlocks(s int, hiStride, loStride, hiEnd, loEnd reg.Register) {
	g, r, masks := v.lowTile(s)
	Label(label("block%d", s))
	v.begin(g, r, label("fresh%d", s), label("begun%d", s), false)
	v.prefetch(label("begun%d", s))
	MOVQ(panel, group)
	Label(label("hi%d", s))
	g.straightLine(label("hi%d", s), r, masks, v.second)
	ADDQ(hiStride, group)
	CMPQ(group, hiEnd)
	JNE(LabelRef(label("hi%d", s)))
	if 2*s > v.low+1 { // smaller groups come alone: from low+1 centroids on, sizes are above half of low
		CMPQ(group, loEnd)
		JEQ(LabelRef(label("store%d", s)))
		Label(label("lo%d", s))
		g.size = s - 1
		g.straightLine(label("lo%d", s), r, masks, v.second)
		ADDQ(loStride, group)
		CMPQ(group, loEnd)
		JNE(LabelRef(label("lo%d", s)))
		Label(label("store%d", s))
	}
	switch {
	case v.movers:
		v.list(r, reg.R15)
	case v.second:
		for i := range 2 {
			VMOVUPS(r.second[i], at(v.ptr, v.bytes()*i))
			v.store(r, i, bestPtr, idxPtr)
		}
	default:
		v.broadcast("base", g.c)
		for i := range 2 {
			VPADDD(g.c, r.index[i], r.index[i])
			v.store(r, i, bestPtr, idxPtr)
		}
	}
	v.nextUnit()
	DECQ(units)
	JNE(LabelRef(label("block%d", s)))
	v.end()
}

// straightLine computes and compares one group.
func (g tile) straightLine(name string, r running, masks [2]reg.Register, second bool) {
	for t := range g.straight {
		c := at(group, 4*g.size*(t+1))
		g.step(g.points(block, stride, t, 0), g.points(block, stride, t, 1), c, t == 0)
		if t+1 < g.straight {
			CMPQ(dim, I32(t+1))
			JEQ(LabelRef(name + "update"))
		}
	}
	Label(name + "update")
	if second {
		g.updateSecond(r, at(group, 0), masks)
		return
	}
	g.update(r, at(group, 0), 0, 2, masks)
}

// highTile assigns registers for the looping kernels: on AVX2 groups are so large that best and index
// have to share registers with the points.
func (v isa) highTile(size int) (tile, running, [2]reg.Register) {
	if v.lanes == 16 {
		return v.lowTile(size)
	}
	n := 2 * v.high
	g := tile{isa: v, size: size, x: [2]reg.Register{v.vec(n), v.vec(n + 1)}, c: v.vec(n + 2)}
	g.diff = v.vec(n + 3)
	r := running{
		best:  [2]reg.Register{v.vec(n), v.vec(n)},
		index: [2]reg.Register{v.vec(n + 1), v.vec(n + 1)},
	}
	return g, r, [2]reg.Register{v.vec(n + 3), v.vec(n + 3)}
}

// nearestHigh is for many dimensions.
func nearestHigh(v variant) {
	v.ptr = reg.R10
	v.text("nearestHigh", " is nearestLow"+v.name+" for any d, with larger groups.")
	v.loadNearest()
	g, r, masks := v.highTile(v.high)
	inMemory := v.lanes == 8
	if v.movers {
		Load(Param("rows"), v.ptr)
	}
	Label("block")
	v.begin(g, r, "fresh", "begun", inMemory)
	Load(Param("panel"), group)
	next := v.fetchUnit()
	v.groups(func(s int, start reg.Register) {
		g.size = s
		MOVQ(group, start)
		ADDQ(I32(4*s), group)
		g.loop(label("group%d", s), block, true, next)
		if !inMemory && v.second {
			g.updateSecond(r, at(start, 0), masks)
			return
		}
		if !inMemory {
			g.update(r, at(start, 0), 0, 2, masks)
			return
		}
		for i := range 2 {
			v.load(r, i, bestPtr, idxPtr)
			if v.second {
				g.updateSecondInMemory(r, at(start, 0), i, masks[i], at(v.ptr, v.bytes()*i))
			} else {
				g.update(r, at(start, 0), i, i+1, masks)
			}
			v.store(r, i, bestPtr, idxPtr)
		}
	})
	switch {
	case v.movers:
		v.list(r, reg.R11)
	case !v.second:
		v.broadcast("base", g.c)
		for i := range 2 {
			if inMemory {
				v.load(r, i, bestPtr, idxPtr)
			}
			VPADDD(g.c, r.index[i], r.index[i])
			v.store(r, i, bestPtr, idxPtr)
		}
	case !inMemory:
		for i := range 2 {
			VMOVUPS(r.second[i], at(v.ptr, v.bytes()*i))
			v.store(r, i, bestPtr, idxPtr)
		}
	}
	v.nextUnit()
	DECQ(parameter("units"))
	JNE(LabelRef("block"))
	v.end()
}

// coming is how the points that come next are asked for while the groups are computed, so that they are in the first-level
// cache by then: a few lines for each two coordinates, from cursor on and before limit.
type coming struct {
	cursor, limit reg.Register
	lines         []Mem
	step          int // bytes that the cursor goes on
}

// some asks for the next lines. Behind the limit it asks for the same ones, which costs little.
func (f coming) some() {
	if f.lines == nil {
		return
	}
	for _, line := range f.lines {
		PREFETCHT0(line)
	}
	ADDQ(I32(f.step), f.cursor)
	CMPQ(f.cursor, f.limit)
	CMOVQHI(f.limit, f.cursor)
}

// fetchUnit begins to ask for as much as a unit takes: twice ahead bytes away, or the next unit.
func (v isa) fetchUnit() coming {
	f := coming{cursor: panel, limit: units, step: 256}
	for i := range 4 {
		f.lines = append(f.lines, at(f.cursor, 64*i))
	}
	bytes := reg.R15
	MOVQ(stride, bytes)
	if v.blocks() == 2 {
		SHLQ(Imm(1), bytes)
	}
	MOVQ(I32(2*ahead), f.cursor)
	CMPQ(bytes, f.cursor)
	CMOVQHI(bytes, f.cursor)
	ADDQ(block, f.cursor)
	MOVQ(f.cursor, f.limit)
	ADDQ(bytes, f.limit)
	return f
}

// groups is the loop over hi groups of size centroids, then lo groups of size-1. body gets the size and a
// register that is its own.
func (v isa) groups(body func(s int, start reg.Register)) {
	size, left, start := reg.RAX, reg.R9, reg.R11
	Load(Param("size"), size)
	Load(Param("hi"), left)
	Label("groups")
	for s := 1; s < v.high; s++ {
		CMPQ(size, I32(s))
		JEQ(LabelRef(label("size%d", s)))
	}
	for s := v.high; s >= 1; s-- {
		if s < v.high {
			Label(label("size%d", s))
		}
		body(s, start)
		if s > 1 {
			JMP(LabelRef("next"))
		}
	}
	Label("next")
	DECQ(left)
	JNE(LabelRef("groups"))
	CMPQ(size, parameter("size"))
	JNE(LabelRef("end"))
	Load(Param("lo"), left)
	DECQ(size)
	TESTQ(left, left)
	JNE(LabelRef("groups"))
	Label("end")
}

// loop runs over all dim coordinates of a group, two at a time, and leaves the cursor behind them.
// next is what else it asks for.
func (g tile) loop(name string, points reg.Register, first bool, next coming) {
	x, left := reg.R15, reg.R14
	MOVQ(points, x)
	MOVQ(dim, left)
	one := func(t int, first bool) {
		g.step(g.points(x, stride, t, 0), g.points(x, stride, t, 1), at(group, 4*g.size*t), first)
	}
	advance := func(t int) {
		ADDQ(I32(64*t), x)
		ADDQ(I32(4*g.size*t), group)
	}
	if first {
		one(0, true)
		advance(1)
		DECQ(left)
	}
	SHRQ(Imm(1), left)
	JEQ(LabelRef(name + "odd"))
	Label(name + "pair")
	next.some()
	one(0, false)
	one(1, false)
	advance(2)
	DECQ(left)
	JNE(LabelRef(name + "pair"))
	Label(name + "odd")
	TESTQ(I32(1), dim)
	if first {
		JNE(LabelRef(name + "end"))
	} else {
		JEQ(LabelRef(name + "end"))
	}
	one(0, false)
	ADDQ(I32(4*g.size), group)
	Label(name + "end")
}
