package coordinator

import (
	"context"
	"fmt"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/trace"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// exported are the values of a server's metrics by name and label.
func exported(t *testing.T, s *Server) map[string]map[string]float64 {
	t.Helper()
	registry, err := observe.Gather(observe.Coordinator, s.Report)
	if err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]map[string]float64)
	for _, f := range families {
		by := make(map[string]float64)
		for _, m := range f.Metric {
			label := ""
			if len(m.Label) > 0 {
				label = m.Label[0].GetValue()
			}
			by[label] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
		values[f.GetName()] = by
	}
	return values
}

// knowing makes a server that knows jobs and workers, of which none does anything.
func knowing(jobs, workers int) *Server {
	s := &Server{room: newGate(1 << 20), meters: newMeters(), jobs: make(map[string]*jobRun), members: make(map[string]*member)}
	for i := range jobs {
		id := fmt.Sprintf("job-%03d", i)
		state := jobDone
		if i == 0 {
			state = jobRunning // the oldest
		}
		s.order = append(s.order, id)
		s.jobs[id] = &jobRun{id: id, server: s, spec: &pb.JobSpec{PartitionRows: []int64{100, 50}}, info: &pb.JobInfo{State: state, Rows: 150}}
	}
	for i := range workers {
		name := fmt.Sprintf("w%d", i)
		s.members[name] = &member{name: name, hello: &pb.Hello{}, since: time.Now()}
	}
	return s
}

func TestSeriesOfJobsAndWorkersAreBoundedAndJobsUnderWayComeFirst(t *testing.T) {
	for _, c := range []struct{ jobs, workers int }{{0, 0}, {3, 2}, {observe.MaxJobs, observe.MaxMembers}, {observe.MaxJobs + 1, observe.MaxMembers + 1}} {
		values := exported(t, knowing(c.jobs, c.workers))
		if got, want := len(values["coterie_job_rows"]), min(c.jobs, observe.MaxJobs); got != want {
			t.Errorf("%d jobs: got %d series, want %d", c.jobs, got, want)
		}
		if got, want := len(values["coterie_member_ready"]), min(c.workers, observe.MaxMembers); got != want {
			t.Errorf("%d workers: got %d series, want %d", c.workers, got, want)
		}
		if got := values["coterie_workers"][stateReady]; got != float64(c.workers) {
			t.Errorf("%d workers: got %v that are ready, want all of them", c.workers, got)
		}
		for _, id := range []string{"job-000", fmt.Sprintf("job-%03d", c.jobs-1)} {
			if _, there := values["coterie_job_rows"][id]; !there && c.jobs > 0 {
				t.Errorf("%d jobs: there are no series of %s, want those of the running and of the newest", c.jobs, id)
			}
		}
	}
}

func TestAMeterFollowsTheRoundsOfAJob(t *testing.T) {
	s := knowing(1, 0)
	r := s.jobs["job-000"]
	r.meter.begin()
	at := time.Now()
	step := func(after time.Duration, a Action) {
		at = at.Add(after)
		r.measure(a, at)
	}
	value := func(name string) float64 { return exported(t, s)["coterie_"+name]["job-000"] }
	step(0, Opened{Round: 1, Kind: wire.Load, Partitions: 2})
	if got := value("job_open_partitions"); got != 2 {
		t.Errorf("as the round begins: got %v open, want 2", got)
	}
	step(time.Second, Booked{Worker: "a", Covered: []int{0}, Open: 1})
	step(time.Second, Refused{Worker: "b", Err: ErrOverlap})
	step(time.Second, Booked{Worker: "b", Covered: []int{1}, Open: 0})
	step(0, Opened{Round: 2, Kind: wire.Iterate, Partitions: 2})
	if got := value("job_rows_per_second"); got != 50 {
		t.Errorf("150 rows in 3 s: got %v a second, want 50", got)
	}
	step(time.Second, Reassigned{From: "a", Partitions: 1})
	step(0, Speculated{Slow: "b", Partitions: 2})
	step(0, Finished{})
	values := exported(t, s)
	for name, want := range map[string]map[string]float64{
		"answers_total":               {answerBooked: 2, answerRefused: 1, answerStale: 0, answerMalformed: 0},
		"partitions_reassigned_total": {"": 1}, "partitions_speculated_total": {"": 2},
		"round_seconds":       {"load": 1, "iterate": 1},
		"job_open_partitions": {"job-000": 0},
	} {
		if got := fmt.Sprint(values["coterie_"+name]); got != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if _, there := values["coterie_job_moved_rows"]; there {
		t.Error("rows that moved are told before any iteration")
	}
}

func TestOnlySoManyRoundsOfAJobHaveSpans(t *testing.T) {
	exporter := tracetest.NewInMemoryExporter()
	defer trace.Use(sdk.NewTracerProvider(sdk.WithSyncer(exporter)))()
	ctx, job := trace.Start(context.Background(), "job")
	spans := traced(ctx, nil)
	spans.observe(PhaseBegun{Phase: PhaseIterate})
	for round := range uint64(tracedRounds + 5) {
		spans.observe(Opened{Round: round + 1, Kind: wire.Iterate, Iteration: int(round + 1)})
		if within := spans.parent != ""; within != (round < tracedRounds) {
			t.Fatalf("round %d: tasks are told of a span: %v, want the first %d alone", round+1, within, tracedRounds)
		}
	}
	spans.end(nil)
	job.End(nil)
	rounds, leftOut := 0, int64(0)
	for _, s := range exporter.GetSpans() {
		if s.Name == "round iterate" {
			rounds++
		}
		for _, a := range s.Attributes {
			if a.Key == "rounds_left_out" {
				leftOut = a.Value.AsInt64()
			}
		}
	}
	if rounds != tracedRounds || leftOut != 5 {
		t.Errorf("got %d rounds and %d left out, want %d and 5", rounds, leftOut, tracedRounds)
	}
}
