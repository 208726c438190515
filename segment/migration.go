package segment

// Flow is one side of a Migration: a segment of the old or of the new labels.
type Flow struct {
	Segment int    `json:"segment"` // index
	ID      string `json:"id"`      // the stable id; "" where no model was given
	Name    string `json:"name"`
	Rows    int64  `json:"rows"`
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
}
