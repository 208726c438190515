package dataset

import (
	"fmt"
	"math/bits"
	"testing"

	"pgregory.net/rapid"
)

// The hash decides which worker compares which ids, on machines that may run other builds: its values are for good.
func TestTheHashOfAnIDIsForGood(t *testing.T) {
	for _, c := range []struct {
		id   string
		want uint64
	}{
		{"0", 0xe220a8397b1dcdaf}, // SplitMix64's first number from seed 0
		{"1", 0x910a2dec89025cc1},
		{"7", 0x63cbe1e459320dd7}, {"-1", 0xe4d971771b652c20}, {"9223372036854775807", 0x2a67d7552e039ea7}, {"-9223372036854775808", 0x481ec0a212a9f3db},
		{"07", 0x7fde3e511a07f365}, {"", 0xc3817c016ba4ff30}, {"abc", 0x29e32c04ec3f9c30}, {"é", 0x6e2411eb685090ba}, {"9223372036854775808", 0xf94b8fc29107855b},
	} {
		if got := column(c.id).Hash(0); got != c.want {
			t.Errorf("{%q, %#x}: got %#x", c.id, c.want, got)
		}
	}
}

func TestEqualIDsHaveEqualHashesHoweverTheyAreHeld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.Map(rapid.Int64(), func(v int64) string { return fmt.Sprint(v) })), 1, 20).Draw(t, "ids")
		together, text := column(ids...), column(ids...)
		text.AsText()
		taken := &IDs{}
		for i, id := range ids {
			want := column(id).Hash(0)
			taken.AppendFrom([]*IDs{together, text}[i%2], i)
			if together.Hash(i) != want || text.Hash(i) != want || taken.Hash(i) != want || string(taken.AppendTo(nil, i)) != id {
				t.Fatalf("%q: got %#x among others, %#x as text, %#x taken over, want %#x", id, together.Hash(i), text.Hash(i), taken.Hash(i), want)
			}
		}
	})
}

func TestRangesOfHashesAreOfOneSize(t *testing.T) {
	const n, ranges = 100_000, 16
	for name, form := range map[string]string{"integers": "%d", "padded": "%09d", "with a word": "customer-%d"} {
		var counts [ranges]int
		c := &IDs{}
		for i := range n {
			c.AppendText(fmt.Appendf(nil, form, i))
			r, _ := bits.Mul64(c.Hash(i), ranges)
			counts[r]++
		}
		for r, count := range counts {
			if count < n/ranges*9/10 || count > n/ranges*11/10 {
				t.Errorf("%s: %d ids in range %d, want about %d", name, count, r, n/ranges)
			}
		}
	}
}
