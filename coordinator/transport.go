package coordinator

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/failpoint"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// inlineBytes is how large a task may be to travel with its announcement, which spares it a call of its own; the
// control connection stays small.
const inlineBytes = 16 << 10

// remindLimit is how often a worker is told again of a task that it does not know of, once with each beat.
const remindLimit = 30

// bodyField is the number of Task.body. A field that stands behind the others is merged into the message, so the body,
// which is the same for all workers of a round, is encoded once and never copied.
const bodyField = 5

// sentTask is a task that a worker has been asked for.
type sentTask struct {
	ref        *pb.TaskRef
	worker     string
	head, body []byte // one behind the other they are the encoded Task
	covered    []int
	begun      bool // the worker has said that it knows of the task
	when       time.Time
	nudged     time.Time // when it was last taken for a straggler's
	reminders  int       // how often it was announced again since the worker did not know of it
}

// note announces the task.
func (t *sentTask) note() *pb.CoordinatorNote {
	n := &pb.TaskNote{Ref: t.ref, Size: uint64(len(t.head) + len(t.body))}
	if n.Size <= inlineBytes {
		n.Inline = append(append([]byte(nil), t.head...), t.body...)
	}
	return &pb.CoordinatorNote{Note: &pb.CoordinatorNote_Task{Task: n}}
}

// Send implements Transport: it encodes the task, notes that it is expected, and announces it. A task that cannot be
// encoded is no worker's fault: it ends the job.
func (r *jobRun) Send(_ context.Context, worker string, t *wire.Task) error {
	failpoint.Hit("assign")
	sent, err := r.prepare(worker, t)
	if err != nil {
		r.box().post(Cancelled{Reason: err})
		return nil
	}
	r.mu.Lock()
	r.sent.add(sent)
	if r.iterates {
		r.work.asked(worker, len(sent.head)+len(sent.body))
	}
	r.mu.Unlock()
	if err := r.server.announce(worker, sent.note()); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sent.remove(worker, func(t *sentTask) bool { return t == sent })
		return err
	}
	return nil
}

// prepare encodes a task.
func (r *jobRun) prepare(worker string, t *wire.Task) (*sentTask, error) {
	body, err := r.encode(t)
	if err != nil {
		return nil, err
	}
	head := &pb.Task{Epoch: t.Epoch, Round: t.Round, Kind: string(t.Kind), Trace: []byte(t.Trace)}
	for _, id := range t.Partitions {
		head.Partitions = append(head.Partitions, uint32(id))
	}
	data, err := proto.Marshal(head)
	if err != nil {
		return nil, err
	}
	data = protowire.AppendTag(data, bodyField, protowire.BytesType)
	data = protowire.AppendVarint(data, uint64(len(body)))
	return &sentTask{worker: worker, head: data, body: body, covered: t.Partitions, when: time.Now(),
		ref: &pb.TaskRef{Job: r.id, Epoch: t.Epoch, Round: t.Round, Serial: r.server.serial.Add(1)}}, nil
}

// announce queues a note for a worker. An error means that the worker is lost.
func (s *Server) announce(worker string, note *pb.CoordinatorNote) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.members[worker]
	if m == nil || m.lost {
		return fmt.Errorf("worker %s is gone", worker)
	}
	s.meters.sent.Add(int64(len(note.GetTask().GetInline())))
	if !m.send(note) {
		s.giveUp(m, false)
		return fmt.Errorf("worker %s does not take its notes", worker)
	}
	return nil
}

// encode gives the body of a round's tasks. The first task of a round makes everything before it forgotten.
func (r *jobRun) encode(t *wire.Task) ([]byte, error) {
	r.mu.Lock()
	if r.round == t.Round {
		defer r.mu.Unlock()
		return r.body, nil
	}
	r.mu.Unlock()
	addressed := *t
	addressed.Owners = r.server.addresses(t.Owners)
	if t.Reload != nil {
		reload := *t.Reload
		reload.Owners = r.server.addresses(t.Reload.Owners)
		addressed.Reload = &reload
	}
	message, err := wire.EncodeBody(&addressed)
	if err != nil {
		return nil, err
	}
	body, err := proto.Marshal(message)
	if err != nil {
		return nil, err
	}
	context := t.Context(len(r.spec.PartitionRows))
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.pace.turn() {
		r.mail.post(m)
	}
	r.round, r.epoch, r.body, r.context = t.Round, t.Epoch, body, context
	r.kind, r.took0, r.timed = t.Kind, time.Now(), nil
	r.iterates = t.Kind == wire.Iterate || slices.ContainsFunc(t.Strands, func(s *wire.Task) bool { return s.Kind == wire.Iterate })
	r.sent = sentTasks{}
	return body, nil
}

