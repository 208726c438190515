package partition

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestCutCoversEveryRowOnceWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.Int64Range(0, 1<<26).Draw(t, "rows")
		columns := rapid.IntRange(1, 5000).Draw(t, "columns")
		cuts := []int64{0}
		for last := int64(0); last < rows && len(cuts) < 2000; {
			last += rapid.Int64Range(1, 1<<22).Draw(t, "step")
			cuts = append(cuts, last)
		}
		m, err := Cut(rows, columns, cuts)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCutKeepsToRowGroups(t *testing.T) {
	var cuts []int64
	for c := int64(0); c < 10_000_000; c += 1 << 20 {
		cuts = append(cuts, c)
	}
	m, err := Cut(10_000_000, 8, cuts)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Partitions {
		if !slices.Contains(cuts, p.First) {
			t.Errorf("partition %d begins at row %d, which is no cut", p.ID, p.First)
		}
	}
}

func TestValidateRefusesWhatDoesNotCover(t *testing.T) {
	for name, m := range map[string]*Manifest{
		"a gap":        {Rows: 10, Partitions: []Partition{{0, 0, 4}, {1, 5, 5}}},
		"an overlap":   {Rows: 10, Partitions: []Partition{{0, 0, 6}, {1, 5, 5}}},
		"too few":      {Rows: 10, Partitions: []Partition{{0, 0, 4}}},
		"too large":    {Rows: MaxRows + 1, Partitions: []Partition{{0, 0, MaxRows + 1}}},
		"a wrong id":   {Rows: 10, Partitions: []Partition{{1, 0, 10}}},
		"an empty one": {Rows: 10, Partitions: []Partition{{0, 0, 0}, {1, 0, 10}}},
	} {
		if err := m.Validate(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestCutRefusesMorePartitionsThanThereMayBe(t *testing.T) {
	most := int64(maxTarget) * MaxPartitions / 2
	for rows, want := range map[int64]bool{most + maxTarget - 1: true, most + maxTarget: false, 1 << 60: false} {
		if want && testing.Short() {
			continue
		}
		m, err := Cut(rows, 1, nil)
		if (err == nil) != want || err != nil && !errors.Is(err, ErrTooManyRows) {
			t.Errorf("%d rows: got %v, want it taken = %v", rows, err, want)
		}
		if m != nil && len(m.Partitions) > MaxPartitions {
			t.Errorf("%d rows: got %d partitions, want at most %d", rows, len(m.Partitions), MaxPartitions)
		}
	}
}
