package worker

import (
	"context"
	"io"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/coterie-project/coterie/internal/bubble"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// counter is a coordinator that counts what comes and asks for it when the test says so.
type counter struct {
	pb.BulkClient
	grpc.ClientStreamingClient[pb.AnswerPart, pb.Receipt]
	room  chan struct{}
	heads int
	bytes int
	ended bool // by the coordinator
}

func (c *counter) Answer(context.Context, ...grpc.CallOption) (pb.Bulk_AnswerClient, error) {
	return c, nil
}

func (c *counter) Send(p *pb.AnswerPart) error {
	if c.ended {
		return io.EOF
	}
	if p.GetHead() != nil {
		c.heads++
	}
	c.bytes += len(p.GetData())
	return nil
}

func (c *counter) Header() (metadata.MD, error) {
	<-c.room
	return nil, nil
}

func (c *counter) CloseAndRecv() (*pb.Receipt, error) { return &pb.Receipt{}, nil }

func TestALargeAnswerWaitsForRoomAtItsWorker(t *testing.T) {
	for _, c := range []struct {
		size, before int // bytes, and how many of them are sent unasked
	}{{0, 0}, {wire.UnaskedBytes, wire.UnaskedBytes}, {wire.UnaskedBytes + 1, 0}, {3*chunkBytes + 5, 0}} {
		for _, ended := range []bool{false, true} {
			bubble.Test(t, func(t *testing.T) {
				to, done := &counter{room: make(chan struct{})}, make(chan error, 1)
				go func() {
					_, err := send(t.Context(), to, &pb.AnswerHead{}, make([]byte, c.size))
					done <- err
				}()
				synctest.Wait()
				if to.heads != 1 || to.bytes != c.before {
					t.Errorf("%d bytes: got %d heads and %d bytes before there was room, want 1 and %d", c.size, to.heads, to.bytes, c.before)
				}
				want := c.size
				if ended {
					to.ended, want = true, c.before // nobody wants it any more
				}
				close(to.room)
				if err := <-done; err != nil || to.bytes != want {
					t.Errorf("%d bytes, ended %v: got %v and %d bytes, want %d", c.size, ended, err, to.bytes, want)
				}
			})
		}
	}
}
