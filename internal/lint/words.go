package lint

import (
	"bufio"
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// word is a text that does not belong into the project.
type word struct {
	pattern *regexp.Regexp
	why     string
	goOnly  bool     // only code may not say it
	except  []string // paths that may
}

// words are spelled in pieces, so that this file does not hold them.
var words = []word{
	{pattern: regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`), why: "finish it, or leave it out"},
	{pattern: regexp.MustCompile(`not (yet )?imple` + `mented|unimple` + `mented`), why: "build it, or leave it out", goOnly: true},
	{pattern: regexp.MustCompile(`(^|[^\w./-])/(wo` + `rk|ro` + `ot)/`), why: "a path of one machine"},
	// The one look at real data that lies beside a checkout; it is skipped where there is none.
	{pattern: regexp.MustCompile(`\.\./sha` + `red\b|\.libr` + `ary/`), why: "a path outside of the checkout", except: []string{".ci/run"}},
}

// Words are the lines that hold a word which must not be there.
func Words(tree Tree) []Finding {
	var found []Finding
	for _, name := range tree.names() {
		if binary(tree[name]) || path.Base(name) == "go.sum" || strings.HasSuffix(name, ".pb.go") {
			continue // of generated code, what it was generated from is looked at
		}
		lines := bufio.NewScanner(bytes.NewReader(tree[name]))
		lines.Buffer(nil, len(tree[name])+1)
		for line := 1; lines.Scan(); line++ {
			for _, w := range words {
				if w.goOnly && path.Ext(name) != ".go" || slices.Contains(w.except, name) {
					continue
				}
				if hit := w.pattern.Find(lines.Bytes()); hit != nil {
					found = append(found, Finding{name, line, fmt.Sprintf("%q: %s", hit, w.why)})
				}
			}
		}
	}
	return found
}
