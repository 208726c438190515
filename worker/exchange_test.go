package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

var policies = []wire.DuplicateIDs{wire.DuplicatesFail, wire.DuplicatesFirst, wire.DuplicatesLast}

// exchanged is what a job finds out about ids.
type exchanged struct {
	Count   int64
	Fault   string
	Row     int64
	Dropped []int64 // by the engines that read the partitions afterwards
}

// byOnePlace is the same from all ids in one place.
func byOnePlace(s *people, m *partition.Manifest, policy wire.DuplicateIDs) exchanged {
	first, left, count := s.whole(m, policy)
	if policy == wire.DuplicatesFail && first != nil {
		return exchanged{count, fmt.Sprintf("people: row %d, column id: the id %s is there twice: first at row %d (keep one of them with "+
			"--duplicates first or last, or name another column with --id)", first.Again, first.ID, first.First), first.Again, nil}
	}
	return exchanged{Count: count, Dropped: left}
}

// exchange goes through keys, duplicates and a round that reads; who does what is by number of partition or range.
func (c *circle) exchange(t tester, ctx context.Context, in *wire.Input, holders, settlers, readers []string) exchanged {
	t.Helper()
	c.do(t, ctx, wire.Task{Epoch: 1, Round: 1, Kind: wire.Keys, Input: in}, holders)
	found := c.do(t, ctx, wire.Task{Epoch: 1, Round: 2, Kind: wire.Duplicates, Input: in, Owners: holders}, settlers)
	got := exchanged{Count: found.Dropped}
	if found.Fault != nil {
		got.Fault, got.Row = found.Fault.Err.Error(), found.Fault.Row
		return got
	}
	if in.Duplicates != wire.DuplicatesFail {
		got.Dropped = c.read(t, ctx, in, settlers, readers)
	}
	return got
}

// read reads all rows and says which were left out.
func (c *circle) read(t tester, ctx context.Context, in *wire.Input, settlers, readers []string) []int64 {
	t.Helper()
	task := wire.Task{Epoch: 1, Round: 3, Kind: wire.Statistics, Input: in, Owners: settlers}
	p := c.do(t, ctx, task, readers)
	var left []int64
	for id, name := range readers {
		left = append(left, c.engines[name].leftOut(&task, id)...)
	}
	if int64(len(left)) != p.Intake.Duplicates {
		t.Fatalf("%d rows left out, of which %d were known", p.Intake.Duplicates, len(left))
	}
	return left
}

func TestEqualIDsAreFoundWhereverTheyLie(t *testing.T) {
	for name, ids := range map[string]string{
		"none twice, ascending":     "1 2 3 4 5 6 7 8 9",
		"none twice, descending":    "9 8 7 6 5 4 3 2 1",
		"within a partition":        "1 1 3 4 5 6 7 8 9",
		"across partitions":         "1 2 3 4 1 6 7 8 9",
		"across workers":            "1 2 3 4 5 6 7 8 1",
		"three times":               "5 2 3 4 5 6 7 5 9",
		"text":                      "a b c d a e f g c",
		"plain and padded are two":  "7 07 3 4 5 6 1 8 9",
		"padded twice":              "7 07 3 4 5 6 07 8 9",
		"integer among text":        "7 8 9 4 5 6 7 x 9",
		"text and integers, mixed":  "7 x 9 x 8 07 9 -1 7",
		"one id everywhere":         "3 3 3 3 3 3 3 3 3",
		"the ends of int64":         "9223372036854775807 -9223372036854775808 1 9223372036854775807 9223372036854775808 2 -9223372036854775808 9223372036854775808 0",
		"two pairs, later one last": "1 2 3 3 5 6 7 8 1",
	} {
		s := peopleOf(strings.Fields(ids)...)
		m := cutAt(3, 2, 1, 3)
		for _, policy := range policies {
			c := newCircle(t, s, m, names(3)...)
			got := c.exchange(t, t.Context(), peopleInput(policy), []string{"w0", "w0", "w1", "w2"}, []string{"w2", "w1", "w1", "w0"}, []string{"w1", "w0", "w2", "w2"})
			if diff := cmp.Diff(byOnePlace(s, m, policy), got); diff != "" || len(c.lost) > 0 {
				t.Errorf("%s, %s: given up %q; (-one place +workers):\n%s", name, policy, c.lost, diff)
			}
		}
	}
}

