package pipeline

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/partition"
)

// Bounds of the sample of rows that columns are compared in pairs on: the first ones.
const (
	sampleRows  = 50000
	sampleBytes = 64 << 20  // of all its columns together
	pairVisits  = 100 << 20 // of values while pairs are compared: a tenth of a second or two
	fewValues   = 8         // a number of so few values may be a code,
	fewestCodes = 1000      // in at least so many rows
)

// surveySample is the first rows of the features.
type surveySample struct {
	numbers [][]float64 // by numeric feature; NaN: missing
	codes   [][]int32   // by categorical feature: which level, counted from 0 in order of appearance; −1: missing
	levels  []int       // by categorical feature: how many
}

// takeSample keeps the first rows of the features. Rows that cannot be read are missing in all columns.
func (s *survey) takeSample(ctx context.Context) (surveySample, error) {
	numeric, categorical := s.input.Spec.Numeric, s.input.Spec.Categorical
	v := surveySample{numbers: make([][]float64, len(numeric)), codes: make([][]int32, len(categorical)), levels: make([]int, len(categorical))}
	known := make([]map[string]int32, len(categorical))
	for c := range known {
		known[c] = make(map[string]int32)
	}
	rows := max(1, min(sampleRows, sampleBytes/8/(len(numeric)+len(categorical))))
	first := partition.Partition{Rows: min(s.source.Rows(), int64(rows))}
	err := readRows(ctx, s.source, first, s.fields, func(b *dataset.Block) error {
		bad := badRows(b)
		for f := range b.Columns {
			name := s.source.Schema().Columns[s.fields[f].Column].Name
			column := &b.Columns[f]
			if j := slices.Index(numeric, name); j >= 0 && column.Text.Offsets == nil {
				for i := range b.Rows {
					x := numberAt(column, i)
					if bad[i] {
						x = math.NaN()
					}
					v.numbers[j] = append(v.numbers[j], x)
				}
			}
			if c := slices.Index(categorical, name); c >= 0 {
				for i := range b.Rows {
					code := int32(-1)
					if !bad[i] {
						code = codeOf(known[c], column, i)
					}
					v.codes[c] = append(v.codes[c], code)
				}
				v.levels[c] = len(known[c])
			}
		}
		return nil
	})
	return v, err
}

// codeOf is the number of the level of row i; −1: it is missing.
func codeOf(known map[string]int32, v *dataset.Vector, i int) int32 {
	if v.Text.Offsets == nil || v.Missing != nil && v.Missing[i] || len(v.Text.At(i)) == 0 {
		return -1
	}
	text := v.Text.At(i)
	code, seen := known[string(text)]
	if !seen {
		code = int32(len(known))
		known[string(text)] = code
	}
	return code
}

// distinct are the different values of numeric feature j; nil if there are more than fewValues.
func (v *surveySample) distinct(j int) []float64 {
	values := []float64{}
	for _, x := range v.numbers[j] {
		if x != x || slices.Contains(values, x) {
			continue
		}
		if values = append(values, x); len(values) > fewValues {
			return nil
		}
	}
	slices.Sort(values)
	return values
}

// Below fewestForID rows nothing is taken for an id, and below manyForID different whole numbers are taken for one only if
// they ascend or are called so: amounts may all differ, too.
const (
	fewestForID = 50
	manyForID   = 2000
)

// looksLikeID says whether numeric feature j holds nothing but different whole numbers, as far as the sample tells.
func (v *surveySample) looksLikeID(j int, name string) bool {
	x := v.numbers[j]
	seen, ascending, last := make(map[float64]bool, len(x)), true, math.Inf(-1)
	for _, value := range x {
		if value != value {
			continue
		}
		if value != math.Trunc(value) || seen[value] {
			return false
		}
		seen[value] = true
		ascending = ascending && value > last
		last = value
	}
	return len(seen) >= fewestForID && (ascending || len(seen) >= manyForID || calledID(name))
}

// calledID says whether a column's name is that of an id.
func calledID(name string) bool {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '_' || r == '-' || r == ' ' || r == '.' })
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"id", "ids", "key", "uuid", "no", "nr", "number", "code"}, w)
	})
}
