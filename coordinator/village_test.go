package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/bubble"
	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// village is a real Server with workers that a test holds by the hand, over connections in memory and in virtual time.
type village struct {
	*town
	dir     string
	config  ServerConfig
	server  *Server
	halt    func()
	address *bufconn.Listener
	conns   []*grpc.ClientConn

	mu        sync.Mutex // over the town, which hands compute from, and what follows
	describes map[string]func(context.Context) (*pb.Description, error)
}

// inVillage runs a test in a bubble of virtual time.
func inVillage(t *testing.T, change func(*ServerConfig), test func(t *testing.T, v *village)) {
	t.Helper()
	dir := t.TempDir()
	bubble.Test(t, func(t *testing.T) {
		v := &village{town: newTown(t, 4), dir: dir, describes: make(map[string]func(context.Context) (*pb.Description, error))}
		if change != nil {
			change(&v.config)
		}
		v.open()
		defer v.close()
		test(t, v)
	})
}

// open starts a coordinator on the folder.
func (v *village) open() {
	v.t.Helper()
	store, err := checkpoint.Open(v.dir, checkpoint.Options{})
	v.must(err)
	c := v.config
	c.Version, c.Store = "test", store
	c.Epoch, err = store.NextEpoch()
	v.must(err)
	v.server, err = NewServer(c, v.dialWorker, nil)
	v.must(err)
	v.address = bufconn.Listen(1 << 20)
	g := grpc.NewServer()
	v.server.Register(g)
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { g.Serve(v.address) })
	wait.Go(func() { v.server.Run(ctx) })
	v.halt = func() {
		cancel()
		g.Stop()
		wait.Wait()
		v.must(store.Close())
		for _, conn := range v.conns {
			conn.Close()
		}
		v.conns = nil
	}
	synctest.Wait()
}

func (v *village) close() { v.halt() }

// restart stops the coordinator and starts another one on its folder. Hands have to come back by themselves.
func (v *village) restart() {
	v.halt()
	v.open()
}

func (v *village) dial() *grpc.ClientConn {
	to := v.address
	conn, err := grpc.NewClient("passthrough:///coordinator", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return to.DialContext(ctx) }))
	v.must(err)
	v.conns = append(v.conns, conn)
	return conn
}

// dialWorker reaches a worker's own services, of which there is Describe alone.
func (v *village) dialWorker(address string) (*grpc.ClientConn, error) {
	v.mu.Lock()
	describe := v.describes[address]
	v.mu.Unlock()
	if describe == nil {
		return nil, errors.New("nobody is there")
	}
	return grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return nil, errors.New("intercepted") }),
		grpc.WithUnaryInterceptor(func(ctx context.Context, _ string, _, reply any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, _ ...grpc.CallOption) error {
			d, err := describe(ctx)
			if err == nil {
				proto.Merge(reply.(*pb.Description), d)
			}
			return err
		}))
}

func (v *village) jobs() pb.JobsClient { return pb.NewJobsClient(v.dial()) }

// submit hands a job in.
func (v *village) submit(spec *pb.JobSpec, ticket string, detached bool) (string, error) {
	data, err := proto.Marshal(spec)
	v.must(err)
	stream, err := v.jobs().Submit(v.t.Context())
	v.must(err)
	v.must(stream.Send(&pb.SubmitPart{Part: &pb.SubmitPart_Head{Head: &pb.SubmitHead{Size: uint64(len(data)), Ticket: ticket, Detached: detached}}}))
	v.must(stream.Send(&pb.SubmitPart{Part: &pb.SubmitPart_Data{Data: data}}))
	reply, err := stream.CloseAndRecv()
	return reply.GetJob(), err
}

// fits submits a fit of the town that goes on by itself.
func (v *village) fits(change func(*pb.JobSpec)) string {
	v.t.Helper()
	time.Sleep(time.Millisecond) // jobs are told apart by the time of their submission
	o := populationFit()
	o.Labels = false
	spec := specOf(v.t, v.town, o)
	if change != nil {
		change(spec)
	}
	id, err := v.submit(spec, "", true)
	v.must(err)
	return id
}

