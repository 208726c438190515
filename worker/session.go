package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/remote"
	"github.com/coterie-project/coterie/internal/secure"
	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

const (
	// taskQueue is how many tasks of a job may wait for its source to be opened: more than a window of labels.
	taskQueue = 1024
	// chunkBytes is the size of the pieces in which large messages travel.
	chunkBytes = 512 << 10
	// maxMessage is the largest task or specification that is taken: centroids at the limits of k and d.
	maxMessage = 20 << 30
	// looksAtOnce is how many submitters' data is looked at at one time, each on all cores.
	looksAtOnce = 2
)

// errFetch is a specification that has not come: the connection broke, or the coordinator would not say. That tells
// nothing of the job; the coordinator asks again for what it misses.
var errFetch = errors.New("the job's specification has not come")

// session is one job on a node.
type session struct {
	id     string
	node   *Node
	cancel context.CancelFunc
	over   <-chan struct{} // closed once nobody takes tasks any more
	tasks  chan *wire.Task
	rows   atomic.Int64 // read so far
	busy   atomic.Int64 // tasks that have come and are not answered
	trace  atomic.Value // string: the traceparent of the task that came last

	mu     sync.Mutex
	engine *Engine             // nil until the source is open
	refs   map[string][]uint64 // serials of each task that is not answered, by round and partitions
	// pending are the serials of the tasks that have been announced and are not answered. The coordinator is told of
	// them with each beat: what it misses there it announces again.
	pending map[uint64]bool
}

// opened is the engine, or nil.
func (s *session) opened() *Engine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.engine
}

// task fetches a task and hands it to its job's session.
func (n *Node) task(note *pb.TaskNote) {
	n.mu.Lock()
	bulk, ctx := n.bulk, n.ctx
	n.mu.Unlock()
	if bulk == nil || note.Ref == nil {
		return // it is announced again when the connection is back
	}
	s := n.session(note.Ref.Job)
	if !s.begin(note.Ref.Serial) {
		return // it is under way
	}
	t, err := n.fetchTask(ctx, bulk, note)
	if err != nil {
		s.end(note.Ref.Serial)
		s.lines().Info("task not fetched", "round", note.Ref.Round, "error", err)
		if errors.Is(err, wire.ErrFormat) {
			head := &pb.AnswerHead{Ref: note.Ref, Worker: n.config.Name, Failure: wire.EncodeFailure(s.named(err))}
			if _, err := send(ctx, bulk, head, nil); err != nil {
				s.lines().Info("answer not sent", "error", err)
			}
		}
		return
	}
	s.trace.Store(t.Trace)
	if !s.accept(t, note.Ref.Serial) {
		return // asked for twice, it is answered once
	}
	if readsRows(t.Kind) {
		n.tell(ctx) // what brings this worker down in a moment is to be known for it
	}
	select {
	case s.tasks <- t:
	case <-s.over:
		s.Drop(t)
	}
}

// readsRows says whether a kind of round takes rows into memory.
func readsRows(k wire.Kind) bool {
	switch k {
	case wire.Keys, wire.Statistics, wire.Quantiles, wire.Directions, wire.Load:
		return true
	}
	return false
}

// accept notes that a task is there; false means that its answer is under way already, and will do for this one too.
func (s *session) accept(t *wire.Task, serial uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := refKey(t.Epoch, t.Round, t.Partitions)
	s.refs[key] = append(s.refs[key], serial)
	if len(s.refs[key]) > 1 {
		return false
	}
	s.busy.Add(1)
	return true
}

// settle takes a task off the list of those that are not answered, and gives its serials.
func (s *session) settle(epoch, round uint64, partitions []int) []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := refKey(epoch, round, partitions)
	serials := s.refs[key]
	delete(s.refs, key)
	return serials
}

// Drop implements Link.
func (s *session) Drop(t *wire.Task) {
	s.end(s.settle(t.Epoch, t.Round, t.Partitions)...)
	s.busy.Add(-1)
}

// begin notes that a task has been announced; false means that it was already.
func (s *session) begin(serial uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[serial] {
		return false
	}
	s.pending[serial] = true
	return true
}

// end notes that tasks are answered, or given up.
func (s *session) end(serials ...uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, serial := range serials {
		delete(s.pending, serial)
	}
}

