package coordinator

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/wire"
)

// The words for what became of an answer, and for why a worker was not let in.
const (
	answerBooked    = "booked"
	answerRefused   = "refused"
	answerStale     = "stale"
	answerMalformed = "malformed"

	refusedVersion = "version"
	refusedHello   = "hello"
)

// meters count what the server has done since it began. They only ever grow.
type meters struct {
	reassigned, speculated, lost, received, sent, written, unwritten atomic.Int64

	answers map[string]*atomic.Int64 // by outcome
	refused map[string]*atomic.Int64 // workers, by reason
	ended   map[string]*atomic.Int64 // jobs, by state
	rounds  *prometheus.HistogramVec // seconds, by kind
}

func newMeters() *meters {
	return &meters{answers: counters(answerBooked, answerRefused, answerStale, answerMalformed), refused: counters(refusedVersion, refusedHello),
		ended: counters(jobDone, jobFailed, jobCancelled), rounds: observe.NewHistogram("round_seconds", observe.Seconds)}
}

// counters are those of a fixed set of words: others cannot be counted, and all are shown from the beginning.
func counters(words ...string) map[string]*atomic.Int64 {
	m := make(map[string]*atomic.Int64, len(words))
	for _, w := range words {
		m[w] = new(atomic.Int64)
	}
	return m
}

// Report gives monitoring the values that the server has now.
func (s *Server) Report(to observe.Sink) {
	m := s.meters
	to.Value("epoch", float64(s.config.Epoch))
	to.Value("answer_bytes", float64(s.room.held()))
	for name, n := range map[string]*atomic.Int64{"partitions_reassigned_total": &m.reassigned, "partitions_speculated_total": &m.speculated,
		"workers_lost_total": &m.lost, "received_bytes_total": &m.received, "sent_bytes_total": &m.sent} {
		to.Value(name, float64(n.Load()))
	}
	to.Value("checkpoints_total", float64(m.written.Load()), "written")
	to.Value("checkpoints_total", float64(m.unwritten.Load()), "failed")
	for name, by := range map[string]map[string]*atomic.Int64{"answers_total": m.answers, "workers_refused_total": m.refused, "jobs_finished_total": m.ended} {
		for word, n := range by {
			to.Value(name, float64(n.Load()), word)
		}
	}
	to.Collect(m.rounds)
	s.reportMembers(to)
	s.reportJobs(to)
}

// reportMembers shows the workers: how many there are, and each of the first ones by name.
func (s *Server) reportMembers(to observe.Sink) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	states := map[string]int{stateReady: 0, stateSuspect: 0, stateUnreachable: 0, stateDraining: 0}
	rates := make(map[string]float64)
	for _, r := range s.running() {
		r.meter.addRates(rates)
	}
	names := slices.Collect(maps.Keys(s.members))
	sortNames(names)
	for i, name := range names {
		w := s.members[name]
		state := w.state(s.gossip)
		states[state]++
		if i >= observe.MaxMembers {
			continue
		}
		ready := 0.0
		if state == stateReady {
			ready = 1
		}
		for metric, value := range map[string]float64{"member_ready": ready, "member_partitions": float64(w.partitions()), "member_partition_bytes": float64(w.used),
			"member_memory_limit_bytes": float64(w.hello.Memory), "member_rows_per_second": rates[name], "member_silent_seconds": max(0, now.Sub(w.since).Seconds())} {
			to.Value(metric, value, name)
		}
	}
	for state, n := range states {
		to.Value("workers", float64(n), state)
	}
}

// reportJobs shows how many jobs there are, and what those do that have series.
func (s *Server) reportJobs(to observe.Sink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make(map[string]int)
	for _, state := range []string{jobQueued, jobWaiting, jobRunning, jobDone, jobFailed, jobCancelled} {
		states[state] = 0
	}
	for _, r := range s.jobs {
		states[r.info.State]++
	}
	for state, n := range states {
		to.Value("jobs", float64(n), state)
	}
	for _, r := range s.series() {
		to.Value("job_rows", float64(r.info.Rows), r.id)
		to.Value("job_iteration", float64(r.info.Iteration), r.id)
		to.Value("job_inertia", r.info.Inertia, r.id)
		r.meter.report(to, r.id, isOver(r.info.State))
	}
}

// series are the jobs that have series: those under way first, then the newest. The caller holds the mutex.
func (s *Server) series() []*jobRun {
	list := s.running()
	for _, id := range slices.Backward(s.order) {
		if r := s.jobs[id]; r.info.State != jobRunning && r.info.State != jobWaiting {
			list = append(list, r)
		}
	}
	return list[:min(len(list), observe.MaxJobs)]
}

// meter is what metrics show of a job's rounds.
type meter struct {
	mu    sync.Mutex
	kind  wire.Kind // of the round under way; empty: there is none
	began time.Time
	rows  int64              // of the round, that were answered for
	speed float64            // rows a second of the last round that is over
	open  int                // partitions that the round waits for
	moved int64              // of the last iteration; −1: not known
	rates map[string]float64 // rows a second of each worker's last answer
}

// observe follows what the job does.
func (r *jobRun) measure(a Action, now time.Time) {
	m, all := &r.meter, r.server.meters
	m.mu.Lock()
	defer m.mu.Unlock()
	switch a := a.(type) {
	case Opened:
		m.close(all, now)
		m.kind, m.began, m.rows, m.open = a.Kind, now, 0, a.Partitions
	case Booked:
		all.answers[answerBooked].Add(1)
		m.open = a.Open
		if m.kind == wire.Duplicates { // its partitions are ranges of ids
			return
		}
		for _, id := range a.Covered {
			m.rows += r.spec.PartitionRows[id]
		}
	case *Iterated:
		m.moved = a.Moved
	case Refused:
		all.answers[answerRefused].Add(1)
	case Reassigned:
		all.reassigned.Add(int64(a.Partitions))
		delete(m.rates, a.From)
	case Speculated:
		all.speculated.Add(int64(a.Partitions))
	case Finished:
		m.close(all, now)
	}
}

// close ends the round under way.
func (m *meter) close(all *meters, now time.Time) {
	if m.kind == "" {
		return
	}
	took := now.Sub(m.began).Seconds()
	all.rounds.WithLabelValues(string(m.kind)).Observe(took)
	if took > 0 && m.rows > 0 {
		m.speed = float64(m.rows) / took
	}
	m.kind, m.open = "", 0
}

// begin forgets what an earlier run of the job has left, and end what only those under way have.
func (m *meter) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kind, m.speed, m.open, m.moved, m.rates = "", 0, 0, -1, make(map[string]float64)
}

// answered notes how fast a worker was.
func (m *meter) answered(worker string, rows int64, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rates != nil && took > 0 && (m.rates[worker] > 0 || len(m.rates) < observe.MaxMembers) {
		m.rates[worker] = float64(rows) / took.Seconds()
	}
}

func (m *meter) addRates(to map[string]float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for worker, rate := range m.rates {
		to[worker] += rate
	}
}

// report shows the job's rounds. Of a job that is over nothing is open.
func (m *meter) report(to observe.Sink, job string, over bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	speed, open := m.speed, m.open
	if over {
		speed, open = 0, 0
	}
	if m.rates != nil && m.moved >= 0 {
		to.Value("job_moved_rows", float64(m.moved), job)
	}
	to.Value("job_rows_per_second", speed, job)
	to.Value("job_open_partitions", float64(open), job)
}
