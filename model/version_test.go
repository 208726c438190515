package model

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/feature"
)

const goldenV2 = "testdata/model-v2.json"

// weighted is the example with what came with version 2.
func weighted() *Model {
	m := example()
	m.Transform.Numeric[1].Weight = 0.5
	m.Transform.Numeric[0].Order = []string{"low", "mid <dle>", "high"}
	c := &m.Transform.Categorical[0]
	c.Weight = 3
	c.Levels = append(c.Levels, feature.Level{Value: feature.FoldedLevel, Grid: feature.Grid{Shift: 0.25, Exponent: -37}})
	c.Folded = []string{"diverse", "∅"}
	m.Centroids = append(m.Centroids, 1, 2)
	return m
}

func TestVersion2StaysReadable(t *testing.T) {
	if *update {
		if err := WriteFile(goldenV2, weighted()); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadFile(goldenV2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(weighted(), got); diff != "" {
		t.Errorf("golden model (-want +got):\n%s", diff)
	}
	const digest = "5d926f179cdba068e7ffc8b87ffd87d9c513781af37dd22c13cf3b379f9951d6"
	if got.Digest() != digest {
		t.Errorf("digest is %s, want %s: models that exist would no longer be recognised", got.Digest(), digest)
	}
	want, err := os.ReadFile(goldenV2)
	if err != nil {
		t.Fatal(err)
	}
	if data := encode(t, weighted()); !bytes.Equal(data, want) {
		t.Errorf("Encode writes other bytes than the golden file:\n%s", cmp.Diff(string(want), string(data)))
	}
}

func TestAModelCallsItselfOfTheOldestVersionThatHoldsIt(t *testing.T) {
	unfold := func(m *Model) {
		c := &m.Transform.Categorical[0]
		c.Weight, c.Folded, m.Transform.Numeric[0].Order = 0, nil, nil
	}
	for name, c := range map[string]struct {
		change func(*Model)
		want   string
	}{
		"nothing new":        {func(m *Model) { unfold(m); m.Transform.Numeric[1].Weight = 0 }, `"version": 1,`},
		"a weight":           {unfold, `"version": 2,`},
		"a weight of levels": {func(m *Model) { unfold(m); m.Transform.Numeric[1].Weight = 0; m.Transform.Categorical[0].Weight = 2 }, `"version": 2,`},
		"folded levels": {func(m *Model) {
			m.Transform.Numeric[1].Weight = 0
			unfold(m)
			m.Transform.Categorical[0].Folded = []string{"x"}
		}, `"version": 2,`},
		"an order": {func(m *Model) {
			unfold(m)
			m.Transform.Numeric[1].Weight = 0
			m.Transform.Numeric[0].Order = []string{"a", "b"}
		}, `"version": 2,`},
	} {
		m := weighted()
		c.change(m)
		if data := string(encode(t, m)); !strings.Contains(data, c.want) {
			t.Errorf("%s: got %q, want %s", name, data[:60], c.want)
		}
	}
}

func TestAnOlderVersionCannotHoldWhatIsNew(t *testing.T) {
	data := bytes.Replace(encode(t, weighted()), []byte(`"version": 2`), []byte(`"version": 1`), 1)
	if _, err := Decode(signed(data), "m.json"); err == nil || !strings.Contains(err.Error(), "version 1 has no weights") {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestCentroidsOfWeightedColumnsAreWrittenInTheUnitsOfTheInput(t *testing.T) {
	plain, m := example(), weighted()
	// Half the weight, and half the coordinates: the same customers.
	m.Transform.Numeric[1].Shift *= 0.5
	m.Centroids[1] = plain.Centroids[1] / 2
	if got, want := m.CentroidInput(0)[1], plain.CentroidInput(0)[1]; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
