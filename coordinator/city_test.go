package coordinator

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// city is the workers of a metropolis around a real Server, by plain calls in place of connections: what it takes to know
// a thousand workers, beside the steps of their jobs.
type city struct {
	*metropolis
	server  *Server
	members []*member
	id      string // of the job
	run     *jobRun
	task    *wire.Task      // of the round, whoever it is for
	ctx     context.Context // of the server, and of those who call it
	halt    func()
}

// newCity has so many workers join a server, submits a fit, and waits until its first round is announced.
func newCity(t testing.TB, workers, partitions, iterations int) *city {
	c := &city{metropolis: newMetropolis(t, partitions, 0, 1)}
	store, err := checkpoint.Open(t.TempDir(), checkpoint.Options{})
	c.must(err)
	c.server, err = NewServer(ServerConfig{Version: "test", Store: store, Epoch: 1}, nil, func(string) bool { return true })
	c.must(err)
	var cancel context.CancelFunc
	c.ctx, cancel = context.WithCancel(context.Background())
	c.server.mu.Lock()
	c.server.ctx = c.ctx
	c.server.mu.Unlock()
	c.halt = func() {
		cancel()
		c.server.wait.Wait()
		c.must(store.Close())
	}
	for i := range workers {
		c.arrive(i)
	}
	spec := c.spec(iterations, workers)
	data, err := proto.Marshal(spec)
	c.must(err)
	c.id, err = c.server.enter(spec, data, "", true, "")
	c.must(err)
	c.run, err = c.server.job(c.id)
	c.must(err)
	return c
}

func (c *city) spec(iterations, window int) *pb.JobSpec {
	input, err := wire.EncodeInput(c.input)
	c.must(err)
	spec := &pb.JobSpec{Protocol: wire.Protocol, Name: "fit", Data: &pb.DataSpec{Files: []string{"city.csv"}}, Input: input, MinWorkers: 1,
		WorkerWaitMillis: 60_000, Window: uint32(window), Fit: FitSpec(&FitOptions{K: metroK, Runs: 1, MaxIterations: iterations, Algorithm: "auto"}, c.start())}
	SetManifest(spec, c.manifest)
	return spec
}

// arrive has a worker join.
func (c *city) arrive(i int) {
	m, _ := c.server.admit(&pb.Hello{Name: fmt.Sprintf("worker-%d", i), Boot: fmt.Sprintf("boot-%d", i), Address: fmt.Sprintf("10.0.%d.%d:7600", i/250, i%250),
		Threads: 2, Kernel: "avx2"})
	c.members = append(c.members, m)
	c.server.arrived(m, false)
}

// announced takes the tasks that a worker was told of; it waits for the first one, or for the end of the job.
func (c *city) announced(m *member) (notes []*pb.TaskNote) {
	for {
		select {
		case note := <-m.notes:
			if task := note.GetTask(); task != nil {
				notes = append(notes, task)
			}
			continue
		default:
		}
		if len(notes) > 0 || c.over() {
			return notes
		}
		time.Sleep(time.Millisecond)
	}
}

// over says whether the job has ended.
func (c *city) over() bool {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return isOver(c.run.info.State)
}

// result is what the fit gave, as it was kept.
func (c *city) result(data []byte) *FitResult {
	m := &pb.JobResult{}
	c.must(proto.Unmarshal(data, m))
	r, err := FitResultOf(m)
	c.must(err)
	return r
}

// beat is that of a worker that holds its part of the partitions and has a task.
func (c *city) beat(i int, task *pb.TaskNote) *pb.Beat {
	p := &pb.Progress{Job: c.id, RowsRead: 1000, Pending: []uint64{task.Ref.Serial}}
	n, w := len(c.manifest.Partitions), len(c.members)
	for id := i * n / w; id < (i+1)*n/w; id++ {
		p.Held = append(p.Held, uint32(id))
	}
	return &pb.Beat{Progress: []*pb.Progress{p}, MemoryUsed: 1 << 30}
}

// handedIn is an answer on its way, without a connection.
type handedIn struct {
	grpc.ClientStreamingServer[pb.AnswerPart, pb.Receipt]
	ctx   context.Context
	parts []*pb.AnswerPart
}

func (s *handedIn) Context() context.Context       { return s.ctx }
func (s *handedIn) SendHeader(metadata.MD) error   { return nil }
func (s *handedIn) SendAndClose(*pb.Receipt) error { return nil }
func (s *handedIn) Recv() (p *pb.AnswerPart, err error) {
	if len(s.parts) == 0 {
		return nil, io.EOF
	}
	p, s.parts = s.parts[0], s.parts[1:]
	return p, nil
}

// reply is the answer to an announced task. The body is the same for everybody and read once a round.
func (c *city) reply(m *member, note *pb.TaskNote) *handedIn {
	sent := c.run.find(note.Ref)
	if c.task == nil || c.task.Round != note.Ref.Round {
		task, err := wire.DecodeTask(append(slices.Clone(sent.head), sent.body...))
		c.must(err)
		c.task = task
	}
	task := *c.task
	task.Partitions = sent.covered
	covered := make([]uint32, len(sent.covered))
	for i, id := range sent.covered {
		covered[i] = uint32(id)
	}
	data, err := wire.EncodePartial(c.compute(&task), wire.PackNone)
	c.must(err)
	head := &pb.AnswerHead{Ref: note.Ref, Worker: m.name, Covered: covered, Size: uint64(len(data)), Micros: 50_000}
	return &handedIn{ctx: c.ctx, parts: []*pb.AnswerPart{{Part: &pb.AnswerPart_Head{Head: head}}, {Part: &pb.AnswerPart_Data{Data: data}}}}
}

// round answers for everybody.
func (c *city) round() {
	for _, m := range c.members {
		for _, note := range c.announced(m) {
			c.must(c.server.Answer(c.reply(m, note)))
		}
	}
}

// report is what monitoring is shown.
func (c *city) report() int {
	registry, err := observe.Gather(observe.Coordinator, c.server.Report)
	c.must(err)
	families, err := registry.Gather()
	c.must(err)
	n := 0
	for _, f := range families {
		n += len(f.Metric)
	}
	return n
}
