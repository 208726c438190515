package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Metrics are what the program exports, by name, with the labels of each.
type Metrics map[string][]string

// ReadMetrics reads deploy/metrics.txt: a line for each metric, with name, kind, labels and processes; - is no label.
func ReadMetrics(text []byte) (Metrics, error) {
	all := make(Metrics)
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 3 {
			return nil, fmt.Errorf("not name, kind and labels: %q", line)
		}
		labels := strings.Split(strings.Trim(fields[2], "-"), ",")
		all[fields[0]] = labels
		if fields[1] == "histogram" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				all[fields[0]+suffix] = append(slices.Clone(labels), "le")
			}
		}
	}
	return all, nil
}

// scraped are labels that Prometheus adds. A label job of ours stands beside its own as exported_job.
var scraped = []string{"namespace", "job", "instance", "pod", "exported_job"}

var (
	metricUse = regexp.MustCompile(`\b(coterie_[a-z0-9_]+)(?:\{([^}]*)\})?`)
	labelUse  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)`)
	grouping  = regexp.MustCompile(`\b(?:by|on)\s*\(([^)]*)\)`)
)

// Used are the metrics that an expression asks for.
func Used(expr string) []string {
	found := make(map[string]bool)
	for _, m := range metricUse.FindAllStringSubmatch(expr, -1) {
		found[m[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// Problems are the metrics and labels of an expression that are not exported.
func (m Metrics) Problems(expr string) []string {
	var wrong []string
	known := slices.Clone(scraped)
	for _, use := range metricUse.FindAllStringSubmatch(expr, -1) {
		labels, there := m[use[1]]
		if !there {
			wrong = append(wrong, use[1]+" is not exported")
			continue
		}
		known = append(known, labels...)
		for _, l := range labelUse.FindAllStringSubmatch(use[2], -1) {
			if !slices.Contains(labels, l[1]) && !slices.Contains(scraped, l[1]) {
				wrong = append(wrong, fmt.Sprintf("%s has no label %s", use[1], l[1]))
			}
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(g[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(known, label) {
				wrong = append(wrong, fmt.Sprintf("no metric of %s has a label %s", expr, label))
			}
		}
	}
	return wrong
}

// Dashboard is what matters here of one of Grafana's.
type Dashboard struct {
	Panels []struct {
		ID      int    `json:"id"`
		Type    string `json:"type"`
		Title   string `json:"title"`
		GridPos struct{ H, W, X, Y int }
		Targets []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
	Annotations struct {
		List []struct {
			Expr string `json:"expr"`
		} `json:"list"`
	} `json:"annotations"`
}

// Expressions are those of a dashboard, by the title of their panel.
func Expressions(text []byte) (map[string][]string, error) {
	var d Dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	all := make(map[string][]string)
	taken := make(map[[2]int]string)
	ids := make(map[int]bool)
	for _, p := range d.Panels {
		if all[p.Title] != nil || ids[p.ID] {
			return nil, fmt.Errorf("panel %q or its id %d is there twice", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					return nil, fmt.Errorf("panel %q lies over %q, or beyond the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, t := range p.Targets {
			all[p.Title] = append(all[p.Title], t.Expr)
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			return nil, fmt.Errorf("panel %q shows nothing", p.Title)
		}
	}
	for _, a := range d.Annotations.List {
		all["annotations"] = append(all["annotations"], a.Expr)
	}
	return all, nil
}