// info is what is known of a job.
func (v *village) info(id string) *pb.JobInfo {
	v.t.Helper()
	reply, err := v.server.Show(v.t.Context(), &pb.ShowRequest{Job: id})
	v.must(err)
	return reply.Info
}

// ends waits until a job is over, in virtual time.
func (v *village) ends(id string) *pb.JobInfo {
	v.t.Helper()
	for range 10_000 {
		if info := v.info(id); isOver(info.State) {
			return info
		}
		time.Sleep(100 * time.Millisecond)
	}
	v.t.Fatalf("job %s does not end: %v", id, v.info(id))
	return nil
}

// result is what a fit gave.
func (v *village) result(id string) *FitResult {
	v.t.Helper()
	data, err := v.server.config.Store.Result(id)
	v.must(err)
	m := &pb.JobResult{}
	v.must(proto.Unmarshal(data, m))
	r, err := FitResultOf(m)
	v.must(err)
	return r
}

// calm checks that a job has ended well, with the result that it has without any trouble, and that nothing is held.
func (v *village) calm(id string) {
	v.t.Helper()
	if info := v.ends(id); info.State != jobDone {
		v.t.Fatalf("job %s: got %s (%s), want %s", id, info.State, info.Reason, jobDone)
	} else if got := v.result(id).Inertia; got != info.Inertia {
		v.t.Errorf("job %s: shows the inertia %v, its result has %v", id, info.Inertia, got)
	}
	synctest.Wait()
	w := newTown(v.t, len(v.manifest.Partitions))
	o := populationFit()
	o.Labels = false
	j, f, err := NewFit(Config{Manifest: w.manifest, Workers: 1, Epoch: 1, Window: 1}, o)
	v.must(err)
	w.take(j.Step(worker("a")))
	for !w.done {
		w.take(j.Step(Answered{Answer: w.answer(w.of("a"))}))
	}
	if got, want := v.result(id), f.Result; !got.Centroids.Equal(want.Centroids) || got.Inertia != want.Inertia || got.Iterations != want.Iterations {
		v.t.Errorf("job %s: got inertia %v after %d iterations, want %v after %d", id, got.Inertia, got.Iterations, want.Inertia, want.Iterations)
	}
	if held := v.server.room.held(); held != 0 {
		v.t.Errorf("%d bytes of answers are held after the end", held)
	}
}

// hand is a worker that does what the test says.
type hand struct {
	v          *village
	name, boot string
	bulk       pb.BulkClient
	stop       func() // ends its connection and waits for all it does

	mu      sync.Mutex
	mute    bool                              // sends no heartbeats
	takes   func(*pb.TaskNote) bool           // nil: every task; one that is not taken is not pending either. It must not wait
	before  func(context.Context, *wire.Task) // may wait
	change  func(*wire.Task, *pb.AnswerHead, []byte) []byte
	leaving bool
	twice   bool          // it hands each answer in twice, as who has not heard of the receipt
	work    time.Duration // that each task takes
	pending map[uint64]bool
	done    []string // tasks, as they were answered
	epoch   uint64
	known   string // by the coordinator
	notes   int    // tasks announced
}

func (v *village) hand(name string) *hand {
	v.t.Helper()
	h := &hand{v: v, name: name, boot: "boot of " + name, pending: make(map[uint64]bool)}
	h.join()
	return h
}