func (n *Node) fetchTask(ctx context.Context, bulk pb.BulkClient, note *pb.TaskNote) (*wire.Task, error) {
	data := note.Inline
	if uint64(len(data)) != note.Size {
		stream, err := bulk.Task(ctx, note.Ref)
		if err == nil {
			data, err = receiveChunks(stream.Recv, note.Size)
		}
		if err != nil {
			return nil, err
		}
	}
	return wire.DecodeTask(data)
}

func refKey(epoch, round uint64, partitions []int) string {
	return fmt.Sprint(epoch, round, partitions)
}

// receiveChunks puts a large message together. Memory grows with what really comes.
func receiveChunks(recv func() (*pb.Chunk, error), size uint64) ([]byte, error) {
	if size > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes: at most %d are taken", size, int64(maxMessage))
	}
	var data []byte
	for {
		chunk, err := recv()
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if uint64(len(data)+len(chunk.Data)) > size {
			return nil, fmt.Errorf("more than the %d bytes announced", size)
		}
		data = append(data, chunk.Data...)
	}
}

// session finds the job's session, or begins one.
func (n *Node) session(job string) *session {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.sessions[job]; s != nil {
		return s
	}
	ctx, cancel := context.WithCancel(n.ctx)
	s := &session{id: job, node: n, cancel: cancel, over: ctx.Done(), tasks: make(chan *wire.Task, taskQueue),
		refs: make(map[string][]uint64), pending: make(map[uint64]bool)}
	n.sessions[job] = s
	bulk := n.bulk
	n.wait.Go(func() {
		defer cancel()
		if err := s.run(ctx, bulk); err != nil && ctx.Err() == nil {
			s.refuse(ctx, err)
			n.mu.Lock()
			defer n.mu.Unlock()
			if n.sessions[job] == s {
				delete(n.sessions, job) // the next task tries again
			}
		}
	})
	return s
}

// refuse answers all that was asked for with the reason why there is no engine.
func (s *session) refuse(ctx context.Context, err error) {
	s.lines().Error("job cannot be taken up", "error", err)
	again := errors.Is(err, errFetch)
	for {
		select {
		case t := <-s.tasks:
			if again {
				s.Drop(t)
				continue
			}
			s.deliver(ctx, &wire.Answer{Epoch: t.Epoch, Round: t.Round, Covered: slices.Clone(t.Partitions), Err: err})
		default:
			return
		}
	}
}

// run opens the job's data and serves its tasks.
func (s *session) run(ctx context.Context, bulk pb.BulkClient) error {
	spec, err := s.fetch(ctx, bulk)
	if err != nil {
		return err
	}
	manifest := &partition.Manifest{Rows: spec.Rows}
	first := int64(0)
	for id, rows := range spec.PartitionRows {
		manifest.Partitions = append(manifest.Partitions, partition.Partition{ID: id, First: first, Rows: rows})
		first += rows
	}
	if err := manifest.Validate(); err != nil {
		return err
	}
	submitter, err := s.submitter(spec)
	if err != nil {
		return err
	}
	if submitter != nil {
		defer submitter.Close()
	}
	source, err := s.source(ctx, spec, submitter)
	if err != nil {
		return s.named(err)
	}
	defer source.Close()
	if source.Rows() != spec.Rows {
		return s.named(fault.Inputf(fault.In(firstName(source)), "has %d rows here and %d where the job was made", source.Rows(), spec.Rows).
			Do("every worker must see the same files"))
	}
	sink, err := s.sink(spec, submitter)
	if err != nil {
		return s.named(err)
	}
	divide, leave := s.node.budget.Join()
	defer leave()
	engine, err := NewEngine(Config{Source: source, Manifest: manifest, Threads: s.node.config.Threads, Labels: sink,
		Raw: cmp.Or(s.node.config.Memory, math.MaxInt64), Memory: s.node.config.spillLimit(), Divide: divide, Spill: s.node.config.SpillRows, NoSpill: s.node.config.NoSpill, Job: s.id, Name: s.node.config.Name, Self: s.node.config.Address, Peers: s.node.peers, Lost: s.lost, Did: s.did,
		Read: func(rows int64) { s.rows.Add(rows); s.node.meters.read.Add(rows) }})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.engine = engine
	s.mu.Unlock()
	err = Serve(ctx, NewCore(s.node.config.Name), engine, s)
	return errors.Join(err, engine.Close())
}

