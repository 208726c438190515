package pipeline

import (
	"fmt"
	"math"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
)

// CheckGate is a bound that data is held to before it is clustered.
type CheckGate struct {
	Name  string  // one of CheckGates
	Bound float64 // a share from 0 to 1, a number of rows or findings, or a drift
	Text  string  // as it was given
}

// CheckGates are the names of the gates, with what each is a bound of.
var CheckGates = []struct{ Name, Means string }{
	{"rows", "at least so many rows"},
	{"bad-rows", "at most that share of rows that cannot be read"},
	{"missing", "at most that share of missing values in any feature"},
	{"drift", "at most that drift of any feature, with --model"},
	{"unseen", "at most that share of rows with levels that the model does not know, with --model"},
	{"findings", "at most so many findings that stop or spoil a fit"},
}

// ParseCheckGate reads NAME=BOUND. Shares are given as 5% or 0.05. The error says what is wrong with the text, worded to
// follow it.
func ParseCheckGate(text string) (CheckGate, error) {
	var known []string
	for _, gate := range CheckGates {
		known = append(known, gate.Name)
	}
	b, err := parseGate(text, known)
	g := CheckGate{Name: b.name, Text: text, Bound: b.x}
	share := g.Name == "bad-rows" || g.Name == "missing" || g.Name == "unseen"
	switch {
	case err != nil:
		return g, err
	case !b.number || b.percent && !share:
		return g, fmt.Errorf("needs a number as a bound, such as %s=%s", g.Name, map[bool]string{true: "5%", false: "0.25"}[share])
	case share && b.x > 1:
		return g, fmt.Errorf("needs a share of at most 100%%, such as %s=5%%", g.Name)
	case (g.Name == "rows" || g.Name == "findings") && b.x != math.Trunc(b.x):
		return g, fmt.Errorf("needs a whole number, such as %s=0", g.Name)
	}
	return g, nil
}

// checkGates refuses a gate that nothing is known for.
func (r *CheckRequest) checkGates() error {
	for _, g := range r.Gates {
		if (g.Name == "drift" || g.Name == "unseen") && r.Model == "" {
			return fault.Usagef("--gate: %q without --model", g.Text).Do("name the model that the data is held against with --model")
		}
	}
	return nil
}

// hold is an error of kind Gate that names every gate that fails; nil if none does.
func (o *CheckOutcome) hold(gates []CheckGate, file string) error {
	var failed []string
	for _, g := range gates {
		if why := o.breach(g); why != "" {
			failed = append(failed, why)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Gate, Place: fault.In(file), Problem: strings.Join(failed, "; "),
		Remedy: "mend the data as the findings say, or loosen --gate"}
}

// breach says how far the data is from what a gate asks for; empty: it passes.
func (o *CheckOutcome) breach(g CheckGate) string {
	rows := float64(max(o.Rows, 1))
	switch g.Name {
	case "rows":
		if float64(o.Rows) < g.Bound {
			return fmt.Sprintf("gate %s: there are %s", g.Text, counted(o.Rows, "row", "rows"))
		}
	case "bad-rows":
		if float64(o.BadRows) > g.Bound*rows {
			return fmt.Sprintf("gate %s: %s cannot be read (%s)", g.Text, counted(o.BadRows, "row", "rows"), percent(float64(o.BadRows)/rows))
		}
	case "unseen":
		if float64(o.unseen) > g.Bound*rows {
			return fmt.Sprintf("gate %s: %s a level that the model does not know (%s)", g.Text, counted(o.unseen, "row has", "rows have"), percent(float64(o.unseen)/rows))
		}
	case "findings":
		n := 0
		for _, f := range o.Findings {
			n += btoi(f.Severity != hint)
		}
		if float64(n) > g.Bound {
			return fmt.Sprintf("gate %s: there are %d, the first of %s: %s", g.Text, n, or(o.Findings[0].Column, "the rows"), o.Findings[0].Detail)
		}
	case "missing", "drift":
		return o.columnBreach(g)
	}
	return ""
}

// columnBreach is breach for a bound of every feature: it names the worst.
func (o *CheckOutcome) columnBreach(g CheckGate) string {
	worst, at := g.Bound, -1
	for i := range o.Columns {
		c := &o.Columns[i]
		x := 0.0
		switch {
		case !c.Feature:
		case g.Name == "missing":
			x = float64(c.Missing) / float64(max(o.Rows, 1))
		case c.Drift != nil:
			x = math.Abs(*c.Drift)
		}
		if x > worst {
			worst, at = x, i
		}
	}
	switch {
	case at < 0:
		return ""
	case g.Name == "missing":
		return fmt.Sprintf("gate %s: %s of %s are missing", g.Text, percent(worst), o.Columns[at].Name)
	}
	return fmt.Sprintf("gate %s: %s has drifted by %.2f", g.Text, o.Columns[at].Name, worst)
}
