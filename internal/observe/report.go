package observe

import (
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Sink takes the values of metrics at the moment of asking.
type Sink struct {
	out chan<- prometheus.Metric
	of  Process
}

// Value gives one value of a metric of the table, with a value for each of its labels. What the table does not have, or not
// so, fails the whole answer: a name that is nowhere written down must not be exported.
func (s Sink) Value(name string, value float64, labels ...string) {
	m := find(name)
	if m == nil || !slices.Contains(m.Of, s.of) || m.Kind == Histogram {
		err := fmt.Errorf("observe: the table of metrics has no %s of a %s", name, s.of)
		s.out <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
		return
	}
	kind := prometheus.GaugeValue
	if m.Kind == Counter {
		kind = prometheus.CounterValue
	}
	desc := m.desc()
	metric, err := prometheus.NewConstMetric(desc, kind, value, labels...)
	if err != nil {
		metric = prometheus.NewInvalidMetric(desc, err)
	}
	s.out <- metric
}

// Collect gives all values of a collector, such as a histogram that NewHistogram made.
func (s Sink) Collect(c prometheus.Collector) { c.Collect(s.out) }

func (m *Metric) desc() *prometheus.Desc {
	return prometheus.NewDesc(m.Full(), m.Help, m.Labels, nil)
}

// Source gives the values of a part of a process. It is called with each scrape, from any goroutine.
type Source func(to Sink)

// source makes a Source into what a registry takes. It describes all metrics of its process, so that the registry holds
// what comes against that.
type source struct {
	of   Process
	from []Source
}

// Describe implements prometheus.Collector.
func (c *source) Describe(out chan<- *prometheus.Desc) {
	for i := range Metrics {
		if m := &Metrics[i]; slices.Contains(m.Of, c.of) {
			out <- m.desc()
		}
	}
}

// Collect implements prometheus.Collector.
func (c *source) Collect(out chan<- prometheus.Metric) {
	for _, from := range c.from {
		from(Sink{out: out, of: c.of})
	}
}

// Gather makes what Listen shows of the sources of a process. Beside them stand the figures of the process itself and of the
// Go runtime.
func Gather(of Process, from ...Source) (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	return registry, errors.Join(registry.Register(collectors.NewGoCollector()),
		registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})), registry.Register(&source{of, from}))
}

// NewCounter makes a counter of the table that is kept where it counts. A name that the table lacks, or has as another
// kind, is a bug and panics.
func NewCounter(name string) *prometheus.CounterVec {
	m := mustFind(name, Counter)
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Full(), Help: m.Help}, m.Labels)
}

// NewGauge makes a gauge of the table; see NewCounter.
func NewGauge(name string) *prometheus.GaugeVec {
	m := mustFind(name, Gauge)
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.Full(), Help: m.Help}, m.Labels)
}

// NewHistogram makes a histogram of the table with the given upper bounds; see NewCounter.
func NewHistogram(name string, buckets []float64) *prometheus.HistogramVec {
	m := mustFind(name, Histogram)
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.Full(), Help: m.Help, Buckets: buckets}, m.Labels)
}

func mustFind(name string, kind Kind) *Metric {
	m := find(name)
	if m == nil || m.Kind != kind {
		panic(fmt.Sprintf("observe: the table of metrics has no %s %s", kind, name))
	}
	return m
}
