package worker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/secure"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

const (
	// firstRetry and lastRetry bound the wait between two attempts to reach a coordinator.
	firstRetry, lastRetry = 100 * time.Millisecond, 2 * time.Second
	// helloWait bounds how long a coordinator may take to welcome a worker.
	helloWait = 10 * time.Second
	// lease is for how long what is held is kept without any coordinator. One that starts again finds it.
	lease = 10 * time.Minute
	// tellWait is how long a task waits for the beat that tells of it: it is begun without, where the line is slow.
	tellWait = 200 * time.Millisecond
	// drainWait is how long a worker that is asked to stop goes on with what it has been asked for.
	drainWait = 10 * time.Second
	// drainTick is how often it looks whether that is done.
	drainTick = 20 * time.Millisecond
)

// NodeConfig is what a worker on the network works with.
type NodeConfig struct {
	Name    string // shown to people; the coordinator makes it unique
	Version string
	Boot    string   // drawn anew by each process; empty: drawn here
	Address string   // HOST:PORT where other workers reach this one
	Threads int      // at least 1
	Memory  int64    // bytes that partitions may take; 0: not limited
	Roots   []string // the folders that data is read from; none: only made data and what submitters serve
	Spill   string   // folder for data that has to be unpacked; empty: the temporary folder
	// SpillRows is the folder, on a disk, for rows that find no room in Memory; empty: there is none, and NoSpill says why.
	SpillRows, NoSpill string
	// Coordinator gives the address of the coordinator, as far as it is known; empty: not yet.
	Coordinator func() string
	// Dial opens a connection to somebody of that role.
	Dial func(address string, want secure.Role) (*grpc.ClientConn, error)
	Log  *slog.Logger
}

// Node is a worker on the network: it finds its coordinator, says each second that it is alive, and keeps an Engine for
// each job that it is asked for. Register it, then Run it.
type Node struct {
	Exchange

	config  NodeConfig
	meters  *meters
	peers   *peerConns
	budget  *capacity.Budget
	looking chan struct{} // tokens of Describe
	wait    sync.WaitGroup

	mu        sync.Mutex
	ctx       context.Context
	sessions  map[string]*session
	bulk      pb.BulkClient // nil while there is no coordinator
	name      string        // as the coordinator knows it
	epoch     uint64
	joined    bool
	draining  bool
	told      bool      // the coordinator has been sent word that the node is leaving
	gone      time.Time // since when there has been no coordinator
	uplink    rate
	spillRead int64         // bytes, by the engines of jobs that are over
	beatNow   chan struct{} // capacity 1: a beat is due at once
	beaten    chan struct{} // closed with the next beat that is sent, and replaced
}

// NewNode makes a node that does nothing yet.
func NewNode(c NodeConfig) (*Node, error) {
	if c.Threads < 1 || c.Memory < 0 || c.Address == "" || c.Coordinator == nil || c.Dial == nil {
		return nil, fmt.Errorf("worker: %d threads, %d bytes, address %q: incomplete", c.Threads, c.Memory, c.Address)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Boot == "" {
		var random [8]byte
		rand.Read(random[:]) // it does not fail: see crypto/rand
		c.Boot = hex.EncodeToString(random[:])
	}
	n := &Node{config: c, meters: newMeters(), sessions: make(map[string]*session), gone: time.Now(), beatNow: make(chan struct{}, 1), beaten: make(chan struct{}),
		looking: make(chan struct{}, looksAtOnce), budget: capacity.NewBudget(c.spillLimit())}
	n.Exchange.Engine = n.engine
	n.peers = newPeerConns(func(address string) (*grpc.ClientConn, error) { return c.Dial(address, secure.Worker) })
	return n, nil
}

// Run serves until the context ends, and returns after the last goroutine has.
func (n *Node) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	n.mu.Lock()
	n.ctx = ctx
	n.mu.Unlock()
	defer n.wait.Wait()
	defer n.peers.Close()
	defer cancel()
	wait := firstRetry
	said := "" // the reason that was logged last: a coordinator may be away for days
	for {
		began := time.Now()
		err := n.serve(ctx)
		n.parted()
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > lastRetry {
			wait, said = firstRetry, ""
		}
		if err != nil && !errors.Is(err, errNoCoordinator) && err.Error() != said {
			said = err.Error()
			n.config.Log.Warn("no coordinator", "error", err)
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, lastRetry)
		case <-ctx.Done():
			return nil
		}
	}
}

