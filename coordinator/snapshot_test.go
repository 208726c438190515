package coordinator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/live"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// kinds are those of the events, without the checkpoints, of which there may be more or fewer.
func (v *village) kinds() (list []string) {
	for _, e := range v.server.Events().After(0) {
		if e.Kind != live.Checkpoint {
			list = append(list, e.Kind)
		}
	}
	return list
}

func TestASnapshotShowsWhoWorksOnWhatAndWhatHasHappened(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		v.hand("a")
		b := v.hand("b")
		reached, goOn := b.at(wire.Iterate)
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 1; s.Name = "fit a table" })
		<-reached
		s := v.server.Snapshot()
		if len(s.Workers) != 2 || s.Workers[0].Name != "a" || s.Workers[1].State != stateReady || s.Workers[1].Threads != 1 {
			t.Errorf("got workers %+v, want a and b, ready", s.Workers)
		}
		if len(s.Jobs) != 1 || s.Jobs[0].ID != id || s.Jobs[0].State != jobRunning || s.Jobs[0].Kind != "fit" || s.Jobs[0].Phase != string(PhaseIterate) || s.Jobs[0].Open == 0 {
			t.Errorf("got jobs %+v, want the fit with partitions open", s.Jobs)
		}
		if len(s.Jobs[0].K) != 1 || s.Jobs[0].Runs == 0 || s.Jobs[0].Limit == 0 {
			t.Errorf("got %+v, want what was asked for", s.Jobs[0])
		}
		b.stop() // its connection ends, and does not come back
		goOn()
		v.calm(id)
		j := v.server.Snapshot().Jobs[0]
		if j.State != jobDone || j.Ended == nil || j.Inertia == nil || len(j.Curves) == 0 || j.Reassigned == 0 || j.Open != 0 || j.Left != nil {
			t.Errorf("got %+v, want it done, with its curve", j)
		}
		points := j.Curves[len(j.Curves)-1].Points
		if last := points[len(points)-1]; last.Iteration != j.Iteration || !(last.Inertia > *j.Inertia) {
			t.Errorf("the curve ends with %+v, want iteration %d, and an inertia above that of the centroids it led to, %v", last, j.Iteration, *j.Inertia)
		}
		got := v.kinds()
		want := []string{live.Started, live.WorkerJoined, live.WorkerJoined, live.JobSubmitted, live.JobBegun, live.WorkerLost, live.Reassigned, live.JobDone}
		if !slices.Equal(got, want) {
			t.Errorf("got events %v, want %v", got, want)
		}
		for _, e := range v.server.Events().After(0) {
			if e.Kind == live.Reassigned && (e.Worker != "b" || e.Job != id || !strings.HasPrefix(e.Text, "b lost, ")) {
				t.Errorf("got %+v, want the partitions of b", e)
			}
		}
	})
}

func TestAStragglerIsShownWithWhatTheOthersTook(t *testing.T) {
	inVillage(t, func(c *ServerConfig) { c.Straggler = 2 * time.Second }, func(t *testing.T, v *village) {
		a, b := v.hand("a"), v.hand("b")
		reached, goOn := b.at(wire.Iterate)
		defer goOn()
		a.set(func(h *hand) { h.before = func(ctx context.Context, _ *wire.Task) { sleep(ctx, time.Second) } }) // it answers, and is then asked for copies
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 2 })
		<-reached
		var seen *live.Straggling
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			for _, w := range v.server.Snapshot().Workers {
				if w.Straggling != nil && w.Name == "b" {
					seen = w.Straggling
				}
			}
		}
		if seen == nil || seen.Job != id || seen.Seconds < 2 || seen.Typical < 0.9 || seen.Partitions == 0 {
			t.Errorf("got %+v, want b behind in the job by two seconds and more, where the other took one", seen)
		}
		if !slices.Contains(v.kinds(), live.Speculated) {
			t.Errorf("got events %v, want that others compute its partitions too", v.kinds())
		}
	})
}

