package serve

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// The two ways in.
const (
	viaHTTP = "http"
	viaGRPC = "grpc"
)

// metrics count what is asked and how long it takes.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec   // api, call, code
	rows     *prometheus.CounterVec   // api
	seconds  *prometheus.HistogramVec // api, call
	flying   *prometheus.GaugeVec     // api
	model    *prometheus.GaugeVec     // digest
}

// buckets of seconds: from a single answer to a batch that waits for its turn.
var buckets = []float64{50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 1, 5}

func newMetrics() *metrics {
	const space, part = "coterie", "serve"
	name := func(n, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: space, Subsystem: part, Name: n, Help: help}
	}
	return &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts(name("requests_total", "Requests that were answered, by HTTP status or gRPC code.")), []string{"api", "call", "code"}),
		rows:     prometheus.NewCounterVec(prometheus.CounterOpts(name("rows_total", "Customers that were looked up.")), []string{"api"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: space, Subsystem: part, Name: "seconds",
			Help: "Seconds from the request's header to its answer.", Buckets: buckets}, []string{"api", "call"}),
		flying: prometheus.NewGaugeVec(prometheus.GaugeOpts(name("in_flight", "Requests that are being answered.")), []string{"api"}),
		model:  prometheus.NewGaugeVec(prometheus.GaugeOpts(name("model_info", "1 for the model in use, by its digest.")), []string{"digest"}),
	}
}

// uses says which model is in use.
func (m *metrics) uses(h *held) {
	m.model.Reset()
	m.model.WithLabelValues(h.Digest()).Set(1)
}

// register adds all metrics to the registry, those that others keep included.
func (m *metrics) register(h *holder, listeners map[string]*few) error {
	all := []prometheus.Collector{m.requests, m.rows, m.seconds, m.flying, m.model, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}
	read := func(name, help string, labels prometheus.Labels, counter bool, value func() float64) {
		opts := prometheus.Opts{Namespace: "coterie", Subsystem: "serve", Name: name, Help: help, ConstLabels: labels}
		if counter {
			all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts(opts), value))
			return
		}
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts), value))
	}
	read("model_loads_total", "Models that came into use, the first included.", nil, true, func() float64 { return float64(h.loads.Load()) })
	read("model_refused_total", "Attempts at a model file that could not be used.", nil, true, func() float64 { return float64(h.refused.Load()) })
	read("model_unusable", "1 while the model file cannot be used and an older model answers.", nil, false, func() float64 {
		if h.problem.Load() != nil {
			return 1
		}
		return 0
	})
	read("model_loaded_timestamp_seconds", "When the model in use was loaded, in seconds since 1970.", nil, false, func() float64 { return float64(h.since.Load()) })
	for api, listener := range listeners {
		labels := prometheus.Labels{"api": api}
		read("connections", "Connections that are open.", labels, false, func() float64 { return float64(listener.open.Load()) })
		read("connections_refused_total", "Connections that were closed because too many were open.", labels, true, func() float64 { return float64(listener.refused.Load()) })
	}
	var errs []error
	for _, c := range all {
		errs = append(errs, m.registry.Register(c))
	}
	return errors.Join(errs...)
}

// begin notes that a request has come; what it gives is called with its end.
func (m *metrics) begin(api, call string) func(code string) {
	start := time.Now()
	flying := m.flying.WithLabelValues(api)
	flying.Inc()
	return func(code string) {
		flying.Dec()
		m.seconds.WithLabelValues(api, call).Observe(time.Since(start).Seconds())
		m.requests.WithLabelValues(api, call, code).Inc()
	}
}
