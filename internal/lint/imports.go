package lint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// above are the rooms over coordinator and worker: they join the two, and nothing below may know them.
var above = []string{"internal/embedded", "internal/pipeline", "internal/sim", "cmd"}

// rooms is the table of docs/ARCHITECTURE.md: what each room may import of ours, besides itself and what lies below
// it. "internal" stands for every internal room that is not above.
var rooms = map[string][]string{
	"kmeans":      {"internal/exact"},
	"feature":     {"internal/exact"},
	"model":       {"kmeans", "feature", "internal"},
	"partition":   {},
	"proto":       {},
	"dataset":     {"partition", "internal"},
	"segment":     {"kmeans", "feature", "model", "internal"},
	"worker":      {"kmeans", "feature", "model", "partition", "proto", "dataset", "segment", "internal"},
	"coordinator": {"kmeans", "feature", "model", "partition", "proto", "segment", "internal"},
}

// exclusive are modules of others that a single room may import.
var exclusive = map[string]string{
	"github.com/hashicorp/memberlist": "internal/cluster",
	"github.com/spf13/cobra":          "cmd",
	"github.com/vbauerster/mpb":       "internal/progress",
	"github.com/parquet-go":           "dataset",
}

// Imports are the imports that the table of rooms forbids. Tests are free: a room is often checked against one that
// it must not know.
func Imports(tree Tree) ([]Finding, error) {
	sources, err := tree.sources()
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, s := range sources {
		if s.test() {
			continue
		}
		for _, spec := range s.file.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return nil, err
			}
			if why := forbidden(s.room, target); why != "" {
				found = append(found, Finding{s.name, s.line(spec.Pos()), why})
			}
		}
	}
	return found, nil
}

// forbidden says why room must not import target; "" if it may.
func forbidden(room, target string) string {
	ours, isOurs := strings.CutPrefix(target, module+"/")
	if !isOurs {
		for prefix, owner := range exclusive {
			if within(target, prefix) && !within(room, owner) {
				return fmt.Sprintf("%s is for %s alone", target, owner)
			}
		}
		return ""
	}
	top := strings.SplitN(room, "/", 2)[0]
	switch {
	case within(ours, "cmd"):
		return "nothing imports " + ours
	case within(room, "cmd") || slices.ContainsFunc(above, func(a string) bool { return within(room, a) }):
		return ""
	case top == "internal" && !within(ours, "coordinator") && !within(ours, "worker") && !isAbove(ours):
		return ""
	case top == "internal":
		return fmt.Sprintf("%s lies above %s", ours, room)
	case within(ours, top):
		return ""
	}
	allowed, known := rooms[top]
	if !known {
		return fmt.Sprintf("%s is not a room of the table", top)
	}
	for _, a := range allowed {
		if within(ours, a) && !isAbove(ours) {
			return ""
		}
	}
	return fmt.Sprintf("%s must not import %s", top, ours)
}

func isAbove(room string) bool {
	return slices.ContainsFunc(above, func(a string) bool { return within(room, a) })
}

// within says whether path is folder or lies below it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}
