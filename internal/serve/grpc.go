package serve

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/coterie-project/coterie/internal/lookup"
	"github.com/coterie-project/coterie/internal/secure"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
	"github.com/coterie-project/coterie/segment"
)

// service answers over gRPC.
type service struct {
	coteriev1.UnimplementedLookupServer
	*Server
}

// Find implements coteriev1.LookupServer.
func (s service) Find(ctx context.Context, r *coteriev1.FindRequest) (*coteriev1.FindReply, error) {
	return inTurn(ctx, s, "Find", s.ones, func(f *held) (*coteriev1.FindReply, error) {
		table := f.NewTable()
		if err := table.Add(); err != nil {
			return nil, err
		}
		if err := fill(table, f.Finder, r); err != nil {
			return nil, err
		}
		found, err := f.Find(table)
		if err != nil {
			return nil, err
		}
		result, err := found.One(false)
		if err != nil {
			return nil, err
		}
		s.metrics.rows.WithLabelValues(viaGRPC).Inc()
		reply := &coteriev1.FindReply{Digest: f.Digest(), Segment: found.Segment[0], Name: result.Name, Distance: found.Distance[0],
			SecondSegment: found.Second[0], SecondDistance: found.SecondDistance[0]}
		if !r.WithoutBecause {
			reply.Because = reasons(found.Because(0))
		}
		return reply, nil
	})
}

// fill gives the table's only row the values of a request.
func fill(table *lookup.Table, f *lookup.Finder, r *coteriev1.FindRequest) error {
	for name, x := range r.Numbers {
		c, err := f.Column(name)
		if err != nil {
			return err
		}
		if c.Kind != lookup.Number {
			return &lookup.Error{Row: lookup.NoRow, Feature: name, Problem: "its values are texts, not numbers", Remedy: "give it in texts"}
		}
		table.SetNumber(c, 0, x)
	}
	for name, text := range r.Texts {
		c, err := f.Column(name)
		if err != nil {
			return err
		}
		if c.Kind == lookup.Number {
			return &lookup.Error{Row: lookup.NoRow, Feature: name, Problem: "its values are numbers, not texts", Remedy: "give it in numbers"}
		}
		if err := table.SetText(c, 0, text); err != nil {
			return err
		}
	}
	return nil
}

// FindBatch implements coteriev1.LookupServer.
func (s service) FindBatch(ctx context.Context, r *coteriev1.FindBatchRequest) (*coteriev1.FindBatchReply, error) {
	return inTurn(ctx, s, "FindBatch", s.manys, func(f *held) (*coteriev1.FindBatchReply, error) {
		table, err := f.NewColumns(int(min(r.Rows, lookup.MaxRows+1)))
		if err != nil {
			return nil, err
		}
		for _, c := range r.Numbers {
			if err := table.SetNumbers(c.GetFeature(), c.GetValues()); err != nil {
				return nil, err
			}
		}
		for _, c := range r.Texts {
			if err := table.SetTexts(c.GetFeature(), c.GetValues()); err != nil {
				return nil, err
			}
		}
		if r.Because {
			if err := f.Explains(table.Rows); err != nil {
				return nil, err
			}
		}
		found, err := f.Find(table)
		if err != nil {
			return nil, err
		}
		s.metrics.rows.WithLabelValues(viaGRPC).Add(float64(table.Rows))
		reply := &coteriev1.FindBatchReply{Digest: f.Digest(), Segments: found.Segment, Distances: found.Distance, SecondSegments: found.Second,
			SecondDistances: found.SecondDistance}
		for i := 0; r.Because && i < table.Rows; i++ {
			var why coteriev1.Reasons
			if found.Segment[i] != lookup.None {
				why.Because = reasons(found.Because(i))
			}
			reply.Because = append(reply.Because, &why)
		}
		return reply, nil
	})
}

// Model implements coteriev1.LookupServer.
func (s service) Model(ctx context.Context, _ *coteriev1.ModelRequest) (*coteriev1.ModelReply, error) {
	return inTurn(ctx, s, "Model", s.ones, func(f *held) (*coteriev1.ModelReply, error) { return f.reply, nil })
}

// inTurn gives a call its turn and the model in use, and counts it.
func inTurn[R any](ctx context.Context, s service, call string, turns slots, answer func(*held) (R, error)) (reply R, err error) {
	end := s.metrics.begin(viaGRPC, call)
	defer func() { end(status.Code(err).String()) }()
	if !turns.take(ctx, s.waits.slot) {
		return reply, status.Error(codes.Unavailable, busy().Error())
	}
	defer turns.give()
	if reply, err = answer(s.holder.current.Load()); err == nil {
		return reply, nil
	}
	var known *lookup.Error
	if errors.As(err, &known) {
		return reply, status.Error(codes.InvalidArgument, known.Error())
	}
	return reply, status.Error(codes.Internal, err.Error())
}

func reasons(because []segment.Because) []*coteriev1.Because {
	list := make([]*coteriev1.Because, len(because))
	for i, b := range because {
		list[i] = &coteriev1.Because{Feature: b.Feature, Centroid: b.Centroid, Pull: b.Pull}
		switch v := b.Value.(type) {
		case float64:
			list[i].Value = &coteriev1.Because_Number{Number: v}
		case string:
			list[i].Value = &coteriev1.Because_Text{Text: v}
		}
	}
	return list
}

// ours begins the names of the calls that answer at once; health may be watched for ever.
var ours = "/" + coteriev1.Lookup_ServiceDesc.ServiceName + "/"

// serverOptions are those of every server of ours, with what is particular here: more calls, idle connections that end, calls
// that end in time, and streams that end when the server drains.
func (s *Server) serverOptions() []grpc.ServerOption {
	limits := secure.Limits{Message: manyBody, Streams: streams, Header: headerBytes, Rate: callRate, Burst: callRate}
	return append(secure.ServerOptions(s.identity, limits),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: s.waits.idle, Time: 10 * time.Second, Timeout: 3 * time.Second}),
		grpc.InTapHandle(func(ctx context.Context, info *tap.Info) (context.Context, error) {
			if strings.HasPrefix(info.FullMethodName, ours) {
				timed, cancel := context.WithTimeout(ctx, s.waits.body)
				context.AfterFunc(ctx, cancel) // with the stream, so that no timer outlives it
				return timed, nil
			}
			return ctx, nil
		}),
		grpc.ChainStreamInterceptor(func(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			ctx, cancel := context.WithCancel(stream.Context())
			defer cancel()
			defer context.AfterFunc(s.drain, cancel)()
			return handler(server, ending{stream, ctx})
		}))
}

// ending is a stream that ends with another context as well.
type ending struct {
	grpc.ServerStream
	ctx context.Context
}

// Context is the stream's, or ended.
func (e ending) Context() context.Context { return e.ctx }
