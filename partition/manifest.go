package partition

import (
	"errors"
	"fmt"
)

// MaxRows is the largest number of rows in a Partition: exact int64 sums depend on it.
const MaxRows = 1 << 23

// A Partition aims at targetValues values, between minTarget and maxTarget rows: enough that the cost of a task
// vanishes, few enough that a lost one is soon done again.
const (
	targetValues = 1 << 21
	minTarget    = 1 << 14
	maxTarget    = 1 << 18
)

// MaxPartitions bounds a Manifest: a million million rows of a few columns. It takes 24 bytes a partition wherever the
// job is known.
const MaxPartitions = 1 << 22

// ErrTooManyRows is data whose partitions would be more than MaxPartitions.
var ErrTooManyRows = errors.New("more rows than can be divided among workers")

// Partition is a range of rows.
type Partition struct {
	ID    int
	First int64 // global number of the first row
	Rows  int64
}

// Manifest is the partitions of a data set: contiguous, ascending, covering every row once.
type Manifest struct {
	Rows       int64
	Partitions []Partition
}

// Cut divides rows [0,rows) of so many columns into partitions. cuts are the row numbers where reading can start
// cheaply, ascending (row groups, indexed places in a file); boundaries fall on them where that leaves partitions of
// half to four times the rows aimed at, and inside them otherwise.
func Cut(rows int64, columns int, cuts []int64) (*Manifest, error) {
	if rows < 0 || columns < 1 {
		return nil, fmt.Errorf("partition: %d rows of %d columns", rows, columns)
	}
	target := min(max(int64(targetValues/columns), minTarget), maxTarget)
	if rows/target > MaxPartitions/2 { // a cut may leave half of what is aimed at
		return nil, fmt.Errorf("%w: %d, at most about %d", ErrTooManyRows, rows, target*MaxPartitions/2)
	}
	m := &Manifest{Rows: rows}
	begin := int64(0)
	for begin < rows {
		end := cutAfter(begin, rows, target, cuts)
		m.Partitions = append(m.Partitions, Partition{ID: len(m.Partitions), First: begin, Rows: end - begin})
		begin = end
	}
	return m, nil
}

// cutAfter is the end of the partition that begins at begin.
func cutAfter(begin, rows, target int64, cuts []int64) int64 {
	if rows-begin <= target+target/2 {
		return rows
	}
	best := int64(-1)
	offer := func(c int64) bool {
		if c-begin > 4*target || c > rows {
			return false
		}
		if best < 0 || abs(c-begin-target) < abs(best-begin-target) {
			best = c
		}
		return true
	}
	for _, c := range after(cuts, begin) {
		if !offer(c) {
			break
		}
	}
	if len(cuts) > 1 {
		offer(rows)
	}
	if best-begin >= target/2 {
		return best
	}
	return begin + target
}

// after is the part of the ascending cuts above begin.
func after(cuts []int64, begin int64) []int64 {
	lo, hi := 0, len(cuts)
	for lo < hi {
		if mid := (lo + hi) / 2; cuts[mid] <= begin {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return cuts[lo:]
}

func abs(x int64) int64 { return max(x, -x) }

// Validate checks that the partitions cover every row once and keep MaxRows.
func (m *Manifest) Validate() error {
	next := int64(0)
	for i, p := range m.Partitions {
		if p.ID != i || p.First != next || p.Rows < 1 || p.Rows > MaxRows {
			return fmt.Errorf("partition %d: rows %d+%d do not follow row %d", i, p.First, p.Rows, next)
		}
		next += p.Rows
	}
	if next != m.Rows {
		return fmt.Errorf("partitions cover %d of %d rows", next, m.Rows)
	}
	return nil
}
