package segment

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// moved makes a Migration from a matrix.
func moved(matrix [][]int64, arrived, left []int64) *Migration {
	m := &Migration{Matrix: matrix, Arrived: arrived, Left: left, From: make([]Flow, len(left)), To: make([]Flow, len(arrived))}
	for i := range m.From {
		m.From[i] = Flow{Segment: i, ID: fmt.Sprintf("s%d", i+1), Name: fmt.Sprintf("Segment %d", i), Rows: left[i]}
		for _, n := range matrix[i] {
			m.From[i].Rows += n
		}
	}
	for j := range m.To {
		m.To[j] = Flow{Segment: j, ID: fmt.Sprintf("s%d", j+1), Name: fmt.Sprintf("Segment %d", j), Rows: arrived[j]}
		for i := range matrix {
			m.To[j].Rows += matrix[i][j]
		}
	}
	return m
}

// example is three segments of which one has split in two.
func example() *Migration {
	m := moved([][]int64{{700, 20, 5, 0}, {30, 500, 10, 0}, {1, 40, 300, 290}}, []int64{90, 60, 0, 10}, []int64{100, 0, 15})
	for i, name := range []string{"Lost", "Promising", "Champions"} {
		m.From[i].Name, m.To[i].Name = name, name
	}
	m.To[3].Name, m.To[3].ID = "Big spenders", "s7"
	m.MatchIDs()
	m.SetWorth([]float64{10, 50, 400}, []float64{12, 60, 390, 1000})
	m.SetFlows(3)
	return m
}

// wideMigration is k old and k new segments with flows between all of them.
func wideMigration(k int) *Migration {
	matrix := make([][]int64, k)
	for i := range matrix {
		matrix[i] = make([]int64, k)
		for j := range matrix[i] {
			matrix[i][j] = int64((7*i + 3*j) % 11)
		}
		matrix[i][i] = 1000 + int64(i)
	}
	arrived, left := make([]int64, k), make([]int64, k)
	for i := range k {
		arrived[i], left[i] = int64(i), int64(2*i)
	}
	m := moved(matrix, arrived, left)
	m.MatchCustomers()
	m.SetFlows(5)
	return m
}

func TestSegmentsAreMatchedSoThatTheFewestHaveMoved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, k := rapid.IntRange(1, 5).Draw(t, "old"), rapid.IntRange(1, 5).Draw(t, "new")
		matrix, cost := make([][]int64, n), make([][]float64, n)
		for i := range matrix {
			matrix[i], cost[i] = make([]int64, k), make([]float64, k)
			for j := range matrix[i] {
				matrix[i][j] = rapid.Int64Range(0, 9).Draw(t, "customers")
				cost[i][j] = -float64(matrix[i][j])
				if matrix[i][j] == 0 {
					cost[i][j] = 0
				}
			}
		}
		m := moved(matrix, make([]int64, k), make([]int64, n))
		m.MatchCustomers()
		_, least := bestByTrying(cost, 0, make([]bool, k))
		if want := m.Shared() + int64(least); m.Moved != want {
			t.Fatalf("match %v: %d have moved, want %d", m.Match, m.Moved, want)
		}
		for j, i := range m.Match {
			if i >= 0 && matrix[i][j] == 0 {
				t.Fatalf("new segment %d is matched with old segment %d without a common customer", j, i)
			}
		}
	})
}

func TestMatchingByIDsKeepsSegmentsWhateverTheCustomersDo(t *testing.T) {
	m := moved([][]int64{{1, 9}, {9, 1}}, []int64{0, 0}, []int64{0, 0})
	m.To[1].ID = "s9"
	m.MatchIDs()
	if want := []int{0, -1}; !slices.Equal(m.Match, want) || m.Moved != 19 || m.MatchedBy != MatchedByIDs {
		t.Errorf("got %v, %d moved, by %s; want %v, 19", m.Match, m.Moved, m.MatchedBy, want)
	}
	m.From[0].ID, m.To[0].ID = "", ""
	if m.MatchIDs(); m.Match[0] != -1 {
		t.Error("segments without an id are matched")
	}
}