// errNoCoordinator is a node that nobody has told of a coordinator yet.
var errNoCoordinator = errors.New("no coordinator is known yet")

// parted notes that there is no coordinator, and forgets what is held once that has lasted for the lease.
func (n *Node) parted() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.joined {
		n.joined, n.gone = false, time.Now()
	}
	n.bulk = nil
	if time.Since(n.gone) > lease {
		for id := range n.sessions {
			n.release(id)
		}
	}
}

// serve is the life of one connection to a coordinator. Control and bulk have a connection each, so that a heartbeat
// never waits behind data.
func (n *Node) serve(ctx context.Context) error {
	address := n.config.Coordinator()
	if address == "" {
		return errNoCoordinator
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	control, err := n.config.Dial(address, secure.Coordinator)
	if err != nil {
		return err
	}
	defer control.Close()
	bulk, err := n.config.Dial(address, secure.Coordinator)
	if err != nil {
		return err
	}
	defer bulk.Close()
	stream, err := pb.NewControlClient(control).Join(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&pb.WorkerNote{Note: &pb.WorkerNote_Hello{Hello: n.hello()}}); err != nil {
		return recvError(stream, err)
	}
	notes := make(chan *pb.CoordinatorNote)
	failed := make(chan error, 1)
	n.wait.Go(func() {
		for {
			note, err := stream.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case notes <- note:
			case <-ctx.Done():
				return
			}
		}
	})
	var welcome *pb.Welcome
	select {
	case note := <-notes:
		welcome = note.GetWelcome()
	case err := <-failed:
		return err
	case <-time.After(helloWait):
	}
	if welcome == nil {
		return fmt.Errorf("the coordinator at %s did not welcome this worker", address)
	}
	n.welcomed(welcome, pb.NewBulkClient(bulk))
	return n.converse(ctx, stream, notes, failed, time.Duration(max(welcome.BeatMillis, 10))*time.Millisecond)
}

// recvError is what the other side said when it ended a stream that could not be written to any more, and that nobody reads.
func recvError(stream pb.Control_JoinClient, err error) error {
	if _, said := stream.Recv(); said != nil {
		return said
	}
	return err
}

func (n *Node) welcomed(w *pb.Welcome, bulk pb.BulkClient) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bulk, n.name, n.joined, n.epoch = bulk, w.Worker, true, w.Epoch
	n.config.Log.Info("joined", "worker", w.Worker, "epoch", w.Epoch)
}

// converse takes the coordinator's notes and sends a heartbeat each beat.
func (n *Node) converse(ctx context.Context, stream pb.Control_JoinClient, notes <-chan *pb.CoordinatorNote, failed <-chan error, beat time.Duration) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case note := <-notes:
			n.take(note)
			continue
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-n.beatNow:
		case <-ticker.C:
		}
		b := n.beat()
		if err := stream.Send(&pb.WorkerNote{Note: &pb.WorkerNote_Beat{Beat: b}}); err != nil {
			return whyEnded(ctx, notes, failed, err)
		}
		n.mu.Lock()
		n.told = b.Draining
		close(n.beaten)
		n.beaten = make(chan struct{})
		n.mu.Unlock()
	}
}

// whyEnded is what the other side said when it ended the stream, which who reads the stream is told. It must not be read
// here as well: of two that read at once one would take the end, and the other wait for ever.
func whyEnded(ctx context.Context, notes <-chan *pb.CoordinatorNote, failed <-chan error, err error) error {
	limit := time.After(helloWait)
	for {
		select {
		case <-notes: // too late for anything that was asked for
		case said := <-failed:
			return said
		case <-ctx.Done():
			return ctx.Err()
		case <-limit:
			return err
		}
	}
}

func (n *Node) take(note *pb.CoordinatorNote) {
	switch note := note.Note.(type) {
	case *pb.CoordinatorNote_Task:
		n.wait.Go(func() { n.task(note.Task) })
	case *pb.CoordinatorNote_Release:
		n.mu.Lock()
		defer n.mu.Unlock()
		n.release(note.Release.Job)
	}
}

