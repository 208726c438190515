package rfm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"sync"

	"github.com/coterie-project/coterie/internal/exact"
)

// store holds the customers that were seen, in shards by a hash of the id, each behind its own lock. All threads fill
// one store instead of one each, so that memory does not grow with the threads. A shard that has no room to grow goes
// to the disk, as a run, and begins anew. Sums are exact and everything else is a minimum, a maximum or a set, so the
// order of arrival leaves no trace, nor does what was spilled when; neither does the hash, whose seed differs from run
// to run so that no file can be made to collide.
type store struct {
	seed   maphash.Seed
	limit  int64 // bytes of a shard
	disk   *disk
	shards [shardCount]shard
}

const shardCount = 256

// shard is a hash table of customers and one of their invoices.
type shard struct {
	mu        sync.Mutex
	runs      []sortedRun
	spelling  spelling // of all ids that were ever entered
	slots     []slot   // open addressing
	customers []customer
	ids       []byte // the long ids, end to end
	invoices  invoiceSet
	// What few customers have lies beside the records, keyed by index.
	fine    map[uint32]exact.Int128
	returns map[uint32]returned
}

// slot is an index into customers plus 1, below the customer's hash, so that a look at another customer is seldom
// needed, which costs a way to memory; 0 is empty.
type slot uint64

func newSlot(hash uint32, at int) slot { return slot(hash)<<32 | slot(at+1) }

func (s slot) hash() uint32 { return uint32(s >> 32) }
func (s slot) at() uint32   { return uint32(s) - 1 }

// customer is one customer's sums.
type customer struct {
	id          [inlineID]byte // or where it begins in shard.ids, if it is longer
	length      uint32
	hash        uint32
	first, last int64 // purchases, microseconds
	items       exact.Int128
	money       exact.Int128 // amount.coarse
	invoice     invoiceKey   // the first that was seen; the others are in the shard's set
	frequency   int64        // distinct invoices; 0: returns only
}

// inlineID is how long an id may be that stands in its customer's record: most are shorter, and found without another
// way to memory.
const inlineID = 16

// returned counts a customer's return lines, which are dropped if the customer bought nothing.
type returned struct {
	cancelled, negative int64
}

// group is the sum of consecutive lines of one customer and one invoice, as tills write them, so that the store is
// asked once for each invoice and not for each line.
type group struct {
	customer, invoice []byte
	lines             int64
	purchases         int64
	first, last       int64 // of the purchases
	items             exact.Int128
	money             amount
	returned          returned
}

// newStore makes an empty store that takes so many bytes of memory and then goes to the disk.
func newStore(bytes int64, d *disk) *store {
	s := &store{seed: maphash.MakeSeed(), limit: bytes / shardCount, disk: d}
	for i := range s.shards {
		s.shards[i].spelling = anySpelling
	}
	return s
}

// add books a group. w is the caller's, for a shard that has to go to the disk.
func (s *store) add(g *group, w *runWriter) error {
	hash := maphash.Bytes(s.seed, g.customer)
	sh := &s.shards[hash>>56]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if growth := sh.growth(len(g.customer)); growth > 0 && len(sh.customers) > 0 && sh.bytes()+growth > s.limit {
		if err := sh.spill(w); err != nil {
			return err
		}
	}
	if !sh.add(g, uint32(hash)) {
		return &tooLargeError{g.customer}
	}
	return nil
}

// add books a group; false means that a sum would leave 128 bits.
func (sh *shard) add(g *group, hash uint32) bool {
	at := sh.find(hash, g.customer)
	c := &sh.customers[at]
	var fits, ok bool
	if c.items, ok = addChecked(c.items, g.items); !ok {
		return false
	}
	if c.money, fits = addChecked(c.money, g.money.coarse); !fits {
		return false
	}
	if g.money.fine != (exact.Int128{}) && !sh.addFine(at, g.money.fine) {
		return false
	}
	if g.returned != (returned{}) {
		if sh.returns == nil {
			sh.returns = map[uint32]returned{}
		}
		r := sh.returns[at]
		r.cancelled += g.returned.cancelled
		r.negative += g.returned.negative
		sh.returns[at] = r
	}
	if g.purchases > 0 {
		c.purchase(g, sh, at)
	}
	return true
}

// purchase books the dates and the invoice of a group with purchases.
func (c *customer) purchase(g *group, sh *shard, at uint32) {
	key := keyOf(g.invoice)
	if c.frequency == 0 {
		c.first, c.last, c.invoice, c.frequency = g.first, g.last, key, 1
		return
	}
	c.first, c.last = min(c.first, g.first), max(c.last, g.last)
	if key != c.invoice && sh.invoices.insert(at, key) {
		c.frequency++
	}
}

