package coordinator

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// A job that is stopped again and again goes on from where it was stopped last: its checkpoints count on from those that stand,
// below which none is taken. Numbers that began anew would not reach those of the first life.
func TestEachLifeOfAJobGoesOnFromALaterCheckpoint(t *testing.T) {
	inVillage(t, func(c *ServerConfig) { c.Checkpoint = time.Millisecond }, func(t *testing.T, v *village) {
		a, id, sequence, done := v.hand("a"), "", uint64(0), 0
		for life, rounds := range []int32{3, 1, 1} { // iterations that are answered
			var asked atomic.Int32
			a.stop()
			a.set(func(h *hand) {
				h.before = func(ctx context.Context, task *wire.Task) {
					if task.Kind == wire.Iterate && asked.Add(1) > rounds {
						<-ctx.Done()
					}
					sleep(ctx, time.Second) // so that each checkpoint is written before the next is due
				}
			})
			if life > 0 {
				v.restart()
				time.Sleep(time.Second)
				if got := v.info(id); got.Phase != string(PhaseIterate) || got.Iteration != uint32(done) {
					t.Errorf("life %d, nobody there yet: got iteration %d of phase %q, want the job to say that it goes on from iteration %d", life, got.Iteration, got.Phase, done)
				}
			}
			a.join()
			if life == 0 {
				id = v.fits(func(s *pb.JobSpec) { s.Fit.Runs, s.Fit.K, s.Window = 1, 16, uint32(len(s.PartitionRows)) })
			}
			time.Sleep(time.Minute)
			data, newest, _, err := v.server.config.Store.Load(id)
			v.must(err)
			state, err := DecodeState(data)
			v.must(err)
			if asked.Load() <= rounds || len(state.States) != 1 {
				t.Fatalf("life %d: %d rounds were asked for, and %d runs are under way: want more than %d, and one", life, asked.Load(), len(state.States), rounds)
			}
			if state.States[0].Done <= done || newest <= sequence {
				t.Errorf("life %d: got checkpoint %d after %d iterations, want more than %d after %d", life, newest, state.States[0].Done, sequence, done)
			}
			sequence, done = newest, state.States[0].Done
		}
	})
}