// ways are ids, and a way to divide the work on them.
type ways struct {
	s                          *people
	m                          *partition.Manifest
	policy                     wire.DuplicateIDs
	holders, settlers, readers []string
}

func drawWays(t *rapid.T) ways {
	id := rapid.OneOf(rapid.SampledFrom([]string{"7", "07", "x", "-1"}), rapid.Map(rapid.IntRange(0, 40), func(v int) string { return fmt.Sprint(v) }))
	w := ways{policy: rapid.SampledFrom(policies).Draw(t, "policy")}
	var ids []string
	var sizes []int
	for range rapid.IntRange(1, 6).Draw(t, "partitions") {
		part := rapid.SliceOfN(id, 1, 12).Draw(t, "ids")
		ids = append(ids, part...)
		sizes = append(sizes, len(part))
	}
	w.s, w.m = peopleOf(ids...), cutAt(sizes...)
	some := rapid.SliceOfN(rapid.SampledFrom(names(3)), len(sizes), len(sizes))
	w.holders, w.settlers, w.readers = some.Draw(t, "holders"), some.Draw(t, "settlers"), some.Draw(t, "readers")
	return w
}

func TestWorkersFindWhatOnePlaceWouldFind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWays(t)
		c := newCircle(t, w.s, w.m, names(3)...)
		for _, name := range rapid.SliceOf(rapid.SampledFrom(names(3))).Draw(t, "deaf") {
			c.deaf[name] = true
		}
		got := c.exchange(t, context.Background(), peopleInput(w.policy), w.holders, w.settlers, w.readers)
		if diff := cmp.Diff(byOnePlace(w.s, w.m, w.policy), got); diff != "" {
			t.Fatalf("(-one place +workers):\n%s", diff)
		}
	})
}

// crowd is more ids than a part holds, some of them twice.
func crowd() (*people, *partition.Manifest) {
	var ids []string
	for i := range 5 * partIDs {
		ids = append(ids, fmt.Sprint((i*7919)%(5*partIDs-1000)))
	}
	return peopleOf(ids...), cutAt(4*partIDs, partIDs/2, partIDs/2)
}

func TestALostOwnerIsReplacedByReading(t *testing.T) {
	s, m := crowd()
	holders, settlers := []string{"w1", "w0", "w2"}, []string{"w0", "w2", "w1"}
	steps := map[string]struct {
		before  func(c *circle)                        // before duplicates
		between func(c *circle)                        // before the rows are read
		owners  func(list []string, step int) []string // as the coordinator tells them
		lost    string
	}{
		"the holder is not reachable":          {before: func(c *circle) { c.deaf["w1"] = true }, lost: "w1"},
		"the holder goes in its answer":        {before: func(c *circle) { c.cut["w1"] = true }, lost: "w1"},
		"the holder was started again":         {before: func(c *circle) { c.start(t, s, m, "w1") }, lost: "w1"},
		"the holder has no name":               {owners: func(l []string, step int) []string { return without(l, "w1", step == 0) }, lost: ""},
		"the settler is not reachable":         {between: func(c *circle) { c.deaf["w2"] = true }, lost: "w2"},
		"the settler was started again":        {between: func(c *circle) { c.start(t, s, m, "w2") }, lost: "w2"},
		"the settler has no name":              {owners: func(l []string, step int) []string { return without(l, "w2", step == 1) }, lost: ""},
		"everybody is deaf from the beginning": {before: func(c *circle) { c.deaf = map[string]bool{"w0": true, "w1": true, "w2": true} }, lost: "w0"},
	}
	for name, step := range steps {
		for _, policy := range []wire.DuplicateIDs{wire.DuplicatesFirst, wire.DuplicatesLast} {
			if testing.Short() && policy != wire.DuplicatesLast {
				continue
			}
			c := newCircle(t, s, m, names(3)...)
			in := peopleInput(policy)
			c.do(t, t.Context(), wire.Task{Epoch: 1, Round: 1, Kind: wire.Keys, Input: in}, holders)
			told := func(l []string, n int) []string {
				if step.owners != nil {
					return step.owners(l, n)
				}
				return l
			}
			if step.before != nil {
				step.before(c)
			}
			found := c.do(t, t.Context(), wire.Task{Epoch: 1, Round: 2, Kind: wire.Duplicates, Input: in, Owners: told(holders, 0)}, settlers)
			if step.between != nil {
				step.between(c)
			}
			got := exchanged{Count: found.Dropped, Dropped: c.read(t, t.Context(), in, told(settlers, 1), holders)}
			if !slices.Contains(c.lost, step.lost) {
				t.Errorf("%s: %q was not given up: the fault fell nowhere", name, step.lost)
			}
			if diff := cmp.Diff(byOnePlace(s, m, policy), got); diff != "" {
				t.Errorf("%s, %s (-one place +workers):\n%.2000s", name, policy, diff)
			}
		}
	}
}

