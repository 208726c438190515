package coordinator

import (
	"fmt"

	"github.com/coterie-project/coterie/internal/live"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// happened keeps an event for those who look at the cluster. Its text says nothing of the data and names no folder: who
// may read the log, and ask for a job, learns more.
func (s *Server) happened(e live.Event) { s.events.Add(e) }

// Events are the last things that have happened.
func (s *Server) Events() *live.Events { return s.events }

// workerEvent keeps what has become of a worker.
func (s *Server) workerEvent(kind string, m *member, format string, args ...any) {
	s.happened(live.Event{Kind: kind, Worker: m.name, Text: m.name + " " + fmt.Sprintf(format, args...)})
}

// turnedAway counts and keeps that a worker is of another version. It comes again and again.
func (s *Server) turnedAway(h *pb.Hello) {
	s.meters.refused[refusedVersion].Add(1)
	s.happened(live.Event{Kind: live.WorkerRefused, Worker: h.Name, Text: fmt.Sprintf("%s turned away: it is of version %.50s", h.Name, h.Version)})
}

// called is what the job is called, for people.
func (r *jobRun) called() string { return shortName(r.spec.Name) }

// tell keeps what has become of a job; worker is who had to do with it, "" for nobody.
func (r *jobRun) tell(kind, worker, format string, args ...any) {
	r.server.happened(live.Event{Kind: kind, Job: r.id, Name: r.called(), Worker: worker, Text: fmt.Sprintf(format, args...)})
}

// tellReassigned tells followers why partitions changed hands, and keeps that if any did.
func (r *jobRun) tellReassigned(a Reassigned) {
	r.server.mu.Lock()
	m := r.server.members[a.From]
	left := m != nil && m.draining
	r.server.mu.Unlock()
	what := "lost"
	if left {
		what = "left"
	}
	noun := "partitions"
	if a.Partitions == 1 {
		noun = "partition"
	}
	text := fmt.Sprintf("%s %s, %d %s reassigned", a.From, what, a.Partitions, noun)
	r.note(text)
	if a.Partitions > 0 {
		r.tell(live.Reassigned, a.From, "%s", text)
	}
}

func partitionsAre(n int) string {
	if n == 1 {
		return "1 of its partitions is"
	}
	return fmt.Sprintf("%d of its partitions are", n)
}

// watched has the job's progress shown from where it begins.
func (r *jobRun) watched(o FitOptions) {
	rules := watchRules{runs: o.Runs * max(1, len(o.Sweep)), limit: o.MaxIterations, k: o.Sweep}
	if rules.k == nil {
		rules.k = []int{o.K}
	}
	r.watch.begin(rules, o.Resume)
}

// restored says where a job goes on that has been taken up again, and may yet wait for workers; nil: it begins anew.
func (r *jobRun) restored(s *FitState) {
	if s == nil {
		return
	}
	r.update(func(i *pb.JobInfo) {
		i.Phase, i.Run, i.Iteration = string(PhaseSeed), uint32(s.Run), 0
		if len(s.States) > 0 {
			i.Phase, i.Run, i.Iteration = string(PhaseIterate), uint32(s.States[0].Run), uint32(s.States[0].Done)
		}
	})
}

// endEvent keeps how a job has ended. What a failure says may quote the data: the job itself tells it, to those who may ask.
func (r *jobRun) endEvent(i *pb.JobInfo) {
	switch i.State {
	case jobDone:
		if i.Iteration > 0 {
			r.tell(live.JobDone, "", "job done after %d iterations", i.Iteration)
			return
		}
		r.tell(live.JobDone, "", "job done")
	case jobCancelled:
		r.tell(live.JobCancelled, "", "job cancelled")
	default:
		r.tell(live.JobFailed, "", "job failed")
	}
}
