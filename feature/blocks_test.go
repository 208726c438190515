package feature

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
)

// inBlocks lays rows out in blocks.
func inBlocks(columns [][]float32) []float32 {
	d, rows := len(columns), len(columns[0])
	blocks := make([]float32, (rows+exact.Lanes-1)/exact.Lanes*exact.Lanes*d)
	for j, column := range columns {
		for i, v := range column {
			blocks[(i/exact.Lanes*d+j)*exact.Lanes+i%exact.Lanes] = v
		}
	}
	return blocks
}

func TestBlocksBecomeWhatApplyMakesOfTheirRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for _, rows := range []int{1, 16, 17, 3000} {
		for _, spec := range []*Spec{
			{Scale: Standard, Missing: Fail},
			{Scale: MinMax, Missing: Drop},
			{Scale: None, Missing: Mean},
			{Scale: Standard, Missing: Indicator, Log1p: []string{"b"}},
			{Scale: Standard, Missing: Fail, Log1p: []string{"b"}, Weights: []Weight{{"a", 3}, {"b", 0.1}}},
		} {
			spec.Numeric = []string{"a", "b", "c"}
			columns := make([][]float32, 3)
			for range rows {
				columns[0] = append(columns[0], float32(1e6+r.NormFloat64()))
				columns[1] = append(columns[1], float32(math.Exp(3*r.NormFloat64())))
				columns[2] = append(columns[2], float32(r.IntN(3)-1))
			}
			b := &Batch{Rows: rows, Numeric32: columns}
			tr := mustFit(t, spec, b)
			points, _, _ := applied(t, tr, b)
			blocks := inBlocks(columns)
			if !tr.InPlace() || !tr.ApplyBlocks(blocks) {
				t.Fatalf("%d rows, %s: refused", rows, spec.Scale)
			}
			for j := range columns {
				for i, want := range points[j] {
					got := blocks[(i/exact.Lanes*3+j)*exact.Lanes+i%exact.Lanes]
					if math.Float32bits(got) != math.Float32bits(want+0) {
						t.Fatalf("%d rows, %s: row %d of column %d becomes %v, want %v", rows, spec.Scale, i, j, got, want)
					}
				}
			}
		}
	}
}

func TestBlocksWithAValueThatIsTooLargeAreRefused(t *testing.T) {
	tr := mustFit(t, &Spec{Numeric: []string{"x"}, Scale: None, Missing: Fail}, one(1, 2))
	logged := mustFit(t, &Spec{Numeric: []string{"x"}, Log1p: []string{"x"}, Scale: None, Missing: Fail}, one(1, 2))
	for _, bad := range []float32{3e38, -3e38, float32(math.NaN()), float32(math.Inf(1))} {
		x := make([]float32, 16)
		x[9] = bad
		if tr.ApplyBlocks(x) {
			t.Errorf("%v was taken", bad)
		}
	}
	for _, bad := range []float32{-1, -2, float32(math.NaN())} {
		x := make([]float32, 16)
		x[9] = bad
		if logged.ApplyBlocks(x) {
			t.Errorf("the logarithm of 1%+v was taken", bad)
		}
	}
}

func TestOnlyScaledColumnsAreMadePointsInPlace(t *testing.T) {
	withText := &Batch{Rows: 2, Numeric: [][]float64{{1, 2}}, Text: []TextColumn{{At: func(i int) []byte { return []byte{'a' + byte(i)} }}}}
	missing := &Batch{Rows: 2, Numeric: [][]float64{{1, nan}}}
	for name, tr := range map[string]*Transform{
		"categorical": mustFit(t, &Spec{Numeric: []string{"x"}, Categorical: []string{"c"}, Scale: Standard, Missing: Fail}, withText),
		"indicator":   mustFit(t, &Spec{Numeric: []string{"x"}, Scale: Standard, Missing: Indicator}, missing),
	} {
		if tr.InPlace() {
			t.Errorf("%s: its Points are more than scaled columns", name)
		}
	}
}
