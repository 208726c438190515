package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/pipeline"
)

// clusterFlags name the cluster that a command talks to.
type clusterFlags struct {
	address  string // HOST:PORT of the coordinator; empty = the embedded cluster
	insecure bool
	tls      tlsFlags
}

// bind adds the flags.
func (c *clusterFlags) bind(cmd *cobra.Command, help string) {
	cmd.Flags().StringVar(&c.address, "cluster", "", help)
	c.tls.bind(cmd)
}

// cluster is what the flags name.
func (c *clusterFlags) cluster() (*pipeline.Cluster, error) {
	identity, err := c.tls.identity()
	if err != nil {
		return nil, err
	}
	return &pipeline.Cluster{Address: c.address, Identity: identity, Insecure: c.insecure, MinWorkers: 1}, nil
}

// jobFlags are those of commands that run a job here or on a cluster.
type jobFlags struct {
	clusterFlags
	detach     bool
	minWorkers int64
	workerWait time.Duration
}

// defaultWorkerWait is how long a job waits for workers.
const defaultWorkerWait = 5 * time.Minute

// bind adds the flags.
func (j *jobFlags) bind(cmd *cobra.Command) {
	j.clusterFlags.bind(cmd, "run on the cluster of the coordinator at `HOST:PORT` instead of in this process; the bits are the same")
	flags := cmd.Flags()
	flags.BoolVar(&j.detach, "detach", false, "with --cluster: print the job's id and return")
	flags.Var(newWhole(&j.minWorkers, 1, 1, 1<<20), "min-workers", "with --cluster: wait for `N` workers")
	flags.DurationVar(&j.workerWait, "worker-wait", defaultWorkerWait, "with --cluster: how long to wait for them (exit code 5 after that)")
	flags.BoolVar(&j.insecure, "insecure", false, "with --cluster: let workers read local files and hand labels in beyond loopback without TLS")
}

// apply sets where a command runs. Flags of the other place are refused: they would do nothing.
func (j *jobFlags) apply(cmd *cobra.Command, e *pipeline.Engine) error {
	changed := func(name string) bool { f := cmd.Flags().Lookup(name); return f != nil && f.Changed }
	if j.address == "" {
		for _, name := range []string{"detach", "min-workers", "worker-wait", "insecure", "tls-cert", "tls-key", "tls-ca"} {
			if changed(name) {
				return fault.Usagef("--%s is for jobs on a cluster", name).Do("name the coordinator with --cluster HOST:PORT, or leave it out")
			}
		}
		return nil
	}
	for _, name := range []string{"workers", "threads"} {
		if changed(name) {
			return fault.Usagef("--%s is for the embedded cluster, and --cluster names another", name).
				Do("the workers of a cluster have their own --threads")
		}
	}
	if j.workerWait < 0 {
		return fault.Usagef("--worker-wait: %s is negative", j.workerWait)
	}
	cluster, err := j.cluster()
	if err != nil {
		return err
	}
	cluster.Detach, cluster.MinWorkers, cluster.WorkerWait = j.detach, int(j.minWorkers), j.workerWait
	e.Cluster = cluster
	return nil
}

// parts says whether labels go to a folder that the workers of a cluster write: an absolute path with a slash at its end.
func (j *jobFlags) parts(path string) bool {
	return j.address != "" && filepath.IsAbs(path) && strings.HasSuffix(path, "/")
}

// detachedDocument is what --detach --json prints.
type detachedDocument struct {
	Job string `json:"job"`
}

// detached prints the id of a job that goes on by itself, and how to hear of it.
func (app *App) detached(asJSON bool, id, address, output string) error {
	return app.answer(asJSON, detachedDocument{Job: id}, func(w io.Writer) {
		fmt.Fprintln(w, id)
		if !app.quiet {
			fmt.Fprintln(app.Stderr, strings.TrimSpace(fmt.Sprintf("coterie: the job goes on; coterie jobs show %s --cluster %s %s", id, address, output)))
		}
	})
}
