package pipeline

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/loopback"
	"github.com/coterie-project/coterie/internal/progress"
	"github.com/coterie-project/coterie/internal/secure"
	"github.com/coterie-project/coterie/internal/trace"
	"github.com/coterie-project/coterie/worker"
)

// camp is a cluster of one process: the real server and the real nodes, over real connections, without gossip.
type camp struct {
	t       testing.TB
	every   time.Duration // between checkpoints
	state   string
	address string
	roots   []string
	memory  int64 // of each worker that is started from then on; 0: not limited
	mu      sync.Mutex
	stops   []func()
	server  *coordinator.Server
	halt    func()
}

// patience is when something hangs, and nothing else: a machine that does much besides takes minutes for what takes a second. It is less than
// the ten minutes after which go test ends everything.
const patience = 8 * time.Minute

func newCamp(t testing.TB, roots ...string) *camp {
	return newCampThatKeeps(t, time.Millisecond, roots...)
}

// newCampThatKeeps makes a camp that writes a checkpoint each so often.
func newCampThatKeeps(t testing.TB, every time.Duration, roots ...string) *camp {
	c := &camp{t: t, every: every, state: t.TempDir(), roots: roots}
	t.Cleanup(c.close)
	address, err := loopback.Address() // it is started again there
	c.must(err)
	c.startCoordinator(address)
	return c
}

func dialPlain(address string, want secure.Role) (*grpc.ClientConn, error) {
	return grpc.NewClient(address, append(secure.DialOptions(nil, want, secure.Limits{}), trace.DialOptions()...)...)
}

func (c *camp) startCoordinator(address string) {
	c.t.Helper()
	store, err := checkpoint.Open(c.state, checkpoint.Options{})
	c.must(err)
	epoch, err := store.NextEpoch()
	c.must(err)
	s, err := coordinator.NewServer(coordinator.ServerConfig{Version: "test", Store: store, Epoch: epoch, Beat: 50 * time.Millisecond,
		Reconnect: 200 * time.Millisecond, Missed: 6, Checkpoint: c.every},
		func(address string) (*grpc.ClientConn, error) { return dialPlain(address, secure.Worker) }, nil)
	c.must(err)
	listener, err := net.Listen("tcp", address)
	c.must(err)
	g := grpc.NewServer(append(secure.ServerOptions(nil, secure.Limits{Rate: 1e6, Burst: 1e6}), trace.ServerOptions()...)...)
	s.Register(g)
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { g.Serve(listener) })
	wait.Go(func() { s.Run(ctx) })
	c.address, c.server = listener.Addr().String(), s
	c.halt = func() {
		cancel()
		g.Stop()
		wait.Wait()
		store.Close()
	}
}

// restart stops the coordinator and starts another one with its state, at the same address.
func (c *camp) restart() {
	c.halt()
	c.startCoordinator(c.address)
}

// worker starts a node; stop ends it without a word.
func (c *camp) worker(name string, threads int) (node *worker.Node, stop func()) {
	c.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	c.must(err)
	node, err = worker.NewNode(worker.NodeConfig{Name: name, Version: "test", Address: listener.Addr().String(), Threads: threads, Roots: c.roots,
		Memory: c.memory, SpillRows: c.t.TempDir(), Coordinator: func() string { return c.address }, Dial: dialPlain})
	c.must(err)
	g := grpc.NewServer(append(secure.ServerOptions(nil, secure.Limits{Rate: 1e6, Burst: 1e6}), trace.ServerOptions()...)...)
	node.Register(g)
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { g.Serve(listener) })
	wait.Go(func() { node.Run(ctx) })
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			g.Stop()
			wait.Wait()
		})
	}
	c.mu.Lock()
	c.stops = append(c.stops, stop)
	c.mu.Unlock()
	return node, stop
}

func (c *camp) close() {
	for _, stop := range c.stops {
		stop()
	}
	c.halt()
	c.stops, c.halt = nil, func() {}
}

func (c *camp) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// cluster is how a request names the camp.
func (c *camp) cluster(workers int) *Cluster {
	return &Cluster{Address: c.address, MinWorkers: workers, WorkerWait: 20 * time.Second}
}

