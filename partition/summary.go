package partition

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Summary is a plan in numbers, for people and for --json.
type Summary struct {
	Partitions int       `json:"partitions"`
	Rows       int64     `json:"rows"`
	Bytes      int64     `json:"bytes"`   // that the partitions take; 0: not known
	Workers    []Holding `json:"workers"` // by name; then who holds something and is no worker any more, and nobody
}

// Holding is what one worker has.
type Holding struct {
	Worker     string  `json:"worker"` // "": nobody
	Weight     int     `json:"weight"` // 0: not one of the workers
	Partitions int     `json:"partitions"`
	Runs       []Run   `json:"runs"` // of partitions, ascending; not null
	Rows       int64   `json:"rows"`
	Bytes      int64   `json:"bytes"`
	Memory     int64   `json:"memory"` // bytes; 0: not limited
	Share      float64 `json:"share"`  // of all rows, 0 to 1
}

// Run is neighbouring partitions, from First to Last.
type Run struct {
	First int `json:"first"`
	Last  int `json:"last"`
}

// Summary sums the plan up. The arguments are those it was made with; workers without partitions are listed
// too.
func (p *Plan) Summary(m *Manifest, workers []Worker, rowBytes int64) Summary {
	rowBytes = max(rowBytes, 0)
	held := p.ByOwner()
	s := Summary{Partitions: len(m.Partitions), Rows: m.Rows, Bytes: times(m.Rows, rowBytes), Workers: []Holding{}}
	workers = slices.Clone(workers)
	slices.SortFunc(workers, func(a, b Worker) int { return compareNames(a.Name, b.Name) })
	for _, w := range workers {
		h := holding(m, held[w.Name], rowBytes)
		h.Worker, h.Weight, h.Memory = w.Name, max(w.Weight, 1), max(w.Memory, 0)
		s.Workers = append(s.Workers, h)
		delete(held, w.Name)
	}
	var gone []string
	for name := range held {
		gone = append(gone, name)
	}
	slices.SortFunc(gone, func(a, b string) int { return compareNames(b, a) }) // nobody last
	for _, name := range gone {
		h := holding(m, held[name], rowBytes)
		h.Worker = name
		s.Workers = append(s.Workers, h)
	}
	return s
}

func holding(m *Manifest, ids []int, rowBytes int64) Holding {
	h := Holding{Partitions: len(ids), Runs: []Run{}}
	for _, id := range ids {
		h.Rows += m.Partitions[id].Rows
		if n := len(h.Runs); n > 0 && h.Runs[n-1].Last == id-1 {
			h.Runs[n-1].Last = id
		} else {
			h.Runs = append(h.Runs, Run{id, id})
		}
	}
	h.Bytes = times(h.Rows, rowBytes)
	if m.Rows > 0 {
		h.Share = float64(h.Rows) / float64(m.Rows)
	}
	return h
}

// shownRuns is how many runs of a worker's partitions a line of the table has room for.
const shownRuns = 6

// Write writes the plan as a table: worker, weight, partitions, rows, bytes, memory, share, and which partitions (of
// many runs the first). The error is the Writer's.
func (p *Plan) Write(w io.Writer, m *Manifest, workers []Worker, rowBytes int64) error {
	s := p.Summary(m, workers, rowBytes)
	lines := [][]string{{"worker", "weight", "partitions", "rows", "bytes", "memory", "share", "which"}}
	for _, h := range s.Workers {
		lines = append(lines, h.cells())
	}
	all := Holding{Worker: "all", Partitions: s.Partitions, Rows: s.Rows, Bytes: s.Bytes, Share: 1}
	cells := all.cells()
	cells[1], cells[5] = "", ""
	_, err := io.WriteString(w, layout(append(lines, cells)))
	return err
}

// cells are the holding's line of the table.
func (h *Holding) cells() []string {
	name, weight, memory := strings.Map(visible, h.Worker), strconv.Itoa(h.Weight), "no limit"
	if name == "" {
		name = "(nobody)"
	}
	if h.Weight == 0 {
		weight, memory = "gone", ""
	}
	if h.Memory > 0 {
		memory = inBytes(h.Memory)
	}
	return []string{name, weight, grouped(int64(h.Partitions)), grouped(h.Rows), inBytes(h.Bytes), memory,
		fmt.Sprintf("%.1f %%", 100*h.Share), which(h.Runs)}
}

// visible keeps names that came over the network from steering a terminal.
func visible(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}

// grouped renders a count with its thousands apart: 1,234,567.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// which abbreviates runs: 0–18, 21.
func which(runs []Run) string {
	var parts []string
	for i, r := range runs {
		switch {
		case i == shownRuns:
			more := "runs"
			if i == len(runs)-1 {
				more = "run"
			}
			return strings.Join(parts, ", ") + fmt.Sprintf(" and %d more %s", len(runs)-i, more)
		case r.First == r.Last:
			parts = append(parts, strconv.Itoa(r.First))
		default:
			parts = append(parts, fmt.Sprintf("%d–%d", r.First, r.Last))
		}
	}
	return strings.Join(parts, ", ")
}

// layout aligns the cells: the first and the last column to the left, numbers to the right.
func layout(lines [][]string) string {
	widths := make([]int, len(lines[0]))
	for _, cells := range lines {
		for i, c := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	for _, cells := range lines {
		line := ""
		for i, c := range cells {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			if i == 0 || i == len(cells)-1 {
				line += c + pad + "  "
			} else {
				line += pad + c + "  "
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
