package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/observe"
)

// scraped is what a daemon exports, by name.
func scraped(t *testing.T, d *daemon) map[string]*dto.MetricFamily {
	t.Helper()
	code, text := get(t, d.http, "/metrics")
	if code != http.StatusOK {
		t.Fatalf("/metrics: got %d %s", code, text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// seriesOf gives the names of a series' labels, sorted, and what tells it from others.
func seriesOf(m *dto.Metric) (names []string, key string) {
	for _, l := range m.Label {
		names = append(names, l.GetName())
		key += fmt.Sprintf("%s=%q,", l.GetName(), l.GetValue())
	}
	slices.Sort(names)
	return names, key
}

// holdTable holds what a daemon exports against the table, and gives the names of ours that it has.
func holdTable(t *testing.T, of observe.Process, families map[string]*dto.MetricFamily) []string {
	t.Helper()
	table := make(map[string]*observe.Metric)
	for i := range observe.Metrics {
		if m := &observe.Metrics[i]; slices.Contains(m.Of, of) {
			table[m.Full()] = m
		}
	}
	var ours []string
	for name, f := range families {
		m := table[name]
		switch {
		case !strings.HasPrefix(name, "coterie_") && (strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_")):
			continue
		case m == nil:
			t.Errorf("%s: %s is not in the table", of, name)
			continue
		}
		ours = append(ours, name)
		if got := strings.ToLower(f.GetType().String()); got != string(m.Kind) || f.GetHelp() != m.Help {
			t.Errorf("%s: got a %s, %q, want a %s, %q", name, got, f.GetHelp(), m.Kind, m.Help)
		}
		want := slices.Sorted(slices.Values(m.Labels))
		for _, series := range f.Metric {
			if got, _ := seriesOf(series); !slices.Equal(got, want) {
				t.Errorf("%s: got labels %v, want %v", name, got, want)
			}
		}
	}
	problems, err := promlint.NewWithMetricFamilies(slices.Collect(func(yield func(*dto.MetricFamily) bool) {
		for _, f := range families {
			if !yield(f) {
				return
			}
		}
	})).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%s: got %v (%v), want nothing to find fault with", of, problems, err)
	}
	return ours
}

// rising holds that no counter goes down from one scrape to the next.
type rising map[string]float64

func (r rising) hold(t *testing.T, families map[string]*dto.MetricFamily) {
	t.Helper()
	for name, f := range families {
		for _, series := range f.Metric {
			value := series.GetCounter().GetValue()
			if h := series.GetHistogram(); h != nil {
				value = float64(h.GetSampleCount())
			} else if series.Counter == nil {
				continue
			}
			_, key := seriesOf(series)
			if before := r[name+key]; value < before {
				t.Errorf("%s{%s} went from %v down to %v", name, key, before, value)
			}
			r[name+key] = value
		}
	}
}

// seriesValue is that of a gauge or counter with these labels; -1 where there is none.
func seriesValue(families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	if f := families["coterie_"+name]; f != nil {
		for _, series := range f.Metric {
			var values []string
			for _, l := range series.Label {
				values = append(values, l.GetValue())
			}
			if slices.Equal(values, labels) {
				return series.GetCounter().GetValue() + series.GetGauge().GetValue()
			}
		}
	}
	return -1
}

func TestMetricsOfALiveClusterAreThoseOfTheTableAndCountersNeverGoDown(t *testing.T) {
	enter(t)
	c := coordinate(t)
	w := c.join(t, "--name", "w1")
	got := coterie("fit", "synth://uniform?rows=20000&d=3&seed=1", "-k", "4", "--runs", "2", "--max-iter", "20", "--detach", "--min-workers", "2", "--cluster", c.rpc)
	job := strings.TrimSpace(got.stdout)
	ups, ownUps := rising{}, rising{}
	until(t, "the job to wait for another worker", func() bool {
		families := scraped(t, c)
		ups.hold(t, families)
		return seriesValue(families, "jobs", "waiting") == 1
	})
	if families := scraped(t, c); seriesValue(families, "job_rows", job) != 20000 || seriesValue(families, "jobs_finished_total", "done") != 0 {
		t.Errorf("while %s waits: got %v rows, %v done, want 20000 and 0", job, seriesValue(families, "job_rows", job), seriesValue(families, "jobs_finished_total", "done"))
	}
	c.join(t, "--name", "w2")
	until(t, "the job to be done", func() bool {
		families := scraped(t, c)
		ups.hold(t, families)
		ownUps.hold(t, scraped(t, w))
		return seriesValue(families, "jobs_finished_total", "done") == 1
	})
	head, hand := scraped(t, c), scraped(t, w)
	ups.hold(t, head)
	ownUps.hold(t, hand)
	have := append(holdTable(t, observe.Coordinator, head), holdTable(t, observe.Worker, hand)...)
	for i := range observe.Metrics {
		m := &observe.Metrics[i]
		if m.Of[0] == observe.Lookups || m.Name == "object_requests_total" { // there was no request
			continue
		}
		if !slices.Contains(have, m.Full()) {
			t.Errorf("after a job there is no %s", m.Full())
		}
	}
	for name, at := range map[string]float64{
		"answers booked":      seriesValue(head, "answers_total", "booked"),
		"iterations":          seriesValue(head, "job_iteration", job),
		"inertia":             seriesValue(head, "job_inertia", job),
		"bytes received":      seriesValue(head, "received_bytes_total"),
		"bytes sent":          seriesValue(head, "sent_bytes_total"),
		"checkpoints written": seriesValue(head, "checkpoints_total", "written"),
		"w1 is ready":         seriesValue(head, "member_ready", "w1"),
		"rows read":           seriesValue(hand, "worker_rows_read_total"),
		"rows assigned":       seriesValue(hand, "worker_rows_assigned_total"),
	} {
		if at <= 0 {
			t.Errorf("%s: got %v, want more than 0", name, at)
		}
	}
	if open := seriesValue(head, "job_open_partitions", job); open != 0 {
		t.Errorf("of a job that is done %v partitions are open, want 0", open)
	}
}

func TestMetricsOfServeAreThoseOfTheTable(t *testing.T) {
	enter(t)
	write(t, "m.json", fitted(t))
	d := startServe(t, "--model", "m.json")
	if code, _ := get(t, d.http, "/debug/pprof/heap"); code != http.StatusNotFound {
		t.Errorf("without --pprof: got %d, want 404", code)
	}
	ups := rising{}
	for range 2 {
		if code, body := get(t, d.http, "/v1/model"); code != http.StatusOK {
			t.Fatalf("got %d %s", code, body)
		}
		families := scraped(t, d)
		holdTable(t, observe.Lookups, families)
		ups.hold(t, families)
	}
	if n := seriesValue(scraped(t, d), "serve_requests_total", "http", "model", "200"); n != 2 {
		t.Errorf("got %v requests, want 2", n)
	}
}

func TestACommandIsTracedAsTheEnvironmentSays(t *testing.T) {
	enter(t)
	var mu sync.Mutex
	var spans []string // parent, trace and name of each
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		message := &collector.ExportTraceServiceRequest{}
		if err != nil || proto.Unmarshal(body, message) != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, of := range message.ResourceSpans {
			for _, s := range of.ScopeSpans[0].Spans {
				spans = append(spans, fmt.Sprintf("%x %x %s", s.ParentSpanId, s.TraceId, s.Name))
			}
		}
	}))
	defer web.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", web.URL)
	env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + web.URL, "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	fit := []string{"fit", "synth://uniform?rows=500&d=2", "-k", "2", "-o", "m.json", "--quiet"}
	if got := runWith(t.Context(), env, fit...); got.code != 0 || got.stderr != "" {
		t.Fatalf("got %+v", got)
	}
	if want := "b7ad6b7169203331 0af7651916cd43dd8448eb211c80319c coterie fit"; !slices.Contains(spans, want) || len(spans) < 6 {
		t.Errorf("got spans %v, want %s and those of its job", spans, want)
	}
	spans = nil
	if got := coterie(fit...); got.code != 0 || len(spans) > 0 {
		t.Errorf("without an endpoint: got %+v and spans %v, want none", got, spans)
	}
	web.Close()
	got := runWith(t.Context(), env, fit[:len(fit)-1]...)
	if got.code != 0 || strings.Count(got.stderr, "coterie: traces are lost, the work goes on: ") != 1 {
		t.Errorf("with nobody at the endpoint: got %+v, want exit code 0 and one line that says so", got)
	}
}

