package numa

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// tree is a folder of nodes, by their folders' names, whose lists of processors are given.
func tree(t *testing.T, lists map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, list := range lists {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name, "cpulist"), []byte(list), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestNodesAreReadWithTheProcessorsThatMayBeUsed(t *testing.T) {
	root := tree(t, map[string]string{"node0": "0-2,8\n", "node10": "5\n", "node2": "3-4,9\n", "node3": "\n", "node4": "6-7\n", "possible": "0-10"})
	got, err := read(root, func(cpu int) bool { return cpu < 9 && cpu != 6 && cpu != 7 })
	want := []*Node{{0, []int{0, 1, 2, 8}}, {2, []int{3, 4}}, {10, []int{5}}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v, want %v: in the order of numbers, without node 4, whose processors may not be used, and 3, which has none", got, err, want)
	}
	if got, err := read(filepath.Join(root, "none"), func(int) bool { return true }); len(got) > 0 || err != nil {
		t.Errorf("no folder: got %v, %v, want nothing", got, err)
	}
}

func TestWhatIsNoTreeOfNodesGivesNone(t *testing.T) {
	for _, list := range []string{"x", "0-", "-3", "3-1", "0,,1", "0-1,1", "2,0", "0-4294967295", "8192", "1 2", "0x1", "99999999999999999999", "0-3:1/2"} {
		if got, err := read(tree(t, map[string]string{"node0": "0-1", "node1": list}), func(int) bool { return true }); err == nil {
			t.Errorf("%q: got %v, want an error", list, got)
		}
	}
	for _, lists := range []map[string]string{{"node0": "0-3", "node1": "3-4"}, {"node0": "0", "node1a": "1"}, {"node0": "0", "node99999999999999999999": "1"}} {
		if got, err := read(tree(t, lists), func(int) bool { return true }); err == nil {
			t.Errorf("%v: got %v, want an error", lists, got)
		}
	}
	root := tree(t, map[string]string{"node0": "0"})
	if err := os.MkdirAll(filepath.Join(root, "node1", "cpulist"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := read(root, func(int) bool { return true }); err == nil {
		t.Errorf("a folder in the place of a list: got %v, want an error", got)
	}
}

func FuzzParseList(f *testing.F) {
	for _, seed := range []string{"0-3,8,10-11\n", "", "0-8191", "5-4", ",", "1-2-3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cpus, err := parseList(text)
		if err == nil && (len(cpus) > maxCPUs || !slices.IsSorted(cpus) || len(slices.Compact(slices.Clone(cpus))) < len(cpus)) {
			t.Errorf("%q: got %v, want each once and ascending", text, cpus)
		}
	})
}

func TestThreadsAreDividedByProcessors(t *testing.T) {
	a, b, c := &Node{0, []int{0, 1, 2, 3}}, &Node{1, []int{4, 5}}, &Node{2, []int{6, 7}}
	for _, test := range []struct {
		nodes   []*Node
		threads int
		want    []*Node
	}{
		{nil, 3, []*Node{nil, nil, nil}},
		{[]*Node{a}, 2, []*Node{nil, nil}},
		{[]*Node{b, c}, 1, []*Node{nil}},
		{[]*Node{b, c}, 2, []*Node{b, c}},
		{[]*Node{b, c}, 3, []*Node{b, c, nil}},
		{[]*Node{b, c}, 5, []*Node{b, b, c, c, nil}},
		{[]*Node{a, b}, 2, []*Node{nil, nil}},
		{[]*Node{a, b, c}, 8, []*Node{a, a, a, a, b, b, c, c}},
		{[]*Node{a, b, c}, 4, []*Node{a, a, b, c}},
	} {
		if got := Divide(test.nodes, test.threads); !slices.Equal(got, test.want) {
			t.Errorf("%v, %d threads: got %v, want %v", test.nodes, test.threads, got, test.want)
		}
	}
}

func TestNoNodeHasMoreThreadsThanItsShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cpus := []*Node{}, 0
		for id := range rapid.IntRange(0, 5).Draw(t, "nodes") {
			nodes = append(nodes, &Node{id, make([]int, rapid.IntRange(1, 9).Draw(t, "cpus"))})
			cpus += len(nodes[id].CPUs)
		}
		threads := rapid.IntRange(1, 100).Draw(t, "threads")
		counts := make(map[*Node]int)
		for _, n := range Divide(nodes, threads) {
			counts[n]++
		}
		all := counts[nil]
		for _, n := range nodes {
			all += counts[n]
			if counts[n]*cpus > threads*len(n.CPUs) {
				t.Errorf("%d of %d threads on %d of %d processors", counts[n], threads, len(n.CPUs), cpus)
			}
		}
		if all != threads || len(counts) > 1 && counts[nil] >= len(nodes) && counts[nil] < threads {
			t.Errorf("got %v of %d threads", counts, threads)
		}
	})
}
