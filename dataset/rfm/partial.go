package rfm

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"

	"github.com/coterie-project/coterie/internal/exact"
)

// partial is what is known of a customer from some of its lines. A customer has one in memory, and one in each run
// that its shard was spilled to.
//
// In a run it is a head, then its invoices in the order of compareKeys, then endOfInvoices:
//
//	hash 4 | flags 1 | length of the id 2 | id | items 16 | money 16 | first 8, last 8 | fine 16 | cancelled 8, negative 8
//
// The last three are there as the flags say. Numbers are little-endian. An invoice is the last byte of its key, which
// is the length of a short text, then the text, or the 15 bytes of a hash.
type partial struct {
	hash        uint32
	id          []byte
	bought      bool // there are purchases, so that first and last hold
	first, last int64
	items       exact.Int128
	money       amount
	returned    returned
}

const (
	flagBought   = 1 << iota // first and last are there
	flagFine                 // money.fine
	flagReturned             // returned
	allFlags     = flagBought | flagFine | flagReturned

	endOfInvoices = 0xfe
	hashed        = 0xff // last byte of a key that is a hash
	maxShort      = 15   // bytes of a text that is its own key
)

// appendHead appends p's head.
func (p *partial) appendHead(dst []byte) []byte {
	var flags byte
	if p.bought {
		flags |= flagBought
	}
	if p.money.fine != (exact.Int128{}) {
		flags |= flagFine
	}
	if p.returned != (returned{}) {
		flags |= flagReturned
	}
	dst = binary.LittleEndian.AppendUint32(dst, p.hash)
	dst = append(dst, flags)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(p.id)))
	dst = append(dst, p.id...)
	dst = appendInt128(appendInt128(dst, p.items), p.money.coarse)
	if flags&flagBought != 0 {
		dst = appendInt64(appendInt64(dst, p.first), p.last)
	}
	if flags&flagFine != 0 {
		dst = appendInt128(dst, p.money.fine)
	}
	if flags&flagReturned != 0 {
		dst = appendInt64(appendInt64(dst, p.returned.cancelled), p.returned.negative)
	}
	return dst
}

// parse reads a head from the beginning of data and gives its length. p.id points into data.
func (p *partial) parse(data []byte) (int, error) {
	const fixed = 4 + 1 + 2
	if len(data) < fixed {
		return 0, errRun("a head is cut off")
	}
	flags, length := data[4], int(binary.LittleEndian.Uint16(data[5:]))
	size := fixed + length + 32
	for i, n := range [...]int{16, 16, 16} {
		if flags>>i&1 != 0 {
			size += n
		}
	}
	if flags&^allFlags != 0 || length > maxText || size > len(data) {
		return 0, errRun("a head is wrong")
	}
	*p = partial{hash: binary.LittleEndian.Uint32(data), id: data[fixed : fixed+length], bought: flags&flagBought != 0}
	at := data[fixed+length:]
	p.items, p.money.coarse = int128At(at), int128At(at[16:])
	at = at[32:]
	if p.bought {
		p.first, p.last = int64At(at), int64At(at[8:])
		at = at[16:]
	}
	if flags&flagFine != 0 {
		p.money.fine = int128At(at)
		at = at[16:]
	}
	if flags&flagReturned != 0 {
		p.returned = returned{int64At(at), int64At(at[8:])}
	}
	return size, nil
}

// merge adds what o knows of the same customer; false means that a sum would leave 128 bits.
func (p *partial) merge(o *partial) bool {
	var ok, fits bool
	p.items, ok = addChecked(p.items, o.items)
	p.money, fits = p.money.add(o.money)
	p.returned.cancelled += o.returned.cancelled
	p.returned.negative += o.returned.negative
	switch {
	case p.bought && o.bought:
		p.first, p.last = min(p.first, o.first), max(p.last, o.last)
	case o.bought:
		p.bought, p.first, p.last = true, o.first, o.last
	}
	return ok && fits
}

// compare is the order of customers in a run.
func (p *partial) compare(o *partial) int {
	if c := cmp.Compare(p.hash, o.hash); c != 0 {
		return c
	}
	return bytes.Compare(p.id, o.id)
}

// compareKeys is the order of invoices in a run.
func compareKeys(a, b invoiceKey) int {
	if c := cmp.Compare(a.a, b.a); c != 0 {
		return c
	}
	return cmp.Compare(a.b, b.b)
}

// appendKey appends an invoice.
func appendKey(dst []byte, k invoiceKey) []byte {
	var text [16]byte
	binary.LittleEndian.PutUint64(text[:8], k.a)
	binary.LittleEndian.PutUint64(text[8:], k.b)
	return append(append(dst, text[15]), text[:min(int(text[15]), maxShort)]...)
}

