package remote

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/dataset"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// readsAtOnce is how many ranges are read at one time; others wait their turn. A reading keeps a Block or two of
// memory, up to some tens of MiB for wide tables, and a large cluster may ask for thousands of ranges at once.
const readsAtOnce = 64

// Server answers Read and Locate of the Submitter service for one Source. Embed it in a type that has PutLabels too.
type Server struct {
	pb.UnimplementedSubmitterServer
	source dataset.Source
	token  string
	turns  chan struct{}
}

// Serve makes a Server of s for those who know the token, which must not be empty. The Source stays the caller's, who
// closes it after the gRPC server has stopped.
func Serve(s dataset.Source, token string) *Server {
	return &Server{source: s, token: token, turns: make(chan struct{}, readsAtOnce)}
}

// Allowed is nil for the token of the job, else a PermissionDenied that tells nothing about it.
func Allowed(token, given string) error {
	if token == "" || subtle.ConstantTimeCompare([]byte(token), []byte(given)) != 1 {
		return status.Error(codes.PermissionDenied, "the job is unknown here")
	}
	return nil
}

// Read sends a range of rows of some columns. What the Source says of them (a file has changed) reaches the other side
// as it is.
func (s *Server) Read(req *pb.ReadRequest, stream pb.Submitter_ReadServer) error {
	if err := Allowed(s.token, req.GetJob()); err != nil {
		return err
	}
	fields, err := fieldsOf(req.GetFields(), len(s.source.Schema().Columns))
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if err := checkRange(req.GetFirst(), req.GetRows(), s.source.Rows()); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	ctx := stream.Context()
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		return Status(ctx.Err())
	}
	return Status(s.send(ctx, req, fields, stream))
}

func (s *Server) send(ctx context.Context, req *pb.ReadRequest, fields []dataset.Field, stream pb.Submitter_ReadServer) (err error) {
	reader, err := s.source.Read(ctx, req.GetFirst(), req.GetRows(), fields)
	if err != nil {
		return err
	}
	defer func() {
		if closed := reader.Close(); err == nil {
			err = closed
		}
	}()
	for {
		block, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := eachMessage(block, stream.Send); err != nil {
			return err
		}
	}
}

// Locate finds the place of a row for a message.
func (s *Server) Locate(_ context.Context, req *pb.LocateRequest) (*pb.Place, error) {
	if err := Allowed(s.token, req.GetJob()); err != nil {
		return nil, err
	}
	if row := req.GetRow(); row < 0 || row >= s.source.Rows() {
		return nil, status.Errorf(codes.InvalidArgument, "row %d of %d", row, s.source.Rows())
	}
	return placeMessage(s.source.Locate(req.GetRow())), nil
}
