package coordinator

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// states says in one line what each job does, in the order of their submission.
func (v *village) states(ids ...string) string {
	v.t.Helper()
	synctest.Wait()
	var words []string
	for _, id := range ids {
		words = append(words, v.info(id).State)
	}
	return strings.Join(words, " ")
}

func (v *village) expectStates(what, want string, ids ...string) {
	v.t.Helper()
	if got := v.states(ids...); got != want {
		v.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func (v *village) cancel(id string) {
	v.t.Helper()
	_, err := v.server.Cancel(v.t.Context(), &pb.CancelRequest{Job: id})
	v.must(err)
	synctest.Wait()
}

func (v *village) resume(id string) error {
	_, err := v.server.Resume(v.t.Context(), &pb.ResumeRequest{Job: id})
	return err
}

// patient is a job that waits for workers longer than any test.
func patient(s *pb.JobSpec) {
	s.MinWorkers, s.WorkerWaitMillis = 9, uint64((time.Hour * 1000).Milliseconds())
}

func TestJobsRunInTheOrderOfTheirSubmissionAsManyAtOnceAsTheConfigurationSays(t *testing.T) {
	inVillage(t, func(c *ServerConfig) { c.Running, c.Queue = 2, 3 }, func(t *testing.T, v *village) {
		var ids []string
		for range 5 {
			ids = append(ids, v.fits(patient))
		}
		v.expectStates("at first", "waiting waiting queued queued queued", ids...)
		_, err := v.submit(specOf(t, v.town, populationFit()), "", true)
		if err == nil || !strings.Contains(err.Error(), "3 jobs wait already") {
			t.Errorf("one too many: got %v, want a refusal that counts", err)
		}
		v.cancel(ids[3])
		v.expectStates("a queued one cancelled", "waiting waiting queued cancelled queued", ids...)
		v.cancel(ids[1])
		v.expectStates("one under way cancelled", "waiting cancelled waiting cancelled queued", ids...)
		v.cancel(ids[1]) // it is over: nothing happens
		v.expectStates("cancelled twice", "waiting cancelled waiting cancelled queued", ids...)
		v.must(v.resume(ids[1]))
		v.must(v.resume(ids[0])) // it is under way: nothing happens
		v.expectStates("resumed", "waiting queued waiting cancelled queued", ids...)
		v.cancel(ids[0])
		v.expectStates("the resumed one keeps its place", "cancelled waiting waiting cancelled queued", ids...)
	})
}

func TestAJobWhoseRowsDoNotFitBesideOthersWaitsForThem(t *testing.T) {
	inVillage(t, func(c *ServerConfig) { c.Running = 9 }, func(t *testing.T, v *village) {
		rows := v.manifest.Rows
		bytes := rows * RowBytes(2, testInput(), populationRuns*kmeans.Auto.TrackBytes(3, 2))
		m, _ := v.server.admit(&pb.Hello{Name: "a", Boot: "1", Address: "a", Memory: uint64(bytes*5/2) + 1})
		var ids []string
		for range 4 {
			ids = append(ids, v.fits(patient))
		}
		v.expectStates("two fit", "waiting waiting queued queued", ids...)
		if info := v.info(ids[2]); !strings.Contains(info.Reason, "memory") {
			t.Errorf("reason: got %q, want one about memory", info.Reason)
		}
		v.cancel(ids[0])
		v.expectStates("one has gone", "cancelled waiting waiting queued", ids...)
		if info := v.info(ids[2]); strings.Contains(info.Reason, "memory") {
			t.Errorf("reason of a job under way: %q", info.Reason)
		}
		v.server.mu.Lock()
		m.hello.Memory = uint64(bytes) / 2
		v.server.mu.Unlock()
		v.cancel(ids[1])
		v.cancel(ids[2])
		v.expectStates("alone it may try", "cancelled cancelled cancelled waiting", ids...)
	})
}

func TestTheSameTicketIsTheSameJob(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		spec := specOf(t, v.town, populationFit())
		patient(spec)
		submit := func(ticket string) string {
			id, err := v.submit(spec, ticket, true)
			v.must(err)
			return id
		}
		first, again, other := submit("x"), submit("x"), submit("y")
		none, noneEither := submit(""), submit("")
		if first != again || first == other || none == noneEither {
			t.Errorf("got %s and %s for one ticket, %s for another, %s and %s for none", first, again, other, none, noneEither)
		}
		v.restart()
		if got := submit("x"); got != first {
			t.Errorf("after a restart: got %s, want %s", got, first)
		}
	})
}

