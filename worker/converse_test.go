package worker

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/internal/bubble"
	"github.com/coterie-project/coterie/internal/secure"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

func testNode(t *testing.T) *Node {
	t.Helper()
	n, err := NewNode(NodeConfig{Name: "w", Address: "127.0.0.1:1", Threads: 1, Coordinator: func() string { return "" },
		Dial: func(string, secure.Role) (*grpc.ClientConn, error) { return nil, errors.New("nobody is there") }})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// controlStream is a worker's end of a control connection. It must be read by one goroutine alone.
type controlStream struct {
	pb.Control_JoinClient
	t     *testing.T
	sent  chan *pb.WorkerNote
	ended bool
}

func (s *controlStream) Send(note *pb.WorkerNote) error {
	if s.ended {
		return io.EOF
	}
	s.sent <- note
	return nil
}

func (s *controlStream) Recv() (*pb.CoordinatorNote, error) {
	s.t.Error("the stream is read by a second goroutine: one of them will wait for ever")
	return nil, io.EOF
}

// gRPC lets one goroutine at a time read a stream. One that waits beside another for the end never hears of it, and Run,
// which waits for both, never returned.
func TestTheEndOfAStreamIsHeardByWhoReadsIt(t *testing.T) {
	n := testNode(t)
	said := errors.New("the coordinator is stopping")
	notes, failed := make(chan *pb.CoordinatorNote), make(chan error, 1)
	go func() {
		notes <- &pb.CoordinatorNote{} // what was on its way must not stop the reader from hearing of the end
		failed <- said
	}()
	stream := &controlStream{t: t, ended: true}
	if err := n.converse(t.Context(), stream, notes, failed, time.Millisecond); !errors.Is(err, said) {
		t.Errorf("got %v, want %v", err, said)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.converse(ctx, stream, make(chan *pb.CoordinatorNote), make(chan error), time.Millisecond); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: got %v, want %v", err, context.Canceled)
	}
}

func TestANodeThatLeavesHasSaidSo(t *testing.T) {
	n := testNode(t)
	n.welcomed(&pb.Welcome{Worker: "w"}, nil)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		n.Drain(t.Context())
	}()
	stream := &controlStream{t: t, sent: make(chan *pb.WorkerNote)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go n.converse(ctx, stream, make(chan *pb.CoordinatorNote), make(chan error), time.Hour)
	select { // the beat has been taken up, and is not sent yet
	case <-drained:
		t.Fatal("the node left before it had said so")
	case <-time.After(100 * time.Millisecond):
	}
	if note := <-stream.sent; !note.GetBeat().GetDraining() {
		t.Errorf("got %v, want a beat of a node that is leaving", note)
	}
	<-drained
}

// refusingBulk refuses to say what a job is made of.
type refusingBulk struct {
	pb.BulkClient
	err      error
	answered chan struct{} // capacity 1
}

func (b *refusingBulk) Job(context.Context, *pb.JobRef, ...grpc.CallOption) (grpc.ServerStreamingClient[pb.Chunk], error) {
	return &refusedStream{err: b.err}, nil
}

func (b *refusingBulk) Answer(context.Context, ...grpc.CallOption) (grpc.ClientStreamingClient[pb.AnswerPart, pb.Receipt], error) {
	b.answered <- struct{}{}
	return nil, errors.New("nobody listens")
}

type refusedStream struct {
	grpc.ServerStreamingClient[pb.Chunk]
	err error
}

func (s *refusedStream) Recv() (*pb.Chunk, error) { return nil, s.err }

// A coordinator that is busy, restarting, or does not know the job any more is no fault of the job: whoever is alone with it
// would end it by saying so. What is still wanted is announced again.
func TestAJobThatCannotBeFetchedIsNotAnsweredFor(t *testing.T) {
	task, err := wire.EncodeTask(&wire.Task{Kind: wire.Prepare, Epoch: 1, Round: 1, Partitions: []int{0}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		err     error
		answers bool
	}{
		{status.Error(codes.Unavailable, "broken"), false}, {status.Error(codes.ResourceExhausted, "too many calls"), false},
		{status.Error(codes.NotFound, "no such job"), false}, {status.Error(codes.Internal, "reset"), false},
		{io.EOF, true}, // it came, and there is nothing in it
	} {
		bubble.Test(t, func(t *testing.T) {
			n := testNode(t)
			ctx, cancel := context.WithCancel(t.Context())
			bulk := &refusingBulk{err: test.err, answered: make(chan struct{}, 1)}
			n.ctx, n.bulk = ctx, bulk
			n.task(&pb.TaskNote{Ref: &pb.TaskRef{Job: "job", Serial: 7}, Size: uint64(len(task)), Inline: task})
			synctest.Wait()
			if got := len(bulk.answered) > 0; got != test.answers {
				t.Errorf("%v: answered %v, want %v", test.err, got, test.answers)
			}
			if progress := n.beat().Progress; len(progress) > 0 {
				t.Errorf("%v: the node still knows of %v", test.err, progress)
			}
			cancel()
			n.wait.Wait()
		})
	}
}
