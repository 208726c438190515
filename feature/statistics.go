package feature

import (
	"math"
	"unicode/utf8"

	"github.com/coterie-project/coterie/internal/exact"
)

// blockRows is how many values of a column are looked at together: they stay in the first-level cache.
const blockRows = 1024

// Statistics are the counts and moments of the columns over the rows that count. Sums are exact, so Statistics of
// parts of the rows can be merged in any order and grouping, and give the same bits. Their size does not depend on
// the number of rows. One is for one goroutine at a time.
type Statistics struct {
	columns
	rows    int64 // that count
	dropped int64 // that do not, because a value is missing
	numbers []numberStats
	texts   []levelStats

	block []float64 // blockRows long
	mask  []bool
}

// numberStats is what is gathered of a numeric column.
type numberStats struct {
	missing int64
	raw     exact.Moments // of the values as they come; for a log1p column only where keepRaw
	logged  exact.Moments // of a log1p column's logarithms
	keepRaw bool          // something is to be found out about the values before the logarithm
}

// levelStats is what is gathered of a categorical column.
type levelStats struct {
	missing int64
	index   map[string]int32 // position in counts
	counts  []int64          // at most MaxLevels+1: one too many is enough to refuse the column
}

// NewStatistics is empty Statistics for a valid Spec.
func NewStatistics(spec *Spec) *Statistics {
	s := &Statistics{
		columns: columns{numeric: spec.Numeric, categorical: spec.Categorical, logs: spec.logs(), missing: spec.Missing},
		numbers: make([]numberStats, len(spec.Numeric)),
		texts:   make([]levelStats, len(spec.Categorical)),
		block:   make([]float64, blockRows),
	}
	for j := range s.numbers {
		s.numbers[j].keepRaw = spec.Missing.imputes() || spec.Scale == Robust
	}
	for c := range s.texts {
		s.texts[c].index = make(map[string]int32)
	}
	return s
}

// Rows is how many rows count.
func (s *Statistics) Rows() int64 { return s.rows }

// Dropped is how many rows do not count because a value is missing (Drop).
func (s *Statistics) Dropped() int64 { return s.dropped }

// Missing is how many values are missing in the rows that count, by column: numeric ones first, then categorical.
func (s *Statistics) Missing() []int64 {
	missing := make([]int64, 0, len(s.numbers)+len(s.texts))
	for j := range s.numbers {
		missing = append(missing, s.numbers[j].missing)
	}
	for c := range s.texts {
		missing = append(missing, s.texts[c].missing)
	}
	return missing
}

// Add takes the rows of a Batch in. The error is a *ValueError for the first bad value of the Batch, or a
// *SpecError for a categorical column of too many levels; after an error the Statistics are of no use.
func (s *Statistics) Add(b *Batch) error {
	b.match(len(s.numeric), len(s.categorical))
	mask, dropped := b.rowMask(s.missing, len(s.numeric), len(s.categorical), s.mask)
	if s.missing == Drop && mask != nil {
		s.mask = mask
	}
	s.dropped += dropped
	s.rows += int64(b.Rows)
	if mask != nil {
		for _, out := range mask[:b.Rows] {
			if out {
				s.rows--
			}
		}
	}
	for j := range s.numbers {
		if !s.addNumbers(b, j, mask) {
			return s.diagnose(b, mask)
		}
	}
	for c := range s.texts {
		if err := s.addTexts(b, c, mask); err != nil {
			return err
		}
	}
	return nil
}

// addNumbers takes in numeric column j; it is false where there is a bad value.
func (s *Statistics) addNumbers(b *Batch, j int, mask []bool) bool {
	n := &s.numbers[j]
	lo := 0
	if x := b.float32s(j); x != nil && mask == nil && !s.logs[j] {
		lo = n.raw.AddFloat32s(x[:b.Rows])
	}
	for ; lo < b.Rows; lo += blockRows {
		x := s.block[:min(blockRows, b.Rows-lo)]
		if usable := b.load(x, j, lo); !usable || mask != nil {
			rows := len(x)
			var missing int
			x, missing, usable = compact(x, maskFrom(mask, lo, rows))
			if !usable || missing > 0 && s.missing == Fail {
				return false
			}
			n.missing += int64(missing)
		}
		if !s.logs[j] {
			n.raw.AddSlice(x)
			continue
		}
		if n.keepRaw {
			n.raw.AddSlice(x)
		}
		if !log1p(x) {
			return false
		}
		n.logged.AddSlice(x)
	}
	return true
}

