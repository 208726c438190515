package pipeline

import (
	"slices"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/ordinal"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/model"
)

// ordered shows the columns of the orders as numbers. An order of a column that holds numbers is an error: what of them
// would be the least is not for texts to say.
func ordered(s dataset.Source, orders []feature.Order) (dataset.Source, error) {
	var list []ordinal.Order
	for _, o := range orders {
		at := s.Schema().Index(o.Column)
		if at >= 0 && s.Schema().Columns[at].Kind == dataset.Number {
			place := fault.In(firstName(s))
			place.Column = o.Column
			return nil, fault.Inputf(place, "holds numbers, and its order is one of texts: %s", shorten(o.Levels)).
				Do("leave it out of --ordinal, or give the data that the order is of")
		}
		list = append(list, ordinal.Order{Column: o.Column, Levels: o.Levels})
	}
	return ordinal.Wrap(s, list), nil
}

// openOrdered closes the source where its orders cannot be.
func openOrdered(s dataset.Source, orders []feature.Order) (dataset.Source, error) {
	w, err := ordered(s, orders)
	if err != nil {
		s.Close()
		return nil, err
	}
	return w, nil
}

// forModel is the data as the model's fit read it: with its orders of texts.
func (d Data) forModel(m *model.Model) Data {
	d.Orders = m.Transform.Orders()
	return d
}

// order gives the spec the orders in that of its columns.
func (d *Data) order(spec *feature.Spec) error {
	levels := make(map[string][]string, len(d.Orders))
	for _, o := range d.Orders {
		if !slices.Contains(spec.Numeric, o.Column) {
			return fault.Usagef("--ordinal: %q is not one of the numeric features", o.Column).
				Do("add it to --features, or leave it out; the features are %s", strings.Join(spec.Numeric, ", "))
		}
		levels[o.Column] = o.Levels
	}
	for _, name := range spec.Numeric {
		if list, given := levels[name]; given {
			spec.Orders = append(spec.Orders, feature.Order{Column: name, Levels: list})
		}
	}
	return nil
}
