package dataset

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func texts(c *IDs) []string {
	list := []string{}
	for i := range c.Len() {
		list = append(list, string(c.AppendTo(nil, i)))
	}
	return list
}

func column(ids ...string) *IDs {
	c := &IDs{}
	for _, id := range ids {
		c.AppendText([]byte(id))
	}
	return c
}

func TestIDsStayIntegersOnlyInTheirPlainSpelling(t *testing.T) {
	for id, want := range map[string]bool{
		"0": true, "7": true, "-7": true, "9223372036854775807": true, "-9223372036854775808": true,
		"007": false, "00": false, "-0": false, "+7": false, "7.0": false, "": false, "-": false, " 7": false, "7a": false, "1e3": false,
		"9223372036854775808": false, "-9223372036854775809": false, "99999999999999999999": false,
	} {
		c := column("1", id)
		if _, got := c.Integers(); got != want {
			t.Errorf("%q held as an integer: %v, want %v", id, got, want)
		}
		if diff := cmp.Diff([]string{"1", id}, texts(c)); diff != "" {
			t.Errorf("ids are not kept (-want +got):\n%s", diff)
		}
	}
}

func TestIDsKeepEveryText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.Map(rapid.Int64(), func(v int64) string { return strconv.FormatInt(v, 10) }))).Draw(t, "ids")
		c := column(want...)
		if rapid.Bool().Draw(t, "as text") {
			c.AsText()
		}
		if diff := cmp.Diff(append([]string{}, want...), texts(c)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestIDsFromVectors(t *testing.T) {
	c := &IDs{}
	v := Vector{Int64: []int64{5, 0, math.MinInt64}, Missing: []bool{false, true, false}}
	c.AppendVector(&v, 0)
	c.AppendVector(&v, 2)
	if ids, ok := c.Integers(); !ok || !slices.Equal(ids, []int64{5, math.MinInt64}) {
		t.Errorf("got %v %v, want the integers as they are", ids, ok)
	}
	c.AppendVector(&v, 1)
	c.AppendVector(&Vector{Text: Strings{Data: []byte("ab12"), Offsets: []int{0, 2, 4}}}, 1)
	if diff := cmp.Diff([]string{"5", "-9223372036854775808", "", "12"}, texts(c)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// twinDuplicates is the definition: a map over all rows in order.
func twinDuplicates(ids []string, rows []int64, keep Keep) (first *Duplicate, drop []int64, count int64) {
	seen := map[string]int64{}
	for i, id := range ids {
		before, twice := seen[id]
		if twice {
			count++
			if first == nil {
				first = &Duplicate{ID: id, First: before, Again: rows[i]}
			}
			switch keep {
			case KeepFirst:
				drop = append(drop, rows[i])
			case KeepLast:
				drop = append(drop, before)
			}
		}
		if !twice || keep == KeepLast {
			seen[id] = rows[i]
		}
	}
	slices.Sort(drop)
	return first, drop, count
}

func TestDuplicatesAreThoseOfAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SampledFrom([]string{"1", "2", "3", "44", "-5", "6", "70", "8"})
		if rapid.Bool().Draw(t, "text") {
			id = rapid.SampledFrom([]string{"1", "01", "7", "007", "a", "b", "", "9"})
		}
		if rapid.Bool().Draw(t, "sparse") {
			id = rapid.Map(rapid.IntRange(0, 5000), strconv.Itoa)
		}
		keep := Keep(rapid.IntRange(0, 2).Draw(t, "keep"))
		var ids []string
		var rows []int64
		var parts []IDPart
		next := int64(rapid.IntRange(0, 3).Draw(t, "start"))
		for range rapid.IntRange(0, 4).Draw(t, "parts") {
			own := rapid.SliceOfN(id, 0, 200).Draw(t, "ids")
			numbers := []int64{}
			for range own {
				next += int64(1 + len(ids)%2)
				numbers = append(numbers, next)
			}
			ids, rows = append(ids, own...), append(rows, numbers...)
			parts = append(parts, IDPart{column(own...), func(i int) int64 { return numbers[i] }})
		}
		slices.Reverse(parts)
		wantFirst, wantDrop, wantCount := twinDuplicates(ids, rows, keep)
		first, drop, count := Duplicates(parts, keep)
		if diff := cmp.Diff(wantFirst, first); diff != "" || count != wantCount {
			t.Fatalf("count %d, want %d; first (-want +got):\n%s", count, wantCount, diff)
		}
		if !slices.Equal(drop, wantDrop) {
			t.Fatalf("drop %v, want %v", drop, wantDrop)
		}
	})
}

func TestDuplicatesOverManyBuckets(t *testing.T) {
	const n = 300_000
	c := &IDs{}
	for i := range int64(n) {
		c.AppendInt((i*7919 + 150) % (n - 5)) // the last five repeat the first five
	}
	row := func(i int) int64 { return int64(i) + 100 }
	first, drop, count := Duplicates([]IDPart{{c, row}}, KeepFirst)
	want := &Duplicate{ID: "150", First: 100, Again: n - 5 + 100}
	if diff := cmp.Diff(want, first); diff != "" || count != 5 || len(drop) != 5 || drop[0] != want.Again {
		t.Errorf("count %d, drop %v, first (-want +got):\n%s", count, drop, diff)
	}
}

func BenchmarkDuplicates(b *testing.B) {
	const n = 10_000_000
	for _, text := range []bool{false, true} {
		c := &IDs{}
		for i := range uint64(n) {
			c.AppendInt(int64(mix(i) >> 1))
		}
		if text {
			c.AsText()
		}
		b.Run(fmt.Sprintf("text=%v", text), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, count := Duplicates([]IDPart{{c, func(i int) int64 { return int64(i) }}}, KeepAll); count != 0 {
					b.Fatal(count)
				}
			}
		})
	}
}

func TestIDsThatHaveRoomTakeNoMore(t *testing.T) {
	const n = 1 << 18
	var c IDs
	c.Grow(n)
	for i := range int64(n) {
		c.AppendInt(i)
	}
	if got := cap(c.integers); got != n {
		t.Errorf("got room for %d ids, want %d", got, n)
	}
}
