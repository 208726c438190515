//go:build unix

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var pageOut = flag.String("page", "", "write pictures of the live page to files that begin so, to look at them")

// browser is a page in a browser that sees nothing but this machine.
type browser struct {
	*testing.T
	ctx  context.Context
	host string

	mu     sync.Mutex
	wrong  []string // what the browser has complained of, and what was asked of others
	loaded map[string]int
}

// browse opens a page of a process.
func browse(t *testing.T, host string) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here to open the page with")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"), chromedp.WSURLReadTimeout(soon))
	ctx, end := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); end() })
	b := &browser{T: t, ctx: ctx, host: host, loaded: make(map[string]int)}
	chromedp.ListenTarget(ctx, b.hear)
	if err := chromedp.Run(ctx, network.Enable(), log.Enable()); err != nil {
		t.Skipf("chromium does not start here: %v", err)
	}
	b.do(chromedp.Navigate("http://" + host + "/"))
	return b
}

// hear notes what must not be.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Host != b.host {
			b.wrong = append(b.wrong, "asks for "+e.Request.URL)
		} else {
			b.loaded[u.Path]++
		}
	case *log.EventEntryAdded:
		b.wrong = append(b.wrong, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *runtime.EventExceptionThrown:
		b.wrong = append(b.wrong, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		b.wrong = append(b.wrong, fmt.Sprintf("console.%s", e.Type))
	}
}

func (b *browser) do(actions ...chromedp.Action) {
	b.Helper()
	ctx, end := context.WithTimeout(b.ctx, commandLimit)
	defer end()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// shows waits until something holds in the page.
func (b *browser) shows(what, expression string) {
	b.Helper()
	until(b.T, commandLimit, what, func() bool {
		var holds bool
		b.do(chromedp.Evaluate("Boolean("+expression+")", &holds))
		return holds
	})
}

// measuring is what is wrong with the page as it lies there.
const measuring = `(() => {
	const wrong = [], width = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth > width) wrong.push('it is ' + document.documentElement.scrollWidth + ' wide');
	for (const e of document.querySelectorAll('dd, h3, td, th, .state, .pill, #events p, button')) {
		const b = e.getBoundingClientRect();
		if (b.width && (b.right > width + 1 || b.left < -1) && !e.closest('thead')) wrong.push('"' + e.textContent + '" is cut off');
		if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth && getComputedStyle(e).display !== 'inline') wrong.push('"' + e.textContent + '" does not fit');
	}
	for (const svg of document.querySelectorAll('svg')) {
		const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
		texts.forEach(([a, p], i) => texts.slice(i + 1).forEach(([b, q]) => {
			if (Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 1) wrong.push('"' + a + '" and "' + b + '" overlap');
		}));
		if (svg.checkVisibility() && !svg.getAttribute('aria-label')) wrong.push('a chart without words');
	}
	for (const e of document.querySelectorAll('main *')) {
		const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
		if (!own || !e.checkVisibility() || e.closest('.hidden, svg')) continue;
		const rgb = s => (s.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
		let under = e, back = [0, 0, 0, 0];
		while (under && !(back.length < 4 || back[3] > 0)) { back = rgb(getComputedStyle(under).backgroundColor); under = under.parentElement; }
		const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
		const [a, b] = [light(rgb(getComputedStyle(e).color)), light(back)].sort((x, y) => y - x), contrast = (a + 0.05) / (b + 0.05);
		if (contrast < 4.5) wrong.push('"' + e.textContent.slice(0, 40) + '" has a contrast of ' + contrast.toFixed(2));
	}
	if (document.querySelector('main img')) wrong.push('a name has become markup');
	return wrong;
})()`

// lookAround looks at the page on a telephone and on a desk, in the light and in the dark.
func (b *browser) lookAround(when string) {
	b.Helper()
	for _, width := range []int64{390, 1180} {
		for _, scheme := range []string{"light", "dark"} {
			var wrong []string
			var picture []byte
			name := fmt.Sprintf("%s-%d-%s", when, width, scheme)
			b.do(emulation.SetDeviceMetricsOverride(width, 900, 1, width < 700),
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}),
				chromedp.Evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))", nil, chromedp.EvalAsValue),
				chromedp.Evaluate(measuring, &wrong))
			for _, w := range wrong {
				b.Errorf("%s: %s", name, w)
			}
			if *pageOut != "" {
				b.do(chromedp.FullScreenshot(&picture, 100))
				if err := os.WriteFile(*pageOut+name+".png", picture, 0o644); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

func TestTheLivePageShowsTheLossOfAWorkerInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short")
	}
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("no chromium here to open the page with")
	}
	t.Parallel()
	const hostile = `<img src=x onerror=alert(1)>`
	c := newCluster(t, "", 0, "--jobs", "1")
	c.worker("w1", verySlowly)
	c.worker("w2", verySlowly)
	doomed := c.worker(hostile, verySlowly)
	c.present(3)
	b := browse(t, c.head.http)
	b.shows("three workers", `document.querySelectorAll('#workers tr').length === 3`)
	task{"fit", "synth://uniform?rows=400000&seed=5&d=32", "-k", "6", "--tol", "0", "--max-iter", "1000"}.start(c) // it ends with the test
	table := filepath.Join(c.root, hostile+".csv")
	if err := os.WriteFile(table, []byte("a,b\n1,2\n3,4\n5,6\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.shows("the job iterates", `document.querySelector('.job .line') && document.querySelector('.job .line').points.length >= 2`)
	queued := task{"fit", table, "-k", "2"}.detached(c, "")
	b.shows("the job that waits", fmt.Sprintf(`[...document.querySelectorAll('.job')].some(j => j.dataset.key === %q && j.textContent.includes('onerror'))`, queued))
	b.lookAround("work")

	b.do(chromedp.Evaluate(`window.heard = []; new MutationObserver(() => heard.push(document.querySelector('#said').textContent)).observe(document.querySelector('#said'), {childList: true, characterData: true, subtree: true})`, nil))
	doomed.kill()
	b.shows("that the worker is lost", `[...document.querySelectorAll('#workers tr')].some(r => r.textContent.includes('onerror') && r.querySelector('.state').textContent === 'lost')`)
	// On a machine that stands still others may have been asked for its partitions before.
	b.shows("that its partitions went to others", `[...document.querySelectorAll('#events li')].some(e => /onerror.*( lost, [1-9]\d* partitions? reassigned| is slow, [1-9])/.test(e.textContent))`)
	b.shows("it in the job", `/[1-9] partitions? of (lost workers|slow workers also) went to others/.test(document.querySelector('.job .note').textContent)`)
	b.shows("it to who cannot see", `heard.some(words => /onerror.* lost/.test(words))`)
	b.lookAround("loss")

	b.whole()
	c.head.kill()
	b.shows("that the coordinator is away", `document.querySelector('#link').textContent === 'coordinator away, trying again'`)
	b.lookAround("away")
	c.restart("")
	b.shows("that it is back", `document.querySelector('#link').textContent === 'live' && document.querySelector('#about').textContent.includes('epoch 2')`)
	b.shows("what the one before it told, and what the new one does", `['joined', 'lost', 'started'].every(k => document.querySelector('#events [data-kind=' + k + ']')) && document.querySelectorAll('#events [data-kind=started]').length === 2`)
}

// whole says that the page has loaded its own files and nothing else, and that nobody has complained.
func (b *browser) whole() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.wrong {
		b.Errorf("the browser: %s", w)
	}
	for _, path := range []string{"/", "/live.js", "/live.css", "/api/v1/events"} {
		if b.loaded[path] == 0 {
			b.Errorf("%s was not loaded", path)
		}
	}
}

