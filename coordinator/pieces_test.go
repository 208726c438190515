package coordinator

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/internal/bubble"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// speaker is an answer's stream on which a piece comes after each of some waits, and then the end, or nothing more.
type speaker struct {
	grpc.ClientStreamingServer[pb.AnswerPart, pb.Receipt]
	ctx    context.Context
	waits  []time.Duration
	silent bool
}

func (s *speaker) Context() context.Context { return s.ctx }

func (s *speaker) Recv() (*pb.AnswerPart, error) {
	if len(s.waits) == 0 && !s.silent {
		return nil, io.EOF
	}
	wait := time.Hour
	if len(s.waits) > 0 {
		wait, s.waits = s.waits[0], s.waits[1:]
	}
	select {
	case <-time.After(wait):
		return &pb.AnswerPart{Part: &pb.AnswerPart_Data{Data: []byte("piece")}}, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

func TestAnAnswerThatFallsSilentIsGivenUp(t *testing.T) {
	const late = pieceWait - time.Nanosecond
	for name, c := range map[string]struct {
		waits  []time.Duration
		silent bool
		got    string
		code   codes.Code
	}{
		"slow and whole":         {waits: []time.Duration{late, late, late}, got: "piecepiecepiece", code: codes.OK},
		"silent from the start":  {silent: true, code: codes.DeadlineExceeded},
		"silent after a piece":   {waits: []time.Duration{0}, silent: true, code: codes.DeadlineExceeded},
		"the second is too late": {waits: []time.Duration{late, pieceWait + time.Nanosecond}, code: codes.DeadlineExceeded},
		"it ends too early":      {waits: []time.Duration{0, 0}, code: codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				s := &Server{}
				ctx, end := context.WithCancel(t.Context())
				data, err := receive(uint64(len("piecepiecepiece")), s.pieces(&speaker{ctx: ctx, waits: c.waits, silent: c.silent}))
				if string(data) != c.got || status.Code(err) != c.code {
					t.Errorf("got %q and %v, want %q and %v", data, err, c.got, c.code)
				}
				end() // as the library does once the handler has returned
				s.wait.Wait()
			})
		})
	}
}

func TestAServerThatStopsReadsNoAnswers(t *testing.T) {
	s := &Server{closed: true}
	if _, err := s.pieces(&speaker{ctx: t.Context()})(); !errors.Is(err, errClosed) {
		t.Errorf("got %v, want %v", err, errClosed)
	}
}
