package segment

import (
	"cmp"
	"slices"
)

// Flow is one side of a Migration: a segment of the old or of the new labels.
type Flow struct {
	Segment int    `json:"segment"` // index
	ID      string `json:"id"`      // the stable id; "" where no model was given
	Name    string `json:"name"`
	Rows    int64  `json:"rows"`
	// Worth is the mean value of a customer, on a scale that both sides share; nil where it is not known.
	Worth *float64 `json:"worth,omitempty"`
}

// Migration is how customers have moved between two labellings of (nearly) the same customers.
type Migration struct {
	From    []Flow    `json:"from_segments"`
	To      []Flow    `json:"to_segments"`
	Matrix  [][]int64 `json:"matrix"`  // customers from old segment i to new segment j
	Arrived []int64   `json:"arrived"` // by new segment: customers that the old labels do not have
	Left    []int64   `json:"left"`    // by old segment: customers that the new labels do not have
	// Match is, by new segment, the old one that it goes on from; -1: it is new.
	Match []int `json:"match"`
	// Moved counts the customers off the diagonal of matched segments.
	Moved int64 `json:"moved"`
	// MatchedBy says how Match was found: "ids" or "customers".
	MatchedBy string `json:"matched_by"`
	// Flows are the largest moves; Up, Down and Level what moves add up to, nil where nothing is known of the worth of segments.
	Flows []Move `json:"flows"`
	Up    *Total `json:"up,omitempty"`
	Down  *Total `json:"down,omitempty"`
	Level *Total `json:"same,omitempty"`
}

// How segments are matched.
const (
	MatchedByIDs       = "ids"       // the stable ids of two models of which one goes on from the other
	MatchedByCustomers = "customers" // the most customers stay
)

// MatchIDs matches segments that have the same id, and counts who has moved.
func (m *Migration) MatchIDs() {
	byID := make(map[string]int, len(m.From))
	for i := range m.From {
		byID[m.From[i].ID] = i
	}
	m.Match, m.MatchedBy = make([]int, len(m.To)), MatchedByIDs
	for j := range m.To {
		m.Match[j] = -1
		if i, ok := byID[m.To[j].ID]; ok && m.To[j].ID != "" {
			m.Match[j] = i
		}
	}
	m.countMoved()
}

// MatchCustomers matches segments so that as few customers as possible have moved, and counts those. Segments without a
// common customer are not matched.
func (m *Migration) MatchCustomers() {
	cost := make([][]float64, len(m.To))
	for j := range cost {
		cost[j] = make([]float64, len(m.From))
		for i := range cost[j] {
			cost[j][i] = -float64(m.Matrix[i][j])
		}
	}
	m.Match, m.MatchedBy = Assign(cost), MatchedByCustomers
	for j, i := range m.Match {
		if i >= 0 && m.Matrix[i][j] == 0 {
			m.Match[j] = -1
		}
	}
	m.countMoved()
}

func (m *Migration) countMoved() {
	m.Moved = m.Shared() - m.Stayed()
}

// Shared counts the customers that both labellings have.
func (m *Migration) Shared() (n int64) {
	for _, row := range m.Matrix {
		for _, c := range row {
			n += c
		}
	}
	return n
}

// Stayed counts the customers who are in the segment that goes on from theirs.
func (m *Migration) Stayed() (n int64) {
	for j, i := range m.Match {
		if i >= 0 {
			n += m.Matrix[i][j]
		}
	}
	return n
}

// GoesOn is, by old segment, the new one that goes on from it; -1: it is gone.
func (m *Migration) GoesOn() []int {
	next := make([]int, len(m.From))
	for i := range next {
		next[i] = -1
	}
	for j, i := range m.Match {
		if i >= 0 {
			next[i] = j
		}
	}
	return next
}

// SetWorth says what a customer of each segment is worth on average, by old and by new segment; NaN where it is not
// known. An old segment counts for what the one that goes on from it is worth, so that a customer who stays has neither gained nor
// lost; what is known of only one of the two counts for both.
func (m *Migration) SetWorth(from, to []float64) {
	known := func(x float64) *float64 {
		if x != x {
			return nil
		}
		return &x
	}
	for i := range m.From {
		m.From[i].Worth = known(from[i])
	}
	for j := range m.To {
		m.To[j].Worth = known(to[j])
		if i := m.Match[j]; i >= 0 && m.To[j].Worth != nil {
			m.From[i].Worth = m.To[j].Worth
		} else if i >= 0 {
			m.To[j].Worth = m.From[i].Worth
		}
	}
}

// The ways a customer can move.
const (
	Up   = "up"   // to a segment that is worth more
	Down = "down" // to a segment that is worth less
	Same = "same" // to a segment that is worth the same
)

// Change says whether a move from old segment i to new segment j goes up or down; "" where the worth of either is not
// known.
func (m *Migration) Change(i, j int) string {
	a, b := m.From[i].Worth, m.To[j].Worth
	switch {
	case a == nil || b == nil:
		return ""
	case *a < *b:
		return Up
	case *a > *b:
		return Down
	}
	return Same
}

// Move is a flow of customers off the diagonal of matched segments.
type Move struct {
	From   int      `json:"from"` // old segment
	To     int      `json:"to"`   // new segment
	Rows   int64    `json:"customers"`
	Change string   `json:"change,omitempty"` // Up, Down or Same; "" where it is not known
	Value  *float64 `json:"value,omitempty"`  // what the customers are worth together; nil where that is not known
}

// Total is what some moves add up to.
type Total struct {
	Rows  int64    `json:"customers"`
	Value *float64 `json:"value,omitempty"`
}

// Moves are the flows between segments that do not belong together, the largest first, equals by old and then by new
// segment. Their Value is nil.
func (m *Migration) Moves() []Move {
	moves := []Move{}
	for i, row := range m.Matrix {
		for j, n := range row {
			if n > 0 && m.Match[j] != i {
				moves = append(moves, Move{From: i, To: j, Rows: n, Change: m.Change(i, j)})
			}
		}
	}
	slices.SortStableFunc(moves, func(a, b Move) int { return cmp.Compare(b.Rows, a.Rows) })
	return moves
}

// SetFlows fills in the largest moves, at most as many as given, and what all of them add up to. Values are for the caller to add.
func (m *Migration) SetFlows(most int) {
	moves := m.Moves()
	m.Flows = moves[:min(most, len(moves)):min(most, len(moves))]
	m.Up, m.Down, m.Level = nil, nil, nil
	for i := range m.From {
		if m.From[i].Worth != nil {
			m.Up, m.Down, m.Level = new(Total), new(Total), new(Total)
		}
	}
	for _, f := range moves {
		if t := m.total(f.Change); t != nil {
			t.Rows += f.Rows
		}
	}
}

// total is what moves of one kind add up to; nil: it is not known.
func (m *Migration) total(change string) *Total {
	switch change {
	case Up:
		return m.Up
	case Down:
		return m.Down
	case Same:
		return m.Level
	}
	return nil
}
