package coordinator

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// pieceWait is how long each piece of an answer may take. A piece of 512 KiB takes four seconds at one megabit a second.
const pieceWait = 10 * time.Second

// pieces gives the data of an answer that has been let in, piece by piece. The room that it takes is lost to all
// others: whoever says how much is to come, and then nothing, is given up after pieceWait, though its connection lives.
func (s *Server) pieces(stream pb.Bulk_AnswerServer) (next func() ([]byte, error)) {
	type piece struct {
		data []byte
		err  error
	}
	come := make(chan piece)
	listens := s.goes(func() {
		for {
			part, err := stream.Recv()
			select {
			case come <- piece{part.GetData(), err}:
			case <-stream.Context().Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	return func() ([]byte, error) {
		if !listens {
			return nil, errClosed
		}
		select {
		case p := <-come:
			return p.data, p.err
		case <-time.After(pieceWait):
			return nil, status.Errorf(codes.DeadlineExceeded, "no piece of the answer came within %s", pieceWait)
		}
	}
}
