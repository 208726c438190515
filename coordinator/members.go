package coordinator

import (
	"fmt"
	"slices"
	"time"

	"github.com/coterie-project/coterie/internal/live"
	"github.com/coterie-project/coterie/partition"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// The states of a worker, as status shows them.
const (
	stateReady       = "ready"
	stateSuspect     = "suspect"         // no beat for too long
	stateUnreachable = "rpc-unreachable" // the same, though gossip still sees it
	stateDraining    = "draining"        // it is about to leave
)

// notesLength is how many notes may wait for a worker that does not read them; one more and it counts as lost.
const notesLength = 256

// forgetAfter is for how long a worker that is gone is still shown.
const forgetAfter = time.Minute

// member is a worker as the server knows it. The server's mutex guards it.
type member struct {
	name     string
	hello    *pb.Hello
	notes    chan *pb.CoordinatorNote // of the stream that is open; replaced with each new one
	ended    chan struct{}            // closed when another stream replaces this one, or the worker is given up
	open     bool                     // a stream is open
	since    time.Time                // of the last beat, or of the stream's end
	lost     bool                     // jobs have been told that it is lost
	came     bool                     // it has been told of before
	draining bool
	progress map[string]*pb.Progress
	used     uint64 // bytes that partitions take
	hearsay  hearsay
}

func (m *member) state(gossip func(boot string) bool) string {
	switch {
	case m.draining:
		return stateDraining
	case !m.lost:
		return stateReady
	case gossip != nil && gossip(m.hello.Boot):
		return stateUnreachable
	}
	return stateSuspect
}

// worker is what placement needs to know.
func (m *member) worker() partition.Worker {
	return partition.Worker{Name: m.name, Weight: int(max(m.hello.Threads, 1)), Memory: int64(m.hello.Memory), Spills: m.hello.Spills}
}

// held are the partitions of a job that the worker has in memory, as far as it has said so.
func (m *member) held(job string) (ids []int) {
	list := m.progress[job].GetHeld()
	for _, h := range m.hello.Held {
		if list == nil && h.Job == job {
			list = h.Partitions
		}
	}
	for _, id := range list {
		ids = append(ids, int(id))
	}
	return ids
}

// partitions is how many the worker says it holds, over all jobs. Those of one that is lost are others' now.
func (m *member) partitions() (n int) {
	if m.lost {
		return 0
	}
	for _, p := range m.progress {
		n += len(p.Held)
	}
	return n
}

// send queues a note for the worker; false means that it does not read them. The caller holds the server's mutex.
func (m *member) send(note *pb.CoordinatorNote) bool {
	if !m.open {
		return true // what it was asked for is announced again when it comes back, or goes to others when it does not
	}
	select {
	case m.notes <- note:
		return true
	default:
		return false
	}
}

// admit takes a worker in, or back: a process that was here before, told by its boot nonce, keeps its name. returned
// says so.
func (s *Server) admit(hello *pb.Hello) (m *member, returned bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range s.members {
		if known.hello.Boot == hello.Boot {
			m, returned = known, !known.lost
			close(m.ended)
		}
	}
	if m == nil {
		m = &member{name: s.freeName(hello.Name)}
		s.members[m.name] = m
	}
	m.hello, m.open, m.since, m.lost, m.draining = hello, true, time.Now(), false, false
	m.notes, m.ended = make(chan *pb.CoordinatorNote, notesLength), make(chan struct{})
	m.progress = make(map[string]*pb.Progress)
	return m, returned
}

// freeName makes a name unique. A lost worker's name goes to its successor on the same host and port. The caller holds
// the mutex.
func (s *Server) freeName(wanted string) string {
	if wanted == "" {
		wanted = "worker"
	}
	name := wanted
	for i := 2; ; i++ {
		known := s.members[name]
		if known == nil || known.lost {
			return name
		}
		name = fmt.Sprintf("%s-%d", wanted, i)
	}
}

// arrived tells the jobs of a worker that is here now. One that was never given up only hears again what it is asked
// for: its answers may have been lost with the connection.
func (s *Server) arrived(m *member, returned bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if returned {
		for _, r := range s.running() {
			for _, note := range r.announcements(m.name) {
				m.send(note)
			}
		}
		return
	}
	came := "worker joined"
	if m.came {
		came = "worker back"
	}
	m.came = true
	s.config.Log.Info(came, "worker", m.name, "address", m.hello.Address, "kernel", m.hello.Kernel, "cores", m.hello.Cores, "memory", m.hello.Memory,
		"version", m.hello.Version, "epoch", s.config.Epoch)
	s.workerEvent(live.WorkerJoined, m, "joined, with %d × %s", m.hello.Threads, m.hello.Kernel)
	for _, r := range s.running() {
		r.box().post(WorkerJoined{Worker: m.worker(), Held: m.held(r.id)})
	}
	s.schedule()
}

// beat notes that a worker is alive. One that was given up is taken back.
func (s *Server) beat(m *member, b *pb.Beat) {
	s.mu.Lock()
	if s.members[m.name] != m { // it was silent for so long that it has been forgotten, or its name is another's now
		close(m.ended)
		m.ended = make(chan struct{})
		s.mu.Unlock()
		return
	}
	m.since = time.Now()
	m.used = b.MemoryUsed
	back := m.lost && !b.Draining
	leaves := b.Draining && !m.draining
	m.draining = b.Draining
	var rows []*pb.Progress
	for _, p := range b.Progress {
		if before := m.progress[p.Job]; before == nil || p.RowsRead > before.RowsRead {
			rows = append(rows, &pb.Progress{Job: p.Job, RowsRead: p.RowsRead - before.GetRowsRead()})
		}
	}
	m.progress = make(map[string]*pb.Progress, len(b.Progress)) // of the jobs that it still has
	for _, p := range b.Progress {
		m.progress[p.Job] = p
	}
	if back {
		m.lost = false
	}
	if leaves {
		s.giveUp(m, true)
	}
	for _, p := range b.Progress {
		if r := s.jobs[p.Job]; r == nil || isOver(r.info.State) {
			m.send(&pb.CoordinatorNote{Note: &pb.CoordinatorNote_Release{Release: &pb.Release{Job: p.Job}}}) // again: it may have been missed
		}
	}
	s.remind(m, b)
	for _, p := range rows {
		if r := s.jobs[p.Job]; r != nil {
			if more := r.watch.read(int64(p.RowsRead), m.since); more > 0 {
				r.log.add(&pb.JobEvent{Event: &pb.JobEvent_Rows{Rows: &pb.RowsEvent{Rows: more}}}, false)
			}
		}
	}
	s.mu.Unlock()
	if back {
		s.arrived(m, false)
	}
}

// remind announces again what a worker was asked for some beats ago and does not know of: the announcement, the task or
// the answer was lost on the way. The caller holds the mutex.
func (s *Server) remind(m *member, b *pb.Beat) {
	if b.Draining {
		return
	}
	pending := make(map[uint64]bool)
	for _, p := range b.Progress {
		for _, serial := range p.Pending {
			pending[serial] = true
		}
	}
	before := time.Now().Add(-time.Duration(s.config.Missed) * s.config.Beat)
	for _, r := range s.running() {
		for _, note := range r.reminders(m.name, before, pending) {
			m.send(note)
		}
	}
}

// parted notes the end of a worker's stream.
func (s *Server) parted(m *member, ended chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.ended != ended {
		return // another stream has replaced it
	}
	m.open, m.since = false, time.Now()
	if m.draining {
		s.giveUp(m, true)
	}
}

// watch gives up the workers that have not been heard of for too long. It is called often.
func (s *Server) watch(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgive(now)
	for name, m := range s.members {
		silent := now.Sub(m.since)
		s.listen(m, now)
		switch {
		case m.lost && silent > forgetAfter:
			delete(s.members, name)
		case m.lost:
		case !m.open && silent > s.config.Reconnect, m.open && silent > time.Duration(s.config.Missed)*s.config.Beat:
			s.giveUp(m, false)
		}
	}
}

// forgive takes the time off everybody's silence in which this process itself stood still: stopped, short of a
// processor, or waiting for its disk. Their beats wait to be read. The caller holds the mutex.
func (s *Server) forgive(now time.Time) {
	gap := now.Sub(s.watched)
	if !s.watched.IsZero() && gap > s.config.Beat {
		for _, m := range s.members {
			if since := m.since.Add(gap); since.Before(now) {
				m.since = since
			} else {
				m.since = now
			}
		}
	}
	s.watched = now
}

// giveUp tells the jobs that a worker is lost, or has left. The caller holds the mutex.
func (s *Server) giveUp(m *member, left bool) {
	if m.lost {
		return
	}
	held := m.partitions()
	m.lost = true
	if !left {
		s.meters.lost.Add(1)
	}
	if left {
		s.config.Log.Info("worker left", "worker", m.name, "left", true, "partitions", held)
	} else {
		reason := "silent"
		if !m.open {
			reason = "disconnected"
		}
		s.config.Log.Warn("worker lost", "worker", m.name, "state", m.state(s.gossip), "reason", reason, "partitions", held)
	}
	if left {
		s.workerEvent(live.WorkerLeft, m, "has left")
	} else {
		s.workerEvent(live.WorkerLost, m, "lost: not heard of for %.1f s", time.Since(m.since).Seconds())
	}
	for _, r := range s.running() {
		r.box().post(WorkerLost{Name: m.name, Left: left, Begun: r.dismiss(m.name)})
	}
}

// present are the workers that can be asked, by name. The caller holds the mutex.
func (s *Server) present() []*member {
	var list []*member
	for _, m := range s.members {
		if !m.lost && !m.draining {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b *member) int { return compareNames(a.name, b.name) })
	return list
}

func sortNames(names []string) { slices.SortFunc(names, compareNames) }
