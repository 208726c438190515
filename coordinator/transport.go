package coordinator

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/failpoint"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// inlineBytes is how large a task may be to travel with its announcement, which spares it a call of its own; the
// control connection stays small.
const inlineBytes = 16 << 10

// bodyField is the number of Task.body. A field that stands behind the others is merged into the message, so the body,
// which is the same for all workers of a round, is encoded once and never copied.
const bodyField = 5

// sentTask is a task that a worker has been asked for.
type sentTask struct {
	ref        *pb.TaskRef
	worker     string
	head, body []byte // one behind the other they are the encoded Task
	when       time.Time
	copied     bool // it was taken for a straggler's once
}

// note announces the task.
func (t *sentTask) note() *pb.CoordinatorNote {
	n := &pb.TaskNote{Ref: t.ref, Size: uint64(len(t.head) + len(t.body))}
	if n.Size <= inlineBytes {
		n.Inline = append(append([]byte(nil), t.head...), t.body...)
	}
	return &pb.CoordinatorNote{Note: &pb.CoordinatorNote_Task{Task: n}}
}

// Events implements Transport.
func (r *jobRun) Events() <-chan Event { return r.mail.out }

// Send implements Transport: it encodes the task, notes that it is expected, and announces it.
func (r *jobRun) Send(_ context.Context, worker string, t *wire.Task) error {
	failpoint.Hit("assign")
	body, err := r.encode(t)
	if err != nil {
		return err
	}
	head := &pb.Task{Epoch: t.Epoch, Round: t.Round, Kind: string(t.Kind)}
	for _, id := range t.Partitions {
		head.Partitions = append(head.Partitions, uint32(id))
	}
	data, err := proto.Marshal(head)
	if err != nil {
		return err
	}
	data = protowire.AppendTag(data, bodyField, protowire.BytesType)
	data = protowire.AppendVarint(data, uint64(len(body)))
	sent := &sentTask{worker: worker, head: data, body: body, when: time.Now(),
		ref: &pb.TaskRef{Job: r.id, Epoch: t.Epoch, Round: t.Round, Serial: r.server.serial.Add(1)}}
	r.mu.Lock()
	r.sent[sent.ref.Serial] = sent
	r.mu.Unlock()
	return r.server.announce(worker, sent.note())
}

// announce queues a note for a worker. An error means that the worker is lost.
func (s *Server) announce(worker string, note *pb.CoordinatorNote) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.members[worker]
	if m == nil || m.lost {
		return fmt.Errorf("worker %s is gone", worker)
	}
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
	r.sent = make(map[uint64]*sentTask)
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
	return r.sent[ref.Serial]
}

// announcements are notes of those tasks that a worker is still asked for which are wanted.
func (r *jobRun) announcements(worker string, wanted func(*sentTask) bool) []*pb.CoordinatorNote {
	r.mu.Lock()
	defer r.mu.Unlock()
	var notes []*pb.CoordinatorNote
	for _, t := range r.sent {
		if t.worker == worker && wanted(t) {
			notes = append(notes, t.note())
		}
	}
	return notes
}

// expects says whether an answer to the round is still wanted, and what its decoder needs to know.
func (r *jobRun) expects(ref *pb.TaskRef) (wire.Context, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.context, ref.Epoch == r.epoch && ref.Round == r.round && r.cancel != nil
}

// took notes that a task has been answered, and how long that took.
func (r *jobRun) took(head *pb.AnswerHead) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kind == wire.Iterate && head.Failure == nil {
		r.pace.add(head.Worker, r.rowsOf(head.Covered), time.Duration(head.Micros)*time.Microsecond)
	}
	if t := r.sent[head.Ref.Serial]; t != nil {
		r.timed = append(r.timed, time.Since(t.when))
		delete(r.sent, head.Ref.Serial)
	}
}
