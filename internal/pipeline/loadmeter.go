package pipeline

import (
	"context"
	"maps"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// loadMeter notes what the workers of an embedded cluster do in iterations, as a coordinator on the network does. Of
// what would cross a network there it encodes only a few messages, since that takes time which no embedded run spends.
type loadMeter struct {
	mu    sync.Mutex
	round uint64 // under way, if rows are assigned in it; else 0
	work  map[string]*pb.WorkerWork
	bytes struct{ tasks, sent, answers, received uint64 } // of the messages that were encoded
}

// mostEncoded is how many messages of each way are encoded: those of the first passes of a few workers.
const mostEncoded = 8

func newLoadMeter() *loadMeter { return &loadMeter{work: make(map[string]*pb.WorkerWork)} }

// meteredTransport stands between a coordinator and its workers.
type meteredTransport struct {
	coordinator.Transport
	meter  *loadMeter
	events chan coordinator.Event
	wait   sync.WaitGroup
	cancel context.CancelFunc
}

// through puts the meter before a transport. Close what it gives before the transport.
func (m *loadMeter) through(t coordinator.Transport) *meteredTransport {
	ctx, cancel := context.WithCancel(context.Background())
	metered := &meteredTransport{Transport: t, meter: m, events: make(chan coordinator.Event), cancel: cancel}
	metered.wait.Go(func() { metered.pump(ctx) })
	return metered
}

func (t *meteredTransport) close() {
	t.cancel()
	t.wait.Wait()
}

// Events implements coordinator.Transport.
func (t *meteredTransport) Events() <-chan coordinator.Event { return t.events }

// Send implements coordinator.Transport.
func (t *meteredTransport) Send(ctx context.Context, worker string, task *wire.Task) error {
	t.meter.asked(task)
	return t.Transport.Send(ctx, worker, task)
}

func (t *meteredTransport) pump(ctx context.Context) {
	for {
		select {
		case e := <-t.Transport.Events():
			if a, ok := e.(coordinator.Answered); ok {
				t.meter.answered(a.Answer)
			}
			select {
			case t.events <- e:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// asked notes a task. Several runs in one round are no business of a load test.
func (m *loadMeter) asked(t *wire.Task) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.round = 0; t.Kind == wire.Iterate {
		m.round = t.Round
	}
	if m.round == 0 || m.bytes.tasks == mostEncoded {
		return
	}
	if body, err := wire.EncodeBody(t); err == nil {
		m.bytes.tasks++
		m.bytes.sent += uint64(proto.Size(body))
	}
}

// answered notes an answer before anybody merges it.
func (m *loadMeter) answered(a *wire.Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.round == 0 || a.Round != m.round || a.Partial == nil || a.Partial.Sums == nil {
		return
	}
	w := m.work[a.Worker]
	if w == nil {
		w = &pb.WorkerWork{Worker: a.Worker}
		m.work[a.Worker] = w
	}
	w.Answers++
	w.Micros += uint64(a.Took.Microseconds())
	for _, n := range a.Partial.Sums.Counts {
		w.Rows += uint64(n)
	}
	if m.bytes.answers == mostEncoded {
		return
	}
	if data, err := wire.EncodePartial(a.Partial, wire.PackNone); err == nil {
		m.bytes.answers++
		m.bytes.received += uint64(len(data))
	}
}

// list is what was noted, by worker, as a coordinator on a network would tell it: the bytes are those of the messages that
// were encoded, for all.
func (m *loadMeter) list() []*pb.WorkerWork {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*pb.WorkerWork
	for _, name := range slices.Sorted(maps.Keys(m.work)) {
		w := proto.Clone(m.work[name]).(*pb.WorkerWork)
		w.SentBytes = w.Answers * m.bytes.sent / max(m.bytes.tasks, 1)
		w.ReceivedBytes = w.Answers * m.bytes.received / max(m.bytes.answers, 1)
		list = append(list, w)
	}
	return list
}
