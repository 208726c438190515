package feature

import (
	"fmt"
	"math"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
)

const (
	benchRows    = 8192
	benchColumns = 8
)

// benchBatch is normal numbers born as float32, held in either width.
func benchBatch(narrow bool) *Batch {
	b := &Batch{Rows: benchRows}
	for j := range uint64(benchColumns) {
		x, y := make([]float64, benchRows), make([]float32, benchRows)
		for i := range x {
			u := exact.Draw(1, 1, uint32(j), uint64(i))
			y[i] = float32(100 + 10*exact.Normal(u, exact.Draw(2, 1, uint32(j), uint64(i))))
			x[i] = float64(y[i])
		}
		if narrow {
			b.Numeric32 = append(b.Numeric32, y)
		} else {
			b.Numeric = append(b.Numeric, x)
		}
	}
	return b
}

func benchSpec(scale Scale, normalize bool) *Spec {
	spec := &Spec{Scale: scale, Missing: Fail, Normalize: normalize}
	for j := range benchColumns {
		spec.Numeric = append(spec.Numeric, fmt.Sprint("x", j))
	}
	return spec
}

func perValue(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(benchRows*benchColumns), "ns/value")
}

func BenchmarkStatisticsAdd(b *testing.B) {
	for _, narrow := range []bool{true, false} {
		b.Run(fmt.Sprintf("float32=%v", narrow), func(b *testing.B) {
			batch, s := benchBatch(narrow), NewStatistics(benchSpec(Standard, false))
			b.ResetTimer()
			for b.Loop() {
				if err := s.Add(batch); err != nil {
					b.Fatal(err)
				}
			}
			perValue(b)
		})
	}
}

func BenchmarkCountsAdd(b *testing.B) {
	spec, batch := benchSpec(Robust, false), benchBatch(true)
	s := NewStatistics(spec)
	if err := s.Add(batch); err != nil {
		b.Fatal(err)
	}
	counts := NewQuantileSearch(spec, s).Open()
	b.ResetTimer()
	for b.Loop() {
		if err := counts.Add(batch); err != nil {
			b.Fatal(err)
		}
	}
	perValue(b)
}

func BenchmarkApply(b *testing.B) {
	cases := []struct {
		name      string
		narrow    bool
		scale     Scale
		normalize bool
		log       bool
	}{
		{"standard/float32", true, Standard, false, false},
		{"standard/float64", false, Standard, false, false},
		{"none/float32", true, None, false, false},
		{"cosine/float32", true, Standard, true, false},
		{"log1p/float32", true, Standard, false, true},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			spec, batch := benchSpec(c.scale, c.normalize), benchBatch(c.narrow)
			if c.log {
				spec.Log1p = spec.Numeric
			}
			t := mustFit(b, spec, batch)
			out, keep := outColumns(t, benchRows), make([]bool, benchRows)
			b.ResetTimer()
			for b.Loop() {
				if _, err := t.Apply(batch, out, keep); err != nil {
					b.Fatal(err)
				}
			}
			perValue(b)
		})
	}
}

func BenchmarkApplyOneHot(b *testing.B) {
	level := make([]byte, 1)
	column := TextColumn{At: func(i int) []byte {
		level[0] = 'a' + byte(i%5)
		return level
	}}
	batch := &Batch{Rows: benchRows, Text: []TextColumn{column}}
	t := mustFit(b, &Spec{Categorical: []string{"c"}, Scale: Standard, Missing: Fail}, batch)
	out := outColumns(t, benchRows)
	b.ResetTimer()
	for b.Loop() {
		if _, err := t.Apply(batch, out, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
}

// BenchmarkToGrid is the share of Apply that exact.ToGridSlice takes.
func BenchmarkToGrid(b *testing.B) {
	x, out := make([]float64, applyRows), make([]float32, applyRows)
	for i := range x {
		x[i] = math.Sqrt(float64(i))
	}
	for b.Loop() {
		exact.ToGridSlice(out, x, 3, -39)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/applyRows, "ns/value")
}
