package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/internal/cluster"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/pipeline"
	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/worker"
)

// workerFlags are those of coterie worker.
type workerFlags struct {
	servingFlags
	roots   []string
	threads int64
	memory  int64
	spill   string

	rows, why string // the folder for rows that find no room in memory; empty, and why there is none
}

// newWorkerCommand is coterie worker.
func newWorkerCommand(app *App) *cobra.Command {
	f := &workerFlags{}
	cmd := &cobra.Command{
		Use:   "worker --join HOST:PORT",
		Short: "Run a worker of a cluster",
		Long: "A worker finds its coordinator by gossip, reads the partitions that it is given and computes over them. Workers may\n" +
			"come and go while jobs run: the bits of the result are the same. When ready it prints one line with its addresses;\n" +
			"on SIGTERM it finishes what it is computing and leaves.",
		Example: "  coterie worker --join 127.0.0.1:7946 --data-root /data\n" +
			"  coterie worker --join node1:7946,node2:7946 --listen 10.0.0.2:0 --gossip 10.0.0.2:0 --http 10.0.0.2:0 --data-root /data \\\n" +
			"    --tls-cert pki/worker.crt --tls-key pki/worker.key --tls-ca pki/ca.crt --gossip-key pki/gossip.key",
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), app) },
	}
	flags := cmd.Flags()
	flags.Var(newPeers(&f.join), "join", "`HOST:PORT,…` of the gossip of the coordinator, or of any worker")
	f.servingFlags.bind(cmd, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0")
	flags.Var(newNames(&f.roots), "data-root", "folders that jobs may read data from and write labels to, and prefixes s3://BUCKET/PREFIX of objects that they may read; nothing outside of them is touched")
	bindThreads(cmd, &f.threads)
	flags.Var(newBytes(&f.memory, 0, 64<<20), "memory", "how many `BYTES` this process may take, such as 4GiB; rows that find no room are spilled (default three quarters of what there is)")
	flags.StringVar(&f.spill, "spill", "", "`DIR` on a disk for rows that find no room in memory, and for data that has to be unpacked (default the temporary folder)")
	require(cmd, "join")
	return cmd
}

func (f *workerFlags) run(ctx context.Context, app *App) error {
	if err := f.check(); err != nil {
		return err
	}
	srv, err := f.open(app)
	if err != nil {
		return err
	}
	defer srv.close()
	if err := checkObjectRoots(ctx, f.roots, srv.log); err != nil {
		return err
	}
	threads := int(f.threads)
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	} else {
		runtime.GOMAXPROCS(threads)
	}
	pipeline.CollectOften()
	defer pipeline.KeepTo(f.memory)()
	if f.why != "" {
		srv.log.Warn("rows that find no room in memory cannot be spilled", "reason", f.why)
	}
	var members func() []cluster.Member
	known := make(chan struct{})
	node, err := worker.NewNode(worker.NodeConfig{Name: f.name, Version: version(), Boot: srv.boot, Address: srv.address, Threads: threads,
		Memory: f.memory, Roots: f.roots, Spill: f.spill, SpillRows: f.rows, NoSpill: f.why, Dial: srv.dial, Log: srv.log,
		Coordinator: coordinators(func() []cluster.Member { <-known; return members() })})
	if err != nil {
		return err
	}
	node.Register(srv.grpc)
	if err := srv.begin(ctx, app, cluster.Worker, node.Ready, observe.Worker, node.Report); err != nil {
		return err
	}
	members = srv.members.Members
	close(known)
	return f.serve(ctx, app, srv, node)
}

// check finds what is wrong with the flags, and fills in the memory.
func (f *workerFlags) check() error {
	for i, root := range f.roots {
		if object.Is(root) {
			if _, err := open.ObjectRoot(root); err != nil {
				return err
			}
			continue
		}
		full, err := filepath.Abs(root)
		if err != nil {
			return fault.Failedf(err, "--data-root %s", root)
		}
		if info, err := os.Stat(full); err != nil || !info.IsDir() {
			return fault.Failedf(nil, "--data-root %s: there is no such folder", root).Do("make it, or leave it out")
		}
		f.roots[i] = full
	}
	if f.memory == 0 {
		f.memory = spill.Limit()
	}
	var err error
	f.rows, f.why, err = spill.Folder(f.spill)
	return err
}

// serve runs until the context ends, then leaves in order.
func (f *workerFlags) serve(ctx context.Context, app *App, srv *server, node *worker.Node) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	defer srv.grpc.Stop()
	served := make(chan error, 1)
	wait.Go(func() { served <- srv.grpc.Serve(srv.rpc) })
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	wait.Go(func() { node.Run(running) }) // it ends with its context alone
	if err := srv.announce(app); err != nil {
		return err
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		srv.log.Info("leaving")
		node.Drain(running)
		return nil
	}
}

// coordinators gives the addresses of the coordinators that gossip sees, in turn, and the last one known while it sees
// none: a coordinator that starts again is found at its address before gossip has heard of it.
func coordinators(members func() []cluster.Member) func() string {
	last, turn := "", 0
	return func() string {
		var found []string
		for _, m := range members() {
			if m.Role == cluster.Coordinator {
				found = append(found, m.RPC)
			}
		}
		if len(found) > 0 {
			turn++
			last = found[turn%len(found)]
		}
		return last
	}
}
