package wire

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/hostile"
)

func TestASampleSurvivesTheWayAndKeepsItsBounds(t *testing.T) {
	for _, sample := range [][]float32{nil, {1, -2.5, math.MaxFloat32}, make([]float32, MaxSample)} {
		got, err := DecodeSample(EncodeSample(sample))
		if err != nil || !slices.Equal(got, sample) {
			t.Errorf("%d values: got %d, %v", len(sample), len(got), err)
		}
	}
	for name, data := range map[string][]byte{"half a value": {1, 2, 3, 4, 5, 6}, "too many": make([]byte, 4*MaxSample+4),
		"no number": EncodeSample([]float32{float32(math.NaN())}), "infinite": EncodeSample([]float32{float32(math.Inf(-1))})} {
		if _, err := DecodeSample(data); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
}

func TestASampleIsLargeEnoughOrNotTaken(t *testing.T) {
	for _, c := range []struct {
		rows    int64
		columns int
		want    int64
	}{
		{0, 1, 1}, {4096, 3, 1}, {4097, 3, 2}, {1e9, 8, 244141}, {1e9, 64, 488282}, {1000, 256, 2}, {1000, 257, 0}, {1000, 0, 0},
	} {
		got := SampleStep(c.rows, c.columns)
		if got != c.want {
			t.Errorf("%d rows, %d columns: got %d, want %d", c.rows, c.columns, got, c.want)
		}
		if got > 0 && (c.rows+got-1)/got*int64(c.columns) > MaxSample {
			t.Errorf("%d rows, %d columns: more than %d values", c.rows, c.columns, MaxSample)
		}
	}
}

func TestMergedSamplesStayWithinTheirBound(t *testing.T) {
	p := &Partial{Sample: make([]float32, MaxSample-1)}
	p.Merge(&Partial{Sample: []float32{1}})
	if len(p.Sample) != MaxSample {
		t.Errorf("got %d values, want %d", len(p.Sample), MaxSample)
	}
	p.Merge(&Partial{Sample: []float32{1}})
	if len(p.Sample) != MaxSample {
		t.Errorf("got %d values, want no more than %d", len(p.Sample), MaxSample)
	}
}

func FuzzSample(f *testing.F) {
	f.Add(EncodeSample([]float32{1, 2}))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, data []byte) {
		hostile.Ceiling(t, len(data), 64<<10, 64, func() {
			if sample, err := DecodeSample(data); err == nil && len(EncodeSample(sample)) != len(data) {
				t.Errorf("%d values of %d bytes", len(sample), len(data))
			}
		})
	})
}
