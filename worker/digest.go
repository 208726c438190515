package worker

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// digestOf is of what one partition gave in a round that reads rows, from the canonical encodings of its state; false
// where the round has nothing that a second worker must find alike.
func digestOf(p *wire.Partial) (uint64, bool) {
	h := sha256.New()
	found := false
	take := func(data []byte, err error) {
		if err == nil {
			h.Write(data)
			found = true
		}
	}
	if p.Statistics != nil {
		take(p.Statistics.MarshalBinary())
	}
	if p.Counts != nil {
		take(p.Counts.MarshalBinary())
	}
	if p.Directions != nil {
		take(p.Directions.MarshalBinary())
	}
	if p.Totals != nil {
		take(totalsBytes(p.Totals), nil)
	}
	return binary.LittleEndian.Uint64(h.Sum(nil)), found
}

// totalsBytes are the integers of totals, in order.
func totalsBytes(t *kmeans.Totals) []byte {
	data := binary.LittleEndian.AppendUint64(nil, uint64(t.Rows))
	for _, list := range [][]exact.Int128{{t.Weight}, t.Sums, t.Plain, t.Squares} {
		for _, v := range list {
			data = binary.LittleEndian.AppendUint64(data, v.Lo)
			data = binary.LittleEndian.AppendUint64(data, uint64(v.Hi))
		}
	}
	return data
}

// seedDigest is of what a round of seeding found in one partition. Rows are told by their numbers: their Points are
// the data's.
func seedDigest(p *kmeans.SeedPartial) uint64 {
	h := sha256.New()
	number := func(v uint64) { h.Write(binary.LittleEndian.AppendUint64(nil, v)) }
	bins := func(b *exact.Bins) {
		data, _ := b.MarshalBinary() // it does not fail
		h.Write(data)
	}
	bins(&p.Potential)
	for i := range p.Tries {
		bins(&p.Tries[i])
	}
	for _, w := range p.Weights {
		number(w.Lo)
		number(uint64(w.Hi))
	}
	p.RacedKeys(func(key float64, row int64) bool {
		number(math.Float64bits(key))
		number(uint64(row))
		return true
	})
	for _, d := range p.SampledByRow() {
		number(uint64(d.Row))
	}
	return binary.LittleEndian.Uint64(h.Sum(nil))
}
