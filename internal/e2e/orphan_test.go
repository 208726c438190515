//go:build unix

package e2e

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/secure"
	"github.com/coterie-project/coterie/worker"
)

// impatient is a coordinator and a worker in this process, which gives a job up half a second after its submitter has
// gone: processes take a minute.
func impatient(t *testing.T) (address string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dial := func(address string, want secure.Role) (*grpc.ClientConn, error) {
		return grpc.NewClient(address, secure.DialOptions(nil, want, secure.Limits{})...)
	}
	store, err := checkpoint.Open(filepath.Join(t.TempDir(), "state"), checkpoint.Options{})
	must(err)
	epoch, err := store.NextEpoch()
	must(err)
	s, err := coordinator.NewServer(coordinator.ServerConfig{Version: "test", Store: store, Epoch: epoch, Orphan: 500 * time.Millisecond},
		func(address string) (*grpc.ClientConn, error) { return dial(address, secure.Worker) }, nil)
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	t.Cleanup(func() {
		wait.Wait()
		store.Close()
	})
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(err)
		return l
	}
	serve := func(l net.Listener, register func(grpc.ServiceRegistrar)) {
		g := grpc.NewServer(secure.ServerOptions(nil, secure.Limits{})...)
		register(g)
		wait.Go(func() { _ = g.Serve(l) }) // it ends with Stop
		t.Cleanup(g.Stop)
	}
	head, place := listen(), listen()
	address = head.Addr().String()
	node, err := worker.NewNode(worker.NodeConfig{Name: "w1", Version: "test", Address: place.Addr().String(), Threads: 1,
		Coordinator: func() string { return address }, Dial: dial})
	must(err)
	serve(head, s.Register)
	serve(place, node.Register)
	wait.Go(func() { _ = s.Run(ctx) })
	wait.Go(func() { _ = node.Run(ctx) })
	t.Cleanup(cancel)
	return address
}

// A submitter that is killed cannot cancel its job. One that is not detached ends by itself; one that is goes on.
func TestAJobWhoseSubmitterIsKilledEndsUnlessItIsDetached(t *testing.T) {
	t.Parallel()
	address := impatient(t)
	long := task{"fit", "synth://uniform?rows=2000000&seed=4&d=2", "-k", "40", "--tol", "0", "--max-iter", "100000"}
	run := long.begin(t, nil, "", "--cluster", address)
	state := func(id string) shownJob {
		t.Helper()
		var j shownJob
		decode(t, worked(t, nil, "jobs", "show", id, "--json", "--cluster", address), &j)
		return j
	}
	until(t, soon, "the job iterates", func() bool { return run.phase() == "iterate" })
	id := look(t, nil, address).job().ID
	detached := append(long, "--detach", "--cluster", address).begin(t, nil, "")
	if detached.code() != 0 {
		t.Fatal(detached.log.String())
	}
	var other struct{ Job string }
	decode(t, detached.out.String(), &other)
	if j := state(id); j.State != "running" {
		t.Fatalf("got %+v before the submitter is killed, want it under way", j)
	}
	run.signal(t, syscall.SIGKILL)
	until(t, soon, "the job is given up", func() bool { return state(id).State == "cancelled" })
	if j := state(id); !strings.Contains(j.Reason, "submitted it has gone") {
		t.Errorf("got the reason %q, want it to say that who submitted it has gone", j.Reason)
	}
	if j := state(other.Job); j.State != "running" {
		t.Errorf("the detached job: got %+v, want it under way", j)
	}
	worked(t, nil, "jobs", "cancel", other.Job, "--cluster", address)
}
