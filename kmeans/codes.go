package kmeans

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"unsafe"

	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// Columns of few distinct values (years, counts, categories, scores) need not be held as numbers: a code of one or two bytes
// and a dictionary say the same, to the bit, in a quarter or half of the memory. Codes become numbers again a few rows at a time,
// in a buffer that stays in the cache, before each pass over them.

const (
	// codeSample is how many rows tell at a glance whether a column can have few values.
	codeSample = 4096
	// codeShare is which part of a column's rows its distinct values may be: a dictionary is small beside what it spares.
	codeShare = 32
	// codeGain is which part of their memory codes must spare for it to be worth their widening: one in codeGain.
	codeGain = 4
	// codePadding is what rows of codes are padded to.
	codePadding = kernel.CodeGroup
	// noValue is the bits of no Point: a place in a table that is free.
	noValue = math.MaxUint32
)

// Chunks and groups begin at the same rows.
const _ = uint(-(ChunkRows % codePadding))

// Coded is Points whose columns of few distinct values are held as codes, and the others as they are. It is read-only, and
// threads may share it.
type Coded struct {
	shell   *Points
	columns []codedColumn
	group   int    // bytes of codePadding rows
	data    []byte // groups of rows; nil: they lie in source, or elsewhere
	weights []uint64
	rows    []int64
	// source has the numbers while they are not packed, those of coded columns replaced by their codes.
	source *Points
}

// codedColumn is one of a Coded's columns.
type codedColumn struct {
	at         int               // where it begins in a group
	values     int               // how many it has; 0: they are held as they are
	dictionary kernel.Dictionary // of nothing where the rows lie elsewhere
}

func (c *codedColumn) width() int {
	if c.values == 0 {
		return 4
	}
	return kernel.CodeWidth(c.values)
}

// Encode codes the columns of p that have few distinct values, as many of them as dictionaries of so many bytes in all allow, or
// returns nil where that would not spare a quarter of its numbers. What it returns lies in p until Pack or Drop is called, and p is of no
// use to others from then on.
func Encode(p *Points, most int) *Coded {
	values := make([][]float32, p.d)
	for t := range values {
		values[t] = p.distinct(t)
	}
	leaveOut(values, most)
	c := &Coded{shell: p.Shell(), columns: make([]codedColumn, p.d), source: p}
	for t := range c.columns {
		c.columns[t] = codedColumn{at: c.group, values: len(values[t])}
		c.group += codePadding * c.columns[t].width()
	}
	// Chunks have a copy of the dictionaries each, and at least three times as many bytes of rows.
	copies := 1 + c.dataBytes(p.n)/max(3*most, 1)
	if c.Bytes()+(copies-1)*c.tableBytes() >= p.ChunkBytes(p.n)-4*p.n*p.d/codeGain {
		return nil
	}
	for t := range c.columns {
		if values[t] != nil {
			c.columns[t].dictionary = *kernel.NewDictionary(values[t])
			p.replace(t, values[t])
		}
	}
	return c
}

// leaveOut takes columns out, those of most values first, until the dictionaries of the others take no more than so many bytes.
func leaveOut(values [][]float32, most int) {
	total := 0
	for _, v := range values {
		total += 4 * len(v)
	}
	order := make([]int, len(values))
	for t := range order {
		order[t] = t
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(values[b]), len(values[a])) })
	for _, t := range order {
		if total <= most {
			return
		}
		total -= 4 * len(values[t])
		values[t] = nil
	}
}

// valueTable finds the codes of values: open addressing, a power of two places of which at most half are taken.
type valueTable struct {
	bits  []uint32
	codes []uint16
	shift uint
	count int
}

func newValueTable(most int) *valueTable {
	size := 16
	for size < 2*most {
		size *= 2
	}
	v := &valueTable{bits: make([]uint32, size), codes: make([]uint16, size), shift: 32 - uint(math.Ilogb(float64(size)))}
	for i := range v.bits {
		v.bits[i] = noValue
	}
	return v
}

// code is that of a value, which is the next one if it is new.
func (v *valueTable) code(bits uint32) uint16 {
	i := bits * 0x9e3779b1 >> v.shift
	if v.bits[i] == bits {
		return v.codes[i]
	}
	return v.search(i, bits)
}

// search looks on from place i.
func (v *valueTable) search(i, bits uint32) uint16 {
	for v.bits[i] != bits {
		if v.bits[i] == noValue {
			v.bits[i], v.codes[i] = bits, uint16(v.count)
			v.count++
			break
		}
		i = (i + 1) & uint32(len(v.bits)-1)
	}
	return v.codes[i]
}

