package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
	"github.com/coterie-project/coterie/worker"
)

// remoteWindow is how many partitions of a label round may be under way on a cluster at once: some MiB each, held by the
// workers until it is their turn to be written.
const remoteWindow = 64

// site is where a command's job runs: the data, and the cluster if there is one.
type site struct {
	source dataset.Source
	engine *Engine
	conn   *grpc.ClientConn
	jobs   pb.JobsClient
	data   *clusterData // nil on the embedded cluster
}

// openSite opens the data where the job will run.
func openSite(ctx context.Context, d *Data, e *Engine) (*site, error) {
	s := &site{engine: e}
	if e.Cluster == nil {
		source, err := openData(ctx, d, e)
		s.source = source
		return s, err
	}
	conn, err := e.Cluster.Connect(ctx)
	if err != nil {
		return nil, err
	}
	s.conn, s.jobs = conn, pb.NewJobsClient(conn)
	if s.data, err = e.Cluster.openOnCluster(ctx, s.jobs, d, e); err != nil {
		conn.Close()
		return nil, err
	}
	s.source = s.data.source
	return s, nil
}

func (s *site) close() {
	s.source.Close()
	if s.conn != nil {
		s.conn.Close()
	}
}

// partsFolder says whether labels go to a folder that the workers write: an absolute path, or s3://bucket/prefix, that ends
// in a slash.
func partsFolder(path string) bool {
	return (filepath.IsAbs(path) || object.Is(path)) && strings.HasSuffix(path, "/")
}

// writesParts says whether the workers write the labels themselves.
func (s *site) writesParts(path string) bool { return s.data != nil && partsFolder(path) }

// labelOutput says where labels go, nil if nowhere.
func labelOutput(path string, in *wire.Input, detail bool) *pb.LabelOutput {
	if path == "" {
		return nil
	}
	o := &pb.LabelOutput{RowNumbers: in.ID == "", Detail: detail, Submitter: true}
	if partsFolder(path) {
		o.Folder, o.Submitter = filepath.Clean(path), false
		if object.Is(path) {
			o.Folder = strings.TrimRight(path, "/")
		}
		o.Format = formatOf(o.Folder)
	}
	return o
}

// formatOf is the format of a folder's parts: what the folder's name ends in, or Parquet.
func formatOf(folder string) string {
	for _, ext := range []string{".csv.gz", ".csv.zst", ".csv", ".npy"} {
		if strings.HasSuffix(folder, ext) {
			return ext
		}
	}
	return ".parquet"
}

// jobSpec is what fit and assign have in common.
func (s *site) jobSpec(name string, in *wire.Input, m *partition.Manifest, labels *pb.LabelOutput) (*pb.JobSpec, error) {
	input, err := wire.EncodeInput(in)
	if err != nil {
		return nil, err
	}
	c := s.engine.Cluster
	if c.Detach && labels != nil && labels.Submitter {
		return nil, fault.Usagef("--detach: labels would be written by this process, which does not stay").
			Do("write them where the workers are: an absolute path to a folder, with a slash at its end")
	}
	spec := &pb.JobSpec{Protocol: wire.Protocol, Data: s.data.spec, Input: input, Labels: labels, MinWorkers: uint32(max(c.MinWorkers, 1)),
		WorkerWaitMillis: uint64(c.WorkerWait.Milliseconds()), Window: remoteWindow,
		Name: jobName(name, s.source.Names())}
	coordinator.SetManifest(spec, m)
	return spec, nil
}

// shownNames bounds the bytes of a job's name, which is for lists and goes with everything that is told of the job.
const shownNames = 200

// jobName is what a job is called: what it does, and to which files.
func jobName(what string, files []string) string {
	name := what
	for i, f := range files {
		if len(name)+len(f) > shownNames {
			return fmt.Sprintf("%s and %d more", name, len(files)-i)
		}
		name += " " + f
	}
	return name
}

// severalNames are the names of files for a list of jobs: one, and how many more there are.
func severalNames(files []string) string {
	switch len(files) {
	case 0:
		return ""
	case 1:
		return files[0]
	}
	return fmt.Sprintf("%s and %d more", files[0], len(files)-1)
}

// run submits a job and follows it to its end. A detached one has no result.
func (s *site) run(ctx context.Context, spec *pb.JobSpec, labels worker.LabelSink, watch *stopwatch) (id string, result *pb.JobResult, err error) {
	c := s.engine.Cluster
	tied := s.data.local || spec.Labels.GetSubmitter()
	if tied {
		stop, err := c.serve(s.data, labels)
		if err != nil {
			return "", nil, err
		}
		defer stop()
	}
	if id, err = c.submit(ctx, s.jobs, spec); err != nil || c.Detach {
		return id, nil, err
	}
	if s.engine.submitted != nil {
		s.engine.submitted(id)
	}
	result, err = c.follow(ctx, s.jobs, id, s.engine, watch, tied)
	return id, result, err
}
