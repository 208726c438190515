package model

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestIDsAreNeverGivenTwice(t *testing.T) {
	last := example()
	last.Segments[1].ID = "s7"
	last.LastID = 9 // of one that is gone
	m := example()
	m.Segments = []Segment{{Index: 0, ID: "vip"}, {Index: 1, ID: "s3"}}
	if got := m.FreshID(); got != "s4" {
		t.Errorf("got %s, want s4", got)
	}
	m.SetParent(last, "june.json")
	if got := []string{m.FreshID(), m.FreshID()}; !slices.Equal(got, []string{"s10", "s11"}) {
		t.Errorf("got %v, want s10 and s11", got)
	}
	if again, err := Decode(encode(t, m), "m.json"); err != nil || again.LastID != 11 {
		t.Errorf("got %v, %v from the file, want the last id 11", again, err)
	}
}

func TestParentsAreNamedNearestFirstAndNotForEver(t *testing.T) {
	last := example()
	for range MaxParents {
		last.Parents = append(last.Parents, Parent{Digest: strings.Repeat("0", 64)})
	}
	m := example()
	m.Counts = []int64{1, 2}
	m.SetParent(last, "last.json")
	if len(m.Parents) != MaxParents || m.Parents[0] != (Parent{last.Digest(), "last.json"}) || m.Parents[1] != example().Parents[0] {
		t.Errorf("got %d parents, the first %v", len(m.Parents), m.Parents[:2])
	}
}

func TestALastIDOutOfBoundsIsRefused(t *testing.T) {
	m := example()
	for id, want := range map[int]bool{0: true, 1: true, maxID: true, maxID + 1: false, -1: false} {
		m.LastID = id
		if _, err := m.Encode(); (err == nil) != want {
			t.Errorf("%d: %v", id, err)
		}
	}
	m.LastID = 12
	data := signed(bytes.Replace(encode(t, m), []byte(`"last_id": 12`), []byte(`"last_id": -2`), 1))
	if _, err := Decode(data, "m.json"); err == nil {
		t.Error("a negative id was read")
	}
}

func TestCentroidsFindTheirPlaceInAnotherSpace(t *testing.T) {
	m, other := example(), example().Transform
	other.Numeric[0].Center, other.Numeric[0].Spread = 10, 2
	other.Categorical[0].Levels = other.Categorical[0].Levels[1:] // "f" is not known there
	place := m.Into(other)
	for j := range m.K {
		p, err := place(j)
		if j == 1 {
			continue // what is far beyond any number has no place
		}
		if err != nil {
			t.Fatal(err)
		}
		back, want := other.Inverse(p), m.CentroidInput(j)
		want = slices.Delete(slices.Clone(want), 3, 4)
		for i := range want {
			if d := back[i] - want[i]; d > 1e-4 || d < -1e-4 {
				t.Errorf("segment %d, column %d: got %v, want %v", j, i, back[i], want[i])
			}
		}
	}
}

// sampled is a model that knows how its rows are spread.
func sampled() *Model {
	m := example()
	m.LastID = 7
	m.Base = []Spread{{"recency_days", []float64{1.5, 20}, []float64{0.5, 0.25, 0.25}}, {"monetary <net>", []float64{}, []float64{1}}}
	return m
}

func TestABaseSurvivesTheFileAndIsNoPartOfTheDigest(t *testing.T) {
	m := sampled()
	got, err := Decode(encode(t, m), "m.json")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got.Base, m.Base, func(a, b Spread) bool {
		return a.Feature == b.Feature && slices.Equal(a.Edges, b.Edges) && slices.Equal(a.Shares, b.Shares)
	}) || got.Digest() != example().Digest() {
		t.Errorf("got %+v, want %+v", got.Base, m.Base)
	}
	for x, want := range map[float64]int{-1: 0, 1.5: 1, 19: 1, 20: 2, math.Inf(1): 2} {
		if b := m.Base[0].Bin(x); b != want {
			t.Errorf("%v is in bin %d, want %d", x, b, want)
		}
	}
}

func TestABaseThatDoesNotFitIsRefused(t *testing.T) {
	many := make([]float64, maxEdges+1)
	for i := range many {
		many[i] = float64(i)
	}
	for name, change := range map[string]func(*Spread){
		"another feature": func(s *Spread) { s.Feature = "x" }, "a share too few": func(s *Spread) { s.Shares = s.Shares[1:] },
		"descending": func(s *Spread) { s.Edges = []float64{2, 1} }, "twice the same": func(s *Spread) { s.Edges = []float64{2, 2} },
		"infinite": func(s *Spread) { s.Edges[1] = math.Inf(1) }, "no number": func(s *Spread) { s.Shares[0] = math.NaN() },
		"negative": func(s *Spread) { s.Shares[0] = -0.1 }, "more than all": func(s *Spread) { s.Shares[0] = 1.1 },
		"too many": func(s *Spread) { s.Edges, s.Shares = many, make([]float64, maxEdges+2) },
	} {
		m := sampled()
		change(&m.Base[0])
		if _, err := m.Encode(); err == nil {
			t.Errorf("%s: it was written", name)
		}
	}
	m := sampled()
	m.Base[0].Edges, m.Base[0].Shares = many[1:], make([]float64, maxEdges+1)
	if _, err := m.Encode(); err != nil {
		t.Errorf("%d edges: %v", maxEdges, err)
	}
	m.Base = m.Base[:1]
	if _, err := m.Encode(); err == nil {
		t.Error("a base of one of two features was written")
	}
}
