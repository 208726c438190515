package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// largestLine bounds a line of a profile: a path, four positions and two counts.
const largestLine = 64 << 10

// at is a place in a file: lines and columns from 1, columns in bytes.
type at struct{ line, column int }

// before says whether a comes first.
func (a at) before(b at) bool {
	return a.line < b.line || a.line == b.line && a.column < b.column
}

// Block is a run of statements that are executed together.
type Block struct {
	Start, End at // End is behind it
	Statements int
	Count      int // how often it was entered
}

// Profile are the blocks of each file, in order, by import path and name of the file.
type Profile map[string][]Block

// ReadProfile reads what go tool covdata textfmt and go test -coverprofile write. A block that is there more than once has the sum of its counts.
// The mode has to be one that counts: a set does not tell whether an if without else was ever passed by.
func ReadProfile(r io.Reader) (Profile, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, largestLine)
	sums := make(map[string]map[Block]int)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if mode, ok := strings.CutPrefix(line, "mode: "); ok {
			if mode != "atomic" && mode != "count" {
				return nil, fmt.Errorf("line %d: mode %s, want atomic or count", n, mode)
			}
			continue
		}
		file, block, err := parseBlock(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if sums[file] == nil {
			sums[file] = make(map[Block]int)
		}
		count := block.Count
		block.Count = 0
		sums[file][block] += count
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	profile := make(Profile, len(sums))
	for file, blocks := range sums {
		for block, count := range blocks {
			block.Count = count
			profile[file] = append(profile[file], block)
		}
		slices.SortFunc(profile[file], func(a, b Block) int {
			if a.Start.before(b.Start) {
				return -1
			}
			return 1
		})
	}
	return profile, nil
}

// parseBlock reads "file.go:LINE.COLUMN,LINE.COLUMN STATEMENTS COUNT".
func parseBlock(line string) (string, Block, error) {
	colon := strings.LastIndexByte(line, ':')
	numbers := strings.FieldsFunc(line[colon+1:], func(r rune) bool { return strings.ContainsRune("., ", r) })
	if colon < 0 || len(numbers) != 6 {
		return "", Block{}, fmt.Errorf("%.100q is no block", line)
	}
	var values [6]int
	for i, text := range numbers {
		value, err := strconv.Atoi(text)
		if err != nil || value < 0 {
			return "", Block{}, fmt.Errorf("%.100q is no block: %q is no number", line, text)
		}
		values[i] = value
	}
	return line[:colon], Block{at{values[0], values[1]}, at{values[2], values[3]}, values[4], values[5]}, nil
}

// count is how often the block at a place was entered; false where there is none.
func count(blocks []Block, place at) (int, bool) {
	i, found := slices.BinarySearchFunc(blocks, place, func(b Block, p at) int {
		switch {
		case b.Start == p:
			return 0
		case b.Start.before(p):
			return -1
		}
		return 1
	})
	switch {
	case found: // that of an empty case has no width
		return blocks[i].Count, true
	case i == 0 || !place.before(blocks[i-1].End):
		return 0, false
	}
	return blocks[i-1].Count, true
}
