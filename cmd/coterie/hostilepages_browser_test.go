package main

import (
	"encoding/csv"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/hostile"
)

// attacks are names that would become markup, or run, where one of them is not escaped for the place that it stands in. Each
// reports to the page around it.
var attacks = []string{
	`<script>top.pwned=1</script>`,
	`"><img src=x onerror=top.pwned=2>`,
	`' onmouseover='top.pwned=3' x='`,
	`" onfocus="top.pwned=4" autofocus tabindex="0`,
	`javascript:top.pwned=5`,
	`</title></style></svg><script>top.pwned=6</script>`,
	`</script><svg onload=top.pwned=7>`,
	`{{.}}${top.pwned=8}` + "`",
	`--><script>top.pwned=9</script><!--`,
	`]]><script>top.pwned=10</script>`,
	"\u2028top.pwned=11//\u2029",
	"\u202egpj.exe\u2066<b>",
	"a\x1b[2J<u>",
	`&lt;script&gt;top.pwned=12&lt;/script&gt;`,
	`}</style><style>*{background:url(http://evil.invalid/x)}`,
	`expression(top.pwned=13);behavior:url(#x)`,
}

// inspecting looks at each frame, touches all that could run, and leaves what is wrong in a <pre>.
const inspecting = `<script>
const wrong = [], strange = 'script, img, iframe, object, embed, link, base, form, input, button, video, audio, foreignObject, use, image, animate, set';
function look(frame) {
  const doc = frame.contentDocument, say = s => { if (wrong.length < 30) wrong.push(frame.title + ': ' + s) };
  if (doc.body.textContent.length < 200) say('is empty');
  for (const e of doc.querySelectorAll(strange)) say('has the element ' + e.outerHTML.slice(0, 120));
  for (const e of doc.querySelectorAll('meta')) if (/refresh/i.test(e.httpEquiv)) say('refreshes');
  for (const e of doc.querySelectorAll('*')) {
    for (const a of e.attributes) {
      if (/^on/i.test(a.name)) say('has the attribute ' + a.name + ' at ' + e.tagName);
      if (/^(href|src|action|xlink:href|formaction)$/i.test(a.name) && !a.value.startsWith('#')) say('has the link ' + a.value.slice(0, 80));
      if (a.name === 'style' && /url\(|expression|behavior|@import/i.test(a.value)) say('has the style ' + a.value.slice(0, 80));
    }
    e.dispatchEvent(new MouseEvent('mouseover', {bubbles: true}));
    if (e.focus) e.focus();
    if (e.click && e.tagName !== 'A') e.click();
  }
  const text = doc.documentElement.textContent;
  for (const c of ['\u202e', '\u2066', '\u2028', '\u2029', '\x1b', '\x00']) if (text.includes(c)) say('holds U+' + c.codePointAt(0).toString(16));
  if (!text.includes('top.pwned=')) say('shows none of the names');
  if (frame.contentWindow.performance.getEntriesByType('resource').length) say('loads something');
}
addEventListener('load', () => setTimeout(() => {
  document.querySelectorAll('iframe').forEach(look);
  if (window.pwned) wrong.push('attack ' + window.pwned + ' has run');
  document.querySelector('pre').textContent = JSON.stringify(wrong);
}, 100));
</script>`

// besiege loads pages in a browser, as they are and without their policy, so that what escapes its place would run. It gives what
// is wrong, and what the browser's console says.
func besiege(t *testing.T, pages map[string]string) (wrong []string, said string) {
	t.Helper()
	policy := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`)
	var b strings.Builder
	b.WriteString("<!DOCTYPE html><meta charset=utf-8><pre></pre>")
	for name, page := range pages {
		if !policy.MatchString(page) {
			t.Errorf("%s has no policy", name)
		}
		fmt.Fprintf(&b, `<iframe title="%s" srcdoc="%s"></iframe>`, name, html.EscapeString(page))
		fmt.Fprintf(&b, `<iframe title="%s without its policy" srcdoc="%s"></iframe>`, name, html.EscapeString(policy.ReplaceAllString(page, "")))
	}
	b.WriteString(inspecting)
	return hostile.Browse(t, b.String(), "--virtual-time-budget=5000")
}

// besieged is a table whose columns, levels, ids and name are attacks.
func besieged(t *testing.T, dir string) string {
	t.Helper()
	table := filepath.Join(dir, strings.ReplaceAll(attacks[1], "/", "")+".csv")
	f, err := os.Create(table)
	if err != nil {
		t.Skip("there are no such names of files here:", err)
	}
	defer f.Close()
	w := csv.NewWriter(f)
	head := []string{"id", "city"}
	for _, a := range attacks {
		head = append(head, a)
	}
	w.Write(head)
	for i := range 200 {
		row := []string{fmt.Sprintf("%s%d", attacks[i%len(attacks)], i), attacks[i%3]}
		for j := range attacks {
			row = append(row, fmt.Sprint((i*(j+3)+i%7)%(11+j)))
		}
		w.Write(row)
	}
	if w.Flush(); w.Error() != nil {
		t.Fatal(w.Error())
	}
	return table
}

// Every page that a command writes, of data whose every name is an attack.
func TestHostileNamesStayTextOnEveryPageInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser: not with -short")
	}
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("no chromium here to open the pages with")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	table := besieged(t, dir)
	rows := []string{table, "--id", "id", "--categorical", "city"}
	for _, args := range [][]string{
		append([]string{"fit"}, append(rows, "-k", "4", "-o", at("a.json"), "--labels", at("a.csv"), "--report", at("fit.html"))...),
		append([]string{"fit"}, append(rows, "-k", "5", "--seed", "3", "-o", at("b.json"), "--labels", at("b.csv"))...),
		{"segments", "rename", "--model", at("a.json"), "0=" + attacks[0], "1=" + attacks[1], "2=" + attacks[3]},
		{"segments", "rename", "--model", at("b.json"), "0=" + attacks[5], "1=" + attacks[6], "2=" + attacks[8]},
		{"profile", table, "--model", at("a.json"), "--with-ids", "-o", at("profile.html")},
		append([]string{"sweep"}, append(rows, "-k", "2..4", "-o", at("sweep.html"))...),
		{"migrate", "--from", at("a.csv"), "--to", at("b.csv"), "--from-model", at("a.json"), "--to-model", at("b.json"), "-o", at("moves.html")},
	} {
		if o := coterie(append(args, "--quiet")...); o.code != 0 {
			t.Fatalf("%q: %s", args, o.stderr)
		}
	}
	files, err := filepath.Glob(at("*.html"))
	if err != nil || len(files) != 4 {
		t.Fatalf("got pages %q, %v, want four", files, err)
	}
	pages := make(map[string]string)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pages[strings.TrimSuffix(filepath.Base(file), ".html")] = string(text)
	}
	wrong, said := besiege(t, pages)
	for _, w := range wrong {
		t.Error(w)
	}
	if said != "" {
		t.Errorf("the browser complains: %s", said)
	}
}
