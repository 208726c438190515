package coordinator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/internal/live"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// helloWait is how long a new connection may take to say who it is.
const helloWait = 10 * time.Second

// errClosed ends the calls of who comes too late.
var errClosed = status.Error(codes.Unavailable, "the coordinator is stopping")

// Server is a coordinator on the network: it knows the workers, keeps the jobs, and runs one goroutine around each
// job that is under way. Register it, then Run it.
type Server struct {
	pb.UnimplementedControlServer
	pb.UnimplementedBulkServer
	pb.UnimplementedJobsServer

	config ServerConfig
	room   *gate
	meters *meters
	serial atomic.Uint64
	dial   func(address string) (*grpc.ClientConn, error)
	gossip func(boot string) bool
	wait   sync.WaitGroup

	mu      sync.Mutex // guards all below
	ctx     context.Context
	members map[string]*member
	jobs    map[string]*jobRun
	order   []string // of submission
	tickets map[string]string
	closed  bool
	watched time.Time // when it was last looked for workers that are silent

	events  *live.Events // a list of its own lock
	started time.Time
}

// NewServer makes a server that knows the jobs of its store. dial opens a connection to a worker; gossip says whether
// a worker, by its boot nonce, is still seen by gossip, and may be nil.
func NewServer(c ServerConfig, dial func(address string) (*grpc.ClientConn, error), gossip func(boot string) bool) (*Server, error) {
	if err := c.withDefaults(); err != nil {
		return nil, err
	}
	s := &Server{config: c, room: newGate(c.AnswerMemory), meters: newMeters(), dial: dial, gossip: gossip, members: make(map[string]*member),
		jobs: make(map[string]*jobRun), tickets: make(map[string]string),
		events: live.NewEvents(c.Epoch), started: time.Now().UTC().Truncate(time.Millisecond)}
	s.happened(live.Event{Kind: live.Started, Text: fmt.Sprintf("coordinator started, epoch %d", c.Epoch)})
	s.serial.Store(c.Epoch << 32) // workers tell tasks apart by their serials, also those of the coordinator before
	return s, s.restore()
}

// Register offers the coordinator's services.
func (s *Server) Register(g grpc.ServiceRegistrar) {
	pb.RegisterControlServer(g, s)
	pb.RegisterBulkServer(g, s)
	pb.RegisterJobsServer(g, s)
}

// Run runs jobs until the context ends, and returns after the last goroutine has. Jobs that are under way then keep
// their checkpoints and go on with the next start.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	s.ctx = ctx
	s.schedule()
	s.mu.Unlock()
	ticker := time.NewTicker(max(s.config.Beat/10, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			s.watch(now)
			s.tick(now)
		case <-ctx.Done():
			s.mu.Lock()
			s.closed = true
			for _, m := range s.members {
				close(m.ended)
				m.ended = make(chan struct{})
			}
			s.mu.Unlock()
			s.wait.Wait()
			return nil
		}
	}
}

// Join implements Control: the life of one connection of a worker.
func (s *Server) Join(stream pb.Control_JoinServer) error {
	notes := make(chan *pb.WorkerNote)
	failed := make(chan error, 1)
	listens := s.goes(func() {
		for {
			note, err := stream.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case notes <- note:
			case <-stream.Context().Done():
				return
			}
		}
	})
	if !listens {
		return errClosed
	}
	var hello *pb.Hello
	select {
	case note := <-notes:
		hello = note.GetHello()
	case err := <-failed:
		return err
	case <-time.After(helloWait):
		return status.Error(codes.DeadlineExceeded, "no Hello came")
	}
	if err := s.acceptable(hello); err != nil {
		return err
	}
	m, returned := s.admit(hello)
	s.mu.Lock()
	queue, ended, closed := m.notes, m.ended, s.closed
	s.mu.Unlock()
	defer s.parted(m, ended)
	if closed {
		return errClosed
	}
	welcome := &pb.Welcome{Epoch: s.config.Epoch, Worker: m.name, BeatMillis: uint32(s.config.Beat.Milliseconds())}
	if err := stream.Send(&pb.CoordinatorNote{Note: &pb.CoordinatorNote_Welcome{Welcome: welcome}}); err != nil {
		return err
	}
	s.arrived(m, returned)
	for {
		select {
		case note := <-notes:
			if beat := note.GetBeat(); beat != nil {
				s.beat(m, beat)
			}
		case note := <-queue:
			if err := stream.Send(note); err != nil {
				return err
			}
		case err := <-failed:
			return err
		case <-ended:
			return status.Error(codes.Aborted, "this connection is given up")
		}
	}
}

// acceptable refuses workers that would not compute what the others do, and names both versions.
func (s *Server) acceptable(h *pb.Hello) error {
	switch {
	case h == nil || h.Boot == "" || h.Address == "" || len(h.Name) > 200:
		s.meters.refused[refusedHello].Add(1)
		return status.Error(codes.InvalidArgument, "the first note must be a Hello with a boot nonce and an address")
	case h.Protocol != wire.Protocol:
		s.turnedAway(h)
		return status.Errorf(codes.FailedPrecondition, "worker %s is of version %s (protocol %d), this coordinator of version %s (protocol %d): use the same version on all machines",
			h.Name, h.Version, h.Protocol, s.config.Version, wire.Protocol)
	case h.Arithmetic != kmeans.Arithmetic:
		s.turnedAway(h)
		return status.Errorf(codes.FailedPrecondition, "worker %s is of version %s (arithmetic %s), this coordinator of version %s (arithmetic %s): use the same version on all machines",
			h.Name, h.Version, h.Arithmetic, s.config.Version, kmeans.Arithmetic)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	return nil
}

// goes runs f in a goroutine that Run waits for; false if Run does not wait for others any more.
func (s *Server) goes(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wait.Go(f)
	}
	return !s.closed
}

// job finds a job by its id.
func (s *Server) job(id string) (*jobRun, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.jobs[id]; r != nil {
		return r, nil
	}
	return nil, status.Errorf(codes.NotFound, "there is no job %q", id)
}

// Ready says whether the server takes jobs; the error is for /readyz.
func (s *Server) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.closed {
		return errors.New("the coordinator is not running")
	}
	return nil
}

// String is for logs.
func (s *Server) String() string { return fmt.Sprintf("coordinator, epoch %d", s.config.Epoch) }
