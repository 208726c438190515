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
// one store instead of one each, so that memory does not grow with the threads, and nothing is left to merge. Sums
// are exact and everything else is a minimum, a maximum or a set, so the order of arrival leaves no trace; neither
// does the hash, whose seed differs from run to run so that no file can be made to collide.
type store struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

const shardCount = 256

// shard is a hash table of customers and one of their invoices.
type shard struct {
	mu        sync.Mutex
	slots     []uint32 // open addressing: index into customers plus 1; 0 is empty
	customers []customer
	ids       []byte // the customers' ids, end to end
	invoices  invoiceSet
	// What few customers have lies beside the records, keyed by index.
	fine    map[uint32]exact.Int128
	returns map[uint32]returned
}

// customer is one customer's sums.
type customer struct {
	id          uint64 // start in shard.ids
	length      uint32
	hash        uint32
	first, last int64 // purchases, microseconds
	items       exact.Int128
	money       exact.Int128 // amount.coarse
	invoice     invoiceKey   // the first that was seen; the others are in the shard's set
	frequency   int64        // distinct invoices; 0: returns only
}

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

// newStore makes an empty store.
func newStore() *store { return &store{seed: maphash.MakeSeed()} }

// add books a group; false means that a sum would leave 128 bits.
func (s *store) add(g *group) bool {
	hash := maphash.Bytes(s.seed, g.customer)
	sh := &s.shards[hash>>56]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	at := sh.find(uint32(hash), g.customer)
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
	if 4*(len(sh.customers)+1) > 3*len(sh.slots) {
		sh.grow()
	}
	mask := uint32(len(sh.slots) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		slot := sh.slots[at]
		if slot == 0 {
			sh.customers = append(sh.customers, customer{id: uint64(len(sh.ids)), length: uint32(len(id)), hash: hash})
			sh.ids = append(sh.ids, id...)
			sh.slots[at] = uint32(len(sh.customers))
			return uint32(len(sh.customers) - 1)
		}
		if c := &sh.customers[slot-1]; c.hash == hash && bytes.Equal(sh.idOf(c), id) {
			return slot - 1
		}
	}
}

func (sh *shard) idOf(c *customer) []byte { return sh.ids[c.id : c.id+uint64(c.length)] }

// grow doubles the slots.
func (sh *shard) grow() {
	slots := make([]uint32, max(16, 2*len(sh.slots)))
	mask := uint32(len(slots) - 1)
	for i := range sh.customers {
		at := sh.customers[i].hash & mask
		for slots[at] != 0 {
			at = (at + 1) & mask
		}
		slots[at] = uint32(i + 1)
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
	if 4*(s.used+1) > 3*len(s.entries) {
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

func (s *invoiceSet) grow() {
	old := s.entries
	s.entries = make([]invoiceEntry, max(16, 2*len(old)))
	for _, e := range old {
		if e.customer != 0 {
			*s.slot(e.customer, e.key) = e
		}
	}
}
