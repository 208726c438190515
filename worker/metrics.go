package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/trace"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// meters count what a node has done since it began, over all its jobs. They only ever grow.
type meters struct {
	read, assigned atomic.Int64             // rows
	tasks          *prometheus.HistogramVec // seconds, by kind
}

func newMeters() *meters {
	return &meters{tasks: observe.NewHistogram("worker_task_seconds", observe.Seconds)}
}

// did counts a task that was computed.
func (m *meters) did(t *wire.Task, rows int64, took time.Duration) {
	m.tasks.WithLabelValues(string(t.Kind)).Observe(took.Seconds())
	for _, s := range strandsOf(t) {
		switch s.Kind {
		case wire.Iterate, wire.Farthest, wire.Score, wire.Label:
			m.assigned.Add(rows)
		}
	}
}

// did counts a task of the job, and logs it for those who want to know all.
func (s *session) did(t *wire.Task, rows int64, took time.Duration) {
	s.node.meters.did(t, rows, took)
	if log := s.node.config.Log; log.Enabled(context.Background(), slog.LevelDebug) {
		s.lines().Debug("task done", "epoch", t.Epoch, "round", t.Round, "kind", string(t.Kind), "partitions", len(t.Partitions), "rows", rows, "seconds", took.Seconds())
	}
}

// lines is the log of the job: each line names it, and the trace that it belongs to.
func (s *session) lines() *slog.Logger {
	log := s.node.config.Log.With("job", s.id)
	parent, _ := s.trace.Load().(string)
	if id := trace.ID(trace.Remote(context.Background(), parent)); id != "" {
		log = log.With("trace_id", id)
	}
	return log
}

// Report gives monitoring the values that the node has now.
func (n *Node) Report(to observe.Sink) {
	joined := 0.0
	if n.Ready() == nil {
		joined = 1
	}
	held, bytes := n.Held()
	to.Value("worker_joined", joined)
	to.Value("worker_partitions", float64(held))
	to.Value("worker_partition_bytes", float64(bytes))
	to.Value("worker_memory_limit_bytes", float64(n.config.Memory))
	spilled, read := n.Spilled()
	to.Value("worker_spilled_bytes", float64(spilled))
	to.Value("worker_spill_read_bytes_total", float64(read))
	to.Value("worker_rows_read_total", float64(n.meters.read.Load()))
	to.Value("worker_rows_assigned_total", float64(n.meters.assigned.Load()))
	to.Collect(n.meters.tasks)
}

// rowsIn counts the rows of a task; those of ranges of ids are not known.
func rowsIn(m *partition.Manifest, t *wire.Task) (rows int64) {
	if t.Kind == wire.Duplicates {
		return 0
	}
	for _, id := range t.Partitions {
		if id >= 0 && id < len(m.Partitions) {
			rows += m.Partitions[id].Rows
		}
	}
	return rows
}
