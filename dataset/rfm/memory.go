package rfm

import (
	"math"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/spill"
)

// What a run takes beside its customers.
const (
	processBytes = 48 << 20 // the program, its file's footer, and two row groups of the table that is written
	threadBytes  = 24 << 20 // the pages of five columns and a reader's other buffers, later those of a merge
	leastBudget  = 16 << 20 // below it runs become too many and too short
)

// LeastMemory is the least Options.Memory for a number of threads.
func LeastMemory(threads int) int64 {
	return processBytes + int64(threads)*threadBytes + leastBudget/3*4
}

// CheckMemory refuses Options.Memory that is too little for a number of threads, as a fault.Usage error that says how
// much would do.
func CheckMemory(bytes int64, threads int) error {
	least := LeastMemory(threads)
	if bytes == 0 || bytes >= least {
		return nil
	}
	return fault.Usagef("--memory %d MiB: with %d threads it must be %d MiB or more", bytes>>20, threads, (least+1<<20-1)>>20).
		Do("give more memory or fewer --threads")
}

// settleMemory shares out the memory. A quarter of what is left to customers is for the garbage collector: what it has
// not collected yet, and the copies of what grows.
func (p *plan) settleMemory(o *Options) (err error) {
	if p.folder, p.noFolder, err = spill.Folder(o.Spill); err != nil {
		return err
	}
	switch err := CheckMemory(o.Memory, p.threads); {
	case err != nil:
		return err
	case o.budget > 0:
		p.budget = o.budget
	case o.Memory == 0:
		p.budget = math.MaxInt64 / 4
	default:
		p.budget = (o.Memory - processBytes - int64(p.threads)*threadBytes) / 4 * 3
	}
	return nil
}
