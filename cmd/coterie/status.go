package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// statusDocument is what status --json prints.
type statusDocument struct {
	Workers []workerDocument `json:"workers"`
	Jobs    []jobDocument    `json:"jobs"`
	Epoch   uint64           `json:"epoch"`
	Version string           `json:"version"`
}

// workerDocument is a worker in --json.
type workerDocument struct {
	Name       string  `json:"name"`
	Address    string  `json:"address"`
	State      string  `json:"state"`
	Cores      uint32  `json:"cores"`
	Threads    uint32  `json:"threads"`
	Memory     uint64  `json:"memory"` // bytes that partitions may take; 0: not limited
	Kernel     string  `json:"kernel"`
	Partitions uint32  `json:"partitions"`
	MemoryUsed uint64  `json:"memory_used"`
	Version    string  `json:"version"`
	Silent     float64 `json:"silent_seconds"` // since it was last heard of
}

// newStatusCommand is coterie status.
func newStatusCommand(app *App) *cobra.Command {
	var c clusterFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status --cluster HOST:PORT",
		Short: "Show the workers and jobs of a cluster",
		Example: "  coterie status --cluster 127.0.0.1:7600\n" +
			"  COTERIE_CLUSTER=127.0.0.1:7600 coterie status --json",
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.ask(cmd.Context(), func(ctx context.Context, jobs pb.JobsClient) error {
				reply, err := jobs.Status(ctx, &pb.StatusRequest{})
				if err != nil {
					return err
				}
				return app.answer(asJSON, statusOf(reply), func(w io.Writer) {
					writeStatus(w, reply, c.address, time.Now(), app.width())
				})
			})
		},
	}
	c.bindRequired(cmd)
	addJSON(cmd, &asJSON)
	return cmd
}

// ask connects to the coordinator and asks it for something.
func (c *clusterFlags) ask(ctx context.Context, do func(context.Context, pb.JobsClient) error) error {
	cluster, err := c.cluster()
	if err != nil {
		return err
	}
	return cluster.Ask(ctx, do)
}

func statusOf(r *pb.StatusReply) *statusDocument {
	d := &statusDocument{Workers: []workerDocument{}, Jobs: jobDocuments(r.Jobs), Epoch: r.Epoch, Version: r.Version}
	for _, w := range r.Workers {
		d.Workers = append(d.Workers, workerDocument{Name: w.Name, Address: w.Address, State: w.State, Cores: w.Cores, Threads: w.Threads, Memory: w.Memory,
			Kernel: w.Kernel, Partitions: w.Partitions, MemoryUsed: w.MemoryUsed, Version: w.Version, Silent: float64(w.SilentMillis) / 1000})
	}
	return d
}

// writeStatus shows a cluster to people: who works, and on what.
func writeStatus(w io.Writer, r *pb.StatusReply, address string, now time.Time, width int) {
	fmt.Fprintf(w, "coordinator %s, version %s, epoch %d\n\n", address, visible(r.Version), r.Epoch)
	writeWorkers(w, r, width)
	fmt.Fprintln(w)
	writeJobs(w, r.Jobs, address, now, width)
}

func writeWorkers(w io.Writer, r *pb.StatusReply, width int) {
	if len(r.Workers) == 0 {
		fmt.Fprintln(w, "no workers yet: coterie worker --join HOST:PORT, with the gossip= address of the coordinator's ready line")
		return
	}
	g := newGrid(0, "worker", "state", "address", ">cores", ">partitions", ">memory")
	for _, m := range r.Workers {
		g.add(m.Name, m.State, m.Address, workerCores(m), grouped(int64(m.Partitions)), workerMemory(m))
		if note := workerNote(m, r.Version); note != "" {
			g.note(note)
		}
	}
	g.write(w, width)
}

// workerCores says with how much of what a worker computes: 2 × avx512, or 1 of 2 × avx512 where it has fewer threads
// than its machine has cores.
func workerCores(m *pb.WorkerInfo) string {
	if m.Threads > 0 && m.Threads != m.Cores {
		return fmt.Sprintf("%d of %d × %s", m.Threads, m.Cores, m.Kernel)
	}
	return fmt.Sprintf("%d × %s", m.Cores, m.Kernel)
}

// workerMemory says how much of its memory a worker has used.
func workerMemory(m *pb.WorkerInfo) string {
	if m.Memory == 0 {
		return inBytes(int64(m.MemoryUsed))
	}
	return fmt.Sprintf("%.0f %% of %s", 100*float64(m.MemoryUsed)/float64(m.Memory), inBytes(int64(m.Memory)))
}

// workerNote is what a person should know of a worker that is not as it should be.
func workerNote(m *pb.WorkerInfo, version string) string {
	silent := lasting(time.Duration(m.SilentMillis) * time.Millisecond)
	switch m.State {
	case "suspect":
		return fmt.Sprintf("not heard of for %s; its partitions go to others", silent)
	case "rpc-unreachable":
		return fmt.Sprintf("gossip sees it, but it has not called for %s: look at its log, and at firewalls", silent)
	case "draining":
		return "it finishes what it is at, and leaves"
	}
	if m.Version != version {
		return "of version " + m.Version + ", the coordinator of " + version
	}
	return ""
}
