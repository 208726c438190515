package coordinator

import (
	"context"
	"log/slog"

	"github.com/coterie-project/coterie/internal/trace"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// lines is the log of the job: each line names it, and the trace that it belongs to.
func (r *jobRun) lines() *slog.Logger {
	if log := r.logged.Load(); log != nil {
		return log
	}
	r.traced(trace.Remote(context.Background(), r.trace))
	return r.logged.Load()
}

// traced says which trace the job's lines name.
func (r *jobRun) traced(ctx context.Context) {
	log := r.server.config.Log.With("job", r.id)
	if id := trace.ID(ctx); id != "" {
		log = log.With("trace_id", id)
	}
	r.logged.Store(log)
}

// turned notes a phase, and logs one that is not the one before: a phase may go over the rows several times.
func (r *jobRun) turned(p PhaseBegun) {
	before := ""
	r.update(func(i *pb.JobInfo) { before, i.Phase = i.Phase, string(p.Phase) })
	if before != string(p.Phase) {
		r.lines().Info("job phase", "phase", string(p.Phase), "rows", p.Rows)
	}
}