func TestProfilesAreThereForThisMachineAndOnlyWhenAskedFor(t *testing.T) {
	enter(t)
	c := coordinate(t)
	if code, _ := get(t, c.http, "/debug/pprof/heap"); code != http.StatusNotFound {
		t.Errorf("without --pprof: got %d, want 404", code)
	}
	p := coordinate(t, "--pprof")
	for path, want := range map[string]int{"/debug/pprof/heap?gc=1": 200, "/debug/pprof/": 200, "/debug/pprof/profile?seconds=0.5": 400, "/debug/pprof/trace?seconds=121": 400,
		"/debug/pprof/cmdline": 404, "/debug/pprof/nothing": 404} {
		if code, body := get(t, p.http, path); code != want || want == 200 && body == "" {
			t.Errorf("%s: got %d with %d bytes, want %d", path, code, len(body), want)
		}
	}
	for _, command := range [][]string{{"coordinator", "--state", "s"}, {"worker", "--join", p.gossip}, {"serve", "--model", "none.json"}} {
		got := begin(t, nil, append(command, "--pprof", "--insecure", "--http", "0.0.0.0:0")...).end(t)
		if got.code != 2 || !strings.Contains(got.stderr, "--pprof: ") || !strings.Contains(got.stderr, "0.0.0.0:0") {
			t.Errorf("%s --pprof beyond loopback: got %+v, want exit code 2 with flag and address", command[0], got)
		}
	}
}

