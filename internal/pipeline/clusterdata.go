package pipeline

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/remote"
	"github.com/coterie-project/coterie/internal/secure"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
	"github.com/coterie-project/coterie/worker"
)

// clusterData is the data of a job on a cluster: described by a worker that can read it, or served by this process.
type clusterData struct {
	source dataset.Source
	spec   *pb.DataSpec
	local  bool
}

// openOnCluster finds out where the data lies. Absolute paths and objects within a data root, and made data, are read by
// the workers themselves; everything else is served from here.
func (c *Cluster) openOnCluster(ctx context.Context, jobs pb.JobsClient, d *Data, e *Engine) (*clusterData, error) {
	if theirs(d.Files) {
		data, err := c.describe(ctx, jobs, d, e)
		if data != nil || err != nil {
			return data, err
		}
	}
	if c.Detach {
		return nil, fault.Usagef("--detach: the data lies only here: %s", strings.Join(d.Files, ", ")).
			Do("leave --detach out, or give an absolute path within a --data-root of the workers")
	}
	source, err := openData(ctx, d, e)
	if err != nil {
		return nil, err
	}
	spec := &pb.DataSpec{WithSubmitter: true, Token: token(), Description: remote.Describe(source, nil)}
	return &clusterData{source: source, spec: spec, local: true}, nil
}

// theirs says whether workers may be able to read all of it.
func theirs(files []string) bool {
	for _, f := range files {
		if !strings.HasPrefix(f, "synth://") && !object.Is(f) && !filepath.IsAbs(f) {
			return false
		}
	}
	return len(files) > 0
}

// describeWait is how long a worker may take to look at the data: of text it counts the lines.
const describeWait = 10 * time.Minute

// describe has a worker look at the data; nil means that it does not lie within a data root.
func (c *Cluster) describe(ctx context.Context, jobs pb.JobsClient, d *Data, e *Engine) (*clusterData, error) {
	if err := c.awaitWorker(ctx, jobs, e); err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, describeWait)
	defer cancel()
	var description *pb.Description
	err := c.persistQuietly(bounded, func() error {
		var err error
		description, err = jobs.Describe(bounded, &pb.DescribeRequest{Files: d.Files}, grpc.MaxCallRecvMsgSize(wire.MaxDescription))
		return err
	})
	switch code := status.Code(err); {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case code == codes.PermissionDenied:
		return nil, nil
	case code == codes.DeadlineExceeded:
		return nil, &fault.Error{Kind: fault.Unavailable, Place: fault.Place{Row: fault.NoRow},
			Problem: fmt.Sprintf("no worker has described %s within %s", strings.Join(d.Files, ", "), describeWait),
			Remedy:  fmt.Sprintf("look at the workers: coterie status --cluster %s", c.Address)}
	case err != nil:
		return nil, c.call(ctx, err)
	}
	source, err := remote.Dial(nil, "", description)
	if err == nil {
		source, err = ordered(source, d.Orders)
	}
	if err != nil {
		return nil, err
	}
	return &clusterData{source: source, spec: &pb.DataSpec{Files: d.Files, Pins: description.Pins, Token: token(), Description: description}}, nil
}

// awaitWorker waits for a worker that can look at the data, for as long as a job would wait for its workers.
func (c *Cluster) awaitWorker(ctx context.Context, jobs pb.JobsClient, e *Engine) error {
	bounded, cancel := context.WithTimeout(ctx, c.WorkerWait+callWait)
	defer cancel()
	for began, told := time.Now(), false; ; {
		reply, err := jobs.Status(bounded, &pb.StatusRequest{})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && status.Code(err) != codes.Unavailable:
			return c.call(ctx, err)
		case slices.ContainsFunc(reply.GetWorkers(), func(w *pb.WorkerInfo) bool { return w.State == "ready" }):
			return nil
		case time.Since(began) >= c.WorkerWait:
			return &fault.Error{Kind: fault.Unavailable, Place: fault.Place{Row: fault.NoRow},
				Problem: fmt.Sprintf("0/%d workers after waiting for %s", max(c.MinWorkers, 1), c.WorkerWait),
				Remedy:  "start workers: coterie worker --join …"}
		case !told:
			told = true
			e.Reporter.Note(fmt.Sprintf("waiting: 0/%d workers", max(c.MinWorkers, 1)))
		}
		pause(bounded, redial)
	}
}

// persistQuietly repeats a call while the coordinator is away; the error is the call's own.
func (c *Cluster) persistQuietly(ctx context.Context, do func() error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := do()
		if status.Code(err) != codes.Unavailable || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

// submitter is this process as the workers of its job see it: it reads the rows that lie here, and writes the labels
// that are wanted here.
type submitter struct {
	*remote.Server
	token  string
	labels worker.LabelSink
}

// PutLabels implements Submitter.
func (s *submitter) PutLabels(stream pb.Submitter_PutLabelsServer) error {
	labels, err := worker.ReceiveLabels(stream, s.token)
	if err != nil {
		return err
	}
	if err := s.labels.Put(stream.Context(), labels); err != nil {
		return remote.Status(err)
	}
	return stream.SendAndClose(&pb.PutLabelsReply{})
}

// submitterRate is how many calls a second the workers of one machine may make. For each row that is set aside they ask
// where it stands, and each partition is read and labelled by calls of its own; all of it is work of this process's own job.
const submitterRate = 100_000

// serve begins to serve data and labels to the workers, where this process is reached by the coordinator's network,
// and notes the address. stop ends it and returns after the last call has.
func (c *Cluster) serve(data *clusterData, labels worker.LabelSink) (stop func(), err error) {
	host, err := c.facing()
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(host, "0")
	if secure.CheckListen("--cluster", address, c.Identity, c.Insecure) != nil {
		return nil, fault.Usagef("--cluster: the workers would read rows from this process, or hand labels to it, at %s, which other machines reach, and there is no TLS", host).
			Do("use --tls-cert, --tls-key and --tls-ca, or --insecure; data by an absolute path within a --data-root needs neither")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fault.Failedf(err, "the workers cannot be let in at %s", address)
	}
	server := grpc.NewServer(secure.ServerOptions(c.Identity, secure.Limits{Rate: submitterRate, Burst: submitterRate})...)
	pb.RegisterSubmitterServer(server, &submitter{Server: remote.Serve(data.source, data.spec.Token), token: data.spec.Token, labels: labels})
	data.spec.Submitter = listener.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(secure.Bound(listener, secure.CallRoom(c.Identity))) // it ends with Stop
	}()
	return func() {
		server.Stop()
		<-done
	}, nil
}

// facing is this machine's address towards the coordinator. No packet is sent to find it.
func (c *Cluster) facing() (string, error) {
	conn, err := net.Dial("udp", c.Address)
	if err != nil {
		return "", fault.Failedf(err, "--cluster: %s", c.Address)
	}
	defer conn.Close()
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	return host, err
}
