package worker

import (
	"maps"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// repeating are two partitions whose rows are of a few kinds, folded or not.
func repeating(t *testing.T, folded bool) *Engine {
	t.Helper()
	e, _ := holdingEngine(t, 3)
	for id, rows := range []int{5000, 4321} {
		values := make([]float32, 0, 2*rows)
		for i := range rows {
			kind := i * 7919 % (60 + id)
			values = append(values, float32(kind*37%101), float32(kind*kind%53))
		}
		p, err := kmeans.PointsFromRows(values, rows, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := &holding{id: id, points: p}
		if folded {
			if h.folded = p.Fold(64); h.folded == nil {
				t.Fatal("rows of few kinds were not folded")
			}
		}
		e.held[id] = h
	}
	return e
}

func TestFoldedPartitionsAnswerAsAllTheirRowsDo(t *testing.T) {
	for _, name := range kmeans.Algorithms() {
		algorithm := kmeans.Algorithm(name)
		told := make([]map[int][]string, 2)
		for i, folded := range []bool{false, true} {
			e := repeating(t, folded)
			told[i] = drive(t, e, algorithm, []int{0, 1, 2, 3}, func(s []*wire.Task) []*wire.Partial { return doTogether(t, e, s).Strands })
		}
		if !maps.EqualFunc(told[0], told[1], slices.Equal) {
			t.Errorf("%s: folded partitions tell %v, want %v", name, told[1], told[0])
		}
	}
}
