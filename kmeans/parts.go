package kmeans

import (
	"cmp"
	"fmt"
	"slices"
)

// Distinct, Farthest and SeedPartial keep how they merge to themselves. What is here takes them apart for a transport
// and puts them together again; equal ones come apart equally, in whatever order they were merged.

// Limit is how many distinct Points are counted at most.
func (d *Distinct) Limit() int { return d.limit }

// Fingerprints are those of the distinct Points seen, ascending. Of more than the limit the lowest are given: no count
// of a merged Distinct can depend on the others.
func (d *Distinct) Fingerprints() [][2]uint64 {
	keys := make([][2]uint64, 0, len(d.seen))
	for key := range d.seen {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, compareFingerprints)
	return keys[:min(len(keys), d.limit)]
}

func compareFingerprints(a, b [2]uint64) int {
	return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
}

// DistinctOf is what Limit and Fingerprints came from. The error is ErrShape, for fingerprints that do not ascend or
// are more than the limit.
func DistinctOf(limit int, fingerprints [][2]uint64) (*Distinct, error) {
	if limit < 0 || len(fingerprints) > limit {
		return nil, fmt.Errorf("%w: %d fingerprints where %d count", ErrShape, len(fingerprints), limit)
	}
	d := &Distinct{limit: limit, seen: make(map[[2]uint64]struct{}, len(fingerprints))}
	for i, key := range fingerprints {
		if i > 0 && compareFingerprints(fingerprints[i-1], key) >= 0 {
			return nil, fmt.Errorf("%w: fingerprint %d does not ascend", ErrShape, i)
		}
		d.seen[key] = struct{}{}
	}
	return d, nil
}

// Limit is how many rows are kept.
func (f *Farthest) Limit() int { return f.limit }

// FarthestOf is what Limit and Rows came from; it keeps rows. The error is ErrShape, for rows that are out of order or
// more than the limit.
func FarthestOf(limit int, rows []Far) (*Farthest, error) {
	if limit < 0 || len(rows) > limit {
		return nil, fmt.Errorf("%w: %d farthest rows where %d are kept", ErrShape, len(rows), limit)
	}
	for i := 1; i < len(rows); i++ {
		a, b := &rows[i-1], &rows[i]
		if compareFar(*a, *b) >= 0 || a.Distance == b.Distance && compareBits(a.Point, b.Point) == 0 {
			return nil, fmt.Errorf("%w: farthest row %d is out of order", ErrShape, i)
		}
	}
	return &Farthest{limit: limit, rows: rows}, nil
}

// Limit is how many rows of a race are kept.
func (s *SeedPartial) Limit() int { return s.limit }

// SeedPartialOf puts a SeedPartial together of the limit and its exported fields, and keeps their slices. The error is
// ErrShape, for rows that are out of order, or more raced ones than the limit.
func SeedPartialOf(limit int, fields SeedPartial) (*SeedPartial, error) {
	if limit < 0 || len(fields.Raced) > limit {
		return nil, fmt.Errorf("%w: %d raced rows where %d are kept", ErrShape, len(fields.Raced), limit)
	}
	for _, rows := range [][]Drawn{fields.Raced, fields.Sampled} {
		for i := 1; i < len(rows); i++ {
			if compareDrawn(rows[i-1], rows[i]) >= 0 {
				return nil, fmt.Errorf("%w: drawn row %d is out of order", ErrShape, i)
			}
		}
	}
	fields.limit = limit
	return &fields, nil
}
