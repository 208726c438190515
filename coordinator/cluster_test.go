package coordinator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

func TestAFitOverTheWireGivesTheBitsOfOneInProcess(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		v.hand("a")
		v.hand("b")
		v.calm(v.fits(func(s *pb.JobSpec) { s.MinWorkers = 2 }))
	})
}

// noHelp gives nobody copies of what others are slow with.
func noHelp(c *ServerConfig) { c.Straggler = time.Hour }

// at makes a hand wait before its first task of a kind until the returned function is called; reached is closed then.
func (h *hand) at(kind wire.Kind) (reached chan struct{}, goOn func()) {
	reached, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	h.set(func(h *hand) {
		h.before = func(ctx context.Context, t *wire.Task) {
			if t.Kind != kind {
				return
			}
			once.Do(func() { close(reached) })
			select {
			case <-gate:
			case <-ctx.Done():
			}
		}
	})
	return reached, sync.OnceFunc(func() { close(gate) })
}

func TestAWorkerThatFallsSilentIsReplacedAndItsLateAnswerDoesNoHarm(t *testing.T) {
	inVillage(t, noHelp, func(t *testing.T, v *village) {
		v.hand("a")
		b := v.hand("b")
		reached, goOn := b.at(wire.Iterate)
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 1 })
		<-reached
		if info := v.info(id); isOver(info.State) {
			t.Fatalf("the fit has ended (%s) before the worker fell silent", info.State)
		}
		b.set(func(h *hand) { h.mute = true })
		time.Sleep(4 * time.Second)
		if got := v.state("b"); got != stateSuspect {
			t.Errorf("after 4 s of silence: got %s, want %s", got, stateSuspect)
		}
		goOn()
		b.set(func(h *hand) { h.mute = false })
		time.Sleep(2 * time.Second)
		if got := v.state("b"); got != stateReady {
			t.Errorf("after it is heard again: got %s, want %s", got, stateReady)
		}
		v.calm(id)
		if info := v.info(id); info.Reassigned == 0 {
			t.Error("no partition was reassigned")
		}
	})
}

// lose has the server give a member up.
func (v *village) lose(m *member) {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	v.server.giveUp(m, true)
}

// state is a worker's, as status shows it.
func (v *village) state(name string) string {
	v.t.Helper()
	reply, err := v.server.Status(v.t.Context(), nil)
	v.must(err)
	for _, w := range reply.Workers {
		if w.Name == name {
			return w.State
		}
	}
	return "unknown"
}

func TestAnAnswerThatComesTwiceIsTakenOnce(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		a := v.hand("a")
		a.set(func(h *hand) { h.twice = true })
		v.hand("b").work = 100 * time.Millisecond // so that the round is still open when an answer of a's comes again
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 2 })
		v.calm(id)
		if info, stale := v.info(id), v.server.meters.answers[answerStale].Load(); info.Refused != 0 || stale == 0 {
			t.Errorf("the job was given %d answers in vain, and %d were stale: want none, and some", info.Refused, stale)
		}
	})
}

func TestAConnectionThatBreaksAndComesBackInTimeLosesNothing(t *testing.T) {
	inVillage(t, noHelp, func(t *testing.T, v *village) {
		v.hand("a")
		b := v.hand("b")
		reached, goOn := b.at(wire.Iterate)
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 2 })
		<-reached
		b.stop()
		time.Sleep(900 * time.Millisecond)
		goOn()
		b.join()
		v.calm(id)
		if info := v.info(id); info.Reassigned != 0 || b.known != "b" {
			t.Errorf("got %d partitions reassigned, and the name %s; want none, and b", info.Reassigned, b.known)
		}
	})
}

func TestAConnectionThatDoesNotComeBackLosesTheWorker(t *testing.T) {
	inVillage(t, noHelp, func(t *testing.T, v *village) {
		v.hand("a")
		b := v.hand("b")
		reached, goOn := b.at(wire.Iterate)
		defer goOn()
		id := v.fits(nil)
		<-reached
		b.stop()
		time.Sleep(1200 * time.Millisecond)
		if got := v.state("b"); got != stateSuspect {
			t.Errorf("got %s, want %s", got, stateSuspect)
		}
		v.calm(id)
	})
}

