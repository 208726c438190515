package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// grid is a table for people. One of its columns gives way where the terminal is narrow.
type grid struct {
	head  []string
	right []bool // by column: numbers stand right
	gives int    // the column that is cut first
	rows  [][]string
	notes map[int]string // by row: a line under it
}

// Widths of a grid in terminal cells.
const (
	gridGap   = 2
	gridLeast = 8 // of the column that gives way: below, it would say nothing
)

// cells measures text in terminal cells whatever the locale of the process.
var cells = &runewidth.Condition{EastAsianWidth: false, StrictEmojiNeutral: true}

// newGrid makes an empty table, of whose columns the one numbered gives is cut first; a head that begins with > is of a
// column of numbers.
func newGrid(gives int, head ...string) *grid {
	g := &grid{gives: gives, notes: make(map[int]string)}
	for _, h := range head {
		text, right := strings.CutPrefix(h, ">")
		g.head, g.right = append(g.head, text), append(g.right, right)
	}
	return g
}

// add adds a line. What the cells say came over the network: it cannot steer the terminal.
func (g *grid) add(row ...string) {
	for i := range row {
		row[i] = visible(row[i])
	}
	g.rows = append(g.rows, row)
}

// note adds a line under the last one.
func (g *grid) note(text string) { g.notes[len(g.rows)-1] = visible(text) }

// write writes the table; no line is wider than width cells, where 0 means that there is no limit.
func (g *grid) write(w io.Writer, width int) {
	widths, total := g.widths()
	if width > 0 && total > width {
		less := min(total-width, max(widths[g.gives]-gridLeast, 0))
		widths[g.gives] -= less
		total = width
	}
	g.line(w, g.head, widths, width)
	fmt.Fprintln(w, strings.Repeat("─", total))
	for i, row := range g.rows {
		g.line(w, row, widths, width)
		if note, ok := g.notes[i]; ok {
			fmt.Fprintln(w, shortened("  "+note, width))
		}
	}
}

// widths are those of the columns, and of the table with the gaps between them, in cells.
func (g *grid) widths() (widths []int, total int) {
	widths, total = make([]int, len(g.head)), -gridGap
	for c := range widths {
		widths[c] = cells.StringWidth(g.head[c])
		for _, row := range g.rows {
			widths[c] = max(widths[c], cells.StringWidth(row[c]))
		}
		total += widths[c] + gridGap
	}
	return widths, total
}

// width is that of the table where nothing is cut.
func (g *grid) width() int {
	_, total := g.widths()
	return total
}

func (g *grid) line(w io.Writer, row []string, widths []int, width int) {
	var b strings.Builder
	for c, cell := range row {
		cell = shortened(cell, widths[c])
		pad := strings.Repeat(" ", widths[c]-cells.StringWidth(cell))
		if g.right[c] {
			cell = pad + cell
		} else {
			cell += pad
		}
		b.WriteString(cell + strings.Repeat(" ", gridGap))
	}
	fmt.Fprintln(w, shortened(strings.TrimRight(b.String(), " "), width))
}

// shortened is text in at most width cells, ending in … where something was cut; 0 means that there is no limit.
func shortened(text string, width int) string {
	if width <= 0 {
		return text
	}
	return cells.Truncate(text, width, "…")
}

// steers says whether a character steers the terminal or the direction of writing.
func steers(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// flattened is a message that quotes values of the data: it stays one line, and cannot steer the terminal.
func flattened(text string) string {
	return strings.Map(func(r rune) rune {
		if steers(r) {
			return ' '
		}
		return r
	}, text)
}

// harmless is a text of several lines that quotes names from files: nothing in it steers the terminal.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && steers(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// visible keeps text from steering the terminal that it is shown on.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// width is that of the terminal on standard output in cells; 0 if it is none, and then nothing is cut: a program or a
// file wants the whole.
func (app *App) width() int {
	file, ok := app.Stdout.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return max(width, 0)
}

// ago says how long something is past, by the clocks of two machines.
func ago(then, now time.Time) string {
	switch d := now.Sub(then); {
	case d < time.Second:
		return "just now"
	case d < 10*time.Second:
		return fmt.Sprintf("%d s ago", d/time.Second)
	default:
		return lasting(d) + " ago"
	}
}

// lasting renders a time span with one unit: 0.4 s, 12 s, 3 min, 5 h, 12 d.
func lasting(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return "less than 0.1 s"
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	default:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	}
}

// counted is a number with its noun: 1 worker, 3 workers.
func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}