// distinct lists the distinct values of column t in the order in which they come first; nil: they are too many.
func (p *Points) distinct(t int) []float32 {
	most := min(p.n/codeShare, math.MaxUint16+1)
	if most < 1 {
		return nil
	}
	// A glance at the rows: of 4,096 drawn from so many values seven in eight are not the first of theirs, or fewer.
	table := newValueTable(max(most, codeSample) + 1)
	step := max(1, p.n/codeSample)
	seen := 0
	for i := 0; i < p.n; i += step {
		table.code(math.Float32bits(p.blocks[p.index(i, t)]))
		seen++
	}
	if table.count > most || table.count > seen*15/16 {
		return nil
	}
	var values []float32
	table = newValueTable(most + 1)
	for lanes := range p.column(t) {
		for _, x := range lanes {
			if table.code(math.Float32bits(x)); table.count > len(values) {
				values = append(values, x)
			}
		}
		if len(values) > most {
			return nil
		}
	}
	return slices.Clone(values) // growing has left room behind them
}

// column visits the values of column t, up to a block of rows at a time.
func (p *Points) column(t int) iter.Seq[[]float32] {
	return func(yield func([]float32) bool) {
		for at := 0; at < p.n; at += kernel.Lanes {
			if !yield(p.blocks[p.index(at, t):][:min(kernel.Lanes, p.n-at)]) {
				return
			}
		}
	}
}

// replace puts the codes of column t in the place of its values.
func (p *Points) replace(t int, values []float32) {
	table := newValueTable(len(values) + 1)
	for _, x := range values {
		table.code(math.Float32bits(x))
	}
	for lanes := range p.column(t) {
		for i, x := range lanes {
			lanes[i] = math.Float32frombits(uint32(table.code(math.Float32bits(x))))
		}
	}
}

// Shell is the rows without their numbers, as Points.Shell is.
func (c *Coded) Shell() *Points { return c.shell }

// Rows is the number of rows.
func (c *Coded) Rows() int { return c.shell.n }

// tableBytes is the size of all dictionaries' values, in whole words.
func (c *Coded) tableBytes() int {
	bytes := 0
	for t := range c.columns {
		bytes += 4 * c.columns[t].values
	}
	return (bytes + 7) / 8 * 8
}

// dataBytes is the size of the codes of so many rows.
func (c *Coded) dataBytes(rows int) int { return (rows + codePadding - 1) / codePadding * c.group }

// RowBytes is the size of so many rows in a chunk.
func (c *Coded) RowBytes(rows int) int {
	bytes := c.dataBytes(rows)
	if c.shell.weights != nil {
		bytes += 8 * rows
	}
	if c.shell.rows != nil {
		bytes += 8 * rows
	}
	return bytes
}

// ChunkBytes is the size of a chunk of so many rows: the dictionaries and the rows.
func (c *Coded) ChunkBytes(rows int) int { return c.tableBytes() + c.RowBytes(rows) }

// Bytes is the memory that all rows take.
func (c *Coded) Bytes() int {
	planes := 0
	for t := range c.columns {
		if c.columns[t].width() == 1 {
			planes += kernel.PlaneBytes
		}
	}
	return c.ChunkBytes(c.shell.n) + planes
}

// Pack takes the rows out of the Points that were encoded, into as little memory as they need.
func (c *Coded) Pack() {
	c.data = make([]byte, c.dataBytes(c.shell.n))
	c.putData(c.data, 0, c.shell.n)
	c.weights, c.rows = c.source.weights, c.source.rows
	c.source = nil
}

// Drop is what is needed to read chunks, which lie elsewhere, and no rows.
func (c *Coded) Drop() *Coded {
	bare := &Coded{shell: c.shell, columns: slices.Clone(c.columns), group: c.group}
	for t := range bare.columns {
		bare.columns[t].dictionary = kernel.Dictionary{}
	}
	return bare
}

// PutChunk writes the dictionaries and rows [lo,hi) to dst, of ChunkBytes(hi-lo) bytes; lo is a multiple of ChunkRows.
func (c *Coded) PutChunk(dst []byte, lo, hi int) {
	rest := dst[c.tableBytes():]
	for t := range c.columns {
		dst = dst[copy(dst, bytesOf(c.columns[t].dictionary.Values())):]
	}
	clear(dst[:len(dst)-len(rest)])
	dst = rest
	weights, rows := c.weights, c.rows
	size := c.dataBytes(hi - lo)
	if c.source != nil {
		weights, rows = c.source.weights, c.source.rows
		c.putData(dst[:size], lo, hi)
	} else {
		copy(dst, c.data[lo/codePadding*c.group:][:size])
	}
	dst = dst[size:]
	if weights != nil {
		dst = dst[copy(dst, bytesOf(weights[lo:hi])):]
	}
	if rows != nil {
		copy(dst, bytesOf(rows[lo:hi]))
	}
}

// putData writes the groups of rows [lo,hi) of source, lo a multiple of codePadding.
func (c *Coded) putData(dst []byte, lo, hi int) {
	p := c.source
	var values [codePadding]float32
	var codes [codePadding]uint16
	for ; lo < hi; lo += codePadding {
		group, n := dst[:c.group], min(codePadding, hi-lo)
		for t := range c.columns {
			for i := 0; i < n; i += kernel.Lanes {
				copy(values[i:n], p.blocks[p.index(lo+i, t):][:kernel.Lanes])
			}
			column := &c.columns[t]
			own := group[column.at:][:codePadding*column.width()]
			if column.values == 0 {
				clear(values[n:])
				copy(own, bytesOf(values[:]))
				continue
			}
			for i, x := range values[:n] {
				codes[i] = uint16(math.Float32bits(x))
			}
			column.dictionary.PutCodes(codes[:n], own)
		}
		dst = dst[c.group:]
	}
}