func TestMovesGoUpAndDownByTheWorthOfTheSegmentThatGoesOn(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name     string
		from, to []float64
		i, j     int
		want     string
	}{
		{"to less", []float64{5, 5}, []float64{3, 9}, 1, 0, Down},
		{"to more", []float64{5, 5}, []float64{3, 9}, 0, 1, Up},
		{"old values do not count where the segment goes on", []float64{100, 1}, []float64{3, 9}, 0, 1, Up},
		{"to the same", []float64{1, 2}, []float64{4, 4}, 0, 1, Same},
		{"old values count where the new are not known", []float64{1, 2}, []float64{nan, nan}, 0, 1, Up},
		{"nothing is known", []float64{nan, nan}, []float64{nan, nan}, 0, 1, ""},
		{"one is not known", []float64{nan, 1}, []float64{nan, 1}, 0, 1, ""},
	} {
		m := moved([][]int64{{5, 1}, {1, 5}}, []int64{0, 0}, []int64{0, 0})
		m.MatchIDs()
		m.SetWorth(c.from, c.to)
		if got := m.Change(c.i, c.j); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	m := moved([][]int64{{5, 1}, {1, 5}}, []int64{0, 0}, []int64{0, 0})
	m.MatchIDs()
	m.Match[1] = -1
	m.SetWorth([]float64{1, 7}, []float64{2, 5})
	if got := m.Change(1, 1); got != Down {
		t.Errorf("from a segment that is gone: got %q, want %q", got, Down)
	}
}

func TestWordsAndFlowsOfAMigration(t *testing.T) {
	m := example()
	for _, c := range [][2]string{
		{m.Lead(), "Of 2,011 customers 1,896 (94 %) are still here: 1,500 (79 %) in their segment, 396 (21 %) in another one. 115 left, and 160 came."},
		{m.Balance(), "71 moved down, 325 moved up."},
		{m.FlowWords(&m.Flows[0]), "45 % of Champions, now Big spenders (up)"},
		{m.FlowWords(&m.Flows[1]), "6.2 % of Champions, now Promising (down)"},
	} {
		if c[0] != c[1] {
			t.Errorf("got  %s\nwant %s", c[0], c[1])
		}
	}
	if len(m.Flows) != 3 || m.Down.Rows+m.Up.Rows+m.Level.Rows != m.Moved {
		t.Errorf("got %d flows, %d down, %d up, %d level of %d", len(m.Flows), m.Down.Rows, m.Up.Rows, m.Level.Rows, m.Moved)
	}
}

const exampleTable = `was ↓   is →  0 Lost  1 Promising  2 Champions  3 Big spenders  left  before  stay
──────────────────────────────────────────────────────────────────────────────────
0 Lost           700           20            5               0   100     825  85 %
1 Promising       30          500           10               0     0     540  93 %
2 Champions        1           40          300             290    15     646  46 %
──────────────────────────────────────────────────────────────────────────────────
arrived           90           60            0              10
now              821          620          315             300   115   2,011  75 %
`

func TestTableOfMoves(t *testing.T) {
	var b strings.Builder
	if err := example().Table(&b, 0); err != nil || b.String() != exampleTable {
		t.Errorf("got\n%s, %v\nwant\n%s", b.String(), err, exampleTable)
	}
	if err := example().Table(brokenWriter{}, 0); err == nil {
		t.Error("the writer's error is lost")
	}
	for _, k := range []int{1, 5, 30, 200} {
		for _, width := range []int{1, 40, 80, 100, 300} {
			m := wideMigration(k)
			m.From[0].Name = "\x1b[31m\u202e" + strings.Repeat("漢", 50)
			var b strings.Builder
			if err := m.Table(&b, width); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if n := cells.StringWidth(strings.TrimSuffix(line, "\n")); n > max(width, tableLeast) {
					t.Errorf("k = %d, width %d: a line of %d cells: %s", k, width, n, line)
				}
			}
			if strings.ContainsAny(b.String(), "\x1b\u202e") {
				t.Error("a name steers the terminal")
			}
		}
	}
}

