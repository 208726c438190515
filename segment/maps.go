package segment

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// maps are the scatters that have something to show.
func (p *Page) maps() (views []*scatterView) {
	for _, m := range []struct {
		id, heading string
		scatter     *Scatter
	}{{"map", "By what tells most", p.Scatter}, {"components", "By all features at once", p.Components}} {
		if m.scatter == nil {
			continue
		}
		if v := m.scatter.view(p.Summary); v != nil {
			v.ID, v.Heading = m.id, m.heading
			if said := m.scatter.directions(p.outputs()); said != "" {
				v.Note += " " + said
			}
			views = append(views, v)
		}
	}
	return views
}

// outputs is the columns that the Points of the model have; nil without a model.
func (p *Page) outputs() []Column {
	if p.Model == nil {
		return nil
	}
	return modelColumns(p.Model)
}

// aloud names the segments in the order of their places on both axes.
func (v *scatterView) aloud() string {
	const most = 12 // names, as nobody listens to more
	named := func(place func(b *badge) float64) string {
		order := slices.Clone(v.Badges)
		slices.SortStableFunc(order, func(a, b badge) int { return cmp.Compare(place(&a), place(&b)) })
		var names []string
		for _, b := range order[:min(len(order), most)] {
			names = append(names, b.Name)
		}
		if len(order) > most {
			names = append(names, "and others")
		}
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("The segments from left to right: %s. From the bottom to the top: %s.",
		named(func(b *badge) float64 { return b.X }), named(func(b *badge) float64 { return -b.Y }))
}

// directions says in words where to look for which customers, by the columns of the points. It is empty where the scatter
// has no directions or the columns are not those of its points.
func (c *Scatter) directions(columns []Column) string {
	var said []string
	for axis, where := range []string{"To the right: ", "Upwards: "} {
		if len(columns) == 0 || len(c.Loadings[axis]) != len(columns) {
			return ""
		}
		if words := leaning(c.Loadings[axis], columns); words != "" {
			said = append(said, where+words+".")
		}
	}
	if len(said) > 0 {
		said = append(said, "Per cent: how much of the differences between customers a direction shows.")
	}
	return strings.Join(said, " ")
}

// leaning words the strongest loadings of one direction: "higher monetary, lower recency".
func leaning(loadings []float64, columns []Column) string {
	const most, atLeast = 3, 0.4 // features, and the part of the strongest that is worth a word
	order := make([]int, len(loadings))
	for j := range order {
		order[j] = j
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(math.Abs(loadings[b]), math.Abs(loadings[a])) })
	var words []string
	for _, j := range order[:min(len(order), most)] {
		if l := loadings[j]; l != 0 && math.Abs(l) >= atLeast*math.Abs(loadings[order[0]]) {
			name := columns[j].label()
			if !columns[j].Share {
				name, _ = spoken(columns[j].Name)
			}
			words = append(words, map[bool]string{true: "higher ", false: "lower "}[l > 0]+fit(name, maxLabel/2))
		}
	}
	return strings.Join(words, ", ")
}
