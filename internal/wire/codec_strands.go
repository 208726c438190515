package wire

import (
	"fmt"
	"math"
	"slices"

	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// strandKinds are what several runs can do in one pass.
var strandKinds = []Kind{Seed, Iterate, Farthest, Score}

func encodeStrands(strands []*Task) ([]*pb.Strand, error) {
	var list []*pb.Strand
	for _, s := range strands {
		if s.Run < 0 || s.Run > math.MaxInt32 || s.K < 0 || s.K > kmeans.MaxClusters {
			return nil, wrong("strands", "run %d, k %d: out of range", s.Run, s.K)
		}
		m := &pb.Strand{Kind: string(s.Kind), Run: uint32(s.Run), K: uint32(s.K), Since: s.Since, Spread: s.Spread}
		if s.Seed != nil {
			var err error
			if m.Seed, err = encodeSeedTask(s.Seed); err != nil {
				return nil, err
			}
		}
		if s.Centroids != nil {
			m.Centroids = EncodeMatrix(s.Centroids)
		}
		list = append(list, m)
	}
	return list, nil
}

// decodeStrands reads the strands of a task whose other parts are read. They take its epoch, round, partitions and
// algorithm.
func decodeStrands(t *Task, list []*pb.Strand) error {
	if len(list) > MaxStrands {
		return wrong("strands", "%d of them", len(list))
	}
	for _, m := range list {
		if m.Run > math.MaxInt32 || m.K > kmeans.MaxClusters {
			return wrong("strands", "run %d, k %d: out of range", m.Run, m.K)
		}
		s := &Task{Kind: Kind(m.Kind), Run: int(m.Run), K: int(m.K), Since: m.Since, Spread: m.Spread}
		var err error
		if m.Seed != nil {
			if s.Seed, err = decodeSeedTask(m.Seed); err != nil {
				return fmt.Errorf("strands: %w", err)
			}
		}
		if s.Centroids, err = decodeCentroids(m.Centroids); err != nil {
			return fmt.Errorf("strands: %w", err)
		}
		t.Strands = append(t.Strands, s)
	}
	return nil
}

// checkStrands holds that each strand can be done: a kernel that is given other columns would read beyond its rows.
func (t *Task) checkStrands() error {
	for i, s := range t.Strands {
		if !slices.Contains(strandKinds, s.Kind) {
			return wrong("strands", "one of kind %q", s.Kind)
		}
		if reclusters(s) != reclusters(t.Strands[0]) {
			return wrong("strands", "a reclustering beside rounds over rows")
		}
		if i > 0 && s.Run <= t.Strands[i-1].Run {
			return wrong("strands", "run %d does not ascend", s.Run)
		}
		strand := *s
		strand.Reload = t.Reload
		if err := strand.check(); err != nil {
			return fmt.Errorf("strands: %w", err)
		}
		if a, b := t.Strands[0].columns(), s.columns(); a != 0 && b != 0 && a != b {
			return wrong("strands", "of %d and of %d columns", a, b)
		}
	}
	return nil
}

func reclusters(t *Task) bool { return t.Seed != nil && t.Seed.Recluster }

// columns is how many a strand is about; 0 where it does not say.
func (t *Task) columns() int {
	switch {
	case t.Centroids != nil:
		return t.Centroids.D
	case t.Seed != nil && t.Seed.Candidates != nil:
		return t.Seed.Candidates.D
	}
	return 0
}

// decodeStrandPartials reads the answers to strands, each under its own Context. Nothing of them is about single rows
// that are bad, or about a row that ends the job.
func decodeStrandPartials(p *Partial, list [][]byte, c *Context) error {
	if len(list) != len(c.Strands) && len(list) > 0 {
		return wrong("strands", "%d where %d were asked for", len(list), len(c.Strands))
	}
	for i, data := range list {
		s, err := DecodePartial(data, c.Strands[i])
		if err != nil {
			return fmt.Errorf("strands: %w", err)
		}
		if s.Fault != nil || len(s.Bad) > 0 {
			return wrong("strands", "with a fault or rows set aside")
		}
		p.Strands = append(p.Strands, s)
	}
	return nil
}
