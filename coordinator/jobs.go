package coordinator

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/live"
	"github.com/coterie-project/coterie/internal/trace"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// newID draws the id of a job.
func newID() string {
	var random [8]byte
	rand.Read(random[:]) // it does not fail: see crypto/rand
	return "job-" + strings.ToLower(strings.TrimRight(base32.StdEncoding.EncodeToString(random[:]), "="))
}

// restore takes up the jobs of the store: those that were under way go on, those that have ended can be asked about.
func (s *Server) restore() error {
	kept, err := s.config.Store.Jobs()
	if err != nil {
		return err
	}
	for _, k := range kept {
		if err := s.restoreJob(&k); err != nil {
			s.config.Log.Error("a job cannot be read", "job", k.ID, "error", err)
		}
	}
	slices.SortStableFunc(s.order, func(a, b string) int {
		return cmp.Compare(s.jobs[a].info.SubmittedUnixMillis, s.jobs[b].info.SubmittedUnixMillis)
	})
	return nil
}

// restoreJob takes up one job. One of which only the state is damaged counts as failed, so that it can be resumed.
func (s *Server) restoreJob(k *checkpoint.Job) error {
	if k.Spec == nil || errors.Is(k.Err, checkpoint.ErrNewer) {
		return k.Err
	}
	spec, record := &pb.JobSpec{}, &pb.JobRecord{}
	if err := proto.Unmarshal(k.Spec, spec); err != nil {
		return err
	}
	damage := k.Err
	if damage == nil {
		damage = proto.Unmarshal(k.State, record)
	}
	if damage == nil && record.Info == nil {
		damage = errors.New("its state says nothing")
	}
	if damage != nil {
		damage = fault.Failedf(damage, "the state of job %s is damaged", k.ID).Do("coterie jobs resume %s goes on from its last checkpoint", k.ID)
		record = &pb.JobRecord{Info: &pb.JobInfo{Name: spec.Name, State: jobFailed, Reason: damage.Error(), Rows: spec.Rows,
			Partitions: uint32(len(spec.PartitionRows))}, Failure: failureOf(damage, spec)}
	}
	record.Info.Id = k.ID
	r, err := s.newRun(k.ID, spec, record)
	if err != nil {
		return err
	}
	if isOver(record.Info.State) {
		r.close(record.Failure)
	} else {
		r.info.State, r.info.Reason = jobQueued, "the coordinator has started again"
	}
	return damage
}

func isOver(state string) bool {
	return state == jobDone || state == jobFailed || state == jobCancelled
}

// maxName is how many bytes are kept of what a job is called: names stand in every list, and a list is one message.
const maxName = 200

func shortName(name string) string {
	const more = "…"
	if len(name) <= maxName {
		return name
	}
	return strings.ToValidUTF8(name[:maxName-len(more)], "") + more
}

// newRun makes the run of a job and enters it. The caller holds the mutex, or nobody else knows the server yet.
func (s *Server) newRun(id string, spec *pb.JobSpec, record *pb.JobRecord) (*jobRun, error) {
	input, err := inputOf(spec)
	if err != nil {
		return nil, err
	}
	record.Info.Name = shortName(record.Info.Name)
	r := &jobRun{id: id, server: s, spec: spec, input: input, log: newEventLog(), mail: newMailbox(), info: record.Info,
		ticket: record.Ticket, trace: trace.Valid(record.Trace), alone: time.Now()}
	s.jobs[id] = r
	s.order = append(s.order, id)
	if r.ticket != "" {
		s.tickets[r.ticket] = id
	}
	return r, nil
}

// record is what the store keeps of a job's state. The caller holds the mutex.
func (r *jobRun) record(failure *pb.Failure) ([]byte, error) {
	return proto.Marshal(&pb.JobRecord{Info: r.info, Ticket: r.ticket, Failure: failure, Trace: r.trace})
}

// enter takes a job in: it is on disk before its id is known to anybody.
func (s *Server) enter(spec *pb.JobSpec, data []byte, ticket string, detached bool, parent string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, known := s.tickets[ticket]; known && ticket != "" {
		return id, nil
	}
	queued := 0
	for _, r := range s.jobs {
		if r.info.State == jobQueued {
			queued++
		}
	}
	if queued >= s.config.Queue {
		return "", fault.Failedf(nil, "%d jobs wait already", queued).Do("wait, or cancel some: coterie jobs list")
	}
	info := &pb.JobInfo{Name: spec.Name, State: jobQueued, Rows: spec.Rows, Partitions: uint32(len(spec.PartitionRows)),
		SubmittedUnixMillis: time.Now().UnixMilli(), Detached: detached}
	info.Id = newID()
	r, err := s.newRun(info.Id, spec, &pb.JobRecord{Info: info, Ticket: ticket, Trace: parent})
	if err != nil {
		return "", err
	}
	state, err := r.record(nil)
	if err == nil {
		err = s.config.Store.Create(r.id, data, state)
	}
	if err != nil {
		s.forget(r)
		return "", err
	}
	r.lines().Info("job submitted", "name", shortName(spec.Name), "rows", spec.Rows, "partitions", len(spec.PartitionRows))
	r.tell(live.JobSubmitted, "", "job submitted")
	s.schedule()
	return r.id, nil
}