func TestTheLogIsAsTheFlagsSay(t *testing.T) {
	enter(t)
	cases := []struct {
		flags     []string
		says      bool // something at info
		inJSON    bool
		withDebug bool
	}{
		{nil, true, false, false},
		{[]string{"--log-format", "json"}, true, true, false},
		{[]string{"--log-format", "json", "--log-level", "debug"}, true, true, true},
		{[]string{"--log-level", "warn"}, false, false, false},
		{[]string{"--quiet", "--log-format", "json"}, false, false, false},
	}
	for _, c := range cases {
		log := coordinate(t, c.flags...).stop(t).stderr // it says that it stops
		if (log != "") != c.says {
			t.Errorf("%v: got the log %q, want some: %v", c.flags, log, c.says)
		}
		lines := json.NewDecoder(bytes.NewBufferString(log))
		for c.inJSON {
			var line map[string]any
			if err := lines.Decode(&line); err == io.EOF {
				break
			} else if err != nil || line["level"] == nil || line["msg"] == nil {
				t.Fatalf("%v: got %v (%v), want lines of JSON with level and msg: %s", c.flags, line, err, log)
			}
		}
		if strings.Contains(log, `"level":"DEBUG"`) && !c.withDebug {
			t.Errorf("%v: got %s, want nothing of debug", c.flags, log)
		}
	}
	for _, bad := range [][]string{{"--log-format", "xml"}, {"--log-level", "loud"}} {
		if got := coterie("coordinator", "--state", "s", bad[0], bad[1]); got.code != 2 || !strings.Contains(got.stderr, bad[0]) || !strings.Contains(got.stderr, bad[1]) {
			t.Errorf("%v: got %+v, want exit code 2 with flag and value", bad, got)
		}
	}
}
