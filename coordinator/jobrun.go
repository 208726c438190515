package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/failpoint"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/live"
	"github.com/coterie-project/coterie/internal/trace"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// The states of a job.
const (
	jobQueued    = "queued"
	jobWaiting   = "waiting" // for workers
	jobRunning   = "running"
	jobDone      = "done"
	jobFailed    = "failed"
	jobCancelled = "cancelled"
)

// errCancelled ends a job that somebody cancelled; what it has kept stays, so that it can be resumed.
var errCancelled = errors.New("the job was cancelled")

// errStopping ends the run of a job whose coordinator stops; the job itself goes on with the next start.
var errStopping = errors.New("the coordinator is stopping")

// jobRun is one job on the server: what it was made of, what is known of it, and, while it runs, what its workers are
// asked for.
type jobRun struct {
	id     string
	server *Server
	spec   *pb.JobSpec
	trace  string // traceparent that it was submitted under; empty: none
	logged atomic.Pointer[slog.Logger]
	input  *wire.Input
	log    *eventLog // replaced under the server's mutex when the job is resumed
	// sequence is the number of the newest checkpoint that there was when the run began.
	sequence uint64
	meter    meter

	// The server's mutex guards these.
	info      *pb.JobInfo
	ticket    string
	followers int
	alone     time.Time // since when nobody has followed it

	mu     sync.Mutex // guards the rest; it may be taken while the server's is held, never the other way round
	mail   *mailbox   // of the run under way; replaced when another begins
	cancel context.CancelCauseFunc
	last   uint64 // the last round of the runs before
	epoch  uint64
	round  uint64
	kind   wire.Kind
	// iterates says that rows are assigned in the round: how long that takes tells how fast workers are.
	iterates bool
	body     []byte // of the round's tasks
	context  wire.Context
	sent     sentTasks
	took0    time.Time       // when the round began
	timed    []time.Duration // of the round's tasks that are answered
	pace     pace
	work     workBook

	watch watch // has a mutex of its own
}

// rowsOf counts the rows of partitions.
func (r *jobRun) rowsOf(partitions []uint32) (rows int64) {
	for _, id := range partitions {
		if int(id) < len(r.spec.PartitionRows) {
			rows += r.spec.PartitionRows[id]
		}
	}
	return rows
}

// run drives the job to its end. ctx is the run's own, within parent.
func (r *jobRun) run(parent, ctx context.Context) {
	err := r.drive(parent, ctx)
	r.mu.Lock()
	r.cancel(nil)
	r.cancel, r.sent, r.body = nil, sentTasks{}, nil
	r.last = max(r.last, r.round)
	r.round = 0
	r.mu.Unlock()
	if errors.Is(err, errStopping) {
		return // its state on disk says that it is under way
	}
	r.server.ended(r, err)
}

func (r *jobRun) drive(parent, ctx context.Context) (err error) {
	config, err := r.config()
	if err != nil {
		return err
	}
	job, fit, label, err := r.program(config)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	defer wait.Wait()
	pumping, stop := context.WithCancel(context.Background())
	defer stop()
	mail := r.box()
	wait.Go(func() { mail.pump(pumping) })
	keeper := r.keeper(fit)
	defer keeper.Close()
	clock := newStopwatch()
	r.meter.begin()
	ctx, span := trace.Start(trace.Remote(ctx, r.trace), "job", trace.String("job", r.id), trace.String("name", r.spec.Name),
		trace.Int("rows", r.spec.Rows), trace.Int("partitions", len(r.spec.PartitionRows)), trace.Int("epoch", config.Epoch))
	defer func() { span.End(err) }()
	r.traced(ctx)
	patience := newPatience(r, mail)
	defer patience.stop()
	patience.begin(0, config.Workers)
	if r.server.greet(r) == 0 {
		r.waits(Waiting{Have: 0, Need: config.Workers})
	}
	err = Run(ctx, job, r, func(a Action) {
		keeper.Observe(a)
		patience.observe(a)
		clock.observe(a)
		r.measure(a, time.Now())
		r.observe(a)
	})
	var sweep *SweepResult
	if err == nil {
		sweep, err = r.sweep(ctx, fit)
	}
	switch cause := context.Cause(ctx); {
	case err == nil:
		return r.keepResult(fit, label, sweep, clock)
	case parent.Err() != nil:
		keeper.Stopped()
		return errStopping
	case cause != nil:
		keeper.Stopped()
		return cause
	}
	return err
}

