package wire

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// Only spans depend on the trace of a task: what is too long for one, or no text, must not cost the task.
func TestATraceThatIsNoneDoesNotCostTheTask(t *testing.T) {
	whole, err := EncodeTask(&Task{Epoch: 1, Round: 2, Kind: Prepare, Partitions: []int{0}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for trace, want := range map[string]bool{
		"": true,
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": true,
		strings.Repeat("x", maxTrace):                             true,
		strings.Repeat("x", maxTrace+1):                           false,
		strings.Repeat("x", 1<<20):                                false,
		"\xff\xfe":                                                true, // whoever reads it finds that it is no traceparent
	} {
		m := &pb.Task{}
		if err := proto.Unmarshal(whole, m); err != nil {
			t.Fatal(err)
		}
		m.Trace = []byte(trace)
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		task, err := DecodeTask(data)
		if err != nil || (task.Trace == trace) != want {
			t.Errorf("a trace of %d bytes: got %d of them (%v), want it kept: %v", len(trace), len(task.Trace), err, want)
		}
	}
}
