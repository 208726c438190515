package feature

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/internal/hostile"
)

func TestASearchGoesOnElsewhereAfterAnyPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		spec.Scale = Robust
		b := drawBatch(t, spec.Missing != Fail, true)
		whole := NewStatistics(spec)
		if err := whole.Add(b); err != nil {
			t.Fatal(err)
		}
		here := NewQuantileSearch(spec, whole)
		for passes := 0; ; passes++ {
			sent := encoded(t, here)
			there, err := DecodeQuantileSearch(spec, sent)
			if err != nil {
				t.Fatalf("after %d passes: %v", passes, err)
			}
			if got := encoded(t, there); !bytes.Equal(got, sent) {
				t.Fatalf("after %d passes: got %x, want %x", passes, got, sent)
			}
			if here.Done() != there.Done() {
				t.Fatalf("after %d passes: done %v here and %v there", passes, here.Done(), there.Done())
			}
			if here.Done() {
				return
			}
			counts := there.Open()
			if err := counts.Add(b); err != nil {
				t.Fatal(err)
			}
			answer, err := here.DecodeCounts(encoded(t, counts))
			if err != nil {
				t.Fatal(err)
			}
			whole := here.Open()
			whole.Merge(answer)
			if err := errors.Join(here.Close(whole), there.Close(counts)); err != nil {
				t.Fatal(err)
			}
			here = there // the rest of the search is the decoded one's
		}
	})
}

func TestCountsOfAnotherPassAreRefused(t *testing.T) {
	spec := &Spec{Numeric: []string{"x"}, Scale: Robust, Missing: Fail}
	values := make([]float64, 5000)
	for i := range values {
		values[i] = math.Sqrt(float64(i))
	}
	s := NewStatistics(spec)
	if err := s.Add(one(values...)); err != nil {
		t.Fatal(err)
	}
	search := NewQuantileSearch(spec, s)
	first := search.Open()
	if err := first.Add(one(values...)); err != nil {
		t.Fatal(err)
	}
	data := encoded(t, first)
	if _, err := search.DecodeCounts(data); err != nil {
		t.Fatal(err)
	}
	before := search.Clone()
	if err := search.Close(first); err != nil {
		t.Fatal(err)
	}
	if _, err := before.DecodeCounts(data); err != nil {
		t.Errorf("a copy from before the pass: got %v", err)
	}
	if _, err := search.DecodeCounts(data); !errors.Is(err, ErrEncoding) {
		t.Errorf("counts of the pass before: got %v, want ErrEncoding", err)
	}
	if _, err := DecodeCounts(spec, data); err != nil {
		t.Errorf("the same counts under the Spec alone: got %v", err)
	}
}

func TestNoSearchIsReadUnderASpecThatNeedsNone(t *testing.T) {
	for _, scale := range []Scale{Standard, MinMax, None} {
		spec := &Spec{Numeric: []string{"x"}, Scale: scale, Missing: Mean}
		if _, err := DecodeQuantileSearch(spec, []byte("R\x00")); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: got %v, want ErrEncoding", scale, err)
		}
	}
}

func TestSearchesThatNoPassLeavesAreRefused(t *testing.T) {
	spec := &Spec{Numeric: []string{"x", "y"}, Scale: Robust, Missing: Fail}
	// Nine values have their quartiles at ranks 2, 4 and 6, and are asked for those and their neighbours.
	search := func(column int, there, missing int64, places ...[3]uint64) []byte {
		q := &QuantileSearch{search: []columnSearch{{column: column, values: there, filled: missing}}}
		for _, at := range places {
			q.search[0].ranks = append(q.search[0].ranks, rank{below: int64(at[0]), low: at[1], high: at[2]})
		}
		return encoded(t, q)
	}
	all := [3]uint64{0, 100, 900}
	ok := [][3]uint64{{0, 100, 200}, {3, 300, 400}, {3, 300, 400}, {5, 500, 500}, {6, 501, 900}, {6, 501, 900}}
	changed := func(k int, at [3]uint64) [][3]uint64 {
		places := append([][3]uint64(nil), ok...)
		places[k] = at
		return places
	}
	for name, c := range map[string]struct {
		data []byte
		ok   bool
	}{
		"narrowed":                   {search(0, 9, 0, ok...), true},
		"at the beginning":           {search(1, 9, 0, all, all, all, all, all, all), true},
		"of no column":               {search(2, 9, 0, ok...), false},
		"of no values":               {search(0, 0, 0), false},
		"of values that are missing": {search(0, 9, 1, ok...), false},
		"upside down":                {search(0, 9, 0, changed(0, [3]uint64{0, 200, 100})...), false},
		"more below than the rank":   {search(0, 9, 0, changed(0, [3]uint64{3, 100, 200})...), false},
		"places that overlap":        {search(0, 9, 0, changed(0, [3]uint64{0, 100, 300})...), false},
		"places out of order":        {search(0, 9, 0, changed(0, [3]uint64{0, 450, 460})...), false},
		"one place of two widths":    {search(0, 9, 0, changed(2, [3]uint64{3, 300, 450})...), false},
		"one place of two counts":    {search(0, 9, 0, changed(2, [3]uint64{2, 300, 400})...), false},
		"a rank among those below":   {search(0, 9, 0, changed(3, [3]uint64{3, 500, 500})...), false},
		"a rank too few":             {search(0, 9, 0, ok[1:]...), false},
		"a column twice":             {append(search(0, 9, 0, ok...)[:len(search(0, 9, 0, ok...))-1], search(0, 9, 0, ok...)[1:]...), false},
	} {
		if _, err := DecodeQuantileSearch(spec, c.data); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: got %v, want accepted = %v", name, err, c.ok)
		}
	}
}

func FuzzDecodeQuantileSearch(f *testing.F) {
	b := &Batch{Rows: 3, Numeric: [][]float64{{1, 2, nan}, {0, 7, 9}}, Text: []TextColumn{texts("a", "b", "∅")}}
	for _, missing := range []Missing{Mean, Median, Drop} {
		spec := *fuzzSpec
		spec.Missing = missing
		s := NewStatistics(&spec)
		if err := s.Add(b); err != nil {
			f.Fatal(err)
		}
		search := NewQuantileSearch(&spec, s)
		f.Add(string(missing), encoded(f, search))
		counts := search.Open()
		if err := errors.Join(counts.Add(b), search.Close(counts)); err != nil {
			f.Fatal(err)
		}
		f.Add(string(missing), encoded(f, search))
	}
	f.Fuzz(func(t *testing.T, missing string, data []byte) {
		// An interval of a few bytes stands for the bins in it, which the next round opens.
		hostile.Ceiling(t, len(missing)+len(data), 16<<20, 4<<10, func() {
			spec := *fuzzSpec
			if spec.Missing = Missing(missing); spec.Validate() != nil {
				return
			}
			q, err := DecodeQuantileSearch(&spec, data)
			if err != nil {
				return
			}
			if got := encoded(t, q); !bytes.Equal(data, got) {
				t.Errorf("%x was read and became %x", data, got)
			}
			for !q.Done() {
				counts := q.Open()
				if _, err := q.DecodeCounts(encoded(t, counts)); err != nil {
					t.Fatalf("%x: its own counts: %v", data, err)
				}
				if counts.Add(b) != nil || q.Close(counts) != nil {
					return
				}
			}
		})
	})
}