func TestAWorkerThatLeavesInOrderIsNotAskedAnyMore(t *testing.T) {
	inVillage(t, noHelp, func(t *testing.T, v *village) {
		v.hand("a")
		b := v.hand("b")
		reached, goOn := b.at(wire.Iterate)
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 1 })
		<-reached
		b.set(func(h *hand) { h.leaving = true })
		time.Sleep(1100 * time.Millisecond)
		if got := v.state("b"); got != stateDraining {
			t.Errorf("got %s, want %s", got, stateDraining)
		}
		before := b.notes
		v.calm(id)
		goOn()
		if b.notes != before {
			t.Errorf("%d tasks were announced to a worker that leaves", b.notes-before)
		}
	})
}

func TestATaskThatAWorkerNeverTakesUpIsTriedOnAnother(t *testing.T) {
	inVillage(t, noHelp, func(t *testing.T, v *village) {
		v.hand("a")
		b := v.hand("b")
		b.set(func(h *hand) { h.takes = func(*pb.TaskNote) bool { return false } })
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 2 })
		began := time.Now()
		time.Sleep(20 * time.Second)
		b.set(func(h *hand) {
			if h.notes < 10 {
				t.Errorf("%d announcements in 20 s, want one with each beat", h.notes)
			}
		})
		time.Sleep(2 * remindLimit * time.Second)
		if info := v.info(id); info.Refused == 0 {
			t.Errorf("after %v the task is still left with a worker that does not take it: %v", time.Since(began), info)
		}
		b.set(func(h *hand) { h.takes = nil })
		v.calm(id)
	})
}

func TestATaskThatTheOnlyWorkerNeverTakesUpEndsTheJob(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		a := v.hand("a")
		a.set(func(h *hand) { h.takes = func(*pb.TaskNote) bool { return false } })
		info := v.ends(v.fits(nil))
		if info.State != jobFailed || !strings.Contains(info.Reason, "worker a was asked 30 times") {
			t.Errorf("got %s (%s), want a failure that names the worker", info.State, info.Reason)
		}
	})
}

func TestAnAnnouncementThatIsLostIsMadeAgain(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		a := v.hand("a")
		lost := make(map[uint64]bool)
		a.set(func(h *hand) {
			h.takes = func(n *pb.TaskNote) bool { // the first announcement of each task is lost
				again := lost[n.Ref.Serial]
				lost[n.Ref.Serial] = true
				return again
			}
		})
		v.calm(v.fits(nil))
	})
}

func TestAnAnswerThatCannotBeReadIsTriedOnAnother(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		v.hand("a")
		b := v.hand("b")
		spoilt := 0
		b.set(func(h *hand) {
			h.change = func(task *wire.Task, head *pb.AnswerHead, data []byte) []byte {
				if task.Kind == wire.Load {
					spoilt++
					data = data[:len(data)/2]
					head.Size = uint64(len(data))
				}
				return data
			}
		})
		v.calm(v.fits(func(s *pb.JobSpec) { s.MinWorkers = 2 }))
		if spoilt == 0 {
			t.Error("no answer was spoilt")
		}
		if got := v.server.meters.answers[answerMalformed].Load(); got == 0 {
			t.Error("no answer was counted as malformed")
		}
	})
}

func TestASlowWorkerIsHelped(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		v.hand("a")
		b := v.hand("b")
		reached, goOn := b.at(wire.Iterate)
		defer goOn()
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 2 })
		<-reached
		v.calm(id)
		if info := v.info(id); info.Speculated == 0 || info.Reassigned != 0 {
			t.Errorf("got %d partitions speculated and %d reassigned, want some and none", info.Speculated, info.Reassigned)
		}
	})
}

func TestTwoSlowWorkersAreBothHelped(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		v.hand("a").work = 300 * time.Millisecond
		b, c := v.hand("b"), v.hand("c")
		reached, goOn := b.at(wire.Iterate)
		defer goOn()
		alsoReached, goOnToo := c.at(wire.Iterate)
		defer goOnToo()
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 3 })
		<-reached
		<-alsoReached
		v.calm(id)
	})
}

func TestAJobThatIsAboutToHearOfItsWorkersDoesNotGiveUp(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		id := v.fits(func(s *pb.JobSpec) { s.WorkerWaitMillis = 2_500 })
		synctest.Wait()
		m, _ := v.server.admit(hello("a", "1")) // its welcome is on the way: no job has been told
		time.Sleep(3 * time.Second)
		v.expectStates("with a worker on the way", "waiting", id)
		v.lose(m)
		time.Sleep(3 * time.Second)
		v.expectStates("without", "failed", id)
	})
}

