package sim

import (
	"fmt"
	"slices"
	"strings"
)

// Tally adds up runs.
type Tally struct {
	// Kinds are those that the runs were to have; nil: all.
	Kinds                                                    []Kind
	Runs, Events, Faults, Resumed, Starts, Caught, Unwritten int
	Cells                                                    map[Cell]int
	workers, partitions, faults                              []int
}

// Add counts a run.
func (t *Tally) Add(r *Report) {
	if t.Cells == nil {
		t.Cells = make(map[Cell]int)
	}
	t.Runs++
	t.Events += r.Events
	t.Faults += r.Faults
	t.Resumed += r.Resumed
	t.Starts += r.Starts
	t.Caught += r.Caught
	t.Unwritten += r.Unwritten
	t.workers = append(t.workers, r.Script.Workers)
	t.partitions = append(t.partitions, r.Script.Partitions)
	t.faults = append(t.faults, r.Faults)
	for cell, n := range r.Injected {
		t.Cells[cell] += n
	}
}

// Medians are those of the runs' workers, partitions and faults that fell.
func (t *Tally) Medians() (workers, partitions, faults int) {
	middle := func(list []int) int {
		if len(list) == 0 {
			return 0
		}
		sorted := slices.Sorted(slices.Values(list))
		return sorted[len(sorted)/2]
	}
	return middle(t.workers), middle(t.partitions), middle(t.faults)
}

// Table is how often each fault fell in each phase, in Markdown. A dash is a cell that cannot be visited.
func (t *Tally) Table() string {
	var b strings.Builder
	b.WriteString("| fault |")
	for _, p := range Phases() {
		fmt.Fprintf(&b, " %s |", p)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(Phases())) + "\n")
	for _, k := range t.kinds() {
		fmt.Fprintf(&b, "| %s |", k)
		for _, p := range Phases() {
			if why := Impossible(k, p); why != "" {
				b.WriteString(" – |")
				continue
			}
			fmt.Fprintf(&b, " %d |", t.Cells[Cell{k, p}])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// kinds are those that the table has rows for.
func (t *Tally) kinds() (list []Kind) {
	for _, f := range faults {
		if t.Kinds == nil || slices.Contains(t.Kinds, f.Kind) {
			list = append(list, f.Kind)
		}
	}
	return list
}

// Impossible says why a fault cannot fall in a phase; empty: it can, and runs are to show it.
func Impossible(k Kind, p Phase) string {
	switch {
	case (k == CancelAndResume || k == NobodyComes) && p == PhaseResult:
		return "the job is over: there is nothing to cancel or to wait for"
	case k == WrongSums && (p == PhaseLabel || p == PhaseCommit || p == PhaseResult):
		return "the last pass is over: no sums are to come"
	}
	return ""
}

// Missing lists the cells that can be visited and were not, in the order of the table.
func (t *Tally) Missing() []Cell {
	var list []Cell
	for _, k := range t.kinds() {
		for _, p := range Phases() {
			if c := (Cell{k, p}); Impossible(k, p) == "" && t.Cells[c] == 0 {
				list = append(list, c)
			}
		}
	}
	return list
}