// spillLimit is the memory that engines keep to together: where there is no disk, placement alone sees to it.
func (c *NodeConfig) spillLimit() int64 {
	if c.SpillRows == "" {
		return 0
	}
	return c.Memory
}

// firstName is the file that messages about all of the data name; a submitter's need not have one.
func firstName(source dataset.Source) string {
	if names := source.Names(); len(names) > 0 {
		return names[0]
	}
	return ""
}

// lost is told that another worker did not answer a question about ids, so that they are read again here.
func (s *session) lost(owner string, err error) {
	s.lines().Info("ids are read again", "owner", owner, "error", err)
}

// named says on which worker data could not be read: it may be there for the others.
func (s *session) named(err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		on := *known
		on.Problem = fmt.Sprintf("on worker %s: %s", s.node.config.Name, known.Problem)
		return &on
	}
	return fmt.Errorf("on worker %s: %w", s.node.config.Name, err)
}

func (s *session) fetch(ctx context.Context, bulk pb.BulkClient) (*pb.JobSpec, error) {
	if bulk == nil {
		return nil, errFetch
	}
	stream, err := bulk.Job(ctx, &pb.JobRef{Job: s.id})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFetch, err)
	}
	data, err := receiveChunks(stream.Recv, maxMessage)
	if _, said := status.FromError(err); err != nil && said {
		return nil, fmt.Errorf("%w: %w", errFetch, err)
	}
	if err != nil {
		return nil, err
	}
	spec := &pb.JobSpec{}
	if err := proto.Unmarshal(data, spec); err != nil {
		return nil, err
	}
	if spec.Data == nil || len(spec.PartitionRows) == 0 {
		return nil, errors.New("the job's specification is empty")
	}
	return spec, nil
}

// submitter opens a connection to the process that submitted the job, where it is needed.
func (s *session) submitter(spec *pb.JobSpec) (*grpc.ClientConn, error) {
	if spec.Data.Submitter == "" {
		return nil, nil
	}
	if _, err := netip.ParseAddrPort(spec.Data.Submitter); err != nil { // gRPC would take names of sockets and of resolvers too
		return nil, fault.Inputf(fault.Place{Row: fault.NoRow}, "the job's submitter is at %q, which is no address", spec.Data.Submitter)
	}
	return s.node.config.Dial(spec.Data.Submitter, secure.Client)
}

func (s *session) source(ctx context.Context, spec *pb.JobSpec, submitter *grpc.ClientConn) (dataset.Source, error) {
	if spec.Data.WithSubmitter {
		if submitter == nil {
			return nil, errors.New("the job's data lies with a submitter that has no address")
		}
		return remote.Dial(submitter, spec.Data.Token, spec.Data.Description)
	}
	return open.Sources(ctx, spec.Data.Files, open.Options{Roots: s.node.roots(), Pins: remote.PinsOf(spec.Data.Pins), SpoolDir: s.node.config.Spill})
}

// roots restricts what is opened, also where there are none.
func (n *Node) roots() []string { return append([]string{}, n.config.Roots...) }

func (s *session) sink(spec *pb.JobSpec, submitter *grpc.ClientConn) (LabelSink, error) {
	l := spec.Labels
	switch {
	case l == nil:
		return nil, nil
	case l.Submitter && submitter != nil:
		sink := NewSubmitterSink(pb.NewSubmitterClient(submitter), spec.Data.Token)
		sink.Address = spec.Data.Submitter
		return sink, nil
	case l.Folder != "":
		parts, err := NewPartSink(l.Folder, l.Format, s.node.roots(), PartOptions{RowNumbers: l.RowNumbers, Detail: l.Detail})
		if err != nil {
			return nil, err
		}
		parts.job, parts.count = s.id, len(spec.PartitionRows)
		return parts, nil
	}
	return nil, errors.New("the job's labels go nowhere")
}

// Tasks implements Link.
func (s *session) Tasks() <-chan *wire.Task { return s.tasks }

// Reply implements Link: the answer is sent beside the work, so that the next task does not wait for the network.
func (s *session) Reply(ctx context.Context, a *wire.Answer) error {
	s.node.wait.Go(func() { s.deliver(ctx, a) })
	return nil
}

