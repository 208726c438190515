package pipeline

import (
	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/segment"
)

// nameSegments gives a model's segments the names that their centroids suggest.
func nameSegments(m *model.Model) {
	for i, name := range segment.FromModel(m).Names() {
		m.Segments[i].Name = name
	}
}
