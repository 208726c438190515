package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

const (
	// locateWait is how long a message waits for the place of its row; after that it names the row's number alone.
	locateWait = 5 * time.Second
	// locateAgain is the wait before a question that came too soon is asked again.
	locateAgain = 5 * time.Millisecond
)

// source is a table behind a connection. It implements dataset.Source.
type source struct {
	client  pb.SubmitterClient
	token   string
	address string
	schema  *dataset.Schema
	about   *pb.Description
}

// Dial makes a Source of the table that d describes and the submitter at the other end of conn reads. token is the job's.
// The connection stays the caller's, who sets how soon it notices that the submitter is gone (keepalive): readings end
// with their context or with the connection. The error is that of Schema.
func Dial(conn grpc.ClientConnInterface, token string, d *pb.Description) (dataset.Source, error) {
	schema, err := Schema(d)
	if err != nil {
		return nil, err
	}
	s := &source{client: pb.NewSubmitterClient(conn), token: token, schema: schema, about: d, address: Address(conn)}
	return s, nil
}

// Address is what messages call the other end of a connection; "" where it has no name.
func Address(conn grpc.ClientConnInterface) string {
	if c, ok := conn.(interface{ Target() string }); ok {
		return c.Target()
	}
	return ""
}

func (s *source) Schema() *dataset.Schema { return s.schema }
func (s *source) Rows() int64             { return s.about.GetRows() }
func (s *source) Bytes() int64            { return s.about.GetBytes() }
func (s *source) Names() []string         { return s.about.GetNames() }

// Cuts are those of the table; a description without any is of one piece.
func (s *source) Cuts() []int64 {
	if cuts := s.about.GetCuts(); len(cuts) > 0 {
		return cuts
	}
	return []int64{0}
}

// Close leaves the connection alone.
func (s *source) Close() error { return nil }

// Locate asks the submitter. One that is asked too often by this machine at the moment is asked again a little later:
// the place of a row that is set aside must not depend on how many others are.
func (s *source) Locate(row int64) fault.Place {
	ctx, cancel := context.WithTimeout(context.Background(), locateWait)
	defer cancel()
	for {
		p, err := s.client.Locate(ctx, &pb.LocateRequest{Job: s.token, Row: row}, grpc.MaxCallRecvMsgSize(MaxMessage))
		if err == nil {
			return placeOf(p)
		}
		if status.Code(err) != codes.ResourceExhausted {
			return fault.Place{Row: row}
		}
		select {
		case <-time.After(locateAgain):
		case <-ctx.Done():
			return fault.Place{Row: row}
		}
	}
}

// Read walks rows [first, first+rows).
func (s *source) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	if err := checkRange(first, rows, s.Rows()); err != nil {
		return nil, fault.Failedf(nil, "%v", err)
	}
	if _, err := fieldsOf(fieldMessages(fields), len(s.schema.Columns)); err != nil {
		return nil, fault.Failedf(nil, "%v", err)
	}
	within, cancel := context.WithCancel(ctx)
	request := &pb.ReadRequest{Job: s.token, First: first, Rows: rows, Fields: fieldMessages(fields)}
	stream, err := s.client.Read(within, request, grpc.MaxCallRecvMsgSize(MaxMessage))
	if err != nil {
		cancel()
		return nil, Fault(ctx, err, s.address)
	}
	return &reader{ctx: ctx, source: s, stream: stream, cancel: cancel, decoder: newDecoder(first, rows, slices.Clone(fields), s.schema)}, nil
}

// reader walks the answers to one Read.
type reader struct {
	ctx     context.Context
	source  *source
	stream  pb.Submitter_ReadClient
	cancel  context.CancelFunc
	decoder *decoder
	err     error // sticks
}

// Next decodes the next message.
func (r *reader) Next() (*dataset.Block, error) {
	if r.err != nil {
		return nil, r.err
	}
	m, err := r.stream.Recv()
	switch {
	case errors.Is(err, io.EOF) && r.decoder.next < r.decoder.end:
		r.err = r.wrong(fmt.Errorf("they end before row %d, %d rows too early", r.decoder.next, r.decoder.end-r.decoder.next))
	case errors.Is(err, io.EOF):
		r.err = io.EOF
	case err != nil:
		r.err = Fault(r.ctx, err, r.source.address)
	default:
		block, err := r.decoder.decode(m)
		if err == nil {
			return block, nil
		}
		r.err = r.wrong(err)
	}
	return nil, r.err
}

// wrong is the error about an answer that does not fit what was asked for.
func (r *reader) wrong(err error) error {
	return fault.Failedf(err, "the process that submitted the job, at %s, sent rows that do not fit what was asked for", r.source.address).
		Do("are both of the same version?")
}

// Close ends the stream, and waits until nothing comes any more.
func (r *reader) Close() error {
	r.cancel()
	for {
		if _, err := r.stream.Recv(); err != nil {
			break
		}
	}
	if r.err == nil {
		r.err = io.ErrClosedPipe
	}
	return nil
}
