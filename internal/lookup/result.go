package lookup

import (
	"math"

	"github.com/coterie-project/coterie/segment"
)

// Result is where one customer belongs, as lookup --json and the server tell it. Fields that are not known are nil.
type Result struct {
	ID             *string           `json:"id"`
	Segment        int               `json:"segment"`
	Name           string            `json:"name"`
	Distance       float64           `json:"distance"`
	SecondSegment  *int              `json:"second_segment"`
	SecondDistance *float64          `json:"second_distance"`
	Margin         *float64          `json:"margin"` // SecondDistance less Distance
	Because        []segment.Because `json:"because"`
}

// SetSecond fills in the second segment, and the margin that follows from it.
func (r *Result) SetSecond(second int, distance float64) {
	margin := distance - r.Distance
	r.SecondSegment, r.SecondDistance, r.Margin = &second, &distance, &margin
}

// Result is row i in words; with because it says why. Nil: the model leaves the row out.
func (a *Answers) Result(i int, because bool) *Result {
	if a.Segment[i] == None {
		return nil
	}
	r := &Result{Segment: int(a.Segment[i]), Name: a.finder.model.Segments[a.Segment[i]].Name, Distance: float64(a.Distance[i]),
		Because: []segment.Because{}}
	if a.Second[i] != None && !math.IsInf(float64(a.SecondDistance[i]), 0) {
		r.SetSecond(int(a.Second[i]), float64(a.SecondDistance[i]))
	}
	if because {
		r.Because = a.Because(i)
	}
	return r
}

// One is the Result of a Table's only row, with why. The error is an *Error where the model leaves it out.
func (a *Answers) One(because bool) (*Result, error) {
	if r := a.Result(0, because); r != nil {
		return r, nil
	}
	return nil, a.finder.dropped()
}

func (f *Finder) dropped() error {
	e := &Error{Row: NoRow, Problem: "a value is missing, and the model leaves such rows out", Absent: true}
	return e.do("the model's features are " + f.listed())
}

// Because says why row i lies where it does, the weightiest feature first. The row must have a segment.
func (a *Answers) Because(i int) []segment.Because {
	m := a.finder.model
	told := make(map[string]any, len(a.finder.features))
	for j := range m.Transform.Numeric {
		c := &m.Transform.Numeric[j]
		switch x := a.table.Numbers[j][i]; {
		case math.IsNaN(x):
		case len(c.Order) > 0 && x >= 0 && x < float64(len(c.Order)):
			told[c.Name] = c.Order[int(x)]
		default:
			told[c.Name] = x
		}
	}
	for c, column := range a.table.Texts {
		if column[i].Given {
			told[m.Transform.Categorical[c].Name] = column[i].Value
		}
	}
	return segment.Explain(a.points.At(i, make([]float32, m.Width())), m.Centroids, int(a.Segment[i]), int(a.Second[i]), m.Transform, told)
}

// Explains is an *Error where the explanations of so many rows would be too long.
func (f *Finder) Explains(rows int) error {
	if most := MaxReasons / len(f.features); rows > most {
		e := &Error{Row: NoRow, Problem: "explanations of at most " + whole(most) + " rows are given at once"}
		return e.do("ask for fewer rows, or without because")
	}
	return nil
}