func TestAJobWithoutEnoughWorkersSaysSoAndGivesUpInTime(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		a := v.hand("a")
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers, s.WorkerWaitMillis = 3, 30_000 })
		time.Sleep(29 * time.Second)
		if info := v.info(id); info.State != jobWaiting || info.Reason != "1/3 workers" {
			t.Errorf("after 29 s: got %s (%s), want waiting with 1/3 workers", info.State, info.Reason)
		}
		time.Sleep(1100 * time.Millisecond)
		if info := v.info(id); info.State != jobFailed || !strings.HasPrefix(info.Reason, "1/3 workers after waiting for 30s") || a.notes != 0 {
			t.Errorf("after 30 s: got %s (%s) and %d tasks, want a failure that counts the workers", info.State, info.Reason, a.notes)
		}
	})
}

func TestTheWaitForWorkersBeginsAnewEachTimeTheyLeave(t *testing.T) {
	inVillage(t, noHelp, func(t *testing.T, v *village) {
		a, b := v.hand("a"), v.hand("b")
		_, goOn := a.at(wire.Iterate)
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers, s.WorkerWaitMillis = 2, 10_000 })
		for range 4 {
			b.stop()
			time.Sleep(8 * time.Second)
			if info := v.info(id); info.State != jobWaiting {
				t.Fatalf("got %s (%s), want a job that waits", info.State, info.Reason)
			}
			b.join()
			time.Sleep(time.Second)
		}
		goOn()
		v.calm(id)
	})
}

func TestACoordinatorThatStartsAgainGoesOnWithItsJobs(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		a, b := v.hand("a"), v.hand("b")
		reached, goOn := b.at(wire.Score)
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 2 })
		<-reached
		epoch := a.epoch
		v.restart()
		goOn()
		a.stop()
		b.stop()
		if info := v.info(id); info.State != jobWaiting {
			t.Fatalf("after the start: got %s (%s), want a job that waits for its workers", info.State, info.Reason)
		}
		a.join()
		b.join()
		v.calm(id)
		if a.epoch != epoch+1 {
			t.Errorf("epoch: got %d after %d, want one more", a.epoch, epoch)
		}
		for _, kind := range []string{"statistics", "load"} {
			if n := strings.Count(strings.Join(a.done, " "), kind); n != 1 {
				t.Errorf("%s was done %d times, want once: the job begins anew", kind, n)
			}
		}
	})
}

func TestALateAnswerToACancelledRunDoesNotCountInTheResumedOne(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		a, b := v.hand("a"), v.hand("b")
		reached, goOn := b.at(wire.Iterate)
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 2 })
		<-reached
		_, err := v.server.Cancel(t.Context(), &pb.CancelRequest{Job: id})
		v.must(err)
		if info := v.ends(id); info.State != jobCancelled {
			t.Fatalf("got %s (%s), want %s", info.State, info.Reason, jobCancelled)
		}
		r, err := v.server.job(id)
		v.must(err)
		last := r.last
		_, err = v.server.Resume(t.Context(), &pb.ResumeRequest{Job: id})
		v.must(err)
		synctest.Wait()
		if r.round <= last {
			t.Errorf("the resumed run is in round %d, want one after %d", r.round, last)
		}
		goOn() // the answer to the first run comes now
		v.calm(id)
		if n := strings.Count(strings.Join(a.done, " "), "load"); n != 1 {
			t.Errorf("rows were loaded %d times by a round of their own, want once", n)
		}
	})
}

func TestACancelIsNeverLost(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		v.hand("a")
		for range 20 {
			id := v.fits(nil) // no settling: the cancel meets the job in whatever state it is
			_, err := v.server.Cancel(t.Context(), &pb.CancelRequest{Job: id})
			v.must(err)
			if info := v.ends(id); info.State != jobCancelled && info.State != jobDone {
				t.Errorf("got %s (%s)", info.State, info.Reason)
			}
		}
		long := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 2 })
		_, err := v.server.Cancel(t.Context(), &pb.CancelRequest{Job: long})
		v.must(err)
		synctest.Wait()
		if info := v.info(long); info.State != jobCancelled {
			t.Errorf("got %s (%s), want %s at once", info.State, info.Reason, jobCancelled)
		}
	})
}