// parseKey reads an invoice, and gives its length with the byte before it; end is the end of the list.
func parseKey(data []byte) (k invoiceKey, n int, end bool, err error) {
	if len(data) == 0 {
		return k, 0, false, errRun("a list of invoices is cut off")
	}
	last := data[0]
	if last == endOfInvoices {
		return k, 1, true, nil
	}
	size := min(int(last), maxShort)
	if last > maxShort && last != hashed || len(data) < 1+size {
		return k, 0, false, errRun("an invoice is wrong")
	}
	var text [16]byte
	copy(text[:15], data[1:1+size])
	text[15] = last
	return invoiceKey{binary.LittleEndian.Uint64(text[:8]), binary.LittleEndian.Uint64(text[8:])}, 1 + size, false, nil
}

func appendInt64(dst []byte, v int64) []byte { return binary.LittleEndian.AppendUint64(dst, uint64(v)) }

func appendInt128(dst []byte, v exact.Int128) []byte {
	return binary.LittleEndian.AppendUint64(appendInt64(dst, v.Hi), v.Lo)
}

func int64At(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }

func int128At(b []byte) exact.Int128 {
	return exact.Int128{Hi: int64At(b), Lo: binary.LittleEndian.Uint64(b[8:])}
}

// runCursor walks the customers of one run, and the invoices of each.
type runCursor struct {
	runReader
	head partial // its id is a copy
	id   []byte
	done bool
	key  invoiceKey
	more bool // key is an invoice of head
}

// next goes to the next customer, past all invoices of this one, which must have been read.
func (c *runCursor) next() error {
	data, err := c.peek(maxRecord)
	if err != nil {
		return err
	}
	if c.done = len(data) == 0; c.done {
		return nil
	}
	n, err := c.head.parse(data)
	if err != nil {
		return err
	}
	c.id = append(c.id[:0], c.head.id...)
	c.head.id = c.id
	c.take(n)
	return c.nextKey()
}

// nextKey goes to the customer's next invoice.
func (c *runCursor) nextKey() error {
	data, err := c.peek(1 + maxShort)
	if err != nil {
		return err
	}
	key, n, end, err := parseKey(data)
	c.key, c.more = key, !end
	c.take(n)
	return err
}

// sink takes merged customers: a head, its distinct invoices in order, and the end of them.
type sink interface {
	head(p *partial) error
	key(k invoiceKey) error
	end() error
}

// tooLargeError is a customer whose sums leave 128 bits.
type tooLargeError struct{ id []byte }

func (e *tooLargeError) Error() string { return "the sums of " + string(e.id) + " are too large" }

// mergeRuns gives the customers of up to maxFanIn runs to a sink, each once. It gives the runs' room back to the disk.
// However many invoices a customer has, it holds one of each run at a time.
func mergeRuns(ctx context.Context, d *disk, runs []sortedRun, to sink) error {
	cursors := make([]*runCursor, len(runs))
	for i := range runs {
		cursors[i] = &runCursor{runReader: runReader{disk: d, run: runs[i], once: true}}
		if err := cursors[i].next(); err != nil {
			return err
		}
	}
	var same []*runCursor
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if same = lowest(cursors, same[:0]); len(same) == 0 {
			return nil
		}
		if err := mergeOne(ctx, same, to); err != nil {
			return err
		}
	}
}

// lowest are the cursors at the first customer of all.
func lowest(cursors, same []*runCursor) []*runCursor {
	for _, c := range cursors {
		if c.done {
			continue
		}
		order := -1
		if len(same) > 0 {
			order = c.head.compare(&same[0].head)
		}
		if order < 0 {
			same = same[:0]
		}
		if order <= 0 {
			same = append(same, c)
		}
	}
	return same
}

// mergeOne gives the customer at which all of same stand, and goes on.
func mergeOne(ctx context.Context, same []*runCursor, to sink) error {
	all := same[0].head
	for _, c := range same[1:] {
		if !all.merge(&c.head) {
			return &tooLargeError{all.id}
		}
	}
	if err := to.head(&all); err != nil {
		return err
	}
	for n := 1; ; n++ {
		if n%(1<<16) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, more := firstKey(same)
		if !more {
			break
		}
		if err := to.key(key); err != nil {
			return err
		}
		for _, c := range same {
			if c.more && c.key == key {
				if err := c.nextKey(); err != nil {
					return err
				}
			}
		}
	}
	if err := to.end(); err != nil {
		return err
	}
	for _, c := range same {
		if err := c.next(); err != nil {
			return err
		}
	}
	return nil
}

// firstKey is the first invoice of all.
func firstKey(same []*runCursor) (key invoiceKey, more bool) {
	for _, c := range same {
		if c.more && (!more || compareKeys(c.key, key) < 0) {
			key, more = c.key, true
		}
	}
	return key, more
}

// runSink writes what it is given as a run.
type runSink struct {
	*runWriter
	scratch []byte
}

func (s *runSink) head(p *partial) error {
	s.scratch = p.appendHead(s.scratch[:0])
	return s.write(s.scratch)
}

func (s *runSink) key(k invoiceKey) error {
	s.scratch = appendKey(s.scratch[:0], k)
	return s.write(s.scratch)
}

func (s *runSink) end() error { return s.write([]byte{endOfInvoices}) }
