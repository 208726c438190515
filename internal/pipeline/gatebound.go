package pipeline

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// gateBound is NAME=BOUND as it is written: 5% or 0.05.
type gateBound struct {
	name    string
	x       float64
	percent bool // the bound was given in percent
	number  bool // there is a bound, a number of at least 0
}

// parseGate takes a gate apart. The error is for a name that is not known.
func parseGate(text string, known []string) (gateBound, error) {
	name, bound, found := strings.Cut(text, "=")
	g := gateBound{name: strings.TrimSpace(name)}
	if !slices.Contains(known, g.name) {
		return g, fmt.Errorf("has the unknown gate %q: there are %s", g.name, strings.Join(known, ", "))
	}
	number, percent := strings.CutSuffix(strings.TrimSpace(bound), "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		x /= 100
	}
	g.x, g.percent = x, percent
	g.number = found && err == nil && x >= 0 && !math.IsInf(x, 0) && !strings.ContainsAny(number, "xX_")
	return g, nil
}