// addresses are where the workers of these names serve the others; empty for who is not there.
func (s *Server) addresses(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]string, len(names))
	for i, name := range names {
		if m := s.members[name]; m != nil {
			list[i] = m.hello.Address
		}
	}
	return list
}

// find is a task that is still wanted.
func (r *jobRun) find(ref *pb.TaskRef) *sentTask {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ref.Epoch != r.epoch {
		return nil
	}
	return r.sent.bySerial[ref.Serial]
}

// announcements are notes of all tasks that a worker is still asked for.
func (r *jobRun) announcements(worker string) []*pb.CoordinatorNote {
	r.mu.Lock()
	defer r.mu.Unlock()
	var notes []*pb.CoordinatorNote
	for _, t := range r.sent.byWorker[worker] {
		notes = append(notes, t.note())
	}
	return notes
}

// reminders are notes of the tasks that a worker was asked for before some time and does not know of. One that it has
// been reminded of too often is given up: it may be there and yet unable to fetch it.
func (r *jobRun) reminders(worker string, before time.Time, pending map[uint64]bool) []*pb.CoordinatorNote {
	r.mu.Lock()
	defer r.mu.Unlock()
	var notes []*pb.CoordinatorNote
	r.sent.remove(worker, func(t *sentTask) bool {
		known := pending[t.ref.Serial]
		t.begun = t.begun || known
		if known || !t.when.Before(before) {
			return false
		}
		if t.reminders++; t.reminders <= remindLimit {
			notes = append(notes, t.note())
			return false
		}
		r.mail.post(Answered{Answer: &wire.Answer{Epoch: t.ref.Epoch, Round: t.ref.Round, Worker: worker, Covered: t.covered,
			Err: fault.Failedf(nil, "worker %s was asked %d times for its part of round %d and did not take it up", worker, remindLimit, t.ref.Round).
				Do("see its log")}})
		return true
	})
	return notes
}

// dismiss forgets what a worker that is lost was asked for: others are asked now. What it answers all the same is taken.
// It gives the partitions that the worker had begun, never nil.
func (r *jobRun) dismiss(worker string) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	begun := []int{}
	r.sent.remove(worker, func(t *sentTask) bool {
		if t.begun {
			begun = append(begun, t.covered...)
		}
		return true
	})
	return begun
}

// expects gives the mailbox for an answer to the round, and what its decoder needs to know; no mailbox if it is not wanted
// any more, or has been taken already.
func (r *jobRun) expects(ref *pb.TaskRef) (wire.Context, *mailbox) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ref.Epoch != r.epoch || ref.Round != r.round || r.round == 0 || r.sent.answered[ref.Serial] {
		return wire.Context{}, nil
	}
	return r.context, r.mail
}

// box is the mailbox of the run under way, or of the last one.
func (r *jobRun) box() *mailbox {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mail
}

// took notes that a task has been answered, and how long that took. It is false for an answer that was taken before and has come
// again, since its receipt was lost: the job would take it for the answer to what the worker has been asked for since.
func (r *jobRun) took(head *pb.AnswerHead) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.sent.answer(head.Ref.Serial) {
		return false
	}
	if r.iterates && head.Failure == nil {
		rows := r.rowsOf(head.Covered)
		r.meter.answered(head.Worker, rows, time.Duration(head.Micros)*time.Microsecond)
		r.pace.add(head.Worker, rows, time.Duration(head.Micros)*time.Microsecond)
		r.work.answered(head, rows)
	}
	t := r.sent.bySerial[head.Ref.Serial]
	if t == nil { // of one that was given up: others are asked now
		return true
	}
	r.timed = append(r.timed, time.Since(t.when))
	// Asked twice for the same, a worker answers once.
	r.sent.remove(t.worker, func(other *sentTask) bool {
		same := bytes.Equal(other.head, t.head)
		if same {
			r.sent.answer(other.ref.Serial)
		}
		return same
	})
	return true
}
