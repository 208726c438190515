package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/progress"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// Each loses its partitions to the next, which is gone as well: that is not the partitions' fault.
func TestAJobOutlivesAllItsWorkersBeingLostAtOnceWhileTheyRead(t *testing.T) {
	c := newCamp(t)
	var stops []func()
	for i := range 4 {
		_, stop := c.worker(fmt.Sprint("first-", i), 1)
		stops = append(stops, stop)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	rows := 1_500_000 // they take a second to be read
	if testing.Short() {
		rows = 900_000 // and with the race detector more
	}
	request := func(cluster *Cluster) *FitRequest {
		return &FitRequest{Data: Data{Files: []string{fmt.Sprintf("synth://blobs?rows=%d&d=24&centers=6&seed=2", rows)}}, K: 4, Init: "random", Runs: 1, MaxIter: 2,
			Model: filepath.Join(t.TempDir(), "model.json"), Engine: Engine{Workers: 1, Threads: 2, Reporter: progress.New(progress.None, nil), Cluster: cluster}}
	}
	type ending struct {
		outcome *FitOutcome
		err     error
	}
	ended := make(chan ending, 1)
	go func() {
		o, err := Fit(ctx, request(c.cluster(1)))
		ended <- ending{o, err}
	}()
	reading := func() bool {
		reply, err := c.server.Status(ctx, &pb.StatusRequest{})
		return err == nil && len(reply.Jobs) == 1 && reply.Jobs[0].Phase == "read" && reply.Jobs[0].State == "running"
	}
	for !reading() {
		if ctx.Err() != nil {
			t.Fatal("the job never reads")
		}
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond) // beats say that all have begun
	if !reading() {
		t.Fatal("the workers were to be lost while they read, and the job is past it")
	}
	for _, stop := range stops {
		go stop()
	}
	for gone := false; !gone && ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		reply, err := c.server.Status(ctx, &pb.StatusRequest{})
		c.must(err)
		gone = true
		for _, w := range reply.Workers {
			gone = gone && w.State != "ready"
		}
	}
	for i := range 2 {
		c.worker(fmt.Sprint("second-", i), 1)
	}
	there := <-ended
	c.must(there.err)
	here, err := Fit(ctx, request(nil))
	c.must(err)
	if there.outcome.Digest != here.Digest {
		t.Errorf("got digest %s, want %s", there.outcome.Digest, here.Digest)
	}
}
