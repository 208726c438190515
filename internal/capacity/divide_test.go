package capacity

import (
	"math"
	"testing"

	"github.com/coterie-project/coterie/kmeans"
)

func TestMemoryIsDividedByBytes(t *testing.T) {
	h := Holding{Rows: 10 << 20, Largest: 1 << 18, Point: 32, State: 8, Threads: 2, K: 8, D: 8}
	whole := Divide(math.MaxInt64, h).Least
	for _, limit := range []int64{0, whole, math.MaxInt64} {
		if d := Divide(limit, h); d.Spilled != 0 || !d.Fits() || d.Hot < h.Rows*h.Point {
			t.Errorf("%d bytes: got %+v, want all in memory", limit, d)
		}
	}
	least := Divide(1, h).Least
	last := int64(-1)
	for limit := least; limit < whole; limit += (whole - least) / 50 {
		d := Divide(limit, h)
		if !d.Fits() || d.Hot < 0 || d.Hot+d.Spilled != h.Rows*h.Point || d.Spilled == 0 || d.Fixed+d.State+d.Working+d.Hot > limit || d.Loads < 1 || d.Loads > 2 {
			t.Errorf("%d bytes: got %+v", limit, d)
		}
		if int64(d.Chunk) < chunkRows*h.Point || d.Chunk > largeChunk || d.Buffers < 1 {
			t.Errorf("%d bytes: got %d chunks of %d bytes", limit, d.Buffers, d.Chunk)
		}
		if d.Loads == 1 && d.Hot < last { // with one partition on its way more memory is never less of it
			t.Errorf("%d bytes: got %d bytes of Points in memory, fewer than with a smaller limit", limit, d.Hot)
		}
		if last = d.Hot; d.Loads > 1 {
			last = -1
		}
	}
	if d := Divide(least-1, h); d.Fits() || d.Least != least {
		t.Errorf("a byte less than will do: got %+v", d)
	}
	wide := Divide(1<<30, Holding{Rows: 1 << 20, Largest: 1 << 14, Point: 4 * 65536, State: 8, Threads: 1, K: 1, D: 65536})
	if wide.Chunk < chunkRows*4*65536 {
		t.Errorf("wide rows: got chunks of %d bytes, which have no room for %d rows", wide.Chunk, chunkRows)
	}
}

func TestRoomForCodesIsTakenWhereThereIsSome(t *testing.T) {
	h := Holding{Rows: 4 << 20, Largest: 1 << 16, Point: 32, State: 8, Threads: 8, K: 8, D: 8}
	least := Divide(1, h).Least
	codes := int64(8 * kmeans.WidenRoom(8))
	for limit, want := range map[int64]bool{least: false, least + codes - 1: false, least + codes: true, least + 10*codes: true} {
		d := Divide(limit, h)
		if d.Codes != want || !d.Fits() || d.Least != least || d.Fixed+d.State+d.Working+d.Hot > limit {
			t.Errorf("%d bytes, %d more than the least: got %+v, want room for codes: %v", limit, limit-least, d, want)
		}
	}
	h.Coded = true
	if d := Divide(least+codes-1, h); d.Fits() || d.Least != least+codes {
		t.Errorf("codes that are there: got %+v, want %d to be the least", d, least+codes)
	}
	// Rows that would all find room as codes find it beside the buffers, too, of what lies on the disk.
	h = Holding{Rows: 1 << 20, Largest: 1 << 18, Point: 8, State: 8, Threads: 2, K: 8, D: 8}
	whole := Divide(1<<30, h)
	h.Short, h.Coded = true, true
	if d := Divide(1<<30, h); d.Spilled != 0 || !d.Fits() || d.Fixed <= whole.Fixed || d.Buffers == 0 {
		t.Errorf("some rows are on the disk: got %+v, want no less reserved than %+v", d, whole)
	}
}

func TestReadingObjectsIsCounted(t *testing.T) {
	for _, bytes := range []int64{1, 6, 7, 8, 1 << 20, 7*objectBytes - 1, 7 * objectBytes, 7*objectBytes + 1, 1 << 40} {
		limit := withObjects(bytes)
		if limit-ObjectBytes(limit) < bytes || limit > 1 && limit-1-ObjectBytes(limit-1) >= bytes {
			t.Errorf("%d bytes beside objects: got a limit of %d, which leaves %d, or one less would do", bytes, limit, limit-ObjectBytes(limit))
		}
	}
	h := Holding{Rows: 10e6, Largest: 1e6, Point: 40, State: 9, Threads: 2, K: 8, D: 8}
	plain := Divide(1<<40, h)
	h.Objects = true
	if d := Divide(1<<30, h); d.Spilled > 0 || d.Fixed != plain.Fixed+1<<30/objectShare {
		t.Errorf("got %d bytes whatever is held, want an eighth of the limit more than %d", d.Fixed, plain.Fixed)
	}
	for _, limit := range []int64{1, 1 << 28, 1 << 30} {
		least := Divide(limit, h).Least
		if d := Divide(least, h); !d.Fits() {
			t.Errorf("limit %d: %d were said to do, and do not: least %d", limit, least, d.Least)
		}
	}
	if all := Divide(0, h); all.Fixed != plain.Fixed+objectBytes {
		t.Errorf("without a limit: got %d bytes whatever is held", all.Fixed)
	}
}
