package pipeline

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/progress"
)

// What counts as worth a look.
const (
	outlierSigmas  = 8
	extremeSigmas  = 20 // a value so far out makes the others one heap
	skewLimit      = 2
	levelsLimit    = 50
	rarePercent    = 1    // a level that fewer rows have is rare
	muchMissing    = 0.05 // from here on that a value is missing says something itself
	mostlyMissing  = 0.5
	mostlyNumbers  = 0.95 // of a text column's values: it was meant to be numbers
	unusedLevels   = 20   // a text of so few levels describes a customer
	mostlyDistinct = 0.9  // of a text column's rows: it names them
)

// number describes a column of numbers.
func (c *checker) number(col *CheckColumn, stats *columnFigures) {
	if col.Feature {
		c.missingValues(col)
	}
	if stats.moments.N == 0 {
		if col.Feature {
			c.drop(stops, col.Name, "constant", "there is no value at all")
		}
		return
	}
	mean, std := stats.moments.Mean(), stats.moments.StdDev()
	col.Min, col.Max, col.Mean, col.Std = &stats.moments.Min, &stats.moments.Max, &mean, &std
	if std > 0 {
		skew := stats.cubes.Float64() / float64(stats.moments.N)
		col.Skew, col.Outliers = &skew, &stats.outliers
	}
	j := slices.Index(c.input.Spec.Numeric, col.Name)
	switch {
	case j < 0:
	case std == 0:
		c.drop(spoils, col.Name, "constant", "every value is %g", mean)
	case c.sample.looksLikeID(j, col.Name):
		c.looksLikeID(col.Name, "every value is a different whole number")
	default:
		c.shape(col, j)
	}
}

// drop is a finding that leaving the column out mends.
func (c *checker) drop(s Severity, column, problem, format string, args ...any) {
	c.advice.drop[column] = true
	c.find(s, column, problem, "leave it out of --features", format, args...)
}

// looksLikeID is a finding of a column that names rows rather than describing them.
func (c *checker) looksLikeID(column, detail string) {
	remedy := "leave it out"
	if c.input.ID == "" {
		remedy = "--id " + column + ", or leave it out"
		if c.advice.id == "" {
			c.advice.id = column
		}
	}
	c.advice.drop[column] = true
	c.find(spoils, column, "looks_like_id", remedy, "%s, as ids are", detail)
}

// missingValues is told of features only.
func (c *checker) missingValues(col *CheckColumn) {
	if col.Missing == 0 {
		return
	}
	share := float64(col.Missing) / float64(c.out.Rows)
	if policy := c.input.Spec.Missing; policy != feature.Fail {
		if share >= mostlyMissing {
			c.find(hint, col.Name, "missing", "leave it out", "%s of the values are missing, and become what --missing %s says", percent(share), policy)
		}
		return
	}
	remedy := "--missing median fills it in"
	switch {
	case share >= mostlyMissing:
		remedy = "leave it out, or --missing indicator"
		c.advice.indicator = true
	case share >= muchMissing:
		remedy = "--missing indicator keeps that as a column"
		c.advice.indicator = true
	case col.Kind != "number":
		remedy = "--missing indicator makes it a level"
		c.advice.indicator = true
	}
	c.advice.fill = true
	c.find(stops, col.Name, "missing", remedy, "%s missing (%s)", counted(col.Missing, "value is", "values are"), percent(share))
}

// shape looks at how the values of a numeric feature are spread.
func (c *checker) shape(col *CheckColumn, j int) {
	few := c.sample.distinct(j)
	if len(few) > 0 {
		ranks := slices.ContainsFunc(c.input.Spec.Orders, func(o feature.Order) bool { return o.Column == col.Name })
		if !ranks && len(few) > 2 && c.out.Rows >= fewestCodes && !slices.ContainsFunc(few, func(x float64) bool { return x != math.Trunc(x) }) {
			c.find(hint, col.Name, "few_values", "--categorical "+col.Name+" if they are codes", "%d different whole numbers, %g to %g", len(few), few[0], few[len(few)-1])
		}
		return // a few values have no tail
	}
	if c.hasLog(col.Name) {
		return
	}
	logged := false
	switch skew := *col.Skew; {
	case skew > skewLimit && *col.Min > -1:
		logged = true
		c.advice.log[col.Name] = true
		c.find(spoils, col.Name, "skew", "--log1p "+col.Name, "skewness %.1f: a few large values rule the scale", skew)
	case math.Abs(skew) > skewLimit && c.input.Spec.Scale != feature.Robust:
		c.advice.robust = true
		c.find(spoils, col.Name, "skew", "--scale robust", "skewness %.1f: a few extreme values rule the scale", skew)
	}
	if *col.Outliers > 0 && c.input.Spec.Scale != feature.Robust {
		severity, remedy := hint, "look at them"
		farthest := max(*col.Max-*col.Mean, *col.Mean-*col.Min) / *col.Std
		switch {
		case logged:
			severity, remedy = spoils, "--log1p "+col.Name+" brings them in"
		case c.advice.robust || farthest > extremeSigmas:
			severity, remedy = spoils, "look at them, or --scale robust"
			c.advice.robust = true
		}
		c.find(severity, col.Name, "outliers", remedy, "%s than %d standard deviations from the mean, the farthest %.0f",
			counted(*col.Outliers, "value lies farther", "values lie farther"), outlierSigmas, farthest)
	}
}