func TestOnlySoManyJobsThatHaveEndedAreKept(t *testing.T) {
	inVillage(t, func(c *ServerConfig) { c.Kept = 2 }, func(t *testing.T, v *village) {
		var ids []string
		for range 4 {
			id := v.fits(patient)
			v.cancel(id)
			ids = append(ids, id)
		}
		stays := v.fits(patient)
		reply, err := v.server.List(t.Context(), nil)
		v.must(err)
		var names []string
		for _, info := range reply.Jobs {
			names = append(names, info.Id)
		}
		if want := []string{ids[2], ids[3], stays}; fmt.Sprint(names) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", names, want)
		}
		if _, err := v.server.Show(t.Context(), &pb.ShowRequest{Job: ids[0]}); codeOf(err).String() != "NotFound" {
			t.Errorf("a forgotten job: got %v", err)
		}
	})
}

func TestAResumedJobIsFollowedAnew(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		id := v.fits(patient)
		last := func() *pb.JobEvent {
			stream, err := v.jobs().Follow(t.Context(), &pb.FollowRequest{Job: id})
			v.must(err)
			var event *pb.JobEvent
			for {
				next, err := stream.Recv()
				if err != nil {
					return event
				}
				event = next
			}
		}
		seen := make(chan *pb.JobEvent, 1)
		go func() { seen <- last() }()
		synctest.Wait()
		v.cancel(id)
		if f := (<-seen).GetFailure(); f == nil || !strings.Contains(f.Problem, "cancelled") {
			t.Errorf("followed to its cancelling: got %v", f)
		}
		v.must(v.resume(id))
		go func() { seen <- last() }()
		synctest.Wait()
		select {
		case e := <-seen:
			t.Fatalf("the resumed job has ended for its follower: %v", e)
		default:
		}
		for i := range 9 {
			v.hand(fmt.Sprint("w", i))
		}
		if e := <-seen; e.GetDone() == nil {
			t.Errorf("got %v, want the end", e)
		}
		if err := v.resume(id); err == nil || !strings.Contains(err.Error(), "done already") {
			t.Errorf("resuming a job that is done: got %v", err)
		}
	})
}

func TestAJobWhoseSubmitterHasGoneIsNotResumed(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		for name, c := range map[string]struct {
			change func(*pb.JobSpec)
			want   string
		}{
			"rows with the submitter": {func(s *pb.JobSpec) { s.Data.WithSubmitter = true }, "submit it again"},
			"labels to the submitter": {func(s *pb.JobSpec) { s.Labels = &pb.LabelOutput{Submitter: true} }, "submit it again"},
			"nothing of it":           {func(*pb.JobSpec) {}, ""},
		} {
			id := v.fits(func(s *pb.JobSpec) {
				patient(s)
				c.change(s)
			})
			v.cancel(id)
			err := v.resume(id)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(failureText(err), c.want) {
				t.Errorf("%s: got %v, want %q", name, err, c.want)
			}
			v.cancel(id)
		}
	})
}

// failureText is all that the details of a call's error say.
func failureText(err error) string {
	text := err.Error()
	for _, d := range status.Convert(err).Details() {
		if f, ok := d.(*pb.Failure); ok {
			text += " " + f.Remedy
		}
	}
	return text
}