// Events implements Transport.
func (r *jobRun) Events() <-chan Event { return r.box().out }

func (r *jobRun) config() (Config, error) {
	if err := checkProtocol(r.spec); err != nil { // it may have lain in the store since another version
		return Config{}, err
	}
	manifest, err := manifestOf(r.spec)
	r.mu.Lock()
	defer r.mu.Unlock()
	return Config{Manifest: manifest, Workers: int(max(r.spec.MinWorkers, 1)), Patient: true, Epoch: r.server.config.Epoch, After: r.last,
		Window: int(max(r.spec.Window, 1))}, err
}

// program makes the job's state machine, from its newest checkpoint if it has one.
func (r *jobRun) program(config Config) (*Job, *Fit, *Label, error) {
	if r.spec.Label != nil {
		options, err := labelOptions(r.spec, r.input)
		if err != nil {
			return nil, nil, nil, err
		}
		job, label, err := NewLabel(config, options)
		return job, nil, label, err
	}
	options, err := fitOptions(r.spec, r.input)
	if err != nil {
		return nil, nil, nil, err
	}
	options.Resume = r.newestState()
	job, fit, err := NewFit(config, options)
	if errors.Is(err, ErrState) {
		r.lines().Warn("checkpoint of no use; the job begins anew", "error", err)
		r.tell(live.JobAnew, "", "no checkpoint could be used: job begins anew")
		r.note(fmt.Sprintf("%v: the job begins anew", err))
		options.Resume = nil
		job, fit, err = NewFit(config, options)
	}
	r.watched(options)
	r.restored(options.Resume)
	return job, fit, nil, err
}

// newestState is the state of the newest checkpoint that is whole; nil without one.
func (r *jobRun) newestState() *FitState {
	data, sequence, skipped, err := r.server.config.Store.Load(r.id)
	for _, s := range skipped {
		r.lines().Warn("checkpoint invalid", "error", s)
		r.note(s.Error())
	}
	if err != nil {
		if !errors.Is(err, checkpoint.ErrNone) {
			r.lines().Warn("checkpoint of no use; the job begins anew", "error", err)
			r.tell(live.JobAnew, "", "no checkpoint could be used: job begins anew")
			r.note(fmt.Sprintf("%v: the job begins anew", err))
		}
		return nil
	}
	r.sequence = sequence // also of one that is of no use: those to come count on from it
	state, err := DecodeState(data)
	if err != nil {
		r.lines().Warn("checkpoint of no use; the job begins anew", "checkpoint", sequence, "error", err)
		r.tell(live.JobAnew, "", "no checkpoint could be used: job begins anew")
		r.note(fmt.Sprintf("checkpoint %d: %v: the job begins anew", sequence, err))
		return nil
	}
	r.lines().Info("resumed from checkpoint", "checkpoint", sequence, "epoch", r.server.config.Epoch)
	r.note(fmt.Sprintf("resumed from checkpoint %d", sequence))
	r.tell(live.JobResumed, "", "job resumed from checkpoint %d", sequence)
	return state
}

