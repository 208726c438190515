package serve

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/secure"
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

func newMetrics() *metrics {
	return &metrics{
		requests: observe.NewCounter("serve_requests_total"),
		rows:     observe.NewCounter("serve_rows_total"),
		seconds:  observe.NewHistogram("serve_seconds", observe.Quick),
		flying:   observe.NewGauge("serve_in_flight"),
		model:    observe.NewGauge("serve_model_info"),
	}
}

// uses says which model is in use.
func (m *metrics) uses(h *held) {
	m.model.Reset()
	m.model.WithLabelValues(h.Digest()).Set(1)
}

// register makes what /metrics shows, with the values that others keep.
func (m *metrics) register(h *holder, turnedAway func() int64, listeners map[string]*secure.Bounded) error {
	var err error
	m.registry, err = observe.Gather(observe.Lookups, func(to observe.Sink) {
		for _, c := range []prometheus.Collector{m.requests, m.rows, m.seconds, m.flying, m.model} {
			to.Collect(c)
		}
		to.Value("serve_model_loads_total", float64(h.loads.Load()))
		to.Value("serve_model_refused_total", float64(h.refused.Load()))
		peers := int64(0)
		if turnedAway != nil {
			peers = turnedAway()
		}
		to.Value("peers_refused_total", float64(peers))
		unusable := 0.0
		if h.problem.Load() != nil {
			unusable = 1
		}
		to.Value("serve_model_unusable", unusable)
		to.Value("serve_model_loaded_timestamp_seconds", float64(h.since.Load()))
		for api, listener := range listeners {
			open, refused := listener.Connections()
			to.Value("serve_connections", float64(open), api)
			to.Value("serve_connections_refused_total", float64(refused), api)
		}
	})
	return err
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
