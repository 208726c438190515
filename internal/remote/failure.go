package remote

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// maxText is the longest text of a message for people that travels, in bytes: of a longer one the beginning.
const maxText = 4 << 10

// text makes a text fit for a message: short, and UTF-8, which names of files need not be.
func text(s string) string {
	const more = "…"
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= maxText {
		return s
	}
	end := maxText - len(more)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + more
}

// Status is an error as a gRPC call returns it. A *fault.Error keeps its kind, place and words, and Fault on the other
// side makes it again.
func Status(err error) error {
	if err == nil {
		return nil
	}
	var known *fault.Error
	isFault := errors.As(err, &known)
	s, isStatus := status.FromError(err)
	switch {
	case isFault:
	case isStatus:
		return s.Err()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	failure := wire.EncodeFailure(err)
	s, err = status.New(codes.FailedPrecondition, failure.GetProblem()).WithDetails(failure)
	if err != nil {
		return status.Error(codes.Internal, failure.GetProblem())
	}
	return s.Err()
}

// Fault is the error of a call to the submitter at address: the context's own, a *fault.Error of either side, or one of kind
// Failed that says that the submitter cannot be reached or refused.
func Fault(ctx context.Context, err error, address string) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	s := status.Convert(err)
	for _, d := range s.Details() {
		if f, ok := d.(*pb.Failure); ok {
			return wire.DecodeFailure(f)
		}
	}
	if address == "" {
		address = "an unknown address"
	}
	switch s.Code() {
	case codes.PermissionDenied, codes.InvalidArgument, codes.ResourceExhausted, codes.Unimplemented, codes.Internal, codes.Unknown:
		return fault.Failedf(errors.New(text(s.Message())), "the process that submitted the job, at %s, refused what this worker asked for", address).
			Do("are both of the same version?")
	}
	return fault.Failedf(errors.New(text(s.Message())), "the process that submitted the job has gone or cannot be reached from this worker: %s", address).
		Do("submit the job again and leave that process running until it ends; a firewall must let workers through to it")
}

func placeMessage(p fault.Place) *pb.Place {
	return &pb.Place{File: text(p.File), Line: p.Line, Row: p.Row, Column: text(p.Column)}
}

func placeOf(p *pb.Place) fault.Place {
	if p == nil {
		return fault.Place{Row: fault.NoRow}
	}
	return fault.Place{File: text(p.File), Line: p.Line, Row: p.Row, Column: text(p.Column)}
}
