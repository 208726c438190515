package pipeline

import (
	"encoding/csv"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
)

// advice gathers what would mend the findings.
type advice struct {
	drop       map[string]bool // features that are left out
	log        map[string]bool // features to take logarithms of
	id         string          // a column that is taken for the id
	robust     bool
	quarantine bool
	fill       bool // values are missing
	indicator  bool // and that they are says something
	fold       bool
}

func newAdvice() *advice { return &advice{drop: make(map[string]bool), log: make(map[string]bool)} }

// flags are the arguments of a fit that follows the advice, beside what was asked for already: only what differs from
// what fit does by itself. explicit says that the features are named whatever becomes of them. Nil: no feature is left.
func (a *advice) flags(d *Data, in *wire.Input, explicit bool) []string {
	spec := in.Spec
	left := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return a.drop[name] })
	}
	numeric, categorical := left(spec.Numeric), left(spec.Categorical)
	if len(numeric)+len(categorical) == 0 {
		return nil
	}
	args := []string{}
	add := func(flag, value string) {
		if value != "" {
			args = append(args, "--"+flag, value)
		}
	}
	add("id", or(d.ID, a.id))
	if features := slices.Concat(numeric, categorical); explicit || d.Features != nil || len(numeric) < len(spec.Numeric) {
		add("features", list(features)) // with the categorical ones among them none is numeric by default
	}
	add("weight", d.Weight)
	add("categorical", list(categorical))
	add("log1p", list(slices.DeleteFunc(slices.Clone(numeric), func(name string) bool {
		return !a.log[name] && !slices.Contains(spec.Log1p, name)
	})))
	if scale := spec.Scale; a.robust {
		add("scale", string(feature.Robust))
	} else if scale != feature.Standard {
		add("scale", string(scale))
	}
	add("missing", a.missing(spec))
	for _, o := range spec.Orders {
		if !a.drop[o.Column] {
			add("ordinal", o.Column+"="+strings.Join(o.Levels, "<"))
		}
	}
	var weights []string
	for _, w := range spec.Weights {
		if !a.drop[w.Column] {
			weights = append(weights, w.Column+"="+strconv.FormatFloat(w.Factor, 'g', -1, 64))
		}
	}
	add("feature-weight", list(weights))
	add("fold-levels", a.folding(spec, categorical))
	if spec.Normalize {
		add("metric", "cosine")
	}
	if a.quarantine || in.BadRows == wire.BadRowsQuarantine {
		add("bad-rows", string(wire.BadRowsQuarantine))
	}
	if in.Duplicates != wire.DuplicatesFail {
		add("duplicates", string(in.Duplicates))
	}
	return args
}

// missing is the policy for missing values; empty: what fit does by itself.
func (a *advice) missing(spec *feature.Spec) string {
	switch {
	case spec.Missing != feature.Fail:
		return string(spec.Missing)
	case !a.fill:
		return ""
	case a.indicator:
		return string(feature.Indicator)
	}
	return string(feature.Median)
}

// folding is the rule for rare levels; empty: none.
func (a *advice) folding(spec *feature.Spec, categorical []string) string {
	switch f := spec.Fold; {
	case len(categorical) == 0:
		return ""
	case f != nil && f.Rows > 0:
		return strconv.FormatInt(f.Rows, 10)
	case f != nil:
		return strconv.FormatFloat(f.Percent, 'g', -1, 64) + "%"
	case a.fold:
		return strconv.Itoa(rarePercent) + "%"
	}
	return ""
}

// list joins names as a flag takes them: one with a comma stands in double quotes.
func list(names []string) string {
	if len(names) == 0 {
		return ""
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(names) // a Builder does not fail
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}