func TestAJobThatNobodyFollowsIsCancelledUnlessItIsDetached(t *testing.T) {
	for _, detached := range []bool{false, true} {
		inVillage(t, nil, func(t *testing.T, v *village) {
			o := populationFit()
			o.Labels = false
			spec := specOf(t, v.town, o)
			spec.WorkerWaitMillis = uint64(time.Hour.Milliseconds())
			id, err := v.submit(spec, "", detached)
			v.must(err)
			ctx, cancel := context.WithCancel(t.Context())
			stream, err := v.jobs().Follow(ctx, &pb.FollowRequest{Job: id})
			v.must(err)
			_, err = stream.Recv()
			v.must(err)
			time.Sleep(5 * time.Minute)
			if info := v.info(id); info.State != jobWaiting {
				t.Fatalf("detached %v, followed: got %s (%s), want %s", detached, info.State, info.Reason, jobWaiting)
			}
			cancel()
			time.Sleep(59 * time.Second)
			if info := v.info(id); info.State != jobWaiting {
				t.Errorf("detached %v, 59 s after the last follower: got %s (%s), want %s", detached, info.State, info.Reason, jobWaiting)
			}
			time.Sleep(2 * time.Second)
			if info := v.info(id); detached != (info.State == jobWaiting) {
				t.Errorf("detached %v, 61 s after the last follower: got %s (%s)", detached, info.State, info.Reason)
			}
		})
	}
}

func TestDescribeAsksAnotherWorkerWhereOneHangs(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		v.hand("a")
		v.hand("b")
		v.describes["a"] = func(ctx context.Context) (*pb.Description, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		v.describes["b"] = func(context.Context) (*pb.Description, error) { return &pb.Description{Rows: 7}, nil }
		began := time.Now()
		d, err := v.server.Describe(t.Context(), &pb.DescribeRequest{})
		if err != nil || d.Rows != 7 {
			t.Fatalf("got %v, %v, want 7 rows", d, err)
		}
		if took := time.Since(began); took != describeTry {
			t.Errorf("got it after %v, want %v", took, describeTry)
		}
	})
}

func TestDescribeWaitsForAWorkerAndNotForEver(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		began := time.Now()
		_, err := v.server.Describe(t.Context(), &pb.DescribeRequest{})
		if code, took := codeOf(err), time.Since(began); code.String() != "DeadlineExceeded" || took != describeWait {
			t.Errorf("nobody there: got %v after %v, want a deadline after %v", err, took, describeWait)
		}
		time.AfterFunc(time.Minute, func() {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.describes["a"] = func(context.Context) (*pb.Description, error) {
				return nil, failed(fault.Inputf(fault.In("x"), "torn"))
			}
		})
		v.hand("a") // it cannot be reached for a minute
		began = time.Now()
		_, err = v.server.Describe(t.Context(), &pb.DescribeRequest{})
		if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "torn") || took > time.Minute+time.Second {
			t.Errorf("got %v after %v, want the worker's own error within a minute", err, took)
		}
	})
}

