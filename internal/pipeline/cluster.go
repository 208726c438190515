package pipeline

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/remote"
	"github.com/coterie-project/coterie/internal/secure"
	"github.com/coterie-project/coterie/internal/trace"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// Cluster is a cluster that runs a command's job, in the place of the embedded one.
type Cluster struct {
	Address    string // HOST:PORT of the coordinator
	Identity   *secure.Identity
	Insecure   bool          // serve files and take labels beyond loopback without TLS
	MinWorkers int           // at least 1
	WorkerWait time.Duration // how long to wait for them
	Detach     bool          // return once the job is submitted
}

const (
	// dialWait is how long a coordinator may take to answer the first time: who calls has heard within 10 s.
	dialWait = 9 * time.Second
	// redial is the time between two attempts of the first call.
	redial = 100 * time.Millisecond
	// absence is for how long a coordinator that has answered before may be away: long enough to start it again.
	absence = 10 * time.Minute
	// callWait bounds calls that do not wait for work.
	callWait = 30 * time.Second
)

// Connect dials the coordinator. The error, if it does not answer within dialWait, is of kind Unavailable and says what
// the last attempt came to.
func (c *Cluster) Connect(ctx context.Context) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(c.Address, append(secure.DialOptions(c.Identity, secure.Coordinator, secure.Limits{}), trace.DialOptions()...)...)
	if err != nil {
		return nil, fault.Usagef("--cluster: %q: %v", c.Address, err).Do("give the coordinator's --listen address, HOST:PORT")
	}
	bounded, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	var last error
	for {
		// A call of no consequence tells more than the state of the connection: who answers, and with which certificate.
		_, err := pb.NewJobsClient(conn).List(bounded, &pb.ListRequest{})
		if err == nil {
			return conn, nil
		}
		if last == nil || bounded.Err() == nil {
			last = err
		}
		if status.Code(err) != codes.Unavailable || !pause(bounded, redial) {
			break
		}
	}
	conn.Close()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, c.unreachable(last)
}

// pause waits, or says that the context has ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// unreachable says why there is no talking to the coordinator.
func (c *Cluster) unreachable(err error) error {
	s := status.Convert(err)
	e := &fault.Error{Kind: fault.Unavailable, Place: fault.Place{Row: fault.NoRow}, Err: errors.New(spoken(s.Message())),
		Problem: fmt.Sprintf("the coordinator at %s does not answer", c.Address),
		Remedy:  "check --cluster, which is the coordinator's --listen address, and that it runs: coterie coordinator --state …"}
	switch {
	case s.Code() == codes.PermissionDenied:
		e.Kind, e.Problem = fault.Failed, fmt.Sprintf("the coordinator at %s refuses this program", c.Address)
		e.Remedy = "use a certificate with the role client: coterie certs makes one"
	case s.Code() == codes.DeadlineExceeded:
		e.Err = nil
		e.Problem = fmt.Sprintf("the coordinator at %s does not answer within %s", c.Address, dialWait)
	}
	switch {
	case e.Kind != fault.Unavailable:
	case c.Identity == nil:
		e.Remedy += "; one with TLS wants --tls-cert, --tls-key and --tls-ca"
	default:
		e.Remedy += "; its certificate must be of the CA in --tls-ca and name its host: coterie certs DIR --host HOST"
	}
	return e
}

// spoken is what the transport says without its own preamble. It only shortens what is shown.
func spoken(message string) string {
	_, quoted, found := strings.Cut(message, "desc = ")
	if !found {
		return message
	}
	if text, err := strconv.Unquote(quoted); err == nil {
		quoted = text
	}
	return strings.TrimPrefix(strings.TrimPrefix(quoted, "transport: "), "Error while dialing: ")
}

// ours says whether an error was made in this process: it is told as it is.
func ours(err error) bool {
	_, isStatus := status.FromError(err)
	return err != nil && !isStatus
}

