package coordinator

import (
	"cmp"
	"slices"
	"time"

	"github.com/coterie-project/coterie/internal/live"
	"github.com/coterie-project/coterie/internal/wire"
)

// Snapshot is the cluster as people see it now: what status tells, and how the jobs go. It takes no longer than a look at
// each worker, each listed job, and the partitions that they hold.
func (s *Server) Snapshot() *live.Snapshot {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &live.Snapshot{Time: now.UTC().Truncate(time.Millisecond), Version: s.config.Version, Epoch: s.config.Epoch, Started: s.started,
		Workers: []live.Worker{}, Jobs: []live.Job{}}
	slow, speeds := make(map[string]*live.Straggling), make(map[string]float64)
	for _, r := range s.running() {
		r.laggards(now, s.config.Straggler, slow)
		r.meter.addRates(speeds)
	}
	names := make([]string, 0, len(s.members))
	for name := range s.members {
		names = append(names, name)
	}
	sortNames(names)
	out.HiddenWorkers = max(0, len(names)-live.MaxWorkers)
	for _, name := range names[:len(names)-out.HiddenWorkers] {
		w := s.shownWorker(s.members[name], now)
		w.Straggling, w.Speed = slow[name], rounded(speeds[name])
		out.Workers = append(out.Workers, w)
	}
	list := s.shownJobs()
	out.HiddenJobs = max(0, len(list)-live.MaxJobs)
	for i, r := range list[:len(list)-out.HiddenJobs] {
		out.Jobs = append(out.Jobs, r.shown(now, i < live.MaxCurved))
	}
	return out
}

// shownWorker is a member for people. The caller holds the mutex.
func (s *Server) shownWorker(m *member, now time.Time) live.Worker {
	w := live.Worker{Name: m.name, Address: m.hello.Address, State: m.state(s.gossip), Version: m.hello.Version, Kernel: m.hello.Kernel,
		Cores: m.hello.Cores, Threads: m.hello.Threads, Memory: m.hello.Memory, MemoryUsed: m.used}
	if m.lost { // what it held is others' now
		w.Silent = seconds(now.Sub(m.since))
		return w
	}
	for id, p := range m.progress {
		w.Partitions += len(p.Held)
		if r := s.jobs[id]; r != nil {
			w.Rows += r.rowsOf(p.Held)
		}
	}
	return w
}

// seconds is a time in whole seconds.
func seconds(d time.Duration) float64 { return d.Truncate(time.Second).Seconds() }

// shownJobs are the jobs in the order in which people look for them. The caller holds the mutex.
func (s *Server) shownJobs() []*jobRun {
	rank := func(r *jobRun) int {
		switch {
		case isOver(r.info.State):
			return 2
		case r.info.State == jobQueued:
			return 1
		}
		return 0
	}
	list := make([]*jobRun, 0, len(s.order))
	for _, id := range s.order {
		list = append(list, s.jobs[id])
	}
	slices.SortStableFunc(list, func(a, b *jobRun) int {
		if ra, rb := rank(a), rank(b); ra != rb || ra < 2 {
			return ra - rb
		}
		return cmp.Compare(b.info.EndedUnixMillis, a.info.EndedUnixMillis)
	})
	return list
}

// shown is the job for people. The caller holds the server's mutex.
func (r *jobRun) shown(now time.Time, curved bool) live.Job {
	i := r.info
	j := live.Job{ID: r.id, Name: i.Name, Kind: r.kindName(), State: i.State, Rows: i.Rows, Partitions: i.Partitions, Phase: i.Phase,
		Run: int(i.Run), Iteration: int(i.Iteration), Submitted: time.UnixMilli(i.SubmittedUnixMillis).UTC(), Reassigned: i.Reassigned,
		Speculated: i.Speculated, Refused: i.Refused}
	if i.State != jobFailed { // what a failure says may quote the data
		j.Reason = i.Reason
	}
	if i.Iteration > 0 {
		j.Inertia = known(i.Inertia)
	}
	if i.EndedUnixMillis > 0 {
		at := time.UnixMilli(i.EndedUnixMillis).UTC()
		j.Ended = &at
	}
	if i.State == jobRunning {
		j.Open = r.open()
	}
	r.watch.show(&j, now, curved)
	return j
}

// kindName is what the job is, in the command's word.
func (r *jobRun) kindName() string {
	switch {
	case r.spec.Label != nil:
		return "assign"
	case len(r.spec.GetFit().GetSweep()) > 0:
		return "sweep"
	}
	return "fit"
}

// open is how many partitions the round under way waits for.
func (r *jobRun) open() int {
	r.meter.mu.Lock()
	defer r.meter.mu.Unlock()
	return r.meter.open
}

// slowLimit is what a task of the round may take before its worker counts as a straggler: at least limit, and twice what
// the middle one of those took that have answered, which is given too. ok is false while nobody has. The caller holds r.mu.
func (r *jobRun) slowLimit(limit time.Duration) (longest, middle time.Duration, ok bool) {
	if len(r.timed) == 0 || r.kind == wire.Label {
		return 0, 0, false
	}
	times := slices.Clone(r.timed)
	slices.Sort(times)
	middle = times[len(times)/2]
	return max(limit, 2*middle), middle, true
}

// laggards enters the workers that take much longer over their part of the round than the others.
func (r *jobRun) laggards(now time.Time, limit time.Duration, into map[string]*live.Straggling) {
	r.mu.Lock()
	defer r.mu.Unlock()
	longest, middle, ok := r.slowLimit(limit)
	if !ok {
		return
	}
	for _, t := range r.sent.bySerial {
		took := now.Sub(t.when)
		if took <= longest {
			continue
		}
		s := into[t.worker]
		if s == nil || s.Job != r.id {
			s = &live.Straggling{Job: r.id, Typical: middle.Round(10 * time.Millisecond).Seconds()}
			into[t.worker] = s
		}
		s.Partitions += len(t.covered)
		s.Seconds = max(s.Seconds, seconds(took))
	}
}
