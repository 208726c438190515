package coordinator

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/trace"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// describeWait is how long a submitter waits for a worker that can look at its data.
const describeWait = 10 * time.Minute

// describeTry is after how long another worker is asked too. The first one may hang, or the data may just be large.
const describeTry = 30 * time.Second

// maxSpec is the largest specification of a job: most of it is the rows of each partition, or starting centroids.
const maxSpec = 1 << 30

// failed is an error of a call, with all that a person needs to know of it in its details.
func failed(err error) error {
	if err == nil {
		return nil
	}
	if _, known := status.FromError(err); known {
		return err
	}
	code := codes.Unknown
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	s, detailErr := status.New(code, err.Error()).WithDetails(wire.EncodeFailure(err))
	if detailErr != nil {
		return status.Error(code, err.Error())
	}
	return s.Err()
}

// Describe implements Jobs: it asks a worker, whichever is there, and another beside it where that takes long.
func (s *Server) Describe(ctx context.Context, req *pb.DescribeRequest) (*pb.Description, error) {
	var wait sync.WaitGroup
	defer wait.Wait()
	ctx, cancel := context.WithTimeout(ctx, describeWait)
	defer cancel()
	type answer struct {
		d   *pb.Description
		err error
	}
	answers := make(chan answer)
	asked := make(map[string]bool) // addresses
	under := 0
	pause := max(s.config.Beat/5, 10*time.Millisecond)
	ask := func() (again time.Duration) {
		address := s.another(asked)
		if address == "" {
			if under == 0 {
				clear(asked) // all of them were away, or there are none
			}
			return pause
		}
		asked[address] = true
		under++
		wait.Go(func() {
			d, err := s.describeAt(ctx, address, req)
			select {
			case answers <- answer{d, err}:
			case <-ctx.Done():
			}
		})
		return describeTry
	}
	next := time.NewTimer(ask())
	defer next.Stop()
	for {
		select {
		case a := <-answers:
			if code := status.Code(a.err); code != codes.Unavailable && code != codes.Aborted {
				return a.d, a.err
			}
			under--
			next.Reset(pause)
		case <-next.C:
			next.Reset(ask())
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}

// another is the address of a worker that is there and has not been asked; empty if there is none.
func (s *Server) another(asked map[string]bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.present() {
		if !asked[m.hello.Address] {
			return m.hello.Address
		}
	}
	return ""
}

func (s *Server) describeAt(ctx context.Context, address string, req *pb.DescribeRequest) (*pb.Description, error) {
	conn, err := s.dial(address)
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	defer conn.Close()
	return pb.NewExchangeClient(conn).Describe(ctx, req, grpc.MaxCallRecvMsgSize(wire.MaxDescription))
}

// Submit implements Jobs.
func (s *Server) Submit(stream pb.Jobs_SubmitServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	head := first.GetHead()
	if head == nil {
		return status.Error(codes.InvalidArgument, "a job begins with its head")
	}
	if head.Size > maxSpec {
		return status.Errorf(codes.ResourceExhausted, "a job of %d bytes: at most %d are taken", head.Size, maxSpec)
	}
	data, err := receive(head.Size, func() ([]byte, error) {
		part, err := stream.Recv()
		return part.GetData(), err
	})
	s.meters.received.Add(int64(len(data)))
	if err != nil {
		return err
	}
	spec := &pb.JobSpec{}
	if err := proto.Unmarshal(data, spec); err != nil {
		return status.Errorf(codes.InvalidArgument, "the job's specification: %v", err)
	}
	if err := checkSpec(spec); err != nil {
		return failed(err)
	}
	id, err := s.enter(spec, data, head.Ticket, head.Detached, trace.Incoming(stream.Context()))
	if err != nil {
		return failed(err)
	}
	return stream.SendAndClose(&pb.SubmitReply{Job: id})
}

// Spec implements Jobs.
func (s *Server) Spec(ref *pb.JobRef, stream pb.Jobs_SpecServer) error { return s.Job(ref, stream) }

// Result implements Jobs.
func (s *Server) Result(ref *pb.JobRef, stream pb.Jobs_ResultServer) error {
	r, err := s.job(ref.Job)
	if err != nil {
		return err
	}
	data, err := s.config.Store.Result(r.id)
	if err != nil {
		return failed(err)
	}
	s.meters.sent.Add(int64(len(data)))
	return sendChunks(stream.Send, data)
}

// checkProtocol refuses a specification that another version has written.
func checkProtocol(spec *pb.JobSpec) error {
	if spec.Protocol != wire.Protocol {
		return fault.Usagef("the job was made for protocol %d, this coordinator speaks %d", spec.Protocol, wire.Protocol).
			Do("use the same version on all machines: coterie version")
	}
	return nil
}

// checkSpec refuses what no job can be made of.
func checkSpec(spec *pb.JobSpec) error {
	if err := checkProtocol(spec); err != nil {
		return err
	}
	in, err := inputOf(spec)
	if err != nil {
		return err
	}
	manifest, err := manifestOf(spec)
	if err != nil {
		return err
	}
	config := Config{Manifest: manifest, Workers: int(max(spec.MinWorkers, 1)), Epoch: 1, Window: int(max(spec.Window, 1))}
	if spec.Label != nil {
		o, err := labelOptions(spec, in)
		if err == nil {
			_, _, err = NewLabel(config, o)
		}
		return err
	}
	o, err := fitOptions(spec, in)
	if err == nil {
		_, _, err = NewFit(config, o)
	}
	return err
}

// Follow implements Jobs.
func (s *Server) Follow(req *pb.FollowRequest, stream pb.Jobs_FollowServer) error {
	r, err := s.job(req.Job)
	if err != nil {
		return err
	}
	s.mu.Lock()
	r.followers++
	log := r.log
	state := &pb.JobState{State: r.info.State, Reason: r.info.Reason}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		r.followers--
		r.alone = time.Now()
	}()
	if err := stream.Send(&pb.JobEvent{Event: &pb.JobEvent_State{State: state}}); err != nil {
		return err
	}
	s.mu.Lock()
	running := s.ctx
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	if running != nil {
		defer context.AfterFunc(running, cancel)()
	}
	for at := 0; ; {
		events, after, done, err := log.next(ctx, at)
		if err != nil {
			return status.Error(codes.Unavailable, "the coordinator is stopping")
		}
		for _, e := range events {
			if err := stream.Send(e); err != nil {
				return err
			}
		}
		if done {
			return nil
		}
		at = after
	}
}

// List implements Jobs.
func (s *Server) List(context.Context, *pb.ListRequest) (*pb.ListReply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &pb.ListReply{Jobs: s.infos()}, nil
}

// infos are copies of what is known of the jobs. The caller holds the mutex.
func (s *Server) infos() []*pb.JobInfo {
	var list []*pb.JobInfo
	for _, id := range s.order {
		list = append(list, proto.Clone(s.jobs[id].info).(*pb.JobInfo))
	}
	return list
}

// Show implements Jobs.
func (s *Server) Show(_ context.Context, req *pb.ShowRequest) (*pb.ShowReply, error) {
	r, err := s.job(req.Job)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sweep := len(r.spec.GetFit().GetSweep()) > 0
	return &pb.ShowReply{Info: proto.Clone(r.info).(*pb.JobInfo), Fit: r.spec.Fit != nil && !sweep, Sweep: sweep,
		Work: r.worked()}, nil
}

// Cancel implements Jobs.
func (s *Server) Cancel(_ context.Context, req *pb.CancelRequest) (*pb.CancelReply, error) {
	r, err := s.job(req.Job)
	if err != nil {
		return nil, err
	}
	s.cancelJob(r)
	return &pb.CancelReply{}, nil
}

// Resume implements Jobs.
func (s *Server) Resume(ctx context.Context, req *pb.ResumeRequest) (*pb.ResumeReply, error) {
	r, err := s.job(req.Job)
	if err != nil {
		return nil, err
	}
	return &pb.ResumeReply{}, failed(s.resumeJob(ctx, r))
}

// Status implements Jobs.
func (s *Server) Status(context.Context, *pb.StatusRequest) (*pb.StatusReply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reply := &pb.StatusReply{Jobs: s.infos(), Epoch: s.config.Epoch, Version: s.config.Version}
	names := make([]string, 0, len(s.members))
	for name := range s.members {
		names = append(names, name)
	}
	sortNames(names)
	for _, name := range names {
		m := s.members[name]
		reply.Workers = append(reply.Workers, &pb.WorkerInfo{Name: name, Address: m.hello.Address, State: m.state(s.gossip),
			Cores: m.hello.Cores, Memory: m.hello.Memory, Kernel: m.hello.Kernel, Partitions: uint32(m.partitions()), Version: m.hello.Version,
			MemoryUsed: m.used, SilentMillis: time.Since(m.since).Milliseconds(), Threads: m.hello.Threads, Spills: m.hello.Spills})
	}
	return reply, nil
}