// call is the error of a call to the coordinator as a person should read it.
func (c *Cluster) call(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s := status.Convert(err)
	for _, d := range s.Details() {
		if f, ok := d.(*pb.Failure); ok {
			return wire.DecodeFailure(f)
		}
	}
	switch s.Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.PermissionDenied, codes.Unauthenticated:
		return c.unreachable(err)
	case codes.NotFound:
		return fault.Failedf(nil, "the coordinator at %s: %s", c.Address, s.Message()).Do("coterie jobs list --cluster %s shows those that there are", c.Address)
	}
	return fault.Failedf(errors.New(s.Message()), "the coordinator at %s refuses", c.Address)
}

// token draws what only the two ends of something know.
func token() string {
	var random [16]byte
	rand.Read(random[:]) // it does not fail: see crypto/rand
	return hex.EncodeToString(random[:])
}

// submit hands the job in. The ticket makes a repeated call, after an answer that was lost, the same job.
func (c *Cluster) submit(ctx context.Context, jobs pb.JobsClient, spec *pb.JobSpec) (string, error) {
	data, err := proto.Marshal(spec)
	if err != nil {
		return "", err
	}
	head := &pb.SubmitHead{Size: uint64(len(data)), Ticket: token(), Detached: c.Detach}
	var id string
	err = c.persist(ctx, func() error {
		bounded, cancel := context.WithTimeout(ctx, callWait)
		defer cancel()
		reply, err := sendJob(bounded, jobs, head, data)
		id = reply.GetJob()
		return err
	})
	return id, err
}

// chunkBytes is the size of the pieces in which large messages travel; maxMessage bounds what is put together.
const (
	chunkBytes = 512 << 10
	maxMessage = 8 << 30
)

func sendJob(ctx context.Context, jobs pb.JobsClient, head *pb.SubmitHead, data []byte) (*pb.SubmitReply, error) {
	stream, err := jobs.Submit(ctx)
	if err != nil {
		return nil, err
	}
	err = stream.Send(&pb.SubmitPart{Part: &pb.SubmitPart_Head{Head: head}})
	for chunk := range slices.Chunk(data, chunkBytes) {
		if err != nil {
			break // why, CloseAndRecv says
		}
		err = stream.Send(&pb.SubmitPart{Part: &pb.SubmitPart_Data{Data: chunk}})
	}
	return stream.CloseAndRecv()
}