// fitTwice runs a request here and on the camp's cluster, and gives digests and labels of both.
func fitTwice(t *testing.T, c *camp, workers int, r FitRequest, extension string) (here, there string) {
	t.Helper()
	dir := t.TempDir()
	run := func(name string, cluster *Cluster) string {
		r := r
		r.Model, r.Labels = filepath.Join(dir, name+".json"), filepath.Join(dir, name+extension)
		r.Engine = Engine{Workers: 2, Threads: 2, Reporter: progress.New(progress.None, nil), Cluster: cluster}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		outcome, err := Fit(ctx, &r)
		if err != nil {
			return "error: " + err.Error()
		}
		labels, err := os.ReadFile(r.Labels)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s %v %d %x", outcome.Digest, outcome.Model.Inertia, outcome.Model.Iterations, sum(labels))
	}
	return run("here", nil), run("there", c.cluster(workers))
}

const made = "synth://customers?rows=60000&seed=7"

func madeFit() FitRequest {
	return FitRequest{Data: Data{Files: []string{made}, Features: []string{"age", "income", "recency_days", "frequency", "monetary"},
		Log1p: []string{"income", "monetary"}, Categorical: []string{"gender"}}, K: 6, Init: "k-means-parallel", Runs: 2, MaxIter: 40, Tolerance: 1e-4}
}

func TestAFitOnAClusterGivesTheBitsOfOneProcess(t *testing.T) {
	root := t.TempDir()
	local := writeCustomers(t, root, "customers.csv", 50000)
	for _, workers := range []int{1, 3} {
		c := newCamp(t, root)
		for i := range workers {
			c.worker(fmt.Sprintf("w%d", i), 1)
		}
		for name, files := range map[string]string{"made by the workers": made, "read by the workers": local, "served by the submitter": relative(t, local)} {
			r := madeFit()
			r.Data.Files = []string{files}
			r.Data.Categorical, r.Data.Features = nil, append(r.Data.Features, "gender")
			r.Data.Orders = []feature.Order{{Column: "gender", Levels: []string{"x", "m", "f"}}}
			if files == made {
				r.Data.Categorical, r.Data.Features, r.Data.Orders = []string{"gender"}, r.Data.Features[:5], nil
				r.Data.Weights = []feature.Weight{{Column: "gender", Factor: 0.5}, {Column: "income", Factor: 3}}
				r.Data.Fold = &feature.Fold{Percent: 10}
				r.Data.Features = append(r.Data.Features, "education")
				r.Data.Orders = []feature.Order{{Column: "education", Levels: []string{"secondary", "vocational", "bachelor", "master", "doctorate"}}}
			}
			if here, there := fitTwice(t, c, workers, r, ".csv"); here != there {
				t.Errorf("%d workers, %s: got %s, want %s", workers, name, there, here)
			}
		}
	}
}

func TestErrorsOfAClusterAreThoseOfOneProcess(t *testing.T) {
	root := t.TempDir()
	c := newCamp(t, root)
	for i := range 2 {
		c.worker(fmt.Sprintf("w%d", i), 1)
	}
	bad := filepath.Join(root, "bad.csv")
	var lines strings.Builder
	lines.WriteString("id,x,y\n")
	for i := range 40000 {
		fmt.Fprintf(&lines, "%d,%d,%d\n", i, i%7, i%11)
	}
	text := lines.String()
	c.must(os.WriteFile(bad, []byte(strings.Replace(text, "\n31000,4,2\n", "\n31000,four,2\n", 1)), 0o600))
	twice := filepath.Join(root, "twice.csv")
	c.must(os.WriteFile(twice, []byte(strings.Replace(text, "\n39000,", "\n17,", 1)), 0o600))
	for name, r := range map[string]FitRequest{
		"a bad row":                    {Data: Data{Files: []string{bad}}, K: 3},
		"an id twice":                  {Data: Data{Files: []string{twice}}, K: 3},
		"too many clusters":            {Data: Data{Files: []string{twice}, ID: "y", Features: []string{"x"}, Duplicates: "first"}, K: 40},
		"a file that does not exist":   {Data: Data{Files: []string{filepath.Join(root, "none.csv")}}, K: 3},
		"a column that does not exist": {Data: Data{Files: []string{bad}, Features: []string{"z"}}, K: 3},
	} {
		r.Init, r.Runs, r.MaxIter = "k-means-parallel", 1, 10
		here, there := fitTwice(t, c, 2, r, ".csv")
		if here != there || !strings.HasPrefix(here, "error: ") {
			t.Errorf("%s:\n got %s\nwant %s", name, there, here)
		}
	}
}
