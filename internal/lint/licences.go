package lint

import (
	"bufio"
	"bytes"
	"strings"
)

// dependencies is the page that accounts for every module.
const dependencies = "docs/DEPENDENCIES.md"

// Licences are the modules of go.mod without a line on the page of dependencies, and the lines without a module.
// A line is a row of a table: module, licence, reason.
func Licences(tree Tree) []Finding {
	needed := make(map[string]bool)
	inside := false
	for line := range strings.Lines(string(tree["go.mod"])) {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 2 && fields[0] == "require" && fields[1] == "(":
			inside = true
		case len(fields) >= 1 && fields[0] == ")":
			inside = false
		case inside && len(fields) >= 2:
			needed[fields[0]] = true
		case len(fields) >= 3 && fields[0] == "require":
			needed[fields[1]] = true
		}
	}
	listed := make(map[string]bool)
	var found []Finding
	lines := bufio.NewScanner(bytes.NewReader(tree[dependencies]))
	for n := 1; lines.Scan(); n++ {
		cells := strings.Split(lines.Text(), "|")
		if len(cells) != 5 {
			continue
		}
		module, licence, reason := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3])
		if !strings.Contains(module, "/") {
			continue // the head of a table
		}
		listed[module] = true
		if licence == "" || reason == "" {
			found = append(found, Finding{dependencies, n, module + " has no licence or no reason"})
		}
		if !needed[module] {
			found = append(found, Finding{dependencies, n, module + " is not in go.mod"})
		}
	}
	for line := range strings.Lines(string(tree["go.mod"])) {
		for _, field := range strings.Fields(line) {
			if needed[field] && !listed[field] {
				found = append(found, Finding{"go.mod", 0, field + " has no line in " + dependencies})
			}
		}
	}
	return found
}
