package coordinator

import (
	"context"
	"io"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/coterie-project/coterie/internal/bubble"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// waiting is an answer's stream whose other end sends its data once it is asked to, if it waits for that at all.
type waiting struct {
	grpc.ClientStreamingServer[pb.AnswerPart, pb.Receipt]
	ctx   context.Context
	parts []*pb.AnswerPart
	asked chan struct{} // closed by the headers
	read  int
	told  int
}

func (s *waiting) Context() context.Context { return s.ctx }

func (s *waiting) SendHeader(metadata.MD) error {
	close(s.asked)
	return nil
}

func (s *waiting) Recv() (*pb.AnswerPart, error) {
	if s.read == len(s.parts) {
		return nil, io.EOF
	}
	s.read++
	return s.parts[s.read-1], nil
}

func (s *waiting) SendAndClose(*pb.Receipt) error {
	s.told++
	return nil
}

func (s *waiting) isAsked() bool {
	select {
	case <-s.asked:
		return true
	default:
		return false
	}
}

// answerOfSize is an encoded answer of k clusters in one column, eight bytes for their rows and one for their sums.
func answerOfSize(t *testing.T, k int) []byte {
	t.Helper()
	data, err := wire.EncodePartial(&wire.Partial{Sums: kmeans.NewSums(k, 1, false)}, wire.PackNone)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestALargeAnswerIsAskedForOnceThereIsRoom(t *testing.T) {
	for name, c := range map[string]struct {
		k     int
		asked bool
	}{"small": {k: 100}, "large": {k: 10_000, asked: true}} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				data := answerOfSize(t, c.k)
				task := &wire.Task{Epoch: 1, Round: 7, Kind: wire.Iterate, Centroids: kmeans.NewCentroids(c.k, 1)}
				s := &Server{room: newGate(1 << 20), meters: newMeters(), jobs: make(map[string]*jobRun)}
				r := &jobRun{id: "job-x", server: s, spec: &pb.JobSpec{PartitionRows: []int64{5}}, info: &pb.JobInfo{}, mail: newMailbox(), epoch: 1, round: 7,
					kind: wire.Iterate, context: task.Context(1)}
				s.jobs[r.id] = r
				head := &pb.AnswerHead{Worker: "w", Covered: []uint32{0}, Size: uint64(len(data)), Ref: &pb.TaskRef{Job: r.id, Epoch: 1, Round: 7}}
				stream := &waiting{ctx: t.Context(), asked: make(chan struct{}), parts: []*pb.AnswerPart{{Part: &pb.AnswerPart_Head{Head: head}},
					{Part: &pb.AnswerPart_Data{Data: data}}}}
				free, err := s.room.acquire(t.Context(), 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				done := make(chan error, 1)
				go func() { done <- s.Answer(stream) }()
				synctest.Wait()
				if stream.isAsked() || stream.read != 1 {
					t.Errorf("without room: asked for: %v, %d parts read, want the head alone", stream.isAsked(), stream.read)
				}
				free()
				if err := <-done; err != nil || stream.told != 1 || stream.isAsked() != c.asked {
					t.Errorf("%d bytes, with room: got %v, %d receipts, asked for: %v, want %v", len(data), err, stream.told, stream.isAsked(), c.asked)
				}
				if len(r.mail.items) != 1 || s.room.held() != int64(len(data)) {
					t.Errorf("%d answers wait and hold %d bytes, want 1 of %d", len(r.mail.items), s.room.held(), len(data))
				}
				r.mail.drop()
				if held := s.room.held(); held != 0 {
					t.Errorf("%d bytes are held when nothing is left", held)
				}
			})
		})
	}
}
