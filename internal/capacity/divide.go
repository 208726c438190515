package capacity

import (
	"math"

	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/kmeans"
)

// Holding is what a worker is to hold.
type Holding struct {
	Rows    int64 // of all its partitions together
	Largest int64 // rows of the largest partition
	Point   int64 // bytes of a row that may be spilled: its Point, weight and number
	State   int64 // bytes of a row that stay in memory: labels and bounds, ids that wait to be compared
	Objects bool  // rows are read from an object store: what is fetched ahead takes memory
	Labels  bool  // rows are labelled in the end: some partitions' ids and labels wait to be written
	Threads int
	K, D    int
	Shares  int  // workers of one process, which share what the process takes whatever it holds; 0: one
	Short   bool // some rows are spilled already, or held as codes: what that takes stays reserved
	Coded   bool // some are held as codes
}

// Division is how a worker divides its memory. Sizes are bytes.
type Division struct {
	Limit   int64 // 0: none
	Fixed   int64 // whatever is held: the runtime, decoding, sums, buffers of the spill file
	State   int64 // of all rows
	Working int64 // partitions on their way into memory and out of it
	Hot     int64 // Points that stay in memory, at most
	Spilled int64 // Points that do not
	Least   int64 // the smallest limit that would do
	Chunk   int   // what is read from the spill file at a time
	Buffers int   // for so many chunks
	Loads   int   // partitions that are made at one time
	Codes   bool  // there is room to hold rows as codes
}

const (
	// smallChunk and largeChunk bound what is read at a time: a disk gives its best from about the former on, and what many
	// threads have in hand of the latter is still little beside the limits that it is chosen for.
	smallChunk, largeChunk = 1 << 20, 4 << 20
	// chunkShare is which part of the limit a chunk may be.
	chunkShare = 256
	// chunkRows are the fewest rows of a chunk: kmeans.ChunkRows.
	chunkRows = 256
	// spareBytes is what a row of a chunk may take beyond what is known before it is there.
	spareBytes = 16
	// labelBytes is what a row takes that is labelled and waits to be written: id, segment, distance and, in the table that is
	// being written, the same again.
	labelBytes = 32
	// labelWindow is for how many partitions a thread that may be so.
	labelWindow = 2
	// loadBytes is what a row takes beside its Point while a partition is read.
	loadBytes = 16
)

// Of a process that reads objects, so much is for what is fetched ahead and for what is kept to be read once more.
const (
	objectShare = 8         // which part of the limit, at most
	objectBytes = 512 << 20 // at most: with it a line of 10 Gbit/s is full, and a text of 256 MiB is fetched once
)

// ObjectBytes is how many bytes reading objects takes at most of a process that keeps to a limit; 0: there is none.
func ObjectBytes(limit int64) int64 {
	if limit <= 0 {
		return objectBytes
	}
	return min(limit/objectShare, objectBytes)
}

// withObjects is the smallest limit that leaves so many bytes beside ObjectBytes.
func withObjects(bytes int64) int64 {
	return min(bytes+max(bytes-1, 0)/(objectShare-1), bytes+objectBytes)
}

// Divide says what becomes of a limit: everything stays in memory, or part of the Points is spilled. The engine and plan both
// go by it.
func Divide(limit int64, h Holding) Division {
	d := Division{Limit: limit, State: h.Rows * h.State, Loads: max(h.Threads, 1)}
	d.Fixed = WorkerBytes(0, 0, h.Threads, h.K, h.D) - WorkerOverhead + WorkerOverhead/int64(max(h.Shares, 1))
	if h.Labels {
		d.Fixed += int64(labelWindow*h.Threads) * h.Largest * labelBytes
	}
	least := func(bytes int64) int64 { return bytes }
	if h.Objects {
		ahead := ObjectBytes(limit)
		d.Fixed += ahead
		least = func(bytes int64) int64 { return withObjects(bytes - ahead) }
	}
	all := h.Rows * h.Point
	if limit <= 0 || !h.Short && d.Fixed+d.State+all <= limit {
		d.Hot, d.Least = math.MaxInt64, least(d.Fixed+d.State+all)
		if limit > 0 {
			d.Hot = limit - d.Fixed - d.State
		}
		return d
	}
	d.Chunk = int(max(min(max(limit/chunkShare, smallChunk), largeChunk), chunkRows*(h.Point+spareBytes)))
	d.Buffers = spill.Readers + h.Threads + 1
	d.Fixed += int64(d.Buffers+h.Threads) * spill.BufferBytes(d.Chunk) // each thread has one of its own beside those of a pass
	partition := h.Largest * (h.Point + loadBytes)
	codes := int64(h.Threads * kmeans.WidenRoom(max(h.D, 1)))
	if h.Coded { // then there is no doing without
		d.Fixed, d.Codes = d.Fixed+codes, true
	}
	d.Least = least(d.Fixed + d.State + partition)
	if !d.Codes && d.Fixed+d.State+partition+codes <= limit {
		d.Fixed, d.Codes = d.Fixed+codes, true
	}
	room := limit - d.Fixed - d.State
	d.Loads = int(max(1, min(int64(d.Loads), room/2/max(partition, 1))))
	d.Working = int64(d.Loads) * partition
	d.Hot = min(max(room-d.Working, 0), all)
	d.Spilled = all - d.Hot
	return d
}

// Fits says whether the limit is large enough.
func (d *Division) Fits() bool { return d.Limit <= 0 || d.Least <= d.Limit || d.Spilled == 0 }