func renderFlows(t testing.TB, m *Migration) string {
	t.Helper()
	var b strings.Builder
	if err := (&FlowsPage{Title: "Who moved", Sub: "September → October", Migration: m}).Render(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageOfMovesHoldsEveryFigure(t *testing.T) {
	page := renderFlows(t, example())
	if *pageOut != "" {
		if err := os.WriteFile(*pageOut, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wellFormed(t, page)
	for _, want := range []string{
		"<title>Who moved</title>", "September → October", "Of 2,011 customers 1,896 (94 %) are still here", "71 moved down, 325 moved up.",
		"<b>290</b> customers: 45 % of Champions, now Big spenders (up)", `<td class="n5">700<small>85 %</small></td>`, `<td class="z">0<small>0 %</small></td>`,
		"<title>700 customers stayed in 0 Lost</title>", "<title>290 customers from 2 Champions to 3 Big spenders</title>",
		"<title>100 customers from 0 Lost to Left</title>", "by their ids", "<td>&#43;290</td><td>&#43;10</td><td>300</td><td>new</td>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, bad := range []string{"http:", "https:", "//", "<script", "<link", "<img", "@import", "url(", "src=", "ZgotmplZ", "NaN", "%!"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

func TestHostileNamesAreEscapedOnThePageOfMoves(t *testing.T) {
	const hostile = `"><script>alert(1)</script><b x='` + "\x1b\u202e"
	m := example()
	for i := range m.From {
		m.From[i].Name, m.From[i].ID = hostile, hostile
	}
	for j := range m.To {
		m.To[j].Name, m.To[j].ID = hostile, hostile
	}
	var b strings.Builder
	if err := (&FlowsPage{Title: hostile, Sub: hostile, Migration: m}).Render(&b); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, b.String())
	for _, bad := range []string{"<script", "<b x", "\x1b", "\u202e", "ZgotmplZ"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q got through", bad)
		}
	}
}

func TestPageOfMovesStaysSmall(t *testing.T) {
	m := wideMigration(300)
	for i := range m.From {
		m.From[i].Name, m.To[i].Name = strings.Repeat("<&>", 200), strings.Repeat("<&>", 200)
	}
	page := renderFlows(t, m)
	wellFormed(t, page)
	if len(page) >= 1_000_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
	for _, want := range []string{"The 14 largest segments", "The 24 largest segments", "The first 100 of 300 segments.", "276 others"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestOfManySegmentsBothSidesShowTheSame(t *testing.T) {
	m := wideMigration(40)
	from, to, restFrom, restTo := m.axes(14, 14)
	if len(from) != 14 || len(to) != 14 || len(restFrom) != 26 || len(restTo) != 26 {
		t.Fatalf("got %d, %d, %d, %d", len(from), len(to), len(restFrom), len(restTo))
	}
	for n, i := range from {
		if m.Match[to[n]] != i {
			t.Errorf("line %d shows old segment %d beside new segment %d, which goes on from %d", n, i, to[n], m.Match[to[n]])
		}
	}
}

func TestBandsFillTheirSegmentsAndLabelsKeepApart(t *testing.T) {
	for name, m := range map[string]*Migration{"example": example(), "wide": wideMigration(40), "one": wideMigration(1),
		"nobody is the same": moved([][]int64{{0}}, []int64{5}, []int64{7}), "small ones first": moved([][]int64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1e9}}, []int64{1, 0, 0}, []int64{0, 1, 0}), "one giant": moved([][]int64{{1e9, 1}, {1, 1}}, []int64{1, 0}, []int64{0, 1})} {
		if m.Match == nil {
			m.MatchCustomers()
		}
		left, right := m.sides()
		v := m.sankey()
		var sumLeft, sumRight int64
		for _, n := range left {
			sumLeft += n.rows
		}
		for _, n := range right {
			sumRight += n.rows
		}
		if sumLeft != sumRight {
			t.Errorf("%s: %d customers on the left, %d on the right", name, sumLeft, sumRight)
		}
		heights := make(map[string]float64)
		for _, a := range left {
			for _, b := range right {
				heights["left "+a.label] += float64(m.between(a, b))
				heights["right "+b.label] += float64(m.between(a, b))
			}
		}
		for side, nodes := range map[string][]*node{"left ": left, "right ": right} {
			for _, n := range nodes {
				if got := heights[side+n.label]; got != float64(n.rows) {
					t.Errorf("%s: %s%s has bands of %v of its %d customers", name, side, n.label, got, n.rows)
				}
			}
		}
		for i, n := range v.Nodes {
			if n.Y < 0 || n.Y+n.H > v.Height || n.TextY < 0 || n.TextY > v.Height {
				t.Errorf("%s: %s lies outside: %+v of %v", name, n.Name, n, v.Height)
			}
			if i > 0 && v.Nodes[i-1].X == n.X && n.TextY-v.Nodes[i-1].TextY < sankeyLine-0.2 {
				t.Errorf("%s: the labels %s and %s are %.1f apart", name, v.Nodes[i-1].Name, n.Name, n.TextY-v.Nodes[i-1].TextY)
			}
		}
	}
	if got := moved([][]int64{{0}}, []int64{0}, []int64{0}).Sankey(); got != "" {
		t.Errorf("nobody is drawn: %s", got)
	}
}