// text describes a column of anything but numbers.
func (c *checker) text(col *CheckColumn, stats *columnFigures) {
	levels, counts := len(stats.levels), stats.counts()
	col.Levels = &levels
	if col.Kind == "text" && col.Name != c.input.ID {
		c.textNumbers(col, counts)
	}
	if ladder := ladderOf(counts); ladder != nil && col.Name != c.input.ID {
		c.find(hint, col.Name, "ordered", "--ordinal '"+col.Name+"="+strings.Join(ladder, "<")+"' makes it one number", "its values seem to have an order")
		if !col.Feature {
			return
		}
	}
	if !col.Feature {
		suits := col.Kind == "text" && levels > 1 && levels <= unusedLevels && col.Name != c.input.ID && col.Name != c.input.Weight
		if suits && len(c.input.Spec.Categorical) == 0 && !slices.Contains(notFeatures, col.Name) {
			c.find(hint, col.Name, "unused", "--categorical "+col.Name+" uses it", "a text of %d levels, which fit leaves out", levels)
		}
		return
	}
	c.missingValues(col)
	there := c.out.Rows - col.Missing
	switch {
	case levels <= 1:
		c.advice.drop[col.Name] = true
		c.find(spoils, col.Name, "constant", "leave it out of --categorical", "%s", map[bool]string{true: "every value is the same", false: "there is no value at all"}[levels == 1])
	case counts == nil, there >= fewestForID && float64(levels) >= mostlyDistinct*float64(there):
		c.looksLikeID(col.Name, strconv.Itoa(levels)+strings.Repeat("+", btoi(counts == nil))+" different texts")
	default:
		c.levels(col.Name, counts, there)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// levels looks at how the rows of a categorical feature are spread over its levels.
func (c *checker) levels(column string, counts map[string]int64, there int64) {
	if c.input.Spec.Fold != nil {
		return
	}
	rare, rows := 0, int64(0)
	for _, n := range counts {
		if n*100 < rarePercent*c.out.Rows {
			rare++
			rows += n
		}
	}
	folding := rare > 1 && rare < len(counts)
	switch {
	case len(counts) > levelsLimit && folding:
		c.find(spoils, column, "levels", "--fold-levels 1%", "%d levels, of which %d have less than 1 %% of the rows each", len(counts), rare)
	case len(counts) > levelsLimit:
		c.advice.drop[column] = true
		c.find(spoils, column, "levels", "leave it out of --categorical, or group its values", "%d levels", len(counts))
	case folding:
		c.find(hint, column, "rare_levels", "--fold-levels 1%", "%d of %d levels have less than 1 %% of the rows each, together %s", rare, len(counts),
			percent(float64(rows)/float64(max(there, 1))))
	}
	c.advice.fold = c.advice.fold || folding
}

// textNumbers finds a column of text that is numbers but for some cells: most often one word for what is missing.
func (c *checker) textNumbers(col *CheckColumn, counts map[string]int64) {
	var numbers, others int64
	other := ""
	for text, n := range counts {
		switch kind := numeral(text); {
		case kind == code:
			return // leading zeros: postcodes and the like, which are text on purpose
		case kind == quantity:
			numbers += n
		default:
			if others += n; other == "" || text < other {
				other = text
			}
		}
	}
	switch {
	case numbers == 0 || float64(numbers) < mostlyNumbers*float64(numbers+others):
	case others > 0:
		c.find(hint, col.Name, "text_numbers", "leave such cells empty in the file", "%s of its values are numbers, but some are such as %q",
			percent(float64(numbers)/float64(numbers+others)), clipped(other))
	default:
		c.find(hint, col.Name, "text_numbers", "write plain numbers: 1234.5", "its values are numbers that are written as text")
	}
}

// What a text may be.
const (
	prose = iota
	quantity
	code
)

// numeral says whether a text is a number as people write it, with thousands apart, a currency or a percent sign.
func numeral(text string) int {
	text = strings.Trim(text, " €$£%\u00a0")
	text = strings.NewReplacer(",", "", "'", "", " ", "", "\u00a0", "").Replace(text)
	if len(text) > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9' {
		return code
	}
	if x, err := strconv.ParseFloat(text, 64); err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return prose
	}
	return quantity
}

// clipped is the beginning of a text for a message.
func clipped(text string) string {
	const most = 30
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// percent renders a share, with a digit behind the point below ten percent.
func percent(share float64) string {
	p := 100 * share
	switch {
	case p > 0 && p < 0.1:
		return "under 0.1 %"
	case p < 10:
		return strconv.FormatFloat(p, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(math.Floor(p), 'f', 0, 64) + " %"
}

// counted is a number with its noun or verb: 1 row, 1,234 rows.
func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return progress.Count(n) + " " + many
}