// without blanks a name where the step is the one.
func without(list []string, name string, here bool) []string {
	list = slices.Clone(list)
	for i := range list {
		if here && list[i] == name {
			list[i] = ""
		}
	}
	return list
}

func TestRangesOfALostOwnerAreSettledOnce(t *testing.T) {
	s, m := peopleOf("1", "2", "1", "3", "2", "4"), cutAt(2, 2, 2)
	c := newCircle(t, s, m, names(2)...)
	in := peopleInput(wire.DuplicatesFirst)
	settlers := []string{"w1", "w1", "w1"}
	c.do(t, t.Context(), wire.Task{Epoch: 1, Round: 1, Kind: wire.Keys, Input: in}, settlers)
	c.do(t, t.Context(), wire.Task{Epoch: 1, Round: 2, Kind: wire.Duplicates, Input: in, Owners: settlers}, settlers)
	c.deaf["w1"] = true
	e := c.engines["w0"]
	for id := range 3 {
		before := s.reads.Load()
		if _, err := e.Do(t.Context(), &wire.Task{Epoch: 1, Round: 3, Kind: wire.Statistics, Input: in, Owners: settlers, Partitions: []int{id}}); err != nil {
			t.Fatal(err)
		}
		want := int64(1) // for the statistics
		if id == 0 {
			want += 3 // all ids, to settle
		}
		if got := s.reads.Load() - before; got != want {
			t.Errorf("partition %d: %d partitions read, want %d", id, got, want)
		}
	}
	if len(c.lost) != 1 {
		t.Errorf("given up: %q, want w1 once", c.lost)
	}
}

// TestRowsThatDoNotCountAreNoDuplicates has rows that are set aside for what only the transform can tell, or left out for
// a missing value: they must count as little for who reads the ids as for who was handed them.
func TestRowsThatDoNotCountAreNoDuplicates(t *testing.T) {
	for _, c := range []struct {
		name, ids string
		x         []float64
		twice     string
	}{
		{"set aside", "1 2 3 1 4 5", []float64{1e39, 1, 2, 3, 4, 5}, ""},
		{"missing", "1 2 3 1 4 5", []float64{0, 1, 2, math.NaN(), 4, 5}, ""},
		{"both, and one that counts", "1 2 1 3 1 1", []float64{0, 1, 1e39, 2, math.NaN(), 5}, "row 5, column id: the id 1 is there twice: first at row 0"},
	} {
		for _, deaf := range []bool{false, true} {
			for _, kind := range []wire.Kind{wire.Load, wire.Label} {
				s := &people{ids: strings.Fields(c.ids), x: c.x}
				circle := newCircle(t, s, cutAt(2, 2, 2), names(3)...)
				circle.deaf["w0"], circle.deaf["w1"], circle.deaf["w2"] = deaf, deaf, deaf
				got := circle.handInAndCompare(t, kind)
				if c.twice == "" && got != nil || c.twice != "" && (got == nil || !strings.Contains(got.Error(), c.twice)) {
					t.Errorf("%s, %s, deaf %v: got %v, want %q", c.name, kind, deaf, got, c.twice)
				}
				if deaf != (len(circle.lost) > 0) {
					t.Errorf("%s, %s, deaf %v: given up %q: the fault fell nowhere, or there was none", c.name, kind, deaf, circle.lost)
				}
			}
		}
	}
}

