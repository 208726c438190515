package secure

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

func TestStreamsBeyondTheirRateAreRefused(t *testing.T) {
	c := &clerk{follow: func(grpc.ServerStreamingServer[coteriev1.JobEvent]) {}}
	jobs, _ := hire(t, c, Limits{Rate: 1e-9, Burst: 1})
	for i := range streamsPerCall + 2 {
		stream, err := jobs.Follow(brief(t), &coteriev1.FollowRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		refused := status.Code(err) == codes.ResourceExhausted
		if want := i >= streamsPerCall; refused != want {
			t.Errorf("stream %d: got %v, want it refused = %v", i, err, want)
		}
	}
}
