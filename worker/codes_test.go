package worker

import (
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// codedEngine is a spillingEngine whose rows came while memory was short.
func codedEngine(t *testing.T, threads int, hot int64) *Engine {
	t.Helper()
	e, _, _ := spillingEngine(t, threads, hot)
	held := e.held
	e.held, e.memory.hot = make(map[int]*holding), 0
	d := capacity.Division{Hot: hot, Spilled: max(1, 3*48_000-hot), Chunk: 40_000, Buffers: 3, Loads: 1, Codes: true}
	if err := e.settleOn(d, 0); err != nil {
		t.Fatal(err)
	}
	for id := range 3 {
		if err := e.enter(held[id]); err != nil {
			t.Fatal(err)
		}
		if held[id].coded == nil {
			t.Fatal("rows of few distinct values were not encoded")
		}
	}
	return e
}

func TestRoundsOfRunsOverCodesAreThoseOverNumbers(t *testing.T) {
	for _, name := range kmeans.Algorithms() {
		algorithm := kmeans.Algorithm(name)
		e, _ := holdingEngine(t, 1)
		want := drive(t, e, algorithm, []int{0, 1, 2, 3}, func(s []*wire.Task) []*wire.Partial { return doTogether(t, e, s).Strands })
		for _, hot := range []int64{60_000, 40_000, 0} {
			for _, threads := range []int{1, 3} {
				e := codedEngine(t, threads, hot)
				got := drive(t, e, algorithm, []int{0, 1, 2, 3}, func(s []*wire.Task) []*wire.Partial { return doTogether(t, e, s).Strands })
				for n := range starts() {
					if !slices.Equal(got[n], want[n]) {
						t.Errorf("%s, %d bytes in memory, %d threads, run %d: got %v, want %v", name, hot, threads, n, got[n], want[n])
					}
				}
				cold := 0
				for _, h := range e.held {
					if h.spilled() {
						cold++
					}
				}
				if want := map[int64]int{60_000: 0, 40_000: 1, 0: 3}[hot]; cold != want {
					t.Errorf("%d bytes in memory: %d partitions are on the disk, not %d", hot, cold, want)
				}
			}
		}
	}
}

func TestLabelsOfCodesAreThoseOfNumbers(t *testing.T) {
	points := func(e *Engine, id int) (rows [][]float32) {
		err := e.eachChunk(t.Context(), e.held[id], func(p *kmeans.Points, at int) {
			if at != len(rows) {
				t.Errorf("a view begins at row %d, not %d", at, len(rows))
			}
			for i := range p.Rows() {
				rows = append(rows, p.At(i, make([]float32, p.Columns())))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	plain, _ := holdingEngine(t, 1)
	for _, hot := range []int64{60_000, 0} {
		e := codedEngine(t, 1, hot)
		for id := range 3 {
			if !slices.EqualFunc(points(e, id), points(plain, id), slices.Equal) {
				t.Errorf("%d bytes in memory: the rows of partition %d are others", hot, id)
			}
		}
	}
}

func TestMemoryForCodesIsCounted(t *testing.T) {
	e := codedEngine(t, 1, 60_000)
	total := int64(0)
	for _, h := range e.held {
		if bytes := h.hotBytes(); bytes < 12_000 || bytes > 20_000 {
			t.Errorf("6000 rows of two codes take %d bytes", bytes)
		}
		total += h.hotBytes()
	}
	if e.memory.hot != total || e.memory.plain != 0 {
		t.Errorf("%d bytes are counted, %d of them as numbers, want %d and none", e.memory.hot, e.memory.plain, total)
	}
	if err := e.evict(0); err != nil {
		t.Fatal(err)
	}
	for id := range 3 {
		if h := e.held[id]; !h.spilled() || h.hotBytes() != 0 {
			t.Errorf("partition %d is in memory, or takes %d bytes there", id, h.hotBytes())
		}
	}
	if e.memory.hot != 0 || e.memory.plain != 0 {
		t.Errorf("on the disk: %d bytes are counted, %d of them as numbers", e.memory.hot, e.memory.plain)
	}
}

// Where little is missing most rows stay as they are, since passes over codes of two bytes take longer; the first partition shows what
// codes spare.
func TestNumbersStayWhereCodesOfTheOthersFindRoom(t *testing.T) {
	for _, c := range []struct {
		hot   int64
		coded []bool
		codes bool
	}{
		{120_000, []bool{true, false, false}, true}, {90_000, []bool{true, false, true}, true}, {60_000, []bool{true, true, true}, true},
		{120_000, []bool{false, false, false}, false}, {1 << 20, []bool{false, false, false}, true},
	} {
		e, _, _ := spillingEngine(t, 1, c.hot)
		held := e.held
		e.held, e.memory.hot = make(map[int]*holding), 0
		d := capacity.Division{Hot: c.hot, Spilled: max(0, 3*48_000-c.hot), Chunk: 40_000, Buffers: 3, Loads: 1, Codes: c.codes}
		if err := e.settleOn(d, 0); err != nil {
			t.Fatal(err)
		}
		for id := range 3 {
			if err := e.enter(held[id]); err != nil {
				t.Fatal(err)
			}
			if got := held[id].coded != nil; got != c.coded[id] {
				t.Errorf("%d bytes, room for codes: %v: partition %d is held as codes: %v", c.hot, c.codes, id, got)
			}
		}
		if e.memory.hot > c.hot {
			t.Errorf("%d bytes in memory where %d are allowed", e.memory.hot, c.hot)
		}
	}
}
