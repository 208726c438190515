package pipeline

import (
	"cmp"
	"math"
	"os"
	"runtime/debug"
	"slices"

	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
	"github.com/coterie-project/coterie/worker"
)

// limits are what an embedded cluster keeps to.
type limits struct {
	memory      int64  // bytes of the process; 0: not limited
	folder, why string // to spill to; empty, and why there is none
}

// limits finds out what is not said. Without a limit that is given, and without a disk, memory is not limited: there is nothing
// that could give way.
func (e *Engine) limits() (limits, error) {
	folder, why, err := spill.Folder(e.Spill)
	l := limits{memory: e.Memory, folder: folder, why: why}
	if l.memory == 0 && folder != "" {
		l.memory = spill.Limit()
		if limit := debug.SetMemoryLimit(-1); os.Getenv("GOMEMLIMIT") != "" && limit < l.memory {
			l.memory = limit
		}
	}
	return l, err
}

// KeepTo has the runtime collect garbage before the process takes more memory than so many bytes, unless the environment says
// how much it may take. What the runtime does not count, such as the program itself, is left out of it. The function that it
// gives takes that back. 0 bytes are no limit.
func KeepTo(bytes int64) func() {
	if bytes <= 0 || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	before := debug.SetMemoryLimit(bytes - min(bytes/uncountedShare, mostUncounted))
	return func() { debug.SetMemoryLimit(before) }
}

const (
	// uncountedShare is which part of a limit is left to what the runtime does not count, at most mostUncounted bytes.
	uncountedShare = 8
	mostUncounted  = 32 << 20
)

// SpillSpeed is what plan takes a disk to read, in bytes a second: less than any disk of chips that people compute with gives
// in large pieces. Measuring would write to it.
const SpillSpeed = 500e6

// Modes of PlanMemory.
const (
	InMemory = "memory"
	Spilled  = "spilled"
)

// PlanMemory is how a worker would divide its memory. Sizes are bytes.
type PlanMemory struct {
	Mode    string  `json:"mode"`                   // InMemory or Spilled
	Limit   int64   `json:"limit"`                  // 0: none
	Hot     int64   `json:"points_in_memory"`       // of the rows' Points
	Spilled int64   `json:"points_spilled"`         // the others
	State   int64   `json:"labels_and_bounds"`      // always in memory
	Other   int64   `json:"other"`                  // buffers, partitions on their way, the runtime
	Least   int64   `json:"least_limit"`            // the smallest limit that would do
	Folder  string  `json:"spill_folder,omitempty"` // where to
	Free    int64   `json:"spill_free"`             // what there is room for there; −1: not known
	Speed   float64 `json:"assumed_spill_speed"`    // bytes a second
	Enough  bool    `json:"enough"`                 // the limit, and the room on the disk
}

// planDivision divides a worker's memory as its engine will.
func (r *PlanRequest) planDivision(limit int64, m *partition.Manifest, rows int64, width, k, threads int, in *wire.Input) capacity.Division {
	largest := int64(0)
	for _, p := range m.Partitions {
		largest = max(largest, p.Rows)
	}
	h := worker.HoldingOf(rows, largest, width, k, threads, in, kmeans.Auto, r.Labels)
	h.Objects = slices.ContainsFunc(r.Data.Files, object.Is)
	return capacity.Divide(limit, h)
}

func memoryOf(d capacity.Division, points int64) *PlanMemory {
	p := &PlanMemory{Mode: InMemory, Limit: d.Limit, Hot: min(d.Hot, points), Spilled: d.Spilled, State: d.State, Other: d.Fixed + d.Working,
		Least: d.Least, Free: -1, Enough: d.Fits()}
	if d.Spilled > 0 {
		p.Mode, p.Speed = Spilled, SpillSpeed
	}
	return p
}

// worse says whether p lacks more of its limit than o does or, where neither lacks any, spills more.
func (p *PlanMemory) worse(o *PlanMemory) bool {
	lacks := func(m *PlanMemory) int64 {
		if m.Enough {
			return 0
		}
		return m.Least - m.Limit
	}
	return cmp.Or(cmp.Compare(lacks(p), lacks(o)), cmp.Compare(p.Spilled, o.Spilled)) > 0
}

// divide says how a worker like this machine divides its memory. The error is about the folder.
func (p *PlanOutcome) divide(r *PlanRequest, m *partition.Manifest, rows int64, in *wire.Input) error {
	l, err := r.Engine.limits()
	if err != nil {
		return err
	}
	p.Memory = memoryOf(r.planDivision(l.memory, m, rows, p.Columns, p.K, p.Threads, in), rows*int64(4*p.Columns))
	if p.Memory.Spilled > 0 {
		p.Memory.Folder = l.folder
		if l.folder == "" {
			p.Memory.Enough = false
		} else if p.Memory.Free = spill.Free(l.folder); p.Memory.Free >= 0 && p.Memory.Free < p.Memory.Spilled {
			p.Memory.Enough = false
		}
	}
	p.slow()
	return nil
}

// slow adds to the expected times what the disk takes longer than the computing, and the writing.
func (p *PlanOutcome) slow() {
	if p.Memory == nil || p.Memory.Spilled == 0 {
		return
	}
	pass := float64(p.Memory.Spilled) / SpillSpeed
	e := &p.Expected
	e.Read += pass
	e.Seed = max(e.Seed, seedPasses*pass)
	e.Iterate = math.Max(e.Iterate, assumedIterations*pass)
	e.Total = e.Read + e.Seed + e.Iterate
}
