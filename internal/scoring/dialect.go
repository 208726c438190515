package scoring

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
)

// Dialect is how a database wants its SQL.
type Dialect string

// The dialects. ANSI is that of SQL:2023, where LEAST came in, with floating-point numbers of IEEE 754.
const (
	ANSI     Dialect = "ansi"
	DuckDB   Dialect = "duckdb"
	Postgres Dialect = "postgres"
	BigQuery Dialect = "bigquery"
)

// Dialects are all of them.
var Dialects = []string{string(ANSI), string(DuckDB), string(Postgres), string(BigQuery)}

// name quotes the name of a column or a table.
func (d Dialect) name(s string) string {
	if d == BigQuery {
		return "`" + escaped(s, '`') + "`"
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// text quotes a text.
func (d Dialect) text(s string) string {
	if d == BigQuery {
		return "'" + escaped(s, '\'') + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// escaped is a text in which the quote, backslashes and what would end a line are escaped, as in C.
func escaped(s string, quote rune) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == quote, r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ', r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// double is the expression as a float64.
func (d Dialect) double(expression string) string {
	if d == BigQuery {
		return "CAST(" + expression + " AS FLOAT64)"
	}
	return "CAST(" + expression + " AS DOUBLE PRECISION)"
}

// string is the expression as a text.
func (d Dialect) string(expression string) string {
	switch d {
	case BigQuery:
		return "CAST(" + expression + " AS STRING)"
	case ANSI:
		return "CAST(" + expression + " AS VARCHAR(4096))"
	}
	return "CAST(" + expression + " AS VARCHAR)"
}

// isNaN is a condition that holds where a float64 is no number. In DuckDB and PostgreSQL a NaN is equal to itself.
func (d Dialect) isNaN(expression string) string {
	switch d {
	case DuckDB:
		return "isnan(" + expression + ")"
	case Postgres:
		return expression + " = 'NaN'"
	case BigQuery:
		return "IS_NAN(" + expression + ")"
	}
	return expression + " <> " + expression
}

// with begins a part of the query. PostgreSQL would put the part's expressions wherever they are used, and compute them again
// and again, unless it is told not to.
func (d Dialect) with(name string) string {
	if d == Postgres {
		return name + " AS MATERIALIZED ("
	}
	return name + " AS ("
}

// number is a float64 so that it is read as one, to the bit, and not as a decimal.
func number(x float64) string {
	s := strconv.FormatFloat(x, 'e', -1, 64)
	s = strings.Replace(s, "e+0", "e", 1)
	s = strings.Replace(s, "e-0", "e-", 1)
	s = strings.Replace(s, "e+", "e", 1)
	if x < 0 {
		return "(" + s + ")" // a minus and a minus would begin a comment
	}
	return s
}

// tableName quotes the name of a table, part by part: shop.customers. A part in double quotes may hold anything.
func (d Dialect) tableName(table string) (string, error) {
	var parts []string
	for rest := table; ; {
		part, after, err := namePart(rest)
		if err != nil || part == "" || strings.ContainsRune(part, 0) {
			return "", fault.Usagef("--table: %q is not the name of a table", table).
				Do(`write customers or shop.customers, and parts with points or quotes as "my.table"`)
		}
		parts = append(parts, d.name(part))
		if after == "" {
			return strings.Join(parts, "."), nil
		}
		rest = after[1:]
	}
}

// namePart cuts one part off. What is left begins with its point.
func namePart(s string) (part, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		part = s
		if at := strings.IndexByte(s, '.'); at >= 0 {
			part, rest = s[:at], s[at:]
		}
		if strings.Contains(part, `"`) {
			err = strconv.ErrSyntax
		}
		return part, rest, err
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != '"':
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == '"':
			b.WriteByte('"')
			i++
		case i+1 < len(s) && s[i+1] != '.':
			return "", "", strconv.ErrSyntax
		default:
			return b.String(), s[i+1:], nil
		}
	}
	return "", "", strconv.ErrSyntax
}
