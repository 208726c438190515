package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/feature"
)

// MaxParents is how many older models a model names: a month each, they are those of eighty years.
const MaxParents = 1000

// Into gives a function that leads centroid j to the units of the input, and from there into the space of another
// transform: length t.Width(). Levels that t does not know are left out, and those that the model does not know are 0.
// Both should be for the same features. The function's error is a *feature.ValueError for what has no place there.
func (m *Model) Into(t *feature.Transform) func(j int) ([]float32, error) {
	at := make(map[string]int, m.Width())
	for i, name := range m.Transform.Outputs() {
		at[name] = i
	}
	ours := t.Outputs()
	return func(j int) ([]float32, error) {
		values := m.CentroidInput(j)
		mapped := make([]float64, len(ours))
		for i, name := range ours {
			if from, known := at[name]; known {
				mapped[i] = values[from]
			}
		}
		return t.Forward(mapped)
	}
}

// SetParent says that m was fitted from an older model, whose file was called file, without its folder.
func (m *Model) SetParent(older *Model, file string) {
	m.Parents = slices.Concat([]Parent{{Digest: older.Digest(), File: file}}, older.Parents)
	m.Parents = m.Parents[:min(len(m.Parents), MaxParents)]
	m.LastID = max(m.LastID, older.lastID())
}

// FreshID gives an id that neither m nor a model that it was fitted from has had, and notes that it is given.
func (m *Model) FreshID() string {
	m.LastID = m.lastID() + 1
	return fmt.Sprintf("s%d", m.LastID)
}

// lastID is the greatest number of an id that is known to be given.
func (m *Model) lastID() int {
	last := m.LastID
	for _, s := range m.Segments {
		digits, ours := strings.CutPrefix(s.ID, "s")
		if n, err := strconv.Atoi(digits); ours && err == nil && n < maxID {
			last = max(last, n)
		}
	}
	return last
}
