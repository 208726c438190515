package feature

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// The exponents that a grid can have: from the last bit of float32 to where its arithmetic would overflow float64.
const (
	leastExponent = -149
	mostExponent  = 900
)

// Validate holds of a decoded Transform what Fit holds of its own: known policies, unique names, finite numbers, spreads
// above 0, sorted levels, and sizes within the limits. The error is a *SpecError or nil.
func (t *Transform) Validate() error {
	if len(t.Numeric)+len(t.Categorical) > MaxOutputs {
		return t.wrong("features", len(t.Numeric)+len(t.Categorical), "too many columns")
	}
	if err := t.Spec().Validate(); err != nil {
		return err
	}
	if t.Pending && !t.Normalize {
		return t.wrong("pending", true, "only a normalising transform has a second pass")
	}
	for j := range t.Numeric {
		if err := t.validateNumeric(&t.Numeric[j]); err != nil {
			return err
		}
	}
	for c := range t.Categorical {
		if err := t.validateCategorical(&t.Categorical[c]); err != nil {
			return err
		}
	}
	if t.Width() == 0 {
		return t.wrong("features", "", "no output columns")
	}
	return t.fitOutputs()
}

// wrong is the error for a damaged Transform.
func (t *Transform) wrong(field string, value any, reason string) error {
	return &SpecError{Field: field, Value: fmt.Sprint(value), Reason: reason, Remedy: "the transform is damaged: make it again"}
}

func (t *Transform) validateNumeric(c *NumericColumn) error {
	switch {
	case !finite(c.Center):
		return t.wrong(c.Name+" center", c.Center, "not a finite number")
	case !finite(c.Spread) || c.Spread <= 0:
		return t.wrong(c.Name+" spread", c.Spread, "not above 0")
	case c.Weight != 0 && !isWeight(c.Weight):
		return t.wrong(c.Name+" weight", c.Weight, "out of range")
	case (c.Fill != nil) != t.Missing.imputes():
		return t.wrong(c.Name+" fill", t.Missing, "a value to fill in goes with mean, median and indicator, and only with them")
	case c.Fill != nil && !usable(*c.Fill):
		return t.wrong(c.Name+" fill", *c.Fill, "not a usable number")
	case c.Fill != nil && c.Log1p && *c.Fill <= -1:
		return t.wrong(c.Name+" fill", *c.Fill, reasonLog1p)
	case c.Indicator != nil && t.Missing != Indicator:
		return t.wrong(c.Name+" indicator", t.Missing, "goes with indicator only")
	}
	if err := t.validateGrid(c.Name, &c.Grid); err != nil || c.Indicator == nil {
		return err
	}
	return t.validateGrid(c.Name+"="+missingLevel, c.Indicator)
}

func (t *Transform) validateCategorical(c *CategoricalColumn) error {
	if n := len(c.Levels) + len(c.Folded); n > MaxLevels+1 { // folding adds one at most
		return t.wrong(c.Name+" levels", n, "too many")
	}
	if c.Weight != 0 && !isWeight(c.Weight) {
		return t.wrong(c.Name+" weight", c.Weight, "out of range")
	}
	if err := t.validateFolded(c); err != nil {
		return err
	}
	if c.Missing != nil {
		if t.Missing != Indicator {
			return t.wrong(c.Name+" missing", t.Missing, "goes with indicator only")
		}
		if err := t.validateGrid(c.Name+"="+missingLevel, c.Missing); err != nil {
			return err
		}
	}
	for k := range c.Levels {
		level := &c.Levels[k]
		switch {
		case len(level.Value) > MaxLevelText || !utf8.ValidString(level.Value):
			return t.wrong(c.Name+" levels", k, "not a text that a level can have")
		case k > 0 && level.Value <= c.Levels[k-1].Value:
			return t.wrong(c.Name+" levels", level.Value, "not sorted")
		}
		if err := t.validateGrid(c.Name+"="+level.Value, &level.Grid); err != nil {
			return err
		}
	}
	return nil
}

// validateFolded holds that folded texts are sorted, are no levels themselves, and have a level to go to.
func (t *Transform) validateFolded(c *CategoricalColumn) error {
	if len(c.Folded) > 0 && c.findLevel([]byte(FoldedLevel)) < 0 {
		return t.wrong(c.Name+" folded", len(c.Folded), "there is no level "+FoldedLevel+" for them")
	}
	for k, text := range c.Folded {
		switch {
		case len(text) > MaxLevelText || !utf8.ValidString(text):
			return t.wrong(c.Name+" folded", k, "not a text that a level can have")
		case k > 0 && text <= c.Folded[k-1]:
			return t.wrong(c.Name+" folded", text, "not sorted")
		case c.findLevel([]byte(text)) >= 0:
			return t.wrong(c.Name+" folded", text, "a level, too")
		}
	}
	return nil
}

func (t *Transform) validateGrid(name string, g *Grid) error {
	switch {
	case !finite(g.Shift):
		return t.wrong(name+" shift", g.Shift, "not a finite number")
	case g.Exponent < leastExponent || g.Exponent > mostExponent:
		return t.wrong(name+" grid", g.Exponent, fmt.Sprintf("not within %d and %d", leastExponent, mostExponent))
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