// CodeRoom is what the dictionaries of a chunk are looked up in, for one chunk after the other.
type CodeRoom struct {
	columns []codedColumn
	planes  []byte
}

// Chunk is rows [lo,hi), of what PutChunk has written of them. They lie in src, which must begin at an address that is a
// multiple of eight, and in room, neither of which must be changed while they are used. The error is ErrShape.
func (c *Coded) Chunk(src []byte, lo, hi int, room *CodeRoom) (*Coded, error) {
	shell := c.shell
	if lo < 0 || lo > hi || hi > shell.n || lo%ChunkRows != 0 || len(src) != c.ChunkBytes(hi-lo) || uintptr(unsafe.Pointer(unsafe.SliceData(src)))%8 != 0 {
		return nil, fmt.Errorf("%w: a chunk of %d bytes of codes for rows %d to %d of %d", ErrShape, len(src), lo, hi, shell.n)
	}
	own := *shell
	own.n, own.first = hi-lo, shell.first+int64(lo)
	chunk := &Coded{shell: &own, columns: room.use(c.columns, src), group: c.group}
	src = src[c.tableBytes():]
	size := c.dataBytes(own.n)
	chunk.data = src[:size:size]
	src = src[size:]
	if shell.weights != nil {
		chunk.weights = numbersIn[uint64](src[:8*own.n])
		src = src[8*own.n:]
	}
	if shell.rows != nil {
		chunk.rows = numbersIn[int64](src)
	}
	return chunk, nil
}

// use is columns with the dictionaries that a chunk begins with.
func (r *CodeRoom) use(columns []codedColumn, src []byte) []codedColumn {
	r.columns = append(r.columns[:0], columns...)
	if want := len(columns) * kernel.PlaneBytes; len(r.planes) < want {
		r.planes = make([]byte, want)
	}
	for t := range r.columns {
		column := &r.columns[t]
		if column.values == 0 {
			continue
		}
		values := 4 * column.values
		column.dictionary.Use(numbersIn[float32](src[:values:values]), r.planes[t*kernel.PlaneBytes:])
		src = src[values:]
	}
	return r.columns
}

// widenFloats bounds what is widened at a time: with what a pass needs beside it, it stays in the second-level cache.
const widenFloats = 1 << 17

// WidenRows is how many rows of d columns Widen makes Points of at a time: a multiple of ChunkRows, at most SpanRows.
func WidenRows(d int) int { return min(max(widenFloats/d/ChunkRows, 1)*ChunkRows, SpanRows) }

// WidenBytes is the memory of the numbers of WidenRows(d) rows, and WidenRoom that with a CodeRoom.
func WidenBytes(d int) int { return 4 * d * WidenRows(d) }

// WidenRoom is the memory that a thread wants to work on codes.
func WidenRoom(d int) int {
	return WidenBytes(d) + d*(kernel.PlaneBytes+int(unsafe.Sizeof(codedColumn{})))
}

// Widen makes Points of rows [lo,hi), at most WidenRows(d) of them, lo a multiple of ChunkRows. They lie in dst, of WidenBytes(d)
// and at an address that is a multiple of eight, until it is used for something else.
func (c *Coded) Widen(lo, hi int, dst []byte) *Points {
	shell, n := c.shell, hi-lo
	groups := (n + codePadding - 1) / codePadding
	blocks := numbersIn[float32](dst[:4*groups*codePadding*shell.d])
	data := c.data[lo/codePadding*c.group:][:groups*c.group]
	now := kernel.Tier(tier.Load())
	for t := range c.columns {
		column := &c.columns[t]
		if column.values > 0 {
			column.dictionary.Widen(now, data[column.at:], c.group, groups, blocks, shell.d, t)
			continue
		}
		for g := range groups {
			values := numbersIn[float32](data[g*c.group+column.at:][:4*codePadding])
			for q := 0; q < codePadding; q += kernel.Lanes {
				*(*[kernel.Lanes]float32)(blocks[((g*codePadding+q)*shell.d)+t*kernel.Lanes:]) = [kernel.Lanes]float32(values[q:])
			}
		}
	}
	p := &Points{n: n, d: shell.d, grid: shell.grid, units: shell.units, first: shell.first + int64(lo), blocks: blocks[:paddedRows(n)*shell.d]}
	for i := n; i < paddedRows(n); i++ { // padding is zero
		for t := range p.d {
			p.blocks[p.index(i, t)] = 0
		}
	}
	if c.weights != nil {
		p.weights = c.weights[lo:hi]
	}
	if c.rows != nil {
		p.rows = c.rows[lo:hi]
	}
	return p
}