// deliver sends an answer. One that does not arrive is asked for again once the connection is back.
func (s *session) deliver(ctx context.Context, a *wire.Answer) {
	defer s.busy.Add(-1)
	serials := s.settle(a.Epoch, a.Round, a.Covered)
	defer s.end(serials...)
	n := s.node
	n.mu.Lock()
	bulk, name, packing := n.bulk, n.name, n.uplink.packing()
	n.mu.Unlock()
	if bulk == nil {
		return
	}
	serial := uint64(0)
	if len(serials) > 0 {
		serial = serials[0]
	}
	head := &pb.AnswerHead{Worker: name, Digests: a.Digests, Micros: uint64(a.Took.Microseconds()),
		Ref: &pb.TaskRef{Job: s.id, Epoch: a.Epoch, Round: a.Round, Serial: serial}}
	for _, id := range a.Covered {
		head.Covered = append(head.Covered, uint32(id))
	}
	var data []byte
	if a.Err != nil {
		s.failed(a)
		head.Failure = s.failure(a.Err)
	} else {
		var err error
		if data, err = wire.EncodePartial(a.Partial, packing); err != nil {
			head.Failure = wire.EncodeFailure(err)
		}
	}
	head.Size = uint64(len(data))
	if took, err := send(ctx, bulk, head, data); err != nil {
		s.lines().Info("answer not sent", "round", a.Round, "error", err)
	} else {
		n.mu.Lock()
		n.uplink.add(len(data), took)
		n.mu.Unlock()
	}
}

// failed logs a task that could not be done, here where its cause is. One that was given up is no failure.
func (s *session) failed(a *wire.Answer) {
	if !errors.Is(a.Err, context.Canceled) {
		s.lines().Warn("task failed", "round", a.Round, "partitions", len(a.Covered), "error", a.Err)
	}
}

// failure is what the coordinator is told of an error. What this worker alone lacks is named as its own: there may be others,
// now or later, that have it.
func (s *session) failure(err error) *pb.Failure {
	noDisk := errors.As(err, new(*spill.Trouble))
	if !noDisk && !errors.As(err, new(tooLittle)) {
		return wire.EncodeFailure(err)
	}
	f := wire.EncodeFailure(s.named(err))
	f.Kind, f.NoDisk = int32(fault.Unavailable), noDisk
	f.Remedy += "; it is a flag of coterie worker, and more workers share the rows"
	return f
}

// send sends an answer in chunks and waits for its receipt. A large one waits until the coordinator has room for it,
// which does not count as time that it took.
func send(ctx context.Context, bulk pb.BulkClient, head *pb.AnswerHead, data []byte) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	stream, err := bulk.Answer(ctx)
	if err != nil {
		return 0, err
	}
	err = stream.Send(&pb.AnswerPart{Part: &pb.AnswerPart_Head{Head: head}})
	if err == nil && len(data) > wire.UnaskedBytes {
		_, err = stream.Header()
		began = time.Now()
	}
	for chunk := range slices.Chunk(data, chunkBytes) {
		if err != nil {
			break // the other side has ended the stream: its reason comes with the receipt
		}
		err = stream.Send(&pb.AnswerPart{Part: &pb.AnswerPart_Data{Data: chunk}})
	}
	if _, closed := stream.CloseAndRecv(); closed != nil {
		return 0, closed
	}
	return time.Since(began), nil
}

// Describe implements Exchange: it looks at data that lies with the workers. Of text it reads all, so that a few at a time
// are enough; the others wait their turn.
func (n *Node) Describe(ctx context.Context, req *pb.DescribeRequest) (*pb.Description, error) {
	select {
	case n.looking <- struct{}{}:
		defer func() { <-n.looking }()
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	source, err := open.Sources(ctx, req.Files, open.Options{Roots: n.roots(), SpoolDir: n.config.Spill})
	if err != nil {
		return nil, describeError(err)
	}
	defer source.Close()
	return remote.Describe(source, remote.Pins(source)), nil
}

// describeError tells the submitter apart what lies elsewhere, perhaps with itself, from what is wrong.
func describeError(err error) error {
	if errors.Is(err, open.ErrOutside) {
		return status.Error(codes.PermissionDenied, err.Error())
	}
	return remote.Status(err)
}