// forget takes a job out of the tables. The caller holds the mutex.
func (s *Server) forget(r *jobRun) {
	delete(s.jobs, r.id)
	delete(s.tickets, r.ticket)
	s.order = slices.DeleteFunc(s.order, func(id string) bool { return id == r.id })
}

// running are the jobs that are under way, in the order of their submission. The caller holds the mutex.
func (s *Server) running() []*jobRun {
	var list []*jobRun
	for _, id := range s.order {
		if r := s.jobs[id]; r.info.State == jobRunning || r.info.State == jobWaiting {
			list = append(list, r)
		}
	}
	return list
}

// schedule begins jobs while there is room for more, in the order of their submission. A job whose rows do not fit
// beside those that run waits, and those behind it with it: a small job must not keep a large one out for good. The
// caller holds the mutex.
func (s *Server) schedule() {
	queued := func(id string) bool { return s.jobs[id].info.State == jobQueued }
	if s.ctx == nil || s.closed || !slices.ContainsFunc(s.order, queued) {
		return
	}
	memory, limited := s.memory()
	running := s.running()
	for _, r := range running {
		memory -= r.bytes()
	}
	for _, id := range slices.Clone(s.order) {
		r := s.jobs[id]
		if r.info.State != jobQueued {
			continue
		}
		if len(running) >= s.config.Running {
			return
		}
		if limited && len(running) > 0 && r.bytes() > memory {
			r.info.Reason = "waits for memory that other jobs hold"
			return
		}
		memory -= r.bytes()
		running = append(running, r)
		s.begin(r)
	}
}

// memory is what all workers have for partitions; limited is false where one of them has no limit. The caller holds
// the mutex.
func (s *Server) memory() (bytes int64, limited bool) {
	present := s.present()
	limited = len(present) > 0
	for _, m := range present {
		bytes += int64(m.hello.Memory)
		limited = limited && m.hello.Memory > 0
	}
	return bytes, limited
}

// bytes is roughly what a job's rows take; one-hot columns are not known before the data has been read.
func (r *jobRun) bytes() int64 {
	columns, runs := len(r.input.Spec.Numeric)+len(r.input.Spec.Categorical), 0
	if fit := r.spec.Fit; fit != nil {
		a, k := kmeans.Algorithm(fit.Algorithm), int(fit.K)
		runs = Abreast(int(fit.Runs), k, columns, r.spec.Rows, a) * a.TrackBytes(k, columns)
	}
	return r.spec.Rows * RowBytes(columns, r.input, runs)
}

// begin starts a job's goroutine. The caller holds the mutex.
func (s *Server) begin(r *jobRun) {
	r.info.State, r.info.Reason = jobRunning, ""
	r.tell(live.JobBegun, "", "job begun")
	r.alone = time.Now()
	if data, err := r.record(nil); err == nil {
		if err := s.config.Store.SetState(r.id, data); err != nil {
			r.lines().Error("job state not written", "error", err)
		}
	}
	parent := s.ctx
	ctx, cancel := context.WithCancelCause(parent)
	r.mu.Lock()
	r.mail, r.cancel = newMailbox(), cancel
	r.mu.Unlock()
	s.wait.Go(func() { r.run(parent, ctx) })
}

// greet tells a job that begins of the workers that are here, and counts them.
func (s *Server) greet(r *jobRun) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	present := s.present()
	for i, m := range present {
		r.box().post(WorkerJoined{Worker: m.worker(), Held: m.held(r.id), More: i < len(present)-1})
	}
	return len(present)
}

// ended notes how a job has ended, lets the workers forget it, and begins the next one.
func (s *Server) ended(r *jobRun, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conclude(r, err)
}

