package scoring

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

// FuzzQuotes holds that no name and no text gets out of its quotes, in any dialect and in PMML, and that it is in them as it was.
func FuzzQuotes(f *testing.F) {
	for _, text := range []string{"a", `a"b'c` + "`" + `d\e` + "\nf", `\`, `"`, `'`, "'; DROP TABLE x; --", "]]>", "<&>\x00\t\r", "\xff", `\'`, `a."b""c.d".e`, "é\u2028"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hostile.Ceiling(t, len(text), 256<<10, 512, func() {
			for _, d := range []Dialect{ANSI, DuckDB, Postgres} {
				if got := unquoted(t, d.name(text), '"'); got != text {
					t.Fatalf("%s: the name %q is in quotes as %q", d, text, got)
				}
				if got := unquoted(t, d.text(text), '\''); got != text {
					t.Fatalf("%s: the text %q is in quotes as %q", d, text, got)
				}
			}
			closes(t, BigQuery.name(text), '`')
			closes(t, BigQuery.text(text), '\'')
			if name, err := ANSI.tableName(text); err != nil && fault.Code(err) != 2 || err == nil && name == "" {
				t.Fatalf("%q is the table %q, %v", text, name, err)
			}
			var element struct {
				A string `xml:"a,attr"`
			}
			if err := xml.Unmarshal([]byte("<x a="+quoted(text)+"/>"), &element); err != nil {
				t.Fatalf("%q is no attribute: %v", text, err)
			}
			if sound := utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0xfffe }); sound && element.A != text {
				t.Fatalf("%q is the attribute %q", text, element.A)
			}
		})
	})
}

// unquoted is what stands in quotes, of which two stand for one.
func unquoted(t *testing.T, s string, quote byte) string {
	t.Helper()
	if len(s) < 2 || s[0] != quote || s[len(s)-1] != quote {
		t.Fatalf("%s is not in quotes", s)
	}
	inner, q := s[1:len(s)-1], string(quote)
	if strings.Contains(strings.ReplaceAll(inner, q+q, ""), q) {
		t.Fatalf("%s ends before its end", s)
	}
	return strings.ReplaceAll(inner, q+q, q)
}

// closes holds that quotes end at the end of a literal and nowhere before, where a backslash escapes what follows.
func closes(t *testing.T, s string, quote byte) {
	t.Helper()
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == quote && i < len(s)-1, s[i] < ' ':
			t.Fatalf("%q ends before its end, or holds the end of a line", s)
		case s[i] == quote:
			return
		}
	}
	t.Fatalf("%q has no end", s)
}
