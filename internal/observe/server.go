package observe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/coterie-project/coterie/internal/secure"
)

// Bounds of a request: there is nothing to send, and little to hear.
const (
	requestWait = 5 * time.Second
	headerBytes = 16 << 10
	stopWait    = 2 * time.Second
)

// Server answers over HTTP. Close it.
type Server struct {
	http     *http.Server
	listener net.Listener
	done     chan error
}

// Listen begins to serve at address, HOST:PORT with port 0 for any; ready says why the process takes no work now, and
// metrics are shown in the Prometheus text format.
func Listen(address string, ready func() error, metrics prometheus.Gatherer) (*Server, error) {
	listener, err := secure.Listen("--http", address)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: requestWait}))
	s := &Server{listener: listener, done: make(chan error, 1), http: &http.Server{Handler: mux, ReadTimeout: requestWait,
		WriteTimeout: 2 * requestWait, IdleTimeout: time.Minute, MaxHeaderBytes: headerBytes}}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// Address is where the server really listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close ends the server and returns after its goroutine has.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopWait)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// Gauges registers values that are read when they are asked for, and gives what Listen shows. Beside them stand those
// of the process and of the Go runtime.
func Gauges(values map[string]Gauge) (prometheus.Gatherer, error) {
	registry := prometheus.NewRegistry()
	errs := []error{registry.Register(collectors.NewGoCollector()),
		registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))}
	for name, g := range values {
		errs = append(errs, registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "coterie", Name: name, Help: g.Help}, g.Value)))
	}
	return registry, errors.Join(errs...)
}

// Gauge is one value with its unit in words.
type Gauge struct {
	Help  string
	Value func() float64
}
