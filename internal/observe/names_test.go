package observe

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
)

var update = flag.Bool("update", false, "write deploy/metrics.txt")

// listing is what dashboards, alerts and their checks are held against.
var listing = filepath.Join("..", "..", "deploy", "metrics.txt")

func TestTheListOfMetricsInDeployIsThatOfTheTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Every metric that coterie exports: name, kind, labels, processes. Made from internal/observe/names.go by\n" +
		"# go test ./internal/observe -update\n")
	for i := range Metrics {
		b.WriteString(Metrics[i].String() + "\n")
	}
	if *update {
		if err := os.WriteFile(listing, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(listing)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s is not what the table says: go test ./internal/observe -update writes it", listing)
	}
}

func TestNamesAreThoseThatPrometheusAdvises(t *testing.T) {
	kinds := map[Kind]dto.MetricType{Gauge: dto.MetricType_GAUGE, Counter: dto.MetricType_COUNTER, Histogram: dto.MetricType_HISTOGRAM}
	seen := make(map[string]bool)
	var families []*dto.MetricFamily
	for i := range Metrics {
		m := &Metrics[i]
		if seen[m.Name] {
			t.Errorf("%s stands twice in the table", m.Name)
		}
		seen[m.Name] = true
		if len(m.Of) == 0 || !strings.HasSuffix(m.Help, ".") || strings.HasSuffix(m.Name, "_total") != (m.Kind == Counter) {
			t.Errorf("%s: got processes %v, help %q, kind %s: want processes, a sentence, and _total for counters alone", m.Name, m.Of, m.Help, m.Kind)
		}
		name, kind := m.Full(), kinds[m.Kind]
		one := &dto.Metric{}
		for _, label := range m.Labels {
			value := "x"
			one.Label = append(one.Label, &dto.LabelPair{Name: &label, Value: &value})
		}
		switch m.Kind {
		case Gauge:
			one.Gauge = &dto.Gauge{}
		case Counter:
			one.Counter = &dto.Counter{}
		case Histogram:
			one.Histogram = &dto.Histogram{}
		}
		families = append(families, &dto.MetricFamily{Name: &name, Help: &m.Help, Type: &kind, Metric: []*dto.Metric{one}})
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestWhatTheTableDoesNotHaveIsNotExported(t *testing.T) {
	for name, from := range map[string]Source{
		"an unknown name":           func(to Sink) { to.Value("nothing", 1) },
		"another process's":         func(to Sink) { to.Value("worker_joined", 1) },
		"too few labels":            func(to Sink) { to.Value("jobs", 1) },
		"too many labels":           func(to Sink) { to.Value("epoch", 1, "x") },
		"the same twice":            func(to Sink) { to.Value("epoch", 1); to.Value("epoch", 2) },
		"a histogram as a value":    func(to Sink) { to.Value("round_seconds", 1, "load") },
		"a label that is not UTF-8": func(to Sink) { to.Value("job_rows", 1, "\xff") },
	} {
		registry, err := Gather(Coordinator, from)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := registry.Gather(); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