// observe tells followers, status and the log what the job does.
func (r *jobRun) observe(a Action) {
	switch a := a.(type) {
	case PhaseBegun:
		r.turned(a)
		r.watch.turn(a, time.Now())
		r.log.add(&pb.JobEvent{Event: &pb.JobEvent_Phase{Phase: &pb.PhaseEvent{Phase: string(a.Phase), Rows: a.Rows}}}, false)
	case *Iterated:
		failpoint.Hit("merge")
		inertia := a.Inertia()
		r.update(func(i *pb.JobInfo) { i.Run, i.Iteration, i.Inertia = uint32(a.Run), uint32(a.Iteration), inertia })
		r.watch.iterated(a, inertia, time.Now())
		r.log.add(&pb.JobEvent{Event: &pb.JobEvent_Iteration{Iteration: &pb.IterationEvent{Run: uint32(a.Run),
			Iteration: uint32(a.Iteration), Inertia: inertia, Moved: a.Moved, Rows: a.Rows}}}, false)
	case Refused:
		r.refused(a)
	case Reassigned:
		r.update(func(i *pb.JobInfo) { i.Reassigned += uint32(a.Partitions) })
		r.lines().Info("partitions reassigned", "worker", a.From, "partitions", a.Partitions)
		r.tellReassigned(a)
	case Speculated:
		r.update(func(i *pb.JobInfo) { i.Speculated += uint32(a.Partitions) })
		r.lines().Info("partitions speculated", "worker", a.Slow, "partitions", a.Partitions, "workers", len(a.Idle))
		r.note(fmt.Sprintf("%s is slow, %d of its partitions are computed by others too", a.Slow, a.Partitions))
		r.tell(live.Speculated, a.Slow, "%s is slow, %s computed by others too", a.Slow, partitionsAre(a.Partitions))
	case Waiting:
		r.waits(a)
	}
}

// refused tells of an answer that was not booked. Why a worker has failed may quote the data: the page that anybody can see
// does not say it.
func (r *jobRun) refused(a Refused) {
	if !a.Failed {
		r.update(func(i *pb.JobInfo) { i.Refused++ })
		r.lines().Info("answer refused", "worker", a.Worker, "error", a.Err)
		r.tell(live.Refused, a.Worker, "an answer of %s was not counted", a.Worker)
		return
	}
	r.update(func(i *pb.JobInfo) {
		if i.Refused++; i.Trouble == "" {
			i.Trouble = a.Err.Error()
		}
	})
	r.lines().Warn("task failed", "worker", a.Worker, "error", a.Err)
	r.note(fmt.Sprintf("%v: others are asked for its part", a.Err))
	if unavailable(a.Err) {
		r.tell(live.Refused, a.Worker, "%s has no room for its rows: others are asked for them", a.Worker)
		return
	}
	r.tell(live.Refused, a.Worker, "%s could not do its part: others are asked for it", a.Worker)
}

func (r *jobRun) waits(a Waiting) {
	state, reason := jobRunning, ""
	if a.Have < a.Need {
		r.lines().Info("job waits for workers", "workers", a.Have, "need", a.Need)
		state, reason = jobWaiting, fmt.Sprintf("%d/%d workers", a.Have, a.Need)
		r.tell(live.JobWaits, "", "job waits for workers: %d of %d are here", a.Have, a.Need)
	}
	r.update(func(i *pb.JobInfo) { i.State, i.Reason = state, reason })
	r.log.add(&pb.JobEvent{Event: &pb.JobEvent_State{State: &pb.JobState{State: state, Reason: reason}}}, false)
}

// note tells followers something that a person may want to know.
func (r *jobRun) note(text string) {
	r.log.add(&pb.JobEvent{Event: &pb.JobEvent_Note{Note: text}}, false)
}

func (r *jobRun) update(change func(*pb.JobInfo)) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	change(r.info)
}

// straggler posts that a worker takes much longer than the others: at least limit, and twice what the middle one of
// those took that have answered.
func (r *jobRun) straggler(now time.Time, limit time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	limit, _, ok := r.slowLimit(limit)
	if !ok {
		return
	}
	for _, t := range r.sent.bySerial {
		// Again and again: the first time there may have been nobody idle.
		if now.Sub(t.when) > limit && now.Sub(t.nudged) > limit {
			t.nudged = now
			r.mail.post(Straggling{Worker: t.worker})
		}
	}
}

