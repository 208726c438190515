package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/coterie-project/coterie/internal/secure"
)

// Bounds of a request: there is nothing to send, and little to hear.
const (
	requestWait = 5 * time.Second
	headerBytes = 16 << 10
	stopWait    = 2 * time.Second
)

// quiet takes what net/http says of strangers that break off: it would let anybody write into the log.
var quiet = log.New(io.Discard, "", 0)

// Server answers over HTTP. Close it.
type Server struct {
	http     *http.Server
	listener *secure.Bounded
	done     chan error
	parts    []Part
}

// Part is something else that a Server answers.
type Part interface {
	// Routes are handlers by pattern, as http.ServeMux has them.
	Routes() map[string]http.Handler
	// Close ends what is under way, so that the Server can end: it is called once, before.
	Close()
}

// Mux answers what parts have.
func Mux(parts []Part) *http.ServeMux {
	mux := http.NewServeMux()
	for _, part := range parts {
		for pattern, handler := range part.Routes() {
			mux.Handle(pattern, handler)
		}
	}
	return mux
}

// Listen begins to serve at address, HOST:PORT with port 0 for any; ready says why the process takes no work now, metrics
// are shown in the Prometheus text format, and beside them stands what the parts have.
func Listen(address string, ready func() error, metrics prometheus.Gatherer, parts ...Part) (*Server, error) {
	port, err := secure.Listen("--http", address)
	if err != nil {
		return nil, err
	}
	listener := secure.Bound(port, secure.WebRoom())
	mux := Mux(parts)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: requestWait}))
	s := &Server{listener: listener, done: make(chan error, 1), parts: parts, http: &http.Server{Handler: secure.Headers(mux), ReadHeaderTimeout: requestWait,
		ReadTimeout: requestWait, WriteTimeout: 2 * requestWait, IdleTimeout: time.Minute, MaxHeaderBytes: headerBytes, ConnState: secure.Heard,
		ErrorLog: quiet}}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// Address is where the server really listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Connections are those that are open, and how many were closed because there was no room for them.
func (s *Server) Connections() (open int, refused int64) { return s.listener.Connections() }

// Close ends the server and returns after its goroutine has.
func (s *Server) Close() error {
	for _, part := range s.parts {
		part.Close()
	}
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
