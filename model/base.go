package model

import (
	"fmt"
	"math"
)

// maxEdges is how many edges a Spread has at most: both ends of each tenth.
const maxEdges = 32

// Spread is how the rows of a fit are spread in one numeric feature, by a sample of them. Bin b holds values from Edges[b−1]
// up to, but without, Edges[b]; the first and the last have no end.
type Spread struct {
	Feature string    `json:"feature"`
	Edges   []float64 `json:"edges"`  // ascending, in the units of the input
	Shares  []float64 `json:"shares"` // of the rows, one more than edges
}

// Bin is the bin of a value.
func (s *Spread) Bin(x float64) int {
	b := 0
	for b < len(s.Edges) && x >= s.Edges[b] {
		b++
	}
	return b
}

// validateBase holds that there is one spread for each numeric feature, in their order, or none at all.
func (m *Model) validateBase() error {
	if m.Base == nil {
		return nil
	}
	if len(m.Base) != len(m.Transform.Numeric) {
		return fmt.Errorf("the base has %d features, not %d", len(m.Base), len(m.Transform.Numeric))
	}
	for i := range m.Base {
		s := &m.Base[i]
		if s.Feature != m.Transform.Numeric[i].Name || len(s.Edges) > maxEdges || len(s.Shares) != len(s.Edges)+1 {
			return fmt.Errorf("the base of %.40q has %d edges and %d shares", s.Feature, len(s.Edges), len(s.Shares))
		}
		for b, share := range s.Shares {
			if !(share >= 0 && share <= 1) {
				return fmt.Errorf("the base of %.40q has the share %v", s.Feature, share)
			}
			if b == len(s.Edges) {
				break
			}
			if e := s.Edges[b]; math.IsInf(e, 0) || e != e || b > 0 && e <= s.Edges[b-1] {
				return fmt.Errorf("the base of %.40q has the edge %v", s.Feature, e)
			}
		}
	}
	return nil
}
