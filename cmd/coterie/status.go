package main

import (
	"context"
	"fmt"
	"io"

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

type workerDocument struct {
	Name       string `json:"name"`
	Address    string `json:"address"`
	State      string `json:"state"`
	Cores      uint32 `json:"cores"`
	Memory     uint64 `json:"memory"`
	Kernel     string `json:"kernel"`
	Partitions uint32 `json:"partitions"`
	MemoryUsed uint64 `json:"memory_used"`
	Version    string `json:"version"`
}

// newStatusCommand is coterie status.
func newStatusCommand(app *App) *cobra.Command {
	var c clusterFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status --cluster HOST:PORT",
		Short: "Show the workers and jobs of a cluster",
		Args:  exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.ask(cmd.Context(), func(ctx context.Context, jobs pb.JobsClient) error {
				reply, err := jobs.Status(ctx, &pb.StatusRequest{})
				if err != nil {
					return err
				}
				return app.answer(asJSON, statusOf(reply), func(w io.Writer) { writeStatus(w, reply) })
			})
		},
	}
	c.bind(cmd, "the coordinator's `HOST:PORT`")
	addJSON(cmd, &asJSON)
	require(cmd, "cluster")
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
		d.Workers = append(d.Workers, workerDocument{Name: w.Name, Address: w.Address, State: w.State, Cores: w.Cores, Memory: w.Memory,
			Kernel: w.Kernel, Partitions: w.Partitions, MemoryUsed: w.MemoryUsed, Version: w.Version})
	}
	return d
}

func writeStatus(w io.Writer, r *pb.StatusReply) {
	fmt.Fprintf(w, "%d workers, coordinator of version %s in epoch %d\n", len(r.Workers), r.Version, r.Epoch)
	for _, m := range r.Workers {
		fmt.Fprintf(w, "  %-24s %-16s %-22s %3d cores  %-9s %4d partitions  %s of %s\n", m.Name, m.State, m.Address, m.Cores, m.Kernel,
			m.Partitions, inBytes(int64(m.MemoryUsed)), inBytes(int64(m.Memory)))
	}
	writeJobs(w, r.Jobs)
}
