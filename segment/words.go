package segment

import (
	"math"
	"strings"
)

// role is the part that a column plays in a recency, frequency, monetary view of customers.
type role int

const (
	roleOther role = iota
	roleRecency
	roleFrequency
	roleMonetary
)

// roleOf goes by the name's beginning, in any case.
func roleOf(name string) role {
	lower := strings.ToLower(name)
	switch {
	case strings.HasPrefix(lower, "recency"):
		return roleRecency
	case strings.HasPrefix(lower, "frequency"):
		return roleFrequency
	case strings.HasPrefix(lower, "monetary"):
		return roleMonetary
	}
	return roleOther
}

// spoken splits a column name into the words that people say and the unit it ends in: "recency_days" is
// ("recency", "days").
func spoken(name string) (words, unit string) {
	words = strings.Join(strings.FieldsFunc(plain(name), func(r rune) bool { return r == '_' || r == ' ' }), " ")
	if words == "" {
		return plain(name), ""
	}
	for _, u := range []string{"days", "weeks", "months", "years"} {
		if head, ok := strings.CutSuffix(words, " "+u); ok {
			return head, u
		}
	}
	return words, ""
}

// label is a column's name for a heading: the level of a categorical column as it is, else the spoken words.
func (c Column) label() string {
	if c.Share {
		input, _ := spoken(c.Input)
		return input + ": " + plain(c.Level)
	}
	words, unit := spoken(c.Name)
	if unit != "" {
		return words + " (" + unit + ")"
	}
	return words
}

// quantity renders one value of the column in its unit.
func (c Column) quantity(x float64) string {
	if c.Share {
		return percent(x)
	}
	return number(x)
}

const (
	apartAtLeast = 0.15 // an effect below this is not worth a manager's eye
	apartParts   = 3    // how many features SetsApart names at most
)

// SetsApart says in plain words, with numbers in the units of the input, what distinguishes one segment from
// the whole base, the strongest first: "spends 8,910, 4.6 × the average; recency 12 days against 87".
func (s *Summary) SetsApart(segment int) string {
	return strings.Join(s.apart(segment), "; ")
}

// apart is the parts of SetsApart, at least one.
func (s *Summary) apart(segment int) []string {
	if s.Segments[segment].Count == 0 && s.Measured {
		return []string{"no customers"}
	}
	var parts []string
	for _, j := range s.telling(segment, apartAtLeast) {
		if len(parts) < apartParts {
			parts = append(parts, s.against(segment, j))
		}
	}
	if len(parts) == 0 {
		return []string{"close to the average in everything"}
	}
	return parts
}

// against words one column of one segment beside the base.
func (s *Summary) against(segment, j int) string {
	c, mean, base := s.Columns[j], s.Segments[segment].Mean[j], s.Base.Mean[j]
	if roleOf(c.Name) == roleMonetary && !c.Share {
		return "spends " + rough(mean) + c.times(mean, base)
	}
	if c.Share {
		return c.label() + " " + percent(mean) + " against " + percent(base)
	}
	if math.Abs(mean) < 1e-6*math.Abs(base) {
		mean = 0 // what the rounding of a centroid leaves of it
	}
	words, unit := spoken(c.Name)
	if unit != "" {
		unit = " " + unit
	}
	said, against := rough(mean), rough(base)
	if math.Abs(mean-base) < 0.1*max(math.Abs(mean), math.Abs(base)) {
		said, against = number(mean), number(base) // rounding would hide the difference
	}
	return words + " " + said + unit + " against " + against
}

// times is how often the base's mean goes into the segment's; below a half, where the factor reads badly, it
// is a percentage.
func (c Column) times(mean, base float64) string {
	ratio, middle := mean/base, "the average"
	if c.Typical {
		middle = "what is typical"
	}
	switch {
	case !(base > 0) || !(mean > 0) || math.IsInf(ratio, 0):
		return " against " + rough(base)
	case ratio < 0.95:
		return ", " + percent(ratio) + " of " + middle
	}
	return ", " + number(math.Round(ratio*10)/10) + " × " + middle
}