// log1p takes the logarithms of 1+x in place; it is false if a value is not above −1.
func log1p(x []float64) bool {
	for i, v := range x {
		if v <= -1 {
			return false
		}
		x[i] = exact.Log1p(v)
	}
	return true
}

// maskFrom is the part of a mask, which may be nil, that belongs to rows lo, lo+1, … lo+n−1.
func maskFrom(mask []bool, lo, n int) []bool {
	if mask == nil {
		return nil
	}
	return mask[lo : lo+n]
}

// compact keeps, in place, the values that are there and whose rows count. usable is false if one of these is
// infinite or too large; missing counts those that are not there.
func compact(x []float64, mask []bool) (kept []float64, missing int, ok bool) {
	kept, ok = x[:0], true
	for i, v := range x {
		switch {
		case mask != nil && mask[i]:
		case math.IsNaN(v):
			missing++
		default:
			ok = ok && usable(v)
			kept = append(kept, v)
		}
	}
	return kept, missing, ok
}

// addTexts takes in categorical column c.
func (s *Statistics) addTexts(b *Batch, c int, mask []bool) error {
	levels, column := &s.texts[c], &b.Text[c]
	for i := range b.Rows {
		if mask != nil && mask[i] {
			continue
		}
		if column.missing(i) {
			if s.missing == Fail {
				return s.diagnose(b, mask)
			}
			levels.missing++
			continue
		}
		text := column.At(i)
		if at, known := levels.index[string(text)]; known {
			levels.counts[at]++
			continue
		}
		if err := s.addLevel(c, i, text); err != nil {
			return err
		}
	}
	return nil
}

// addLevel takes in the text of row i, which is new in categorical column c.
func (s *Statistics) addLevel(c, i int, text []byte) error {
	levels, name := &s.texts[c], s.categorical[c]
	switch {
	case len(text) > MaxLevelText:
		return &ValueError{Row: i, Column: name, Text: string(text[:40]) + "…", Reason: reasonLongText, Remedy: remedyIDColumn}
	case !utf8.Valid(text):
		return &ValueError{Row: i, Column: name, Text: string(text), Reason: reasonNotUTF8, Remedy: remedyNotUTF8}
	}
	levels.add(string(text), 1)
	return levels.validate(name)
}

// add counts a level n more times. Beyond MaxLevels+1 no further level is kept, since the column is refused anyway.
func (l *levelStats) add(text string, n int64) {
	at, known := l.index[text]
	if !known {
		if len(l.counts) > MaxLevels {
			return
		}
		at = int32(len(l.counts))
		l.index[text] = at
		l.counts = append(l.counts, 0)
	}
	l.counts[at] += n
}

// validate refuses a column of too many levels.
func (l *levelStats) validate(name string) error {
	if len(l.counts) <= MaxLevels {
		return nil
	}
	return &SpecError{Field: "categorical", Value: name, Reason: "more than 10,000 different values, so it looks like an id",
		Remedy: remedyIDColumn}
}

// Merge takes in the Statistics of other rows under the same Spec; o is not changed.
func (s *Statistics) Merge(o *Statistics) {
	if len(s.numbers) != len(o.numbers) || len(s.texts) != len(o.texts) {
		panic("feature: merging Statistics of different Specs")
	}
	s.rows += o.rows
	s.dropped += o.dropped
	for j := range s.numbers {
		a, b := &s.numbers[j], &o.numbers[j]
		a.missing += b.missing
		a.raw.Merge(&b.raw)
		a.logged.Merge(&b.logged)
	}
	for c := range s.texts {
		a, b := &s.texts[c], &o.texts[c]
		a.missing += b.missing
		for text, at := range b.index {
			a.add(text, b.counts[at])
		}
	}
}
