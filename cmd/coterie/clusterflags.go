package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
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
	cmd.Flags().Var(newPeer(&c.address), "cluster", help)
	c.tls.bind(cmd)
}

// theirAddress explains --cluster to those who can do nothing without.
const theirAddress = "`HOST:PORT` of the coordinator: its --listen address"

// bindRequired adds the flags to a command that can do nothing without a cluster.
func (c *clusterFlags) bindRequired(cmd *cobra.Command) {
	c.bind(cmd, theirAddress)
	require(cmd, "cluster")
}

// cluster is what the flags name.
func (c *clusterFlags) cluster() (*pipeline.Cluster, error) {
	identity, err := c.tls.identity()
	if err != nil {
		return nil, err
	}
	return &pipeline.Cluster{Address: c.address, Identity: identity, Insecure: c.insecure, MinWorkers: 1}, nil
}

// The flags that say something about one of the two places where a command can run.
var (
	hereFlags  = []string{"workers", "threads", "memory", "spill"}
	thereFlags = []string{"detach", "min-workers", "worker-wait", "insecure", "tls-cert", "tls-key", "tls-ca"}
)

// checkPlace refuses flags of the place where the command does not run: they would do nothing. The environment is for
// all commands alike, so what it says about the other place does not count; neither does a file that names the one
// place while the command line or the environment names the other.
func (c *clusterFlags) checkPlace(app *App, cmd *cobra.Command) error {
	place := app.origins["cluster"]
	given := func(name string) bool {
		from := app.origins[name]
		return cmd.Flags().Lookup(name) != nil && (from == byLine || from == byFile && place <= byFile)
	}
	if c.address == "" {
		for _, name := range thereFlags {
			if given(name) {
				return fault.Usagef("--%s is for jobs on a cluster", name).Do("name the coordinator with --cluster HOST:PORT, or leave it out")
			}
		}
		return nil
	}
	for _, name := range hereFlags {
		if given(name) {
			named := "--cluster"
			if place == byEnvironment {
				named = "COTERIE_CLUSTER"
			}
			return fault.Usagef("--%s is for the embedded cluster, and %s names another: %s", name, named, c.address).
				Do("leave one of them out; %s", theirOwn(name))
		}
	}
	return nil
}

// theirOwn says where on a cluster what a flag of this process says is said.
func theirOwn(name string) string {
	if name == "workers" {
		return "a cluster has the workers that have joined it"
	}
	return "the workers of a cluster are started with a --" + name + " of their own"
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
	flags.Var(newSpan(&j.workerWait, defaultWorkerWait), "worker-wait", "with --cluster: how `LONG` to wait for them (exit code 5 after that)")
	flags.BoolVar(&j.insecure, "insecure", false, "with --cluster: let workers read local files and hand labels in beyond loopback without TLS")
}

// apply sets where a command runs.
func (j *jobFlags) apply(e *pipeline.Engine) error {
	if j.address == "" {
		return nil
	}
	cluster, err := j.cluster()
	if err != nil {
		return err
	}
	cluster.Detach, cluster.MinWorkers, cluster.WorkerWait = j.detach, int(j.minWorkers), j.workerWait
	e.Cluster = cluster
	return nil
}

// detaches says whether the command only hands a job in.
func (j *jobFlags) detaches() bool { return j.detach && j.address != "" }

// parts says whether labels go to a folder that the workers of a cluster write: an absolute path, or s3://bucket/prefix,
// with a slash at its end.
func (j *jobFlags) parts(path string) bool {
	return j.address != "" && (filepath.IsAbs(path) || object.Is(path)) && strings.HasSuffix(path, "/")
}

// detachedDocument is what --detach --json prints.
type detachedDocument struct {
	Job string `json:"job"`
}

// detached prints the id of a job that goes on by itself, and how to hear of it. output is what to add to that.
func (app *App) detached(asJSON bool, id, address, output string) error {
	err := app.answer(asJSON, detachedDocument{Job: id}, func(w io.Writer) { fmt.Fprintln(w, id) })
	if err == nil && !app.quiet {
		fmt.Fprintf(app.Stderr, "coterie: the job goes on; see it with: coterie jobs show %s --cluster %s%s\n", id, address, output)
	}
	return err
}