func (sh *shard) addFine(at uint32, v exact.Int128) bool {
	if sh.fine == nil {
		sh.fine = map[uint32]exact.Int128{}
	}
	sum, ok := addChecked(sh.fine[at], v)
	sh.fine[at] = sum
	return ok
}

// find is the index of the customer called id, who is entered if new.
func (sh *shard) find(hash uint32, id []byte) uint32 {
	if sh.slotsFull() {
		sh.grow()
	}
	mask := uint32(len(sh.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := sh.slots[i]
		if s == 0 {
			sh.slots[i] = newSlot(hash, len(sh.customers))
			return sh.enter(hash, id)
		}
		if s.hash() == hash && bytes.Equal(sh.idOf(&sh.customers[s.at()]), id) {
			return s.at()
		}
	}
}

// enter appends a customer without lines.
func (sh *shard) enter(hash uint32, id []byte) uint32 {
	sh.spelling.see(id)
	c := customer{length: uint32(len(id)), hash: hash}
	if len(id) <= inlineID {
		copy(c.id[:], id)
	} else {
		binary.LittleEndian.PutUint64(c.id[:], uint64(len(sh.ids)))
		sh.ids = append(enlarged(sh.ids, len(id)), id...)
	}
	sh.customers = append(enlarged(sh.customers, 1), c)
	return uint32(len(sh.customers) - 1)
}

func (sh *shard) idOf(c *customer) []byte {
	if c.length <= inlineID {
		return c.id[:c.length]
	}
	at := binary.LittleEndian.Uint64(c.id[:])
	return sh.ids[at : at+uint64(c.length)]
}

func (sh *shard) slotsFull() bool { return 4*(len(sh.customers)+1) > 3*len(sh.slots) }

// grow doubles the slots.
func (sh *shard) grow() {
	slots := make([]slot, max(leastSlots, 2*len(sh.slots)))
	mask := uint32(len(slots) - 1)
	for _, s := range sh.slots {
		if s == 0 {
			continue
		}
		i := s.hash() & mask
		for slots[i] != 0 {
			i = (i + 1) & mask
		}
		slots[i] = s
	}
	sh.slots = slots
}

// amountOf is a customer's money.
func (sh *shard) amountOf(at uint32) amount {
	return amount{coarse: sh.customers[at].money, fine: sh.fine[at]}
}

// invoiceKey stands for an invoice: its text and length up to 15 bytes, beyond that 120 bits of its SHA-256. Two
// invoices share a key only if somebody finds a collision of those, which nobody can.
type invoiceKey struct {
	a, b uint64
}

func keyOf(invoice []byte) invoiceKey {
	var key [16]byte
	if len(invoice) < len(key) {
		copy(key[:], invoice)
		key[15] = byte(len(invoice))
	} else {
		sum := sha256.Sum256(invoice)
		copy(key[:15], sum[:])
		key[15] = 0xff
	}
	return invoiceKey{binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])}
}

// invoiceSet is a set of (customer, invoice) by open addressing; an entry takes 24 bytes.
type invoiceSet struct {
	entries []invoiceEntry
	used    int
}

type invoiceEntry struct {
	key      invoiceKey
	customer uint32 // index plus 1; 0 is empty
}

// insert tells whether the pair is new, and enters it.
func (s *invoiceSet) insert(at uint32, key invoiceKey) bool {
	if s.full() {
		s.grow()
	}
	slot := s.slot(at+1, key)
	if slot.customer != 0 {
		return false
	}
	*slot = invoiceEntry{key, at + 1}
	s.used++
	return true
}

// slot is the entry of the pair, or the empty one where it belongs.
func (s *invoiceSet) slot(customer uint32, key invoiceKey) *invoiceEntry {
	hi, lo := bits.Mul64(key.a^0x9e3779b97f4a7c15*uint64(customer), 0xd6e8feb86659fd93)
	hi2, lo2 := bits.Mul64(key.b^hi^lo, 0xa0761d6478bd642f)
	mask := uint64(len(s.entries) - 1)
	for i := (hi2 ^ lo2) & mask; ; i = (i + 1) & mask {
		if e := &s.entries[i]; e.customer == 0 || *e == (invoiceEntry{key, customer}) {
			return e
		}
	}
}

func (s *invoiceSet) full() bool { return 4*(s.used+1) > 3*len(s.entries) }

func (s *invoiceSet) grow() {
	old := s.entries
	s.entries = make([]invoiceEntry, max(leastSlots, 2*len(old)))
	for _, e := range old {
		if e.customer != 0 {
			*s.slot(e.customer, e.key) = e
		}
	}
}
