package wire

import (
	"errors"
	"fmt"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/kmeans"
)

// ErrFormat is a message that was not written here, or that belongs to another task: what it says does not fit what
// was asked for. It is wrapped with the name of the field.
var ErrFormat = errors.New("damaged message, or one for another task")

// wrong is ErrFormat with the field and what is wrong with it.
func wrong(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrFormat, field, fmt.Sprintf(format, args...))
}

// maxCells is the largest k·d of sums that travel: at 16 bytes each they take 1 GiB, and a message of protocol buffers
// must stay below 2 GiB.
const maxCells = 1 << 26

// Context is what the decoder of an answer has to know: which shapes the task asked for. A Partial that passes can be
// merged with any other that passed under the same Context.
type Context struct {
	Kind      Kind                    // says what has to be there; empty: nothing has to
	Spec      *feature.Spec           // of Statistics
	Search    *feature.QuantileSearch // of Counts
	Transform *feature.Transform      // of Directions
	Seed      *kmeans.SeedTask
	K, D      int  // of sums and Points; in Label, whose sums have no columns, D is 0
	Limit     int  // distinct Points or farthest rows asked for
	Weighted  bool // whether sums have weights
	Spread    bool // whether distances were asked for, of each of the K clusters
	// Partitions is their number in the manifest: summaries of ids name none beyond.
	Partitions int
	Strands    []Context // of each strand of Together
}

// Context is that of answers to the task's round, whichever worker gives them. partitions is their number in the
// manifest. It stays as it is when a search goes on, so that late answers may be decoded beside the next round.
func (t *Task) Context(partitions int) Context {
	c := Context{Kind: t.Kind, Transform: t.Transform, Seed: t.Seed, Limit: t.K, Partitions: partitions, Spread: t.Spread}
	input, transform := t.Input, t.Transform
	if r := t.Reload; r != nil {
		if input == nil {
			input = r.Input
		}
		if transform == nil {
			transform = r.Transform
		}
	}
	if input != nil {
		c.Spec, c.Weighted = input.Spec, input.Weight != ""
	}
	if transform != nil {
		c.D = transform.Width()
	}
	if t.Centroids != nil {
		c.K, c.D = t.Centroids.K, t.Centroids.D
	}
	if t.Search != nil {
		c.Search = t.Search.Clone()
	}
	if t.Kind == Label { // rows are counted, and not summed
		c.D, c.Weighted = 0, false
	}
	for _, s := range t.Strands {
		strand := *s
		strand.Reload = t.Reload
		c.Strands = append(c.Strands, strand.Context(0))
	}
	return c
}

// validate holds the Context itself within the limits, so that products of its numbers do not overflow.
func (c *Context) validate() error {
	if c.K < 0 || c.K > kmeans.MaxClusters || c.D < 0 || c.D > feature.MaxOutputs || c.K*c.D > maxCells {
		return wrong("context", "%d clusters of %d columns", c.K, c.D)
	}
	if c.Limit < 0 || c.Limit > kmeans.MaxClusters {
		return wrong("context", "%d rows asked for", c.Limit)
	}
	return c.validateStrands()
}

// validateStrands holds all strands together within what one message may have.
func (c *Context) validateStrands() error {
	if len(c.Strands) > MaxStrands {
		return wrong("context", "%d strands", len(c.Strands))
	}
	cells := 0
	for i := range c.Strands {
		s := &c.Strands[i]
		if err := s.validate(); err != nil {
			return err
		}
		if cells += s.K * s.D; cells > maxCells {
			return wrong("context", "%d strands of more than %d sums", len(c.Strands), maxCells)
		}
	}
	return nil
}

// complete checks that the parts which the kind of round is for are there. A fault in a row ends an answer early.
func (c *Context) complete(p *Partial) error {
	if p.Fault != nil {
		return nil
	}
	missing := func(field string, there bool) error {
		if there {
			return nil
		}
		return wrong(field, "missing in an answer to %q", c.Kind)
	}
	if len(p.Strands) != len(c.Strands) {
		return wrong("strands", "%d where %d were asked for", len(p.Strands), len(c.Strands))
	}
	switch c.Kind {
	case Statistics:
		return missing("statistics", p.Statistics != nil)
	case Quantiles:
		return missing("counts", p.Counts != nil)
	case Directions:
		return missing("directions", p.Directions != nil)
	case Load:
		return errors.Join(missing("totals", p.Totals != nil), missing("distinct", p.Distinct != nil))
	case Seed:
		return missing("seed", p.Seed != nil)
	case Iterate:
		return missing("sums", p.Packed != nil)
	case Score:
		return errors.Join(missing("sums", p.Packed != nil), missing("inertia", p.Inertia != nil),
			missing("spread", !c.Spread || len(p.Spread) == c.K))
	case Farthest:
		return missing("farthest", p.Farthest != nil)
	}
	return nil
}
