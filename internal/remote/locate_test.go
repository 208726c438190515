package remote

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/internal/bubble"
	"github.com/coterie-project/coterie/internal/fault"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// busy is a submitter that answers a question after it has refused it so many times.
type busy struct {
	pb.SubmitterClient
	refusals int
	code     codes.Code
}

func (b *busy) Locate(ctx context.Context, req *pb.LocateRequest, _ ...grpc.CallOption) (*pb.Place, error) {
	if ctx.Err() != nil {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	if b.refusals > 0 {
		b.refusals--
		return nil, status.Error(b.code, "no")
	}
	return &pb.Place{File: "data.csv", Line: req.Row + 2, Row: req.Row}, nil
}

func TestAPlaceIsAskedForAgainWhereTooManyAreAskedForAtOnce(t *testing.T) {
	known, unknown := fault.Place{File: "data.csv", Line: 9, Row: 7}, fault.Place{Row: 7}
	for _, test := range []struct {
		name string
		busy busy
		want fault.Place
	}{
		{"at once", busy{}, known},
		{"too many questions", busy{refusals: 100, code: codes.ResourceExhausted}, known},
		{"too many for good", busy{refusals: 1 << 30, code: codes.ResourceExhausted}, unknown},
		{"gone", busy{refusals: 1, code: codes.Unavailable}, unknown},
	} {
		bubble.Test(t, func(t *testing.T) {
			s := &source{client: &test.busy}
			if got := s.Locate(7); got != test.want {
				t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
			}
		})
	}
}
