package coordinator

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/hostile"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// talker is a worker's connection on which the given notes come, one after the other, and then the end.
type talker struct {
	grpc.ServerStream
	ctx   context.Context
	mu    sync.Mutex
	notes []*pb.WorkerNote
}

func (s *talker) Context() context.Context       { return s.ctx }
func (s *talker) Send(*pb.CoordinatorNote) error { return nil }

func (s *talker) Recv() (*pb.WorkerNote, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.notes) == 0 {
		return nil, io.EOF
	}
	note := s.notes[0]
	s.notes = s.notes[1:]
	return note, nil
}

// delimited are messages one behind the other, each behind its length.
func delimited(t testing.TB, notes ...proto.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, n := range notes {
		if _, err := protodelim.MarshalTo(&b, n); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// FuzzNotes lets two connections say any notes to the coordinator, which has a job: each of them ends with an error that the worker
// is told, and the coordinator goes on to name each member once.
func FuzzNotes(f *testing.F) {
	say := func(n any) *pb.WorkerNote {
		switch n := n.(type) {
		case *pb.Hello:
			return &pb.WorkerNote{Note: &pb.WorkerNote_Hello{Hello: n}}
		case *pb.Beat:
			return &pb.WorkerNote{Note: &pb.WorkerNote_Beat{Beat: n}}
		}
		return &pb.WorkerNote{}
	}
	one := hello("w", "boot")
	one.Held = []*pb.Held{{Job: "job-1", Partitions: []uint32{0, 1 << 31}}, {Job: "none"}}
	beat := &pb.Beat{MemoryUsed: 1 << 63, Progress: []*pb.Progress{{Job: "job-1", RowsRead: 1 << 63, Held: []uint32{7}, Pending: []uint64{1, 1}}, {Job: "job-1"}, {Job: "other"}}}
	f.Add(delimited(f, say(one), say(beat), say(beat)), delimited(f, say(hello("w", "other")), say(&pb.Beat{Draining: true}), say(beat)))
	f.Add(delimited(f, say(beat)), delimited(f, say(one), say(one), say(nil)))
	f.Add([]byte{}, delimited(f, say(&pb.Hello{})))
	store, err := checkpoint.Open(f.TempDir(), checkpoint.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { store.Close() })
	f.Fuzz(func(t *testing.T, first, second []byte) {
		if len(first)+len(second) > 1<<16 {
			return
		}
		hostile.Ceiling(t, len(first)+len(second), 8<<20, 1<<10, func() {
			s, err := NewServer(ServerConfig{Version: "test", Store: store, Epoch: 1}, func(string) (*grpc.ClientConn, error) { return nil, nil }, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, data := range [][]byte{first, second, first} {
				ctx, cancel := context.WithCancel(t.Context())
				stream := &talker{ctx: ctx}
				for r := bytes.NewReader(data); ; {
					note := &pb.WorkerNote{}
					if (protodelim.UnmarshalOptions{MaxSize: 1 << 16}).UnmarshalFrom(r, note) != nil { // it makes room for what it is told
						break
					}
					stream.notes = append(stream.notes, note)
				}
				err := s.Join(stream)
				cancel()
				if err == nil {
					t.Fatal("a connection ended without a word")
				}
			}
			s.wait.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			for name, m := range s.members {
				if m.name != name || m.hello.GetBoot() == "" {
					t.Fatalf("%q is the member %q of %v", name, m.name, m.hello)
				}
			}
		})
	})
}