// join opens a connection; the hand stays the same process.
func (h *hand) join() {
	v := h.v
	v.t.Helper()
	conn := v.dial()
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := pb.NewControlClient(conn).Join(ctx)
	v.must(err)
	v.must(stream.Send(&pb.WorkerNote{Note: &pb.WorkerNote_Hello{Hello: &pb.Hello{Protocol: wire.Protocol, Arithmetic: kmeans.Arithmetic, Version: "test",
		Name: h.name, Boot: h.boot, Address: h.name, Threads: 1}}}))
	note, err := stream.Recv()
	v.must(err)
	h.mu.Lock()
	h.epoch, h.known = note.GetWelcome().GetEpoch(), note.GetWelcome().GetWorker()
	h.bulk = pb.NewBulkClient(v.dial())
	h.mu.Unlock()
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			note, err := stream.Recv()
			if err != nil {
				cancel()
				return
			}
			if task := note.GetTask(); task != nil {
				wait.Go(func() { h.task(ctx, task) })
			}
		}
	})
	wait.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				h.beat(stream)
			case <-ctx.Done():
				return
			}
		}
	})
	h.stop = func() {
		cancel()
		wait.Wait()
	}
	v.t.Cleanup(h.stop)
	synctest.Wait()
}

func (h *hand) beat(stream pb.Control_JoinClient) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mute {
		return
	}
	b := &pb.Beat{Draining: h.leaving, Progress: []*pb.Progress{{Job: "any", Pending: slices.Sorted(maps.Keys(h.pending))}}}
	_ = stream.Send(&pb.WorkerNote{Note: &pb.WorkerNote_Beat{Beat: b}}) // an error shows in Recv
}

// set changes how the hand behaves.
func (h *hand) set(change func(h *hand)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}

// task does a task and answers it.
func (h *hand) task(ctx context.Context, note *pb.TaskNote) {
	h.mu.Lock()
	h.notes++
	takes, before, change, bulk, work, twice := h.takes, h.before, h.change, h.bulk, h.work, h.twice
	taken := (takes == nil || takes(note)) && !h.pending[note.Ref.Serial]
	if taken {
		h.pending[note.Ref.Serial] = true
	}
	h.mu.Unlock()
	if !taken {
		return
	}
	defer h.set(func(h *hand) { delete(h.pending, note.Ref.Serial) })
	t, err := fetchTask(ctx, bulk, note)
	if err != nil {
		return
	}
	sleep(ctx, work)
	if before != nil {
		before(ctx, t)
	}
	h.v.mu.Lock()
	for _, id := range t.Partitions {
		if t.Reload != nil {
			h.v.points[id] = h.v.load(t.Reload, id)
		}
	}
	partial := h.v.finished(Send{Worker: h.name, Task: t}).Partial
	h.v.mu.Unlock()
	data, err := wire.EncodePartial(partial, "")
	if err != nil {
		return
	}
	head := &pb.AnswerHead{Ref: note.Ref, Worker: h.known}
	for _, id := range t.Partitions {
		head.Covered = append(head.Covered, uint32(id))
	}
	head.Size = uint64(len(data))
	if change != nil {
		data = change(t, head, data)
	}
	if twice {
		_ = h.send(ctx, head, data)
	}
	if h.send(ctx, head, data) == nil {
		h.set(func(h *hand) { h.done = append(h.done, fmt.Sprint(t.Kind, t.Partitions)) })
	}
}

// send sends an answer.
func (h *hand) send(ctx context.Context, head *pb.AnswerHead, data []byte) error {
	stream, err := h.bulk.Answer(ctx)
	if err != nil {
		return err
	}
	_ = stream.Send(&pb.AnswerPart{Part: &pb.AnswerPart_Head{Head: head}}) // an error comes again with the receipt
	for chunk := range slices.Chunk(data, chunkBytes) {
		_ = stream.Send(&pb.AnswerPart{Part: &pb.AnswerPart_Data{Data: chunk}})
	}
	_, err = stream.CloseAndRecv()
	return err
}

func fetchTask(ctx context.Context, bulk pb.BulkClient, note *pb.TaskNote) (*wire.Task, error) {
	data := note.Inline
	if uint64(len(data)) != note.Size {
		stream, err := bulk.Task(ctx, note.Ref)
		for err == nil {
			var chunk *pb.Chunk
			if chunk, err = stream.Recv(); err == nil {
				data = append(data, chunk.Data...)
			}
		}
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return wire.DecodeTask(data)
}

// codeOf is the code of a call's error.
func codeOf(err error) codes.Code { return status.Code(err) }
