package segment

import (
	"fmt"
	"html"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/hostile"
)

// measuring looks at each frame from outside, as the pages themselves run nothing, and leaves what is wrong in a <pre>.
const measuring = `<script>
function texts(svg, say) {
  const boxes = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]), all = svg.getBoundingClientRect();
  boxes.forEach(([a, p], i) => {
    if (p.left < all.left - 12 || p.right > all.right + 12 || p.top < all.top - 12 || p.bottom > all.bottom + 24) say('"' + a + '" stands beside its chart');
    boxes.slice(i + 1).forEach(([b, q]) => {
      if (Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 1) say('"' + a + '" and "' + b + '" overlap');
    });
  });
}
function look(frame) {
  const wrong = [], doc = frame.contentDocument, where = frame.title + ': ', say = s => { if (wrong.length < 20) wrong.push(where + s) };
  const width = doc.documentElement.scrollWidth, charts = [...doc.querySelectorAll('svg')].filter(e => e.checkVisibility());
  if (width > frame.clientWidth) say('is ' + width + ' wide');
  if (frame.contentWindow.performance.getEntriesByType('resource').length) say('loads something');
  if (!charts.length) say('has no chart');
  for (const svg of charts) {
    const name = svg.querySelector('title').textContent, drawn = [...svg.querySelectorAll('path, polyline, circle')];
    if (!drawn.some(e => { const b = e.getBoundingClientRect(); return b.width > 20 || b.height > 20 })) say('the chart "' + name + '" is empty');
    texts(svg, s => say(name + ': ' + s));
  }
  for (const row of doc.querySelectorAll('.ends, .stack > span')) if (row.scrollWidth > row.clientWidth + 1) say('"' + row.textContent + '" does not fit');
  return wrong;
}
addEventListener('load', () => { document.querySelector('pre').textContent = JSON.stringify([...document.querySelectorAll('iframe')].flatMap(look)) });
</script>`

// browse opens pages in frames of a telephone's and a desk's width, in one start of the browser, and gives back what is
// wrong with them and what the browser's console said.
func browse(t *testing.T, pages map[string]string) (wrong []string, said string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("<!DOCTYPE html><meta charset=utf-8><pre></pre>")
	for name, page := range pages {
		for _, width := range []int{390, 1180} {
			fmt.Fprintf(&b, `<iframe title="%s at %d" width=%[2]d height=900 style="border:0" srcdoc="%s"></iframe>`, name, width, html.EscapeString(page))
		}
	}
	b.WriteString(measuring)
	return hostile.Browse(t, b.String())
}

// photograph writes pictures of a page for the documentation, where the flag -page asks for them.
func photograph(t *testing.T, name, page string, height int) {
	t.Helper()
	if *pageOut == "" {
		return
	}
	file := *pageOut + "." + name + ".html"
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	err := exec.CommandContext(t.Context(), "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
		"--user-data-dir="+t.TempDir(), fmt.Sprintf("--window-size=1180,%d", height), "--screenshot="+file+".png", "file://"+file).Run()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPagesAreWholeInABrowserOnATelephoneAndOnADesk(t *testing.T) {
	report := reportPage(t, 4000)
	long := reportPage(t, 4000)
	for i := range long.Summary.Segments {
		long.Summary.Segments[i].Name = "<b>" + strings.Repeat("Donaudampfschifffahrt", 6)
		long.Summary.Rules[i].Text = strings.Repeat("a_very_long_column_name_", 8) + " ≥ 9"
	}
	for j := range long.Summary.Columns {
		long.Summary.Columns[j].Name, long.Summary.Columns[j].Level = strings.Repeat("recency", 30), strings.Repeat("level", 30)
	}
	long.Scatter.XName, long.Scatter.YName = strings.Repeat("wide", 30), strings.Repeat("high", 30)
	long.Sweep.Features = []string{strings.Repeat("feature", 100)}
	long.Flows = exampleMoves(long.Summary)
	pages := map[string]string{"report": render(t, report), "long names": render(t, long), "sweep": renderSweep(t, exampleSweep())}
	wrong, said := browse(t, pages)
	for _, w := range wrong {
		t.Error(w)
	}
	if said != "" {
		t.Errorf("the browser complains: %s", said)
	}
	photograph(t, "report", pages["report"], 1500)
	photograph(t, "sweep", pages["sweep"], 1300)
}
