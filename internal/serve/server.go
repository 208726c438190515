package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/secure"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// Config is what a Server is made of.
type Config struct {
	Model    string           // path of the model file
	RPC      net.Listener     // for gRPC; the Server closes it
	HTTP     net.Listener     // for HTTP; the Server closes it
	Identity *secure.Identity // nil: no TLS
	Grace    time.Duration    // how long requests may go on once the Server is to end
	Log      *slog.Logger
	Refused  func() int64   // how many peers were turned away for their certificate, for metrics; nil: 0
	Private  []observe.Part // more that is answered over HTTP, to holders of a client's certificate alone where there is TLS
}

// Server answers until Run ends.
type Server struct {
	identity  *secure.Identity
	log       *slog.Logger
	grace     time.Duration
	waits     waits
	holder    *holder
	metrics   *metrics
	rpc, site *secure.Bounded
	ones      slots
	manys     slots
	draining  atomic.Bool
	private   *http.ServeMux
	parts     []observe.Part
	drain     context.Context // ends when the Server is to end
	draw      context.CancelFunc
}

// New reads the model. The error is that of model.ReadFile, and the listeners are then closed.
func New(c Config) (*Server, error) { return newServer(c, usual) }

func newServer(c Config, w waits) (*Server, error) {
	s := &Server{identity: c.Identity, log: c.Log, grace: c.Grace, waits: w, metrics: newMetrics(), rpc: secure.Bound(c.RPC, room(c.Identity)),
		site: secure.Bound(c.HTTP, secure.WebRoom()), ones: make(slots, oneSlots), manys: make(slots, manySlots),
		parts: c.Private, private: observe.Mux(c.Private)}
	s.drain, s.draw = context.WithCancel(context.Background())
	var err error
	if s.holder, err = newHolder(c.Model, c.Log, w, s.metrics.uses); err == nil {
		err = s.metrics.register(s.holder, c.Refused, map[string]*secure.Bounded{viaGRPC: s.rpc, viaHTTP: s.site})
	}
	if err != nil {
		s.draw()
		return nil, errors.Join(err, c.RPC.Close(), c.HTTP.Close())
	}
	return s, nil
}

// Run answers until the context ends, then finishes what is under way, for as long as Config.Grace. A value from reload has
// the model file read again; ready is called once requests can come.
func (s *Server) Run(ctx context.Context, reload <-chan os.Signal, ready func() error) error {
	rpc, web := grpc.NewServer(s.serverOptions()...), s.web()
	coteriev1.RegisterLookupServer(rpc, service{Server: s})
	healthy := health.NewServer()
	healthy.SetServingStatus(coteriev1.Lookup_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(rpc, healthy)
	reflection.RegisterV1(rpc)

	var wait sync.WaitGroup
	defer wait.Wait()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.holder.watch(watching, reload)
	}()
	ended := make(chan error, 2)
	wait.Go(func() { ended <- rpc.Serve(s.rpc) })
	wait.Go(func() { ended <- s.serveWeb(web) })
	err := ready()
	if err == nil {
		select {
		case err = <-ended:
		case <-ctx.Done():
			s.log.Info("stopping; requests under way are finished", "grace", s.grace)
		}
	}
	s.draining.Store(true)
	healthy.Shutdown()
	s.draw()
	for _, part := range s.parts {
		part.Close()
	}
	stop()
	s.end(rpc, web, watched)
	return err
}

func (s *Server) serveWeb(web *http.Server) error {
	if s.identity != nil {
		return web.ServeTLS(s.site, "", "")
	}
	return web.Serve(s.site)
}

// end finishes what is under way, or cuts it off once the grace is over. A look at the model's file may be under way, too, and
// file systems over a network can take as long as they like.
func (s *Server) end(rpc *grpc.Server, web *http.Server, watched <-chan struct{}) {
	over, cancel := context.WithTimeout(context.Background(), s.grace)
	defer cancel()
	var wait sync.WaitGroup
	wait.Go(func() {
		defer context.AfterFunc(over, rpc.Stop)()
		rpc.GracefulStop()
	})
	wait.Go(func() {
		if err := web.Shutdown(over); err != nil {
			s.log.Warn("some requests over HTTP were cut off", "error", err)
			web.Close()
		}
	})
	wait.Go(func() {
		select {
		case <-watched:
		case <-over.Done():
			s.log.Warn("the look at the model file was cut off", "file", s.holder.path)
		}
	})
	wait.Wait()
}