// release forgets a job and what is held of it. The caller holds the mutex.
func (n *Node) release(job string) {
	if s := n.sessions[job]; s != nil {
		if engine := s.opened(); engine != nil {
			_, read := engine.Spilled()
			n.spillRead += read
		}
		delete(n.sessions, job)
		s.cancel()
	}
}

func (n *Node) hello() *pb.Hello {
	h := &pb.Hello{Protocol: wire.Protocol, Version: n.config.Version, Arithmetic: kmeans.Arithmetic, Name: n.config.Name,
		Boot: n.config.Boot, Address: n.config.Address, Cores: uint32(runtime.NumCPU()), Threads: uint32(n.config.Threads),
		Memory: uint64(n.config.Memory), Kernel: kmeans.Tier(), Spills: n.config.SpillRows != ""}
	for _, p := range n.beat().Progress {
		h.Held = append(h.Held, &pb.Held{Job: p.Job, Partitions: p.Held})
	}
	return h
}

// beat is how far the node is with each job.
func (n *Node) beat() *pb.Beat {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := &pb.Beat{Draining: n.draining}
	for id, s := range n.sessions {
		p := &pb.Progress{Job: id, RowsRead: uint64(s.rows.Load())}
		if engine := s.opened(); engine != nil {
			held, bytes := engine.Held()
			for _, id := range held {
				p.Held = append(p.Held, uint32(id))
			}
			b.MemoryUsed += uint64(bytes)
		}
		s.mu.Lock()
		p.Pending = slices.Sorted(maps.Keys(s.pending))
		s.mu.Unlock()
		b.Progress = append(b.Progress, p)
	}
	slices.SortFunc(b.Progress, func(x, y *pb.Progress) int { return slices.Compare([]byte(x.Job), []byte(y.Job)) })
	return b
}

// hurry has a beat sent at once.
func (n *Node) hurry() {
	select {
	case n.beatNow <- struct{}{}:
	default:
	}
}

// tell has a beat sent and waits for it, for tellWait at most.
func (n *Node) tell(ctx context.Context) {
	n.mu.Lock()
	sent := n.beaten
	n.mu.Unlock()
	n.hurry()
	select {
	case <-sent:
	case <-time.After(tellWait):
	case <-ctx.Done():
	}
}

// Drain tells the coordinator that the node is about to leave, and goes on with what it has been asked for until that
// is answered, or drainWait is over, or the context ends.
func (n *Node) Drain(ctx context.Context) {
	n.mu.Lock()
	n.draining = true
	joined := n.joined
	n.mu.Unlock()
	n.hurry()
	if !joined {
		return
	}
	limit := time.After(drainWait)
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for quiet := 0; quiet < 2; { // once more after the last word, which is then on its way
		select {
		case <-tick.C:
		case <-limit:
			return
		case <-ctx.Done():
			return
		}
		if n.idle() {
			quiet++
		} else {
			quiet = 0
		}
	}
}

// idle says that nothing is being computed or sent, and the coordinator has been told that the node is leaving.
func (n *Node) idle() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.told {
		return false
	}
	for _, s := range n.sessions {
		if s.busy.Load() > 0 {
			return false
		}
	}
	return true
}

// Ready says whether the node is joined to a coordinator; the error is for /readyz.
func (n *Node) Ready() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.draining:
		return errors.New("the worker is leaving")
	case !n.joined:
		return errNoCoordinator
	}
	return nil
}

// engine is that of a job, if the node has one.
func (n *Node) engine(job string) *Engine {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.sessions[job]; s != nil {
		return s.opened()
	}
	return nil
}

// Register offers the node's services.
func (n *Node) Register(g grpc.ServiceRegistrar) { pb.RegisterExchangeServer(g, n) }

// Spilled is how many bytes lie on the spill disk, over all jobs, and how many were read from there since the node began.
func (n *Node) Spilled() (used, read int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	read = n.spillRead
	for _, s := range n.sessions {
		if engine := s.opened(); engine != nil {
			u, r := engine.Spilled()
			used, read = used+u, read+r
		}
	}
	return used, read
}

// Held is how many partitions are in memory, over all jobs, and the bytes that they take.
func (n *Node) Held() (partitions int, bytes int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.sessions {
		if engine := s.opened(); engine != nil {
			held, size := engine.Held()
			partitions, bytes = partitions+len(held), bytes+size
		}
	}
	return partitions, bytes
}