func TestAResumeThatCannotBeWrittenLeavesTheJobAsItWas(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		id := v.fits(patient)
		v.cancel(id)
		folder := filepath.Join(v.dir, "jobs", id)
		v.must(os.Rename(folder, folder+"-away"))
		if err := v.resume(id); err == nil {
			t.Error("a resume that is nowhere written succeeded")
		}
		v.expectStates("after it", "cancelled", id)
		v.must(os.Rename(folder+"-away", folder))
		v.must(v.resume(id))
		v.expectStates("once it can be written", "waiting", id)
	})
}

func TestAFreshStartKnowsTheJobsOfItsFolder(t *testing.T) {
	inVillage(t, func(c *ServerConfig) { c.Running = 1 }, func(t *testing.T, v *village) {
		a := v.hand("a")
		done := v.fits(nil)
		v.calm(done)
		running, queued, cancelled := v.fits(patient), v.fits(patient), v.fits(patient)
		torn, stateless, old := v.fits(patient), v.fits(patient), v.fits(patient)
		v.cancel(cancelled)
		a.stop()
		v.halt()
		damage := func(id, file string) {
			path := filepath.Join(v.dir, "jobs", id, file)
			data, err := os.ReadFile(path)
			v.must(err)
			data[len(data)-1] ^= 1
			v.must(os.WriteFile(path, data, 0o600))
		}
		damage(torn, "spec")
		damage(stateless, "state")
		v.open()
		v.expectStates("after the start", "done waiting queued cancelled failed queued", done, running, queued, cancelled, stateless, old)
		if _, err := v.server.Show(t.Context(), &pb.ShowRequest{Job: torn}); codeOf(err).String() != "NotFound" {
			t.Errorf("a job without its specification: got %v", err)
		}
		if info := v.info(stateless); !strings.Contains(info.Reason, "damaged") || info.Name != "fit" {
			t.Errorf("a job without its state: got %v, want one that says so", info)
		}
		stream, err := v.jobs().Follow(t.Context(), &pb.FollowRequest{Job: done})
		v.must(err)
		first, err := stream.Recv()
		v.must(err)
		second, err := stream.Recv()
		v.must(err)
		if first.GetState().GetState() != jobDone || second.GetDone() == nil {
			t.Errorf("following a job that is done: got %v and %v", first, second)
		}
		v.must(v.resume(stateless))
		v.expectStates("resumed", "queued", stateless)
		v.result(done)
	})
}

func TestAJobOfAnotherVersionsFolderFailsWithBothNamed(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		spec := specOf(t, v.town, populationFit())
		spec.Protocol = wire.Protocol + 1
		data, err := proto.Marshal(spec)
		v.must(err)
		state, err := proto.Marshal(&pb.JobRecord{Info: &pb.JobInfo{State: jobRunning}})
		v.must(err)
		v.must(v.server.config.Store.Create("job-old", data, state))
		v.restart()
		if info := v.ends("job-old"); info.State != jobFailed || !strings.Contains(info.Reason, fmt.Sprint("protocol ", wire.Protocol+1)) {
			t.Errorf("got %s (%s), want a failure that names the protocol", info.State, info.Reason)
		}
	})
}

func TestManyJobsThatFailAtOnceLetTheNextOnesBegin(t *testing.T) {
	inVillage(t, func(c *ServerConfig) { c.Running, c.Kept = 1, 1000 }, func(t *testing.T, v *village) {
		var ids []string
		for range 200 {
			ids = append(ids, v.fits(func(s *pb.JobSpec) { s.MinWorkers, s.WorkerWaitMillis = 1, 0 }))
		}
		for _, id := range ids {
			if info := v.ends(id); info.State != jobFailed {
				t.Fatalf("got %s (%s), want %s", info.State, info.Reason, jobFailed)
			}
		}
	})
}

func TestAWaitThatIsTooLongForAClockIsTakenForALongOne(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers, s.WorkerWaitMillis = 2, 1<<64-1 })
		time.Sleep(time.Hour)
		v.expectStates("after an hour", "waiting", id)
	})
}