// What scripts read of a cluster is what the page shows.
func TestTheDocumentOfAClusterTellsOfItsWorkersAndJobs(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "", 1)
	id := even.detached(c, "")
	c.ends(id)
	data := c.fetch("/api/v1/cluster")
	var d struct {
		Workers []struct{ Name, State, Kernel string }
		Jobs    []struct {
			ID, State, Kind string
			Curves          []struct{ Points []struct{ I int } }
		}
		Events []struct{ Kind, Job string }
	}
	decode(t, string(data), &d)
	if len(d.Workers) != 1 || d.Workers[0].State != "ready" || d.Workers[0].Kernel == "" || len(d.Jobs) != 1 || d.Jobs[0].ID != id || d.Jobs[0].State != "done" {
		t.Errorf("got %s, want a ready worker and a job that is done", data)
	}
	if len(d.Jobs) == 1 && (len(d.Jobs[0].Curves) != 1 || len(d.Jobs[0].Curves[0].Points) != 20) {
		t.Errorf("got %s, want a curve of 20 iterations", data)
	}
	if last := d.Events[len(d.Events)-1]; last.Kind != "done" || last.Job != id {
		t.Errorf("got %+v last, want the end of the job", last)
	}
	if !json.Valid(data) || bytes.Contains(data, []byte(c.root)) || strings.Contains(string(data), c.state) {
		t.Errorf("got %s, want it to name no folder", data)
	}
}

// fetch reads from the coordinator's HTTP.
func (c *cluster) fetch(path string) []byte {
	c.Helper()
	client := http.Client{Timeout: soon}
	reply, err := client.Get("http://" + c.head.http + path)
	if err != nil {
		c.Fatal(err)
	}
	defer reply.Body.Close()
	data, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	if err != nil {
		c.Fatal(err)
	}
	return data
}
