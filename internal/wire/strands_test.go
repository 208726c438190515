package wire

import (
	"errors"
	"testing"

	"github.com/coterie-project/coterie/kmeans"
)

func TestAStrandSaysNothingOfSingleRows(t *testing.T) {
	context := Context{Kind: Together, Strands: []Context{{}, {}}}
	for name, strand := range map[string]*Partial{
		"nothing":         {},
		"a fault":         {Fault: &RowFault{Row: 3, Err: errors.New("x")}},
		"a row set aside": {Bad: []BadRow{{Row: 3}}},
		"strands":         {Strands: []*Partial{{}}},
		"ids":             {IDs: []IDSummary{{Partition: 0}}},
	} {
		data := encodedPartial(t, &Partial{Strands: []*Partial{{}, strand}}, PackNone)
		if _, err := DecodePartial(data, context); (name == "nothing") != (err == nil) || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
}

// Strands together stay within what one message may have.
func TestTheSumsOfAllStrandsAreBoundedAsThoseOfOne(t *testing.T) {
	of := func(n, k, d int) Context {
		c := Context{Kind: Together}
		for range n {
			c.Strands = append(c.Strands, Context{Kind: Iterate, K: k, D: d})
		}
		return c
	}
	const k, d = kmeans.MaxClusters, maxCells / kmeans.MaxClusters / 4
	for _, c := range []struct {
		context Context
		ok      bool
	}{
		{of(4, k, d), true},
		{of(5, k, d), false},
		{of(MaxStrands, 2, 2), true},
		{of(MaxStrands+1, 2, 2), false},
	} {
		if err := c.context.validate(); (err == nil) != c.ok {
			t.Errorf("%d strands of %d×%d: got %v, want taken = %v", len(c.context.Strands), c.context.Strands[0].K, c.context.Strands[0].D, err, c.ok)
		}
	}
}
