package pipeline

import (
	"context"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// loadCrew is the workers of a load test, and what is known of each on a cluster.
type loadCrew struct {
	workers, threads, cores int
	kernel                  string // on a cluster, where all have the same

	mu     sync.Mutex
	memory map[string]int64 // bytes that partitions took at most, by worker
	work   map[string]*pb.WorkerWork
}

// embeddedCrew is workers in this process. They share its threads; each has at least one.
func embeddedCrew(workers, threads int) *loadCrew {
	return &loadCrew{workers: workers, threads: max(workers, threads), cores: min(threads, runtime.NumCPU())}
}

// crewWait is how long a job of a load test waits for workers that have just been there.
const crewWait = time.Minute

// clusterCrew asks a cluster for its workers. None is an error.
func clusterCrew(ctx context.Context, c *Cluster) (*loadCrew, error) {
	crew := &loadCrew{memory: make(map[string]int64), work: make(map[string]*pb.WorkerWork)}
	err := c.Ask(ctx, func(ctx context.Context, jobs pb.JobsClient) error {
		reply, err := jobs.Status(ctx, &pb.StatusRequest{})
		if err == nil {
			crew.count(reply.Workers)
		}
		return err
	})
	if err == nil && crew.workers == 0 {
		return nil, &fault.Error{Kind: fault.Unavailable, Place: fault.Place{Row: fault.NoRow}, Problem: "the cluster at " + c.Address + " has no workers",
			Remedy: "start workers: coterie worker --join …; or leave out --cluster for a test in this process"}
	}
	return crew, err
}

// count takes the workers that are ready in. Those of one host share its cores.
func (c *loadCrew) count(workers []*pb.WorkerInfo) {
	threads, cores := make(map[string]int), make(map[string]int)
	for _, w := range workers {
		if w.State != "ready" {
			continue
		}
		host, _, err := net.SplitHostPort(w.Address)
		if err != nil {
			host = w.Address
		}
		c.workers++
		c.threads += int(max(w.Threads, 1))
		threads[host] += int(max(w.Threads, 1))
		cores[host] = max(cores[host], int(w.Cores), 1)
		if c.kernel == "" {
			c.kernel = w.Kernel
		} else if c.kernel != w.Kernel {
			c.kernel = "several"
		}
	}
	for host, n := range threads {
		c.cores += min(n, cores[host])
	}
}

// look is the time between two looks at the memory of workers, which report it once a second.
const look = 500 * time.Millisecond

// watch notes what memory workers take until stop is called, which waits for its end. In this process there is nothing to
// ask.
func (c *loadCrew) watch(cluster *Cluster) (stop func()) {
	if cluster == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		conn, err := cluster.Connect(ctx)
		if err != nil {
			return // the fit says why
		}
		defer conn.Close()
		for pause(ctx, look) {
			reply, err := pb.NewJobsClient(conn).Status(ctx, &pb.StatusRequest{})
			if err != nil {
				continue // it may come back
			}
			c.mu.Lock()
			for _, w := range reply.Workers {
				if w.State == "ready" {
					c.memory[w.Name] = max(c.memory[w.Name], int64(w.MemoryUsed))
				}
			}
			c.mu.Unlock()
		}
	})
	return func() {
		cancel()
		wait.Wait()
	}
}

// noteWait bounds the question what workers did in a job.
const noteWait = 5 * time.Second

// note adds what the workers did in a job. Where the coordinator does not say, the figures by worker lack that job.
func (c *loadCrew) note(cluster *Cluster, job string) {
	ctx, cancel := context.WithTimeout(context.Background(), noteWait)
	defer cancel()
	_ = cluster.Ask(ctx, func(ctx context.Context, jobs pb.JobsClient) error {
		reply, err := jobs.Show(ctx, &pb.ShowRequest{Job: job})
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, w := range reply.GetWork() {
			sum := c.work[w.Worker]
			if sum == nil {
				c.work[w.Worker] = w
				continue
			}
			sum.Answers += w.Answers
			sum.Rows += w.Rows
			sum.Micros += w.Micros
			sum.SentBytes += w.SentBytes
			sum.ReceivedBytes += w.ReceivedBytes
		}
		return err
	})
}
