package ordinal

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
)

var education = []Order{{"education", []string{"school", "graduate", "post, or more"}}}

// opened is a CSV file with the given lines.
func opened(t *testing.T, lines ...string) dataset.Source {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := open.Sources(t.Context(), []string{file}, open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// column reads a column as numbers, with the bad rows as "row column reason".
func column(t *testing.T, s dataset.Source, name string) (x []float64, bad []string) {
	t.Helper()
	r, err := s.Read(t.Context(), 0, s.Rows(), []dataset.Field{{Column: 0, As: dataset.AsID}, {Column: s.Schema().Index(name), As: dataset.AsNumber}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return x, bad
		}
		if err != nil {
			t.Fatal(err)
		}
		x = append(x, b.Columns[1].Float64...)
		for _, row := range b.Bad {
			bad = append(bad, fmt.Sprintf("%d line %d %s: %s", b.First+int64(row.Index), row.Place.Line, row.Place.Column, row.Reason))
		}
	}
}

func TestTextsBecomeTheirPlaceInTheOrder(t *testing.T) {
	s := Wrap(opened(t, "id,education", "1,graduate", "2,school", "3,", `4,"post, or more"`), education)
	if c := s.Schema().Columns[1]; c.Kind != dataset.Number || c.Name != "education" {
		t.Errorf("got the column %+v, want a number", c)
	}
	x, bad := column(t, s, "education")
	if diff := cmp.Diff([]float64{1, 0, math.NaN(), 2}, x, cmpopts.EquateNaNs()); diff != "" || len(bad) > 0 {
		t.Errorf("bad rows %v, numbers (-want +got):\n%s", bad, diff)
	}
}

func TestATextOutsideOfTheOrderIsABadRow(t *testing.T) {
	s := Wrap(opened(t, "id,education", "1,graduate", "2,School", "3,school ", "4,school"), education)
	x, bad := column(t, s, "education")
	if diff := cmp.Diff([]float64{1, math.NaN(), math.NaN(), 0}, x, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	want := []string{`1 line 3 education: "School" is not one of school < graduate < post, or more`,
		`2 line 4 education: "school " is not one of school < graduate < post, or more`}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Errorf("bad rows (-want +got):\n%s", diff)
	}
}

func TestARowThatIsBadAlreadyKeepsItsReason(t *testing.T) {
	s := Wrap(opened(t, "id,education,x", "1,phd,1", "2,phd", "3,graduate,2"), education)
	_, bad := column(t, s, "education")
	if len(bad) != 2 || !strings.Contains(bad[0], `"phd"`) || !strings.Contains(bad[1], "2 fields") {
		t.Errorf("got %q, want a row with an unknown text and one of too few fields, in the order of the rows", bad)
	}
}

func TestWhatIsNoTextStaysAsItIs(t *testing.T) {
	plain := opened(t, "id,education", "1,3", "2,4")
	if s := Wrap(plain, education); s != plain {
		t.Error("a column of numbers was wrapped")
	}
	if s := Wrap(plain, []Order{{"shoe", []string{"a", "b"}}}); s != plain {
		t.Error("a column that is not there was wrapped")
	}
	texts := opened(t, "id,education", "1,school", "2,graduate")
	s := Wrap(texts, education)
	r, err := s.Read(t.Context(), 0, 2, []dataset.Field{{Column: 1, As: dataset.AsText}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := r.Next(); err != nil || string(b.Columns[0].Text.At(1)) != "graduate" {
		t.Errorf("as text: got %v (%v), want the text", b, err)
	}
	if len(dataset.PinsOf(s)) != 1 || cmp.Diff(dataset.PinsOf(texts), dataset.PinsOf(s)) != "" {
		t.Errorf("got pins %v, want %v", dataset.PinsOf(s), dataset.PinsOf(texts))
	}
	if again := Wrap(s, education); again != s {
		t.Error("what was wrapped was wrapped again")
	}
}
