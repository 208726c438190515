package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/secure"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// handIn submits a specification as it is and gives how the job ends.
func (c *camp) handIn(spec *pb.JobSpec) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	conn, err := dialPlain(c.address, secure.Coordinator)
	c.must(err)
	defer conn.Close()
	jobs := pb.NewJobsClient(conn)
	data, err := proto.Marshal(spec)
	c.must(err)
	reply, err := sendJob(ctx, jobs, &pb.SubmitHead{Size: uint64(len(data)), Detached: true}, data)
	if err != nil {
		return "refused: " + status.Convert(err).Message()
	}
	events, err := jobs.Follow(ctx, &pb.FollowRequest{Job: reply.Job})
	c.must(err)
	for {
		event, err := events.Recv()
		c.must(err)
		switch event := event.Event.(type) {
		case *pb.JobEvent_Done:
			return "done"
		case *pb.JobEvent_Failure:
			return "failed: " + event.Failure.Problem
		}
	}
}

func hostileSpec(t *testing.T) *pb.JobSpec {
	t.Helper()
	input, err := wire.EncodeInput(&wire.Input{Spec: &feature.Spec{Numeric: []string{"age"}, Scale: feature.None, Missing: feature.Fail}})
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"synth://customers?rows=1000&seed=1"}
	return &pb.JobSpec{Protocol: wire.Protocol, Input: input, Rows: 1000, PartitionRows: []int64{1000}, Data: &pb.DataSpec{Files: files},
		MinWorkers: 1, WorkerWaitMillis: 5000, Fit: &pb.FitSpec{K: 2, Init: "random", Runs: 1, MaxIterations: 3}}
}

// No specification brings a worker down: after each of them it does another job.
func TestAHostileSpecificationFailsItsJobAlone(t *testing.T) {
	c := newCamp(t, t.TempDir())
	c.worker("w0", 2)
	outside := filepath.Join(t.TempDir(), "secret.csv")
	c.must(os.WriteFile(outside, []byte("age\n1\n2\n3\n"), 0o600))
	description := &pb.Description{Rows: 7, Columns: []*pb.ColumnInfo{{Name: "age"}}}
	for name, change := range map[string]func(*pb.JobSpec){
		"other rows than the data has": func(s *pb.JobSpec) { s.Rows, s.PartitionRows = 10, []int64{10} },
		"other rows than the submitter's data has": func(s *pb.JobSpec) {
			s.Data = &pb.DataSpec{WithSubmitter: true, Submitter: "127.0.0.1:1", Description: description}
		},
		"a submitter without an address": func(s *pb.JobSpec) { s.Data = &pb.DataSpec{WithSubmitter: true, Description: description} },
		"a submitter without data":       func(s *pb.JobSpec) { s.Data = &pb.DataSpec{WithSubmitter: true, Submitter: "127.0.0.1:1"} },
		"a submitter behind a socket of the worker": func(s *pb.JobSpec) {
			s.Data = &pb.DataSpec{WithSubmitter: true, Submitter: "unix:/run/docker.sock", Description: description}
		},
		"no files":       func(s *pb.JobSpec) { s.Data.Files = nil },
		"a file outside": func(s *pb.JobSpec) { s.Data.Files, s.Rows, s.PartitionRows = []string{outside}, 3, []int64{3} },
		"a pipe":         func(s *pb.JobSpec) { s.Data.Files = []string{"/dev/stdin"} },
		"standard input": func(s *pb.JobSpec) { s.Data.Files = []string{"-"} },
		"labels outside": func(s *pb.JobSpec) {
			s.Fit.Labels, s.Labels = true, &pb.LabelOutput{Folder: filepath.Dir(outside), Format: ".csv", RowNumbers: true}
		},
		"labels in a folder that is not absolute": func(s *pb.JobSpec) {
			s.Fit.Labels, s.Labels = true, &pb.LabelOutput{Folder: "labels", Format: ".csv", RowNumbers: true}
		},
		"labels of a format that is none": func(s *pb.JobSpec) {
			s.Fit.Labels, s.Labels = true, &pb.LabelOutput{Folder: filepath.Join(c.roots[0], "l"), Format: "/../../x"}
		},
		"labels to a submitter that is not there": func(s *pb.JobSpec) { s.Fit.Labels, s.Labels = true, &pb.LabelOutput{Submitter: true, RowNumbers: true} },
		"a partition without rows":                func(s *pb.JobSpec) { s.PartitionRows = []int64{0, 1000} },
		"a partition of rows below zero":          func(s *pb.JobSpec) { s.PartitionRows = []int64{1100, -100} },
		"a partition of too many rows":            func(s *pb.JobSpec) { s.Rows, s.PartitionRows = 1<<24, []int64{1 << 24} },
		"ids of a column that is not there":       func(s *pb.JobSpec) { s.Input.Id = "nobody" },
		"weights of a column that is not there":   func(s *pb.JobSpec) { s.Input.Weight = "nothing" },
		"pins of another file":                    func(s *pb.JobSpec) { s.Data.Pins = []*pb.Pin{{Path: "/etc/passwd", Size: 1}} },
		"more columns than a table has": func(s *pb.JobSpec) {
			s.Data = &pb.DataSpec{WithSubmitter: true, Submitter: "127.0.0.1:1", Description: &pb.Description{Rows: 1000, Columns: make([]*pb.ColumnInfo, 1<<16+1)}}
		},
		"starting centroids of another k":            func(s *pb.JobSpec) { s.Fit.Start = &pb.Start{K: 3, Numeric: make([]byte, 8*3)} },
		"starting centroids of a model that is none": func(s *pb.JobSpec) { s.Fit.Start = &pb.Start{K: 2, Model: []byte("{}")} },
		"a labelling with a transform of other columns": func(s *pb.JobSpec) {
			s.Fit, s.Label, s.Labels = nil, &pb.LabelSpec{Transform: []byte("{}")}, &pb.LabelOutput{Submitter: true}
		},
	} {
		spec := hostileSpec(t)
		change(spec)
		got := c.handIn(spec)
		if !strings.HasPrefix(got, "refused: ") && !strings.HasPrefix(got, "failed: ") {
			t.Errorf("%s: got %s, want the job refused or failed", name, got)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(outside)); err != nil || len(left) != 1 {
		t.Errorf("the folder outside of the roots has %d files, %v, want the one", len(left), err)
	}
	if got := c.handIn(hostileSpec(t)); got != "done" {
		t.Errorf("an honest job after them: got %s", got)
	}
}

// Names stand in every list, and a list is one message: clients begin with one.
func TestJobsWithLongNamesLockNobodyOut(t *testing.T) {
	c := newCamp(t)
	c.worker("w0", 2)
	for range 9 {
		spec := hostileSpec(t)
		spec.Name = strings.Repeat("ü", 500_000)
		if got := c.handIn(spec); got != "done" {
			t.Errorf("a job with a name of a million bytes: got %s", got)
		}
	}
	conn, err := c.cluster(1).Connect(t.Context())
	if err != nil {
		t.Fatalf("nobody reaches the coordinator any more: %v", err)
	}
	conn.Close()
}