// conclude is ended for who holds the mutex.
func (s *Server) conclude(r *jobRun, err error) {
	var failure *pb.Failure
	r.info.EndedUnixMillis = time.Now().UnixMilli()
	switch {
	case err == nil:
		r.info.State, r.info.Reason = jobDone, ""
	case errors.Is(err, errCancelled):
		r.info.State, r.info.Reason = jobCancelled, err.Error()
		failure = failureOf(fault.Failedf(nil, "%s", err.Error()).Do("coterie jobs resume %s goes on from its last checkpoint", r.id), r.spec)
	default:
		failure = failureOf(err, r.spec)
		r.info.State, r.info.Reason = jobFailed, wire.DecodeFailure(failure).Error() // with its place and the next step
	}
	s.meters.ended[r.info.State].Add(1)
	r.lines().Info("job ended", "state", r.info.State, "reason", r.info.Reason, "iterations", r.info.Iteration, "epoch", s.config.Epoch,
		"seconds", float64(r.info.EndedUnixMillis-r.info.SubmittedUnixMillis)/1000)
	r.endEvent(r.info)
	data, encodeErr := r.record(failure)
	if encodeErr == nil {
		encodeErr = s.config.Store.SetState(r.id, data)
	}
	if encodeErr != nil {
		r.lines().Error("job state not written", "error", encodeErr)
	}
	for _, m := range s.members {
		m.send(&pb.CoordinatorNote{Note: &pb.CoordinatorNote_Release{Release: &pb.Release{Job: r.id}}})
	}
	r.close(failure)
	s.prune()
	s.schedule()
}

// close ends the log of a job that has ended.
func (r *jobRun) close(failure *pb.Failure) {
	if failure != nil {
		r.log.add(&pb.JobEvent{Event: &pb.JobEvent_Failure{Failure: failure}}, true)
		return
	}
	r.log.add(&pb.JobEvent{Event: &pb.JobEvent_Done{Done: &pb.JobDone{}}}, true)
}

// prune forgets the oldest jobs that have ended, beyond those that are kept. The caller holds the mutex.
func (s *Server) prune() {
	var over []*jobRun
	for _, id := range s.order {
		if r := s.jobs[id]; isOver(r.info.State) && r.followers == 0 {
			over = append(over, r)
		}
	}
	for len(over) > s.config.Kept {
		err := s.config.Store.Remove(over[0].id)
		if err != nil {
			s.config.Log.Error("job not removed", "job", over[0].id, "error", err)
		}
		if err == nil || errors.Is(err, checkpoint.ErrUnknown) {
			s.forget(over[0])
		}
		over = over[1:] // one that cannot be removed is tried again with the next end
	}
}

// tick looks for stragglers, and for jobs that nobody waits for any more.
func (s *Server) tick(now time.Time) {
	s.mu.Lock()
	running := s.running()
	var orphans []*jobRun
	for _, r := range running {
		if !r.info.Detached && r.followers == 0 && now.Sub(r.alone) > s.config.Orphan {
			orphans = append(orphans, r)
		}
	}
	s.mu.Unlock()
	for _, r := range running {
		r.straggler(now, s.config.Straggler)
	}
	for _, r := range orphans {
		r.stop(fmt.Errorf("%w: the process that submitted it has gone", errCancelled))
	}
}

// stop ends a job that is under way.
func (r *jobRun) stop(reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil {
		r.cancel(reason)
	}
}

// cancelJob ends a job, whatever it is doing.
func (s *Server) cancelJob(r *jobRun) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.info.State == jobQueued {
		s.conclude(r, errCancelled)
		return
	}
	r.stop(errCancelled)
}

// resumeJob lets a job that failed or was cancelled go on from its last checkpoint.
func (s *Server) resumeJob(ctx context.Context, r *jobRun) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.info.State {
	case jobDone:
		return fault.Failedf(nil, "job %s is done already", r.id).Do("coterie jobs show %s shows what it gave", r.id)
	case jobFailed, jobCancelled:
		if r.spec.Data.WithSubmitter || r.spec.Labels.GetSubmitter() {
			return fault.Failedf(nil, "job %s read its rows from, or handed its labels to, the process that submitted it, which has gone", r.id).
				Do("submit it again")
		}
	default:
		return nil // it is under way, or will be
	}
	before := r.info
	r.info = proto.Clone(before).(*pb.JobInfo)
	r.info.State, r.info.Reason, r.info.EndedUnixMillis = jobQueued, "", 0
	r.info.Detached = true // whoever resumes it does not stay: nobody needs to follow it
	data, err := r.record(nil)
	if err == nil {
		err = s.config.Store.SetState(r.id, data)
	}
	if err != nil {
		r.info = before // it is as it was
		return err
	}
	r.log, r.alone = newEventLog(), time.Now()
	s.schedule()
	return ctx.Err()
}