// upheaval is one thing that happens to a village.
func (v *village) upheaval(r *rand.Rand, id string, hands []*hand) {
	h := hands[r.IntN(len(hands))]
	pause := time.Duration(r.IntN(5000)) * time.Millisecond
	switch r.IntN(8) {
	case 0: // cut off, for a moment or for long
		h.stop()
		time.Sleep(pause)
		h.join()
	case 1: // silent
		h.set(func(h *hand) { h.mute = true })
		time.Sleep(pause)
		h.set(func(h *hand) { h.mute = false })
	case 2: // another process in its place
		h.stop()
		h.boot += "'"
		h.join()
	case 3: // slow
		h.set(func(h *hand) { h.before = func(ctx context.Context, _ *wire.Task) { sleep(ctx, pause) } })
		time.Sleep(pause)
		h.set(func(h *hand) { h.before = nil })
	case 4: // the coordinator starts again
		v.restart()
		for _, h := range hands {
			h.stop()
			h.join()
		}
	case 5: // announcements are lost
		h.set(func(h *hand) { h.takes = func(*pb.TaskNote) bool { return false } })
		time.Sleep(pause)
		h.set(func(h *hand) { h.takes = nil })
	case 6: // cancelled and resumed
		v.cancel(id)
		v.must(v.resume(id))
	case 7: // answers that cannot be read
		h.set(func(h *hand) {
			h.change = func(_ *wire.Task, head *pb.AnswerHead, data []byte) []byte {
				head.Size = uint64(len(data) / 2)
				return data[:len(data)/2]
			}
		})
		time.Sleep(max(pause/50, time.Millisecond))
		h.set(func(h *hand) { h.change = nil })
	}
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 { // under the race detector a timer that is over at once crashes in a bubble
		return
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func TestAFitComesToTheSameBitsWhateverHappensToItsVillage(t *testing.T) {
	seeds := uint64(25)
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		inVillage(t, func(c *ServerConfig) { c.Checkpoint = time.Millisecond }, func(t *testing.T, v *village) {
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			r := rand.New(rand.NewPCG(seed, 5))
			var hands []*hand
			for i := range 4 {
				hands = append(hands, v.hand(fmt.Sprint("w", i)))
				// Every task takes a while, so that what happens falls into the middle of the fit.
				hands[i].work = 150 * time.Millisecond
			}
			id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = uint32(1 + r.IntN(4)) })
			for range 12 {
				time.Sleep(time.Duration(r.IntN(600)) * time.Millisecond)
				if v.info(id).State == jobDone {
					break
				}
				v.upheaval(r, id, hands)
			}
			v.calm(id)
		})
	}
}

func TestAnAnswerThatComesAsItsJobEndsHoldsNoRoom(t *testing.T) {
	inVillage(t, noHelp, func(t *testing.T, v *village) {
		v.hand("a")
		b := v.hand("b")
		reached, goOn := b.at(wire.Load)
		defer goOn()
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 2 })
		<-reached
		r, err := v.server.job(id)
		v.must(err)
		stream, err := b.bulk.Answer(t.Context())
		v.must(err)
		v.must(stream.Send(&pb.AnswerPart{Part: &pb.AnswerPart_Head{Head: &pb.AnswerHead{Worker: "b", Covered: []uint32{2, 3}, Size: 1000,
			Ref: &pb.TaskRef{Job: id, Epoch: r.epoch, Round: r.round}}}}))
		v.must(stream.Send(&pb.AnswerPart{Part: &pb.AnswerPart_Data{Data: make([]byte, 400)}}))
		synctest.Wait()
		if got := v.server.room.held(); got != 1000 {
			t.Fatalf("%d bytes are held while the answer comes, want 1000", got)
		}
		v.cancel(id)
		v.must(stream.Send(&pb.AnswerPart{Part: &pb.AnswerPart_Data{Data: make([]byte, 600)}}))
		synctest.Wait()
		if got := v.server.room.held(); got != 0 {
			t.Errorf("%d bytes are held after the job has ended", got)
		}
	})
}

func TestAWorkerThatCannotReadItsTaskIsReplaced(t *testing.T) {
	inVillage(t, noHelp, func(t *testing.T, v *village) {
		v.hand("a")
		b := v.hand("b")
		said := 0
		b.set(func(h *hand) {
			h.takes = func(n *pb.TaskNote) bool {
				said++
				go b.send(t.Context(), &pb.AnswerHead{Ref: n.Ref, Worker: "another name", Failure: wire.EncodeFailure(wire.ErrFormat)}, nil)
				return false
			}
		})
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 2 })
		v.calm(id)
		if info := v.info(id); said == 0 || info.Refused == 0 {
			t.Errorf("%d tasks could not be read, %d answers refused, want some", said, info.Refused)
		}
	})
}

func TestRunReturnsWithConnectionsOpen(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		v.hand("a")
		id := v.fits(patient)
		follower, err := v.jobs().Follow(t.Context(), &pb.FollowRequest{Job: id})
		v.must(err)
		silent, err := pb.NewControlClient(v.dial()).Join(t.Context()) // it never says who it is
		v.must(err)
		synctest.Wait()
		began := time.Now()
		v.halt()
		if took := time.Since(began); took != 0 {
			t.Errorf("the end took %v, want no waiting", took)
		}
		for {
			if _, err := follower.Recv(); err != nil {
				break
			}
		}
		if _, err := silent.Recv(); err == nil {
			t.Error("a connection goes on after the end")
		}
		v.open()
	})
}
