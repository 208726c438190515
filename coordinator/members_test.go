package coordinator

import (
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/live"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// register is a server that is not run: a test does to its members what connections would.
func register(t *testing.T, gossip func(string) bool) *Server {
	t.Helper()
	store, err := checkpoint.Open(t.TempDir(), checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	s, err := NewServer(ServerConfig{Version: "test", Store: store, Epoch: 1, Beat: time.Second, Missed: 3, Reconnect: time.Second},
		func(string) (*grpc.ClientConn, error) { return nil, nil }, gossip)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hello(name, boot string) *pb.Hello {
	return &pb.Hello{Name: name, Boot: boot, Address: name + ":1", Protocol: wire.Protocol, Arithmetic: kmeans.Arithmetic}
}

// later lets a time pass in which the server looks for silent members as often as it does.
func (s *Server) later(from time.Time, after time.Duration) time.Time {
	for step := s.config.Beat / 10; step <= after; step += s.config.Beat / 10 {
		s.watch(from.Add(step))
	}
	return from.Add(after)
}

func TestMembersAreGivenUpAfterTheirSilence(t *testing.T) {
	for _, c := range []struct {
		name   string
		open   bool
		silent time.Duration
		gossip bool
		want   string
	}{
		{"heard lately", true, 3 * time.Second, false, stateReady},
		{"three beats missed", true, 3100 * time.Millisecond, false, stateSuspect},
		{"though gossip sees it", true, 3100 * time.Millisecond, true, stateUnreachable},
		{"away for a moment", false, time.Second, false, stateReady},
		{"away for longer", false, 1100 * time.Millisecond, false, stateSuspect},
	} {
		s := register(t, func(string) bool { return c.gossip })
		m, _ := s.admit(hello("a", "1"))
		if !c.open {
			s.parted(m, m.ended)
		}
		s.later(m.since, c.silent)
		if got := m.state(s.gossip); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestTheTimeInWhichTheCoordinatorStoodStillIsNobodysSilence(t *testing.T) {
	s := register(t, nil)
	m, _ := s.admit(hello("a", "1"))
	now := s.later(m.since, time.Second)
	now = now.Add(time.Minute) // the process was stopped
	s.watch(now)
	if m.lost {
		t.Fatal("a worker was given up for the coordinator's own absence")
	}
	s.later(now, 1900*time.Millisecond)
	if m.lost {
		t.Error("a worker was given up 2.9 s after its last beat, the absence left out")
	}
	s.later(now.Add(1900*time.Millisecond), 400*time.Millisecond)
	if !m.lost {
		t.Error("a worker that stays silent was not given up")
	}
}

func TestAMemberThatComesBackKeepsItsName(t *testing.T) {
	s := register(t, nil)
	m, returned := s.admit(hello("a", "1"))
	if returned || m.name != "a" {
		t.Fatalf("the first: got %s, returned %v", m.name, returned)
	}
	first := m.ended
	again, returned := s.admit(hello("a", "1")) // the old connection has not been seen to end
	if again != m || !returned {
		t.Errorf("the same process: got another member, or returned %v", returned)
	}
	select {
	case <-first:
	default:
		t.Error("the old connection was not ended")
	}
	s.parted(m, first)
	if !m.open {
		t.Error("the end of the old connection closed the new one")
	}
	s.parted(m, m.ended)
	s.later(m.since, 2*time.Second)
	if again, returned = s.admit(hello("a", "1")); again != m || returned {
		t.Errorf("after it was given up: got another member, or returned %v, which jobs would not hear of", returned)
	}
}

func TestNamesAreUniqueAndALostOnesGoesToItsSuccessor(t *testing.T) {
	s := register(t, nil)
	a, _ := s.admit(hello("a", "1"))
	second, _ := s.admit(hello("a", "2"))
	third, _ := s.admit(hello("a", "3"))
	nameless, _ := s.admit(hello("", "4"))
	if second.name != "a-2" || third.name != "a-3" || nameless.name != "worker" {
		t.Errorf("got %s, %s and %s, want a-2, a-3 and worker", second.name, third.name, nameless.name)
	}
	s.giveUp(a, false)
	heir, returned := s.admit(hello("a", "5"))
	if heir.name != "a" || returned || heir == a {
		t.Fatalf("the successor of a lost worker: got %s, returned %v", heir.name, returned)
	}
	ended := a.ended
	s.beat(a, &pb.Beat{}) // the one before was only silent
	if !a.lost || s.members["a"] != heir {
		t.Error("a worker whose name is another's now was taken back under it")
	}
	select {
	case <-ended:
	default:
		t.Error("a worker whose name is another's now was not told to join anew")
	}
	if back, _ := s.admit(hello("a", "1")); back.name != "a-4" {
		t.Errorf("joined anew: got %s, want a-4", back.name)
	}
}

func TestAForgottenMemberIsToldToJoinAnew(t *testing.T) {
	s := register(t, nil)
	m, _ := s.admit(hello("a", "1"))
	s.later(m.since, forgetAfter+4*time.Second)
	if s.members["a"] != nil {
		t.Fatal("a worker that was silent for more than a minute is still shown")
	}
	ended := m.ended
	s.beat(m, &pb.Beat{})
	select {
	case <-ended:
	default:
		t.Error("its connection goes on, and nobody would ever ask it for anything")
	}
}

func TestAMemberThatIsHeardAgainIsTakenBack(t *testing.T) {
	s := register(t, nil)
	m, _ := s.admit(hello("a", "1"))
	s.later(m.since, 4*time.Second)
	s.beat(m, &pb.Beat{})
	if m.lost || len(s.present()) != 1 {
		t.Errorf("lost %v with %d present, want a worker that is there", m.lost, len(s.present()))
	}
}

func TestAMemberThatDrainsIsLostAtOnceAndNotTakenBack(t *testing.T) {
	s := register(t, nil)
	m, _ := s.admit(hello("a", "1"))
	for range 3 {
		s.beat(m, &pb.Beat{Draining: true})
		if got := m.state(nil); got != stateDraining || !m.lost || len(s.present()) != 0 {
			t.Fatalf("got %s, lost %v, %d present, want %s and none", got, m.lost, len(s.present()), stateDraining)
		}
	}
}

func TestWhatAMemberHoldsIsForgottenWithItsJob(t *testing.T) {
	s := register(t, nil)
	m, _ := s.admit(hello("a", "1"))
	for job := range 1000 {
		s.beat(m, &pb.Beat{Progress: []*pb.Progress{{Job: "job-" + string(rune('a'+job%26)) + time.Duration(job).String(), Held: []uint32{1, 2}}}})
	}
	reply, err := s.Status(t.Context(), nil)
	if err != nil || len(m.progress) != 1 || reply.Workers[0].Partitions != 2 {
		t.Errorf("got progress of %d jobs and %d partitions (%v), want 1 and 2", len(m.progress), reply.Workers[0].Partitions, err)
	}
}

func TestAMemberThatReadsNoNotesIsGivenUp(t *testing.T) {
	s := register(t, nil)
	m, _ := s.admit(hello("a", "1"))
	for i := range notesLength {
		if err := s.announce("a", &pb.CoordinatorNote{}); err != nil {
			t.Fatalf("note %d: %v", i, err)
		}
	}
	if err := s.announce("a", &pb.CoordinatorNote{}); err == nil || !m.lost {
		t.Errorf("one note too many: got %v, lost %v", err, m.lost)
	}
	if err := s.announce("b", &pb.CoordinatorNote{}); err == nil {
		t.Error("a note for nobody was taken")
	}
}

func TestWorkersThatWouldComputeOtherwiseAreRefusedWithBothVersions(t *testing.T) {
	s := register(t, nil)
	for name, c := range map[string]struct {
		change func(*pb.Hello)
		want   codes.Code
	}{
		"alike":              {func(*pb.Hello) {}, codes.OK},
		"another protocol":   {func(h *pb.Hello) { h.Protocol++ }, codes.FailedPrecondition},
		"another arithmetic": {func(h *pb.Hello) { h.Arithmetic += "x" }, codes.FailedPrecondition},
		"no boot nonce":      {func(h *pb.Hello) { h.Boot = "" }, codes.InvalidArgument},
		"no address":         {func(h *pb.Hello) { h.Address = "" }, codes.InvalidArgument},
		"an endless name":    {func(h *pb.Hello) { h.Name = string(make([]byte, 201)) }, codes.InvalidArgument},
	} {
		h := hello("a", "1")
		c.change(h)
		if err := s.acceptable(h); codeOf(err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	if err := s.acceptable(nil); codeOf(err) != codes.InvalidArgument {
		t.Errorf("no hello: got %v", err)
	}
	s.closed = true
	if err := s.acceptable(hello("a", "1")); codeOf(err) != codes.Unavailable {
		t.Errorf("while it stops: got %v", err)
	}
}

func TestFollowersAreToldWhetherAWorkerLeftOrWasLost(t *testing.T) {
	s := knowing(1, 2)
	s.events = live.NewEvents(1)
	s.members["w1"].draining = true
	r := s.jobs["job-000"]
	r.log = newEventLog()
	r.logged.Store(slog.New(slog.DiscardHandler))
	r.observe(Reassigned{From: "w0", Partitions: 1})
	r.observe(Reassigned{From: "w1", Partitions: 4})
	events, _, _, err := r.log.next(t.Context(), 0)
	if err != nil || len(events) != 2 {
		t.Fatalf("got %v, %v, want two notes", events, err)
	}
	for i, want := range []string{"w0 lost, 1 partition reassigned", "w1 left, 4 partitions reassigned"} {
		if got := events[i].GetNote(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