// fetch puts a message together that comes in chunks.
func fetch(stream grpc.ServerStreamingClient[pb.Chunk], err error, into proto.Message) error {
	var data []byte
	for err == nil {
		var chunk *pb.Chunk
		if chunk, err = stream.Recv(); err == nil {
			if data = append(data, chunk.Data...); len(data) > maxMessage {
				return status.Errorf(codes.ResourceExhausted, "a message of more than %d bytes", maxMessage)
			}
		}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return proto.Unmarshal(data, into)
}

// FetchResult gets the result of a job that is done.
func FetchResult(ctx context.Context, jobs pb.JobsClient, id string) (*pb.JobResult, error) {
	result := &pb.JobResult{}
	stream, err := jobs.Result(ctx, &pb.JobRef{Job: id})
	return result, fetch(stream, err, result)
}

// FetchSpec gets what a job was made of.
func FetchSpec(ctx context.Context, jobs pb.JobsClient, id string) (*pb.JobSpec, error) {
	spec := &pb.JobSpec{}
	stream, err := jobs.Spec(ctx, &pb.JobRef{Job: id})
	return spec, fetch(stream, err, spec)
}

// persist repeats a call while the coordinator is away, up to the limit of its absence.
func (c *Cluster) persist(ctx context.Context, do func() error) error {
	began := time.Now()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := do()
		code := status.Code(err)
		if err == nil || ctx.Err() != nil || code != codes.Unavailable && code != codes.DeadlineExceeded || time.Since(began) > absence {
			return c.call(ctx, err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// follow reports what the job does until it ends. It survives the coordinator's restart. tied says that the job cannot go
// on without this process.
func (c *Cluster) follow(ctx context.Context, jobs pb.JobsClient, id string, e *Engine, watch *stopwatch, tied bool) (*pb.JobResult, error) {
	f := &follower{engine: e, watch: watch}
	seen := time.Now()
	for wait := 100 * time.Millisecond; ; {
		result, err := f.once(ctx, jobs, id, func() { seen, wait = time.Now(), 100*time.Millisecond })
		code := status.Code(err)
		switch {
		case err == nil:
			return result, nil
		case ctx.Err() != nil:
			return nil, c.giveUp(jobs, id, tied)
		case code != codes.Unavailable && code != codes.DeadlineExceeded && code != codes.Internal:
			return nil, c.call(ctx, err)
		case time.Since(seen) > absence:
			return nil, c.unreachable(err)
		}
		if !f.told {
			f.told = true
			e.Reporter.Note(fmt.Sprintf("the coordinator at %s is away; waiting for it", c.Address))
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, 2*time.Second)
		case <-ctx.Done():
		}
	}
}

// giveUp cancels a job whose submitter is interrupted, and says how it goes on.
func (c *Cluster) giveUp(jobs pb.JobsClient, id string, tied bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stop := &fault.Error{Kind: fault.Interrupted, Place: fault.Place{Row: fault.NoRow}, Problem: "interrupted",
		Remedy: fmt.Sprintf("coterie jobs resume %s --cluster %s goes on from the last checkpoint", id, c.Address)}
	if tied {
		stop.Remedy = "run it again: its rows or its labels lie only here; with absolute paths within a --data-root of the workers, a job can be resumed"
	}
	if _, err := jobs.Cancel(ctx, &pb.CancelRequest{Job: id}); err != nil {
		stop.Problem = fmt.Sprintf("interrupted; job %s could not be cancelled: %s", id, status.Convert(err).Message())
		stop.Remedy = fmt.Sprintf("coterie jobs cancel %s --cluster %s", id, c.Address)
	}
	return stop
}

// follower turns a job's events into progress.
type follower struct {
	engine *Engine
	watch  *stopwatch
	told   bool   // that the coordinator is away
	state  string // that was told last
}

// once follows until the stream ends. alive is called with each event.
func (f *follower) once(ctx context.Context, jobs pb.JobsClient, id string, alive func()) (*pb.JobResult, error) {
	stream, err := jobs.Follow(ctx, &pb.FollowRequest{Job: id})
	if err != nil {
		return nil, err
	}
	for {
		event, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		alive()
		f.told = false
		switch event := event.Event.(type) {
		case *pb.JobEvent_Done:
			return FetchResult(ctx, jobs, id)
		case *pb.JobEvent_Failure:
			return nil, remote.Status(wire.DecodeFailure(event.Failure))
		default:
			f.report(event)
		}
	}
}

func (f *follower) report(event any) {
	r := f.engine.Reporter
	switch event := event.(type) {
	case *pb.JobEvent_State:
		// Whoever begins to follow hears of the state, and then of what led to it.
		if state := fmt.Sprintf("%s: %s", event.State.State, event.State.Reason); state != f.state {
			f.state = state
			if event.State.State != "running" && event.State.Reason != "" {
				r.Note(state)
			}
		}
	case *pb.JobEvent_Phase:
		if f.watch != nil {
			f.watch.turn(coordinator.Phase(event.Phase.Phase))
		}
		r.Phase(event.Phase.Phase, event.Phase.Rows)
	case *pb.JobEvent_Iteration:
		i := event.Iteration
		r.Iteration(int(i.Run), int(i.Iteration), i.Inertia, i.Moved, i.Rows)
	case *pb.JobEvent_Rows:
		r.Add(event.Rows.Rows)
	case *pb.JobEvent_Note:
		r.Note(event.Note)
	}
}
