package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// peerPatience is how long another worker may be silent in the middle of an answer. It answers from memory: one that
// takes longer is stopped or cut off, and reading its ids again is the faster way.
const peerPatience = 20 * time.Second

// peerMessage bounds a message of an answer: a part and, since an id may be as large as a record, one such id more.
const peerMessage = 4*partBytes + 32<<20

// ErrClosed is a question after Close.
var ErrClosed = errors.New("the lines to other workers are closed")

// errSilent is the cause that a question is given up for.
var errSilent = fmt.Errorf("no answer within %v", peerPatience)

// peerConns asks other workers over gRPC; owners are addresses, HOST:PORT. It is safe for concurrent use. Close it.
type peerConns struct {
	dial func(address string) (*grpc.ClientConn, error)

	mu     sync.Mutex
	lines  map[string]*grpc.ClientConn // by address; nil after Close
	closed bool
}

// newPeerConns makes Peers whose connections dial makes, one for each address, when it is first asked. dial must not
// wait for the other side.
func newPeerConns(dial func(address string) (*grpc.ClientConn, error)) *peerConns {
	return &peerConns{dial: dial, lines: make(map[string]*grpc.ClientConn)}
}

// Close closes all connections; questions under way end with an error.
func (p *peerConns) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, line := range p.lines {
		errs = append(errs, line.Close())
	}
	p.lines, p.closed = nil, true
	return errors.Join(errs...)
}

func (p *peerConns) client(address string) (coteriev1.ExchangeClient, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	line := p.lines[address]
	if line == nil {
		var err error
		if line, err = p.dial(address); err != nil {
			return nil, err
		}
		p.lines[address] = line
	}
	return coteriev1.NewExchangeClient(line), nil
}

// tell passes on what became of a question, and closes the line to a worker that cannot be reached: it comes back, if at
// all, at another address, and a line that nobody takes down dials for ever.
func (p *peerConns) tell(address string, err error) error {
	if status.Code(err) != codes.Unavailable {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if line := p.lines[address]; line != nil {
		delete(p.lines, address)
		err = errors.Join(err, line.Close())
	}
	return err
}

// IDs implements Peers.
func (p *peerConns) IDs(ctx context.Context, owner string, r IDsRequest, visit func(IDPart) error) error {
	client, err := p.client(owner)
	if err != nil {
		return err
	}
	ask := func(ctx context.Context) (grpc.ServerStreamingClient[coteriev1.IDsPart], error) {
		return client.IDs(ctx, &coteriev1.IDsRequest{Job: r.Job, Epoch: r.Epoch, Partitions: narrow(r.Partitions),
			Ranges: narrow(r.Ranges), Of: uint32(r.Of)}, grpc.MaxCallRecvMsgSize(peerMessage))
	}
	return p.tell(owner, listen(ctx, ask, func(m *coteriev1.IDsPart) error {
		part, err := decodeIDs(m)
		if err != nil {
			return err
		}
		return visit(part)
	}))
}

// Dropped implements Peers.
func (p *peerConns) Dropped(ctx context.Context, owner string, r DroppedRequest, visit func(rows []int64) error) error {
	client, err := p.client(owner)
	if err != nil {
		return err
	}
	ask := func(ctx context.Context) (grpc.ServerStreamingClient[coteriev1.RowsPart], error) {
		return client.Dropped(ctx, &coteriev1.DroppedRequest{Job: r.Job, Epoch: r.Epoch, Partitions: narrow(r.Partitions),
			Ranges: narrow(r.Ranges)}, grpc.MaxCallRecvMsgSize(peerMessage))
	}
	return p.tell(owner, listen(ctx, ask, func(m *coteriev1.RowsPart) error {
		rows, err := decodeInts(m.GetRows())
		if err != nil {
			return err
		}
		return visit(rows)
	}))
}

// listen walks the messages of an answer and gives up when none comes for too long.
func listen[M any](ctx context.Context, ask func(context.Context) (grpc.ServerStreamingClient[M], error), visit func(*M) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil) // also ends the stream
	silence := time.AfterFunc(peerPatience, func() { cancel(errSilent) })
	defer silence.Stop()
	stream, err := ask(ctx)
	for err == nil {
		var m *M
		if m, err = stream.Recv(); err != nil {
			break
		}
		silence.Reset(peerPatience)
		if err := visit(m); err != nil {
			return err
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(context.Cause(ctx), errSilent):
		return errSilent
	case status.Code(err) == codes.NotFound:
		return fmt.Errorf("%w: %s", ErrNoIDs, status.Convert(err).Message())
	}
	return err
}

// Exchange answers other workers' questions about ids: the server's side of peerConns. It is embedded in what serves
// the other methods of the service.
type Exchange struct {
	coteriev1.UnimplementedExchangeServer
	// Engine finds the engine of a job; nil: there is none here.
	Engine func(job string) *Engine
}

// IDs implements the service.
func (s *Exchange) IDs(r *coteriev1.IDsRequest, stream grpc.ServerStreamingServer[coteriev1.IDsPart]) error {
	e := s.Engine(r.GetJob())
	if e == nil {
		return status.Errorf(codes.NotFound, "job %q is not here", r.GetJob())
	}
	q := IDsRequest{Job: r.GetJob(), Epoch: r.GetEpoch(), Partitions: widen(r.GetPartitions()), Ranges: widen(r.GetRanges()), Of: int(r.GetOf())}
	return refusal(e.IDs(stream.Context(), q, func(p IDPart) error { return stream.Send(encodeIDs(p)) }))
}

// Dropped implements the service.
func (s *Exchange) Dropped(r *coteriev1.DroppedRequest, stream grpc.ServerStreamingServer[coteriev1.RowsPart]) error {
	e := s.Engine(r.GetJob())
	if e == nil {
		return status.Errorf(codes.NotFound, "job %q is not here", r.GetJob())
	}
	q := DroppedRequest{Job: r.GetJob(), Epoch: r.GetEpoch(), Partitions: widen(r.GetPartitions()), Ranges: widen(r.GetRanges())}
	return refusal(e.Dropped(stream.Context(), q, func(rows []int64) error {
		return stream.Send(&coteriev1.RowsPart{Rows: encodeInts(rows)})
	}))
}

// refusal is an error as gRPC knows it.
func refusal(err error) error {
	switch {
	case errors.Is(err, ErrNoIDs) || errors.Is(err, ErrNotSettled):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, ErrBadRequest):
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return err
}