// Who may look at the page is not asked who they are: what a failure quotes of the data is for those who may ask for the job.
func TestASnapshotQuotesNoData(t *testing.T) {
	s := register(t, nil)
	spec := &pb.JobSpec{Protocol: wire.Protocol, Name: "fit customers.csv"}
	record := &pb.JobRecord{Info: &pb.JobInfo{Id: "job-a", Name: spec.Name, State: jobRunning}}
	r := &jobRun{id: "job-a", server: s, spec: spec, log: newEventLog(), mail: newMailbox(), info: record.Info}
	s.jobs[r.id], s.order = r, []string{r.id}
	s.ended(r, fault.Inputf(fault.Place{File: "/srv/secret/customers.csv", Row: 4, Column: "email"}, "ada@example.com stands twice"))
	text, err := json.Marshal(s.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	events, _ := json.Marshal(s.Events().After(0))
	for _, secret := range []string{"ada@", "/srv/secret", "email"} {
		if strings.Contains(string(text)+string(events), secret) {
			t.Errorf("%q is told to everybody: %s %s", secret, text, events)
		}
	}
	if j := s.Snapshot().Jobs[0]; j.State != jobFailed || !strings.Contains(record.Info.Reason, "ada@") {
		t.Errorf("got %s, and the job says %q: want it failed, and the job itself to say why", j.State, record.Info.Reason)
	}
}

func TestASnapshotIsBoundedAndSaysWhatItHides(t *testing.T) {
	s := register(t, nil)
	for i := range live.MaxWorkers + 3 {
		s.admit(hello(fmt.Sprintf("w%04d", i), fmt.Sprint(i)))
	}
	for i := range live.MaxJobs + 7 {
		id := fmt.Sprintf("job-%d", i)
		info := &pb.JobInfo{Id: id, State: jobDone, EndedUnixMillis: int64(1000 + i)}
		switch i {
		case 3:
			info.State, info.EndedUnixMillis = jobQueued, 0
		case 9:
			info.State, info.EndedUnixMillis = jobRunning, 0
		}
		s.jobs[id] = &jobRun{id: id, server: s, spec: &pb.JobSpec{}, info: info}
		s.order = append(s.order, id)
	}
	at := s.Snapshot()
	if len(at.Workers) != live.MaxWorkers || at.HiddenWorkers != 3 || len(at.Jobs) != live.MaxJobs || at.HiddenJobs != 7 {
		t.Errorf("got %d workers and %d hidden, %d jobs and %d hidden, want %d, 3, %d, 7", len(at.Workers), at.HiddenWorkers, len(at.Jobs), at.HiddenJobs, live.MaxWorkers, live.MaxJobs)
	}
	var first []string
	for _, j := range at.Jobs[:4] {
		first = append(first, j.ID)
	}
	if want := []string{"job-9", "job-3", "job-56", "job-55"}; !slices.Equal(first, want) {
		t.Errorf("got %v first, want %v: under way, queued, ended last", first, want)
	}
}

func TestAWorkerOfAnotherVersionIsToldOfOnce(t *testing.T) {
	s := register(t, nil)
	for range 3 {
		h := hello("old", "1")
		h.Protocol, h.Version = wire.Protocol-1, "0.1"
		if s.acceptable(h) == nil {
			t.Fatal("it is taken")
		}
	}
	all := s.Events().After(1) // the first is the coordinator's start
	if len(all) != 1 || all[0].Kind != live.WorkerRefused || all[0].Worker != "old" || all[0].Count != 3 {
		t.Errorf("got %+v, want one event that stands for three", all)
	}
}

func TestACheckpointThatCannotBeWrittenIsTold(t *testing.T) {
	s := register(t, nil)
	r := &jobRun{id: "no such job", server: s, spec: &pb.JobSpec{Name: "fit"}, log: newEventLog()}
	k := r.keeper(nil)
	k.put(&FitState{Totals: kmeans.NewTotals(1)})
	all := s.Events().After(0)
	if last := all[len(all)-1]; last.Kind != live.CheckpointLost || last.Job != r.id {
		t.Errorf("got %+v, want a checkpoint that was not written", last)
	}
}
