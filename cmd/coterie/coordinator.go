package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/cluster"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/live"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/secure"
)

// coordinatorFlags are those of coterie coordinator.
type coordinatorFlags struct {
	servingFlags
	state  string
	jobs   int64
	memory int64
}

// newCoordinatorCommand is coterie coordinator.
func newCoordinatorCommand(app *App) *cobra.Command {
	f := &coordinatorFlags{}
	cmd := &cobra.Command{
		Use:   "coordinator --state DIR|s3://BUCKET/PREFIX",
		Short: "Run the coordinator of a cluster",
		Long: "The coordinator of a cluster takes jobs, shares their rows out among the workers and merges what they find.\n" +
			"Rows never pass it. What it knows of its jobs lies in --state: started again there, it goes on with them.\n" +
			"A folder is for one coordinator at a time; a prefix of an object store is taken over by the one that starts last, and\n" +
			"the one before it stops.\n" +
			"When ready it prints one line with its addresses. A browser shows the cluster, as it works, at the one of --http.",
		Example: "  coterie coordinator --state state\n  coterie coordinator --listen 10.0.0.1:7600 --gossip 10.0.0.1:7946 --http 10.0.0.1:7680 --state /var/lib/coterie \\\n" +
			"    --tls-cert pki/coordinator.crt --tls-key pki/coordinator.key --tls-ca pki/ca.crt --gossip-key pki/gossip.key",
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), app) },
	}
	flags := cmd.Flags()
	f.servingFlags.bind(cmd, "127.0.0.1:7600", "127.0.0.1:7946", "127.0.0.1:7680")
	flags.StringVar(&f.state, "state", "", "`DIR` or s3://BUCKET/PREFIX for jobs, checkpoints and results; a folder is made if it is missing")
	flags.Var(newPeers(&f.join), "join", "`HOST:PORT,…` of the gossip of others, to be found by them")
	flags.Var(newWhole(&f.jobs, 4, 1, 1000), "jobs", "how many jobs run at once; others wait")
	flags.Var(newBytes(&f.memory, 1<<30, 1<<20), "memory", "how many `BYTES` of workers' answers may wait for their merging")
	require(cmd, "state")
	return cmd
}

func (f *coordinatorFlags) run(ctx context.Context, app *App) error {
	if f.state == "" || strings.Contains(f.state, "://") && !object.Is(f.state) {
		return fault.Usagef("--state: %q is neither a folder of this machine nor s3://BUCKET/PREFIX", f.state).
			Do("name one on a local disk; it is made if it is missing")
	}
	srv, err := f.open(app)
	if err != nil {
		return err
	}
	defer srv.close()
	store, err := checkpoint.Open(f.state, checkpoint.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	epoch, err := store.NextEpoch()
	if err != nil {
		return err
	}
	var sight sightings
	s, err := coordinator.NewServer(coordinator.ServerConfig{Version: version(), Store: store, Epoch: epoch, Log: srv.log, Running: int(f.jobs),
		AnswerMemory: f.memory},
		func(address string) (*grpc.ClientConn, error) { return srv.dial(address, secure.Worker) },
		sight.seen)
	if err != nil {
		return err
	}
	s.Register(srv.grpc)
	if err := srv.begin(ctx, app, cluster.Coordinator, s.Ready, observe.Coordinator, s.Report, live.New(s)); err != nil {
		return err
	}
	sight.of(srv.members.Members)
	return f.serve(ctx, app, srv, s, store)
}

// serve runs until the context ends. Jobs that are under way keep their checkpoints and go on with the next start.
// Where another coordinator takes the state over, this one ends with an error that says so: the jobs are the other's.
func (f *coordinatorFlags) serve(ctx context.Context, app *App, srv *server, s *coordinator.Server, state *checkpoint.Store) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	defer srv.grpc.Stop() // ends the calls that Run waits for
	served := make(chan error, 1)
	wait.Go(func() { served <- srv.grpc.Serve(srv.rpc) })
	ran := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	defer stop()
	wait.Go(func() { ran <- s.Run(running) })
	overtaken := make(chan error, 1)
	wait.Go(func() { overtaken <- state.Overtaken(running) })
	if err := srv.announce(app); err != nil {
		return err
	}
	if page, err := srv.flags.reachable(srv.http.Address()); err == nil { // announce has said it
		srv.log.Info("a browser shows the cluster at its HTTP address", "address", page)
	}
	select {
	case err := <-served:
		return err
	case err := <-overtaken:
		if err != nil {
			return err
		}
		return f.stop(srv, ran)
	case <-ctx.Done():
		return f.stop(srv, ran)
	}
}

// stop ends in order.
func (f *coordinatorFlags) stop(srv *server, ran <-chan error) error {
	srv.log.Info("stopping; jobs go on with the next start")
	srv.grpc.Stop()
	<-ran
	return nil
}

// sightEvery is for how long a look at the gossip serves: the coordinator asks of every worker several times a second.
const sightEvery = time.Second

// sightings are the processes that gossip sees, by boot nonce.
type sightings struct {
	mu      sync.Mutex
	members func() []cluster.Member // nil until gossip is open
	boots   map[string]bool
	when    time.Time
}

func (s *sightings) of(members func() []cluster.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = members
}

// seen says whether gossip sees a process.
func (s *sightings) seen(boot string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members == nil {
		return false
	}
	if now := time.Now(); s.boots == nil || now.Sub(s.when) > sightEvery {
		s.boots, s.when = make(map[string]bool), now
		for _, m := range s.members() {
			s.boots[m.Boot] = true
		}
	}
	return s.boots[boot]
}