// sweep scores what a sweep has found; nil for another job. The workers are asked nothing meanwhile.
func (r *jobRun) sweep(ctx context.Context, fit *Fit) (*SweepResult, error) {
	if fit == nil || fit.sweep == nil {
		return nil, nil
	}
	return fit.Sweep(ctx, runtime.GOMAXPROCS(0))
}

// keepResult writes down what the job gave.
func (r *jobRun) keepResult(fit *Fit, label *Label, sweep *SweepResult, clock *stopwatch) error {
	result, err := resultOf(fit, label, sweep)
	if err != nil {
		return err
	}
	result.Seconds = clock.seconds()
	failpoint.Hit("label-commit")
	data, err := proto.Marshal(result)
	if err != nil {
		return err
	}
	if err := r.server.config.Store.SaveResult(r.id, data); err != nil {
		return err
	}
	if fit != nil && sweep == nil { // what was shown was the last pass's, whose centroids are not those that are written
		r.update(func(i *pb.JobInfo) { i.Inertia = fit.Result.Inertia })
	}
	return nil
}

// maxWorkerWait bounds how long a job waits for workers.
const maxWorkerWait = 30 * 24 * time.Hour

// patience bounds how long a job waits for workers.
type patience struct {
	run   *jobRun
	mail  *mailbox
	limit time.Duration

	mu    sync.Mutex
	need  int
	timer *time.Timer // nil: there are enough
}

func newPatience(r *jobRun, mail *mailbox) *patience {
	millis := min(r.spec.WorkerWaitMillis, uint64(maxWorkerWait.Milliseconds()))
	return &patience{run: r, mail: mail, limit: time.Duration(millis) * time.Millisecond}
}

func (p *patience) observe(a Action) {
	if w, ok := a.(Waiting); ok {
		p.begin(w.Have, w.Need)
	}
}

func (p *patience) begin(have, need int) {
	if have >= need {
		p.stop()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.need = need
	if p.timer == nil {
		p.timer = time.AfterFunc(p.limit, p.over)
	}
}

// over ends the job, unless there are enough workers after all and it is about to hear of them.
func (p *patience) over() {
	s := p.run.server
	s.mu.Lock()
	have := len(s.present())
	s.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.timer == nil: // stopped meanwhile
	case have >= p.need:
		p.timer.Reset(max(p.limit, time.Second))
	default:
		p.mail.post(Cancelled{Reason: &fault.Error{Kind: fault.Unavailable, Place: fault.Place{Row: fault.NoRow},
			Problem: fmt.Sprintf("%d/%d workers after waiting for %s", have, p.need, p.limit),
			Remedy:  "start more workers (coterie worker --join …), or ask for fewer with --min-workers"}})
	}
}

func (p *patience) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// stopwatch gives each moment of a job to one of its phases.
type stopwatch struct {
	phase Phase
	since time.Time
	spent map[Phase]time.Duration
}

func newStopwatch() *stopwatch {
	return &stopwatch{phase: PhaseRead, since: time.Now(), spent: make(map[Phase]time.Duration)}
}

func (w *stopwatch) observe(a Action) {
	if b, ok := a.(PhaseBegun); ok {
		w.turn(b.Phase)
	}
}

func (w *stopwatch) turn(to Phase) {
	now := time.Now()
	w.spent[w.phase] += now.Sub(w.since)
	w.phase, w.since = to, now
}

// seconds are those of read, seed, iterate and write.
func (w *stopwatch) seconds() []float64 {
	w.turn(w.phase)
	return []float64{w.spent[PhaseRead].Seconds(), w.spent[PhaseSeed].Seconds(), w.spent[PhaseIterate].Seconds(), w.spent[PhaseWrite].Seconds()}
}
