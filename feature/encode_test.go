package feature

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/internal/hostile"
)

func encoded(t interface{ Fatal(...any) }, m encoding.BinaryMarshaler) []byte {
	data, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEncodedStatisticsAreCanonicalAndComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		b := drawBatch(t, spec.Missing != Fail, true)
		whole, merged := NewStatistics(spec), NewStatistics(spec)
		if err := whole.Add(b); err != nil {
			t.Fatal(err)
		}
		for _, part := range split(b, rapid.IntRange(0, b.Rows).Draw(t, "cut")) {
			s := NewStatistics(spec)
			if err := s.Add(part); err != nil {
				t.Fatal(err)
			}
			sent, err := DecodeStatistics(spec, encoded(t, s))
			if err != nil {
				t.Fatal(err)
			}
			merged.Merge(sent)
		}
		if want, got := encoded(t, whole), encoded(t, merged); !bytes.Equal(want, got) {
			t.Fatalf("parts sent and merged: got %x, want %x", got, want)
		}
		search := NewQuantileSearch(spec, whole)
		for search != nil && !search.Done() {
			here := search.Open()
			task, err := DecodeCounts(spec, encoded(t, here))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(here.Add(b), task.Add(b)); err != nil {
				t.Fatal(err)
			}
			there := task.Fresh()
			there.Merge(task)
			answer, err := DecodeCounts(spec, encoded(t, there))
			if err != nil {
				t.Fatal(err)
			}
			if want, got := encoded(t, here), encoded(t, answer); !bytes.Equal(want, got) {
				t.Fatalf("counts sent: got %x, want %x", got, want)
			}
			if err := search.Close(answer); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestEncodedNormalisedStatisticsComeBack(t *testing.T) {
	b := &Batch{Rows: 2, Numeric: [][]float64{{1, 2}, {3, 5}}}
	tr := mustFit(t, &Spec{Numeric: []string{"x", "y"}, Scale: None, Missing: Fail, Normalize: true}, b)
	n := tr.NormalisedStatistics()
	if err := n.Add(b); err != nil {
		t.Fatal(err)
	}
	data := encoded(t, n)
	back, err := tr.DecodeNormalised(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := encoded(t, back); !bytes.Equal(data, got) {
		t.Errorf("got %x, want %x", got, data)
	}
	if _, err := tr.DecodeNormalised(data[:len(data)-1]); !errors.Is(err, ErrEncoding) {
		t.Errorf("cut short: got %v, want ErrEncoding", err)
	}
}

func TestCountsOfOtherRowsThanTheStatisticsAreRefused(t *testing.T) {
	spec := &Spec{Numeric: []string{"x"}, Scale: Robust, Missing: Fail}
	s := NewStatistics(spec)
	if err := s.Add(one(1, 2, 3, 4, 5)); err != nil {
		t.Fatal(err)
	}
	search := NewQuantileSearch(spec, s)
	counts := search.Open()
	if err := counts.Add(one(1, 2)); err != nil {
		t.Fatal(err)
	}
	if err := search.Close(counts); err == nil {
		t.Error("got no error for counts that lack rows")
	}
}

var fuzzSpec = &Spec{Numeric: []string{"x", "y"}, Log1p: []string{"y"}, Categorical: []string{"c"}, Scale: Robust, Missing: Mean}

func fuzzStatistics(f *testing.F) *Statistics {
	s := NewStatistics(fuzzSpec)
	b := &Batch{Rows: 3, Numeric: [][]float64{{1, 2, nan}, {0, 7, 9}}, Text: []TextColumn{texts("a", "b", "∅")}}
	if err := s.Add(b); err != nil {
		f.Fatal(err)
	}
	return s
}

func FuzzDecodeStatistics(f *testing.F) {
	f.Add(encoded(f, fuzzStatistics(f)))
	f.Add([]byte("S"))
	f.Fuzz(func(t *testing.T, data []byte) {
		// The bins of the searches that follow take megabytes, whatever is searched.
		hostile.Ceiling(t, len(data), 32<<20, 1<<10, func() {
			s, err := DecodeStatistics(fuzzSpec, data)
			if err != nil {
				return
			}
			if got := encoded(t, s); !bytes.Equal(data, got) {
				t.Errorf("%x was read and became %x", data, got)
			}
			search := NewQuantileSearch(fuzzSpec, s)
			for search != nil && !search.Done() {
				if search.Close(search.Open()) != nil {
					return
				}
			}
			if tr, err := Fit(fuzzSpec, s, search); err == nil && tr.Validate() != nil {
				t.Errorf("%x fits to a Transform that is not valid: %v", data, tr.Validate())
			}
		})
	})
}

func FuzzDecodeCounts(f *testing.F) {
	s := fuzzStatistics(f)
	counts := NewQuantileSearch(fuzzSpec, s).Open()
	f.Add(encoded(f, counts))
	b := &Batch{Rows: 3, Numeric: [][]float64{{1, 2, nan}, {0, 7, 9}}, Text: []TextColumn{texts("a", "b", "∅")}}
	if err := counts.Add(b); err != nil {
		f.Fatal(err)
	}
	f.Add(encoded(f, counts))
	f.Fuzz(func(t *testing.T, data []byte) {
		// An interval of a few bytes stands for the bins in it.
		hostile.Ceiling(t, len(data), 8<<20, 1<<12, func() {
			c, err := DecodeCounts(fuzzSpec, data)
			if err != nil {
				return
			}
			if got := encoded(t, c); !bytes.Equal(data, got) {
				t.Errorf("%x was read and became %x", data, got)
			}
			if err := c.Add(b); err != nil {
				t.Error(err)
			}
		})
	})
}

func FuzzDecodeNormalised(f *testing.F) {
	b := &Batch{Rows: 3, Numeric: [][]float64{{1, 2, 5}, {0, 7, 9}}}
	tr := mustFit(f, &Spec{Numeric: []string{"x", "y"}, Scale: None, Missing: Fail, Normalize: true}, b)
	n := tr.NormalisedStatistics()
	f.Add(encoded(f, n))
	if err := n.Add(b); err != nil {
		f.Fatal(err)
	}
	f.Add(encoded(f, n))
	f.Fuzz(func(t *testing.T, data []byte) {
		hostile.Ceiling(t, len(data), 64<<10, 64, func() {
			n, err := tr.DecodeNormalised(data)
			if err != nil {
				if !errors.Is(err, ErrEncoding) {
					t.Fatalf("got %v, want ErrEncoding", err)
				}
				return
			}
			if got := encoded(t, n); !bytes.Equal(data, got) {
				t.Errorf("%x was read and became %x", data, got)
			}
			other := *tr
			_ = other.FinishNormalised(n) // it may refuse what no rows can give, and must not panic
		})
	})
}

func FuzzTransformJSON(f *testing.F) {
	b := &Batch{Rows: 3, Numeric: [][]float64{{1, 2, nan}, {0, 7, 9}}, Text: []TextColumn{texts("a", "b", "∅")}}
	for _, missing := range []Missing{Mean, Indicator} {
		spec := *fuzzSpec
		spec.Missing = missing
		f.Add([]byte(asJSON(f, mustFit(f, &spec, b))))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		hostile.Ceiling(t, len(data), 1<<20, 1<<10, func() {
			var tr Transform
			if json.Unmarshal(data, &tr) != nil || tr.Validate() != nil {
				return
			}
			numeric, categorical := tr.Columns()
			one := &Batch{Rows: 1}
			for range numeric {
				one.Numeric = append(one.Numeric, []float64{1.5})
			}
			for range categorical {
				one.Text = append(one.Text, texts("a"))
			}
			if tr.NeedsSecondPass() {
				return
			}
			out := outColumns(&tr, 1)
			if _, err := tr.Apply(one, out, make([]bool, 1)); err == nil {
				tr.Inverse(row(out, 0))
			}
		})
	})
}
