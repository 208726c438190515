package numa

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// maxCPUs is more processors than Linux can be built for.
const maxCPUs = 1 << 13

// read finds the nodes that have some of the usable processors in a folder like /sys/devices/system/node, by their numbers.
func read(folder string, usable func(cpu int) bool) ([]*Node, error) {
	files, err := filepath.Glob(filepath.Join(folder, "node[0-9]*", "cpulist"))
	if err != nil {
		return nil, err
	}
	var list []*Node
	seen := make(map[int]bool)
	for _, file := range files {
		id, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(filepath.Dir(file)), "node"))
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		cpus, err := parseList(string(text))
		if err != nil {
			return nil, err
		}
		n := &Node{ID: id}
		for _, cpu := range cpus {
			if seen[cpu] {
				return nil, fmt.Errorf("numa: processor %d stands twice", cpu)
			}
			seen[cpu] = true
			if usable(cpu) {
				n.CPUs = append(n.CPUs, cpu)
			}
		}
		if len(n.CPUs) > 0 {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b *Node) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// parseList reads a list of processors as Linux writes them, ascending: 0-3,8,10-11. A node of memory alone has none.
func parseList(text string) ([]int, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	var cpus []int
	for part := range strings.SplitSeq(text, ",") {
		low, high, ranged := strings.Cut(part, "-")
		first, err := strconv.ParseUint(low, 10, 32)
		last := first
		if err == nil && ranged {
			last, err = strconv.ParseUint(high, 10, 32)
		}
		if err != nil || last < first || last >= maxCPUs || len(cpus) > 0 && int(first) <= cpus[len(cpus)-1] {
			return nil, fmt.Errorf("numa: %q is no list of processors", text)
		}
		for cpu := first; cpu <= last; cpu++ {
			cpus = append(cpus, int(cpu))
		}
	}
	return cpus, nil
}