// handInAndCompare loads or labels under the policy fail, and compares the ids afterwards.
func (c *circle) handInAndCompare(t *testing.T, kind wire.Kind) error {
	t.Helper()
	in := peopleInput(wire.DuplicatesFail)
	in.BadRows, in.Spec.Missing = wire.BadRowsQuarantine, feature.Drop
	in.Spec.Scale = feature.Standard // so that the largest value is not told before
	fitted := peopleOf("1", "2", "3")
	k, err := newIntake(fitted, in, cutAt(3).Partitions[0], nil, wants{features: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.engines["w0"].readStatistics(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	transform, err := feature.Fit(in.Spec, k.partial.Statistics, nil)
	if err != nil {
		t.Fatal(err)
	}
	owners := names(3)
	how := wire.Task{Epoch: 1, Round: 1, Kind: kind, Input: in, Transform: transform, K: 1, KeepIDs: true,
		Centroids: &kmeans.Centroids{K: 1, D: 1, Values: []float32{0}}}
	if p := c.do(t, t.Context(), how, owners); len(p.IDs) != 3 || p.Intake.Bad+p.Intake.Missing == 0 {
		t.Fatalf("%s: %d partitions summed up, want 3; %+v, of which some should not count", kind, len(p.IDs), p.Intake)
	}
	found := c.do(t, t.Context(), wire.Task{Epoch: 1, Round: 2, Kind: wire.Duplicates, Input: in, Owners: owners, Reload: &how}, owners)
	if found.Fault == nil {
		return nil
	}
	if fault.Code(found.Fault.Err) != int(fault.Input) {
		t.Errorf("got exit code %d, want %d", fault.Code(found.Fault.Err), fault.Input)
	}
	return found.Fault.Err
}

func TestSummariesSayWhetherIDsAscend(t *testing.T) {
	for ids, want := range map[string]wire.IDSummary{
		"":       {Integers: true, Ascending: true},
		"5":      {Count: 1, Integers: true, Ascending: true, First: 5, Last: 5},
		"-3 0 9": {Count: 3, Integers: true, Ascending: true, First: -3, Last: 9},
		"1 3 3":  {Count: 3, Integers: true, First: 1, Last: 3},
		"3 1 4":  {Count: 3, Integers: true, First: 3, Last: 4},
		"1 02 3": {Count: 3},
	} {
		h := &handed{ids: new(dataset.IDs)}
		for _, id := range strings.Fields(ids) {
			h.ids.AppendText([]byte(id))
		}
		want.Partition = 4
		if diff := cmp.Diff(want, h.summary(4)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", ids, diff)
		}
	}
}

func TestIDsAreForgottenWhenARoundBeginsThatIsNotAboutThem(t *testing.T) {
	s, m := peopleOf("1", "2", "1", "3"), cutAt(2, 2)
	c := newCircle(t, s, m, "w0")
	e := c.engines["w0"]
	in := peopleInput(wire.DuplicatesFirst)
	owners := []string{"w0", "w0"}
	ask := func(epoch uint64) error {
		return e.IDs(t.Context(), IDsRequest{Job: "job", Epoch: epoch, Partitions: []int{0, 1}, Ranges: []int{0, 1}, Of: 2}, func(IDPart) error { return nil })
	}
	check := func(when string, want error) {
		t.Helper()
		for epoch := range uint64(4) {
			if err := ask(epoch); !errors.Is(err, want) {
				t.Errorf("%s, asked in epoch %d: got %v, want %v", when, epoch, err, want)
			}
		}
	}
	check("at first", ErrNoIDs)
	c.do(t, t.Context(), wire.Task{Epoch: 2, Round: 1, Kind: wire.Keys, Input: in}, owners)
	check("after keys", nil)
	c.do(t, t.Context(), wire.Task{Epoch: 2, Round: 2, Kind: wire.Duplicates, Input: in, Owners: owners}, owners)
	check("after duplicates", nil)
	c.do(t, t.Context(), wire.Task{Epoch: 1, Round: 9, Kind: wire.Keys, Input: in}, owners)
	check("after a round of an epoch before", nil)
	c.do(t, t.Context(), wire.Task{Epoch: 2, Round: 3, Kind: wire.Statistics, Input: in, Owners: owners}, owners)
	check("after statistics", ErrNoIDs)
	// A coordinator that was started again asks for all of it once more, of workers that know what is left out.
	p := c.do(t, t.Context(), wire.Task{Epoch: 3, Round: 1, Kind: wire.Keys, Input: in}, owners)
	check("in the next epoch", nil)
	if p.Intake.Duplicates != 0 || p.IDs[1].Count != 2 {
		t.Errorf("keys again: %d rows left out, %+v; want all rows", p.Intake.Duplicates, p.IDs)
	}
}

func TestWhoTakesAPartitionOverKeepsNoIDsToCompare(t *testing.T) {
	c := newCircle(t, peopleOf("1", "2", "3"), cutAt(3), "w0")
	in := peopleInput(wire.DuplicatesFail)
	p := c.do(t, t.Context(), wire.Task{Epoch: 1, Round: 1, Kind: wire.Statistics, Input: in}, []string{"w0"})
	transform, err := feature.Fit(in.Spec, p.Statistics, nil)
	if err != nil {
		t.Fatal(err)
	}
	load := wire.Task{Epoch: 1, Round: 5, Kind: wire.Load, Input: in, Transform: transform, K: 1}
	score := wire.Task{Epoch: 1, Round: 5, Kind: wire.Score, Centroids: &kmeans.Centroids{K: 1, D: 1, Values: []float32{0}}, Reload: &load}
	c.do(t, t.Context(), score, []string{"w0"})
	if _, err := c.engines["w0"].exchange.kept([]int{0}); !errors.Is(err, ErrNoIDs) {
		t.Errorf("after a takeover: got %v, want %v", err, ErrNoIDs)
	}
	c.do(t, t.Context(), load, []string{"w0"})
	if _, err := c.engines["w0"].exchange.kept([]int{0}); err != nil {
		t.Errorf("after a round that loads: got %v, want the ids", err)
	}
}

func TestQuestionsThatNobodyAsksAreRefused(t *testing.T) {
	c := newCircle(t, peopleOf("1", "2"), cutAt(1, 1), "w0")
	e := c.engines["w0"]
	for name, r := range map[string]IDsRequest{
		"another number of ranges": {Partitions: []int{0}, Ranges: []int{0}, Of: 3},
		"no such partition":        {Partitions: []int{2}, Ranges: []int{0}, Of: 2},
		"a negative partition":     {Partitions: []int{-1}, Ranges: []int{0}, Of: 2},
		"partitions that descend":  {Partitions: []int{1, 0}, Ranges: []int{0}, Of: 2},
		"a partition twice":        {Partitions: []int{1, 1}, Ranges: []int{0}, Of: 2},
		"no such range":            {Partitions: []int{0}, Ranges: []int{2}, Of: 2},
		"a range twice":            {Partitions: []int{0}, Ranges: []int{0, 0}, Of: 2},
	} {
		if err := e.IDs(t.Context(), r, func(IDPart) error { return nil }); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%s: got %v, want %v", name, err, ErrBadRequest)
		}
		if r.Of != 2 {
			continue
		}
		err := e.Dropped(t.Context(), DroppedRequest{Partitions: r.Partitions, Ranges: r.Ranges}, func([]int64) error { return nil })
		if !errors.Is(err, ErrBadRequest) {
			t.Errorf("%s, rows: got %v, want %v", name, err, ErrBadRequest)
		}
	}
	if _, err := e.Do(t.Context(), &wire.Task{Kind: wire.Duplicates, Input: peopleInput(wire.DuplicatesFail), Partitions: []int{0}, Owners: []string{"w0"}}); err == nil {
		t.Error("owners of too few partitions: no error")
	}
	if _, err := e.Do(t.Context(), &wire.Task{Kind: wire.Statistics, Input: peopleInput(wire.DuplicatesFirst), Partitions: []int{0}, Owners: []string{"w0"}}); err == nil {
		t.Error("owners of too few ranges: no error")
	}
	if _, err := e.Do(t.Context(), &wire.Task{Kind: wire.Keys, Input: &wire.Input{Spec: &feature.Spec{}}, Partitions: []int{0}}); err == nil {
		t.Error("keys of rows without ids: no error")
	}
}

func TestEachOwnerIsAskedOnce(t *testing.T) {
	s, m := peopleOf("1", "2", "1", "3", "2", "4"), cutAt(1, 1, 1, 1, 1, 1)
	c := newCircle(t, s, m, names(3)...)
	owners := []string{"w0", "w1", "w2", "w0", "w1", "w2"}
	c.exchange(t, t.Context(), peopleInput(wire.DuplicatesLast), owners, owners, owners)
	c.read(t, t.Context(), peopleInput(wire.DuplicatesLast), owners, owners) // knows by now
	slices.Sort(c.asks)
	want := []string{"w0: dropped", "w0: dropped", "w0: ids", "w0: ids", "w1: dropped", "w1: dropped", "w1: ids", "w1: ids", "w2: dropped", "w2: dropped", "w2: ids", "w2: ids"}
	if diff := cmp.Diff(want, c.asks); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
	// The circle begins behind each one's own name.
	for name, want := range map[string][]string{"w0": {"w0", "w1", "w2"}, "w1": {"w1", "w2", "w0"}, "w2": {"w2", "w0", "w1"}} {
		var got []string
		for _, o := range c.engines[name].byOwner(owners) {
			got = append(got, o.owner)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s asks (-want +got):\n%s", name, diff)
		}
	}
}

func TestRowNumbersAreKeptWithAndWithoutGaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var n numbers
		var want []int64
		row := rapid.Int64Range(0, 9).Draw(t, "first")
		for range rapid.IntRange(0, 20).Draw(t, "rows") {
			want = append(want, row)
			n.append(row)
			row += rapid.SampledFrom([]int64{1, 1, 1, 2, 5}).Draw(t, "step")
		}
		for i := range want {
			if n.count != len(want) || n.at(i) != want[i] {
				t.Fatalf("row %d of %d: got %d, want %d", i, n.count, n.at(i), want[i])
			}
		}
	})
}

// A part ends with the id that fills it, counted or weighed.
func TestPartsAreBounded(t *testing.T) {
	in, err := newRanges([]int{0}, 1)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", partBytes/4)
	for _, c := range []struct {
		name string
		id   func(i int) string
		n    int
		want []int
	}{
		{"just one part", func(i int) string { return fmt.Sprint(i) }, partIDs, []int{partIDs}},
		{"one more", func(i int) string { return fmt.Sprint(i) }, partIDs + 1, []int{partIDs, 1}},
		{"long texts", func(int) string { return long }, 9, []int{4, 4, 1}},
		{"a text longer than a part", func(int) string { return strings.Repeat("y", 2*partBytes) }, 2, []int{1, 1}},
	} {
		h := &handed{ids: new(dataset.IDs)}
		for i := range c.n {
			h.ids.AppendText([]byte(c.id(i)))
			h.rows.append(int64(i))
		}
		var got []int
		if err := h.pick(0, in, func(p IDPart) error { got = append(got, len(p.Rows)); return nil }); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got parts of %v (%v), want %v", c.name, got, err, c.want)
		}
	}
}
