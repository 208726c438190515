package coordinator

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// chunkBytes is the size of the pieces in which large messages travel.
const chunkBytes = 512 << 10

// maxAnswer is the largest answer that is read at all: k × d sums of 16 bytes at the limits of both.
const maxAnswer = 64 << 30

// Job implements Bulk.
func (s *Server) Job(ref *pb.JobRef, stream pb.Bulk_JobServer) error {
	r, err := s.job(ref.Job)
	if err != nil {
		return err
	}
	data, err := proto.Marshal(r.spec)
	if err != nil {
		return status.Errorf(codes.Internal, "job %s: %v", ref.Job, err)
	}
	s.meters.sent.Add(int64(len(data)))
	return sendChunks(stream.Send, data)
}

// Task implements Bulk.
func (s *Server) Task(ref *pb.TaskRef, stream pb.Bulk_TaskServer) error {
	r, err := s.job(ref.Job)
	if err != nil {
		return err
	}
	sent := r.find(ref)
	if sent == nil {
		return status.Error(codes.NotFound, "this task is not wanted any more")
	}
	s.meters.sent.Add(int64(len(sent.head) + len(sent.body)))
	return sendChunks(stream.Send, sent.head, sent.body)
}

// sendChunks sends the pieces one behind the other, in chunks.
func sendChunks(send func(*pb.Chunk) error, pieces ...[]byte) error {
	for _, piece := range pieces {
		for chunk := range slices.Chunk(piece, chunkBytes) {
			if err := send(&pb.Chunk{Data: chunk}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Answer implements Bulk: it reads an answer once there is room for it, and hands it to its job. What is not wanted
// any more is not read.
func (s *Server) Answer(stream pb.Bulk_AnswerServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	head := first.GetHead()
	if head == nil || head.Ref == nil {
		return status.Error(codes.InvalidArgument, "an answer begins with its head")
	}
	r, err := s.job(head.Ref.Job)
	if err != nil {
		return err
	}
	answer, err := answerOf(head)
	if err != nil {
		return err
	}
	context, mail := r.expects(head.Ref)
	if mail == nil {
		s.stale(r, head)
		return stream.SendAndClose(&pb.Receipt{})
	}
	// hand gives what has come to the job, if it did not come before.
	hand := func(release func()) {
		switch {
		case r.took(head):
			mail.post(Answered{Answer: answer, release: release})
		default:
			s.stale(r, head)
			if release != nil {
				release()
			}
		}
	}
	if head.Failure != nil {
		answer.Err, answer.NoDisk = wire.DecodeFailure(head.Failure), head.Failure.NoDisk
		if t := r.find(head.Ref); t != nil && len(answer.Covered) == 0 { // the worker could not even read what was asked of it
			answer.Worker, answer.Covered = t.worker, t.covered
		}
		hand(nil)
		return stream.SendAndClose(&pb.Receipt{})
	}
	release, err := s.room.acquire(stream.Context(), int64(head.Size))
	if err != nil {
		return status.FromContextError(err).Err()
	}
	if head.Size > wire.UnaskedBytes {
		if err := stream.SendHeader(metadata.MD{}); err != nil {
			release()
			return err
		}
	}
	data, err := receive(head.Size, s.pieces(stream))
	s.meters.received.Add(int64(len(data)))
	if err == nil {
		answer.Partial, err = wire.DecodePartial(data, context)
	}
	if err != nil {
		release()
		if errors.Is(err, wire.ErrFormat) {
			s.meters.answers[answerMalformed].Add(1)
			r.lines().Warn("answer refused", "worker", head.Worker, "epoch", head.Ref.Epoch, "round", head.Ref.Round, "reason", answerMalformed, "error", err)
			// Asked again it might say the same for ever: it counts as a failure of the worker's machine.
			answer.Err = fault.Failedf(err, "an answer of worker %s cannot be read", head.Worker)
			hand(nil)
			return status.Errorf(codes.InvalidArgument, "answer of %s: %v", head.Worker, err)
		}
		return err
	}
	hand(release)
	return stream.SendAndClose(&pb.Receipt{})
}

// stale counts an answer that is not wanted any more.
func (s *Server) stale(r *jobRun, head *pb.AnswerHead) {
	s.meters.answers[answerStale].Add(1)
	r.lines().Info("answer refused", "worker", head.Worker, "epoch", head.Ref.Epoch, "round", head.Ref.Round, "reason", answerStale)
}

// answerOf is an answer without its Partial.
func answerOf(head *pb.AnswerHead) (*wire.Answer, error) {
	if head.Size > maxAnswer {
		return nil, status.Errorf(codes.ResourceExhausted, "an answer of %d bytes: at most %d are taken", head.Size, int64(maxAnswer))
	}
	if n := len(head.Digests); n != 0 && n != len(head.Covered) {
		return nil, status.Errorf(codes.InvalidArgument, "%d digests for %d partitions", n, len(head.Covered))
	}
	a := &wire.Answer{Epoch: head.Ref.Epoch, Round: head.Ref.Round, Worker: head.Worker, Digests: head.Digests}
	for _, id := range head.Covered {
		a.Covered = append(a.Covered, int(id))
	}
	return a, nil
}

// receive reads exactly size bytes. Memory grows with what really comes, not with what the head says.
func receive(size uint64, next func() ([]byte, error)) ([]byte, error) {
	data := make([]byte, 0, min(size, 4*chunkBytes))
	for uint64(len(data)) < size {
		piece, err := next()
		if errors.Is(err, io.EOF) {
			return nil, status.Errorf(codes.InvalidArgument, "a message of %d bytes ends after %d", size, len(data))
		}
		if err != nil {
			return nil, err
		}
		if len(piece) == 0 || uint64(len(piece)) > size-uint64(len(data)) {
			return nil, status.Error(codes.InvalidArgument, fmt.Sprintf("a piece of %d bytes where %d are left", len(piece), size-uint64(len(data))))
		}
		if cap(data)-len(data) < len(piece) {
			data = slices.Grow(data, min(int(size)-len(data), max(2*cap(data), len(piece))))
		}
		data = append(data, piece...)
	}
	return data, nil
}
