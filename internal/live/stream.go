package live

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	// MaxStreams is how many pages are kept up to date at a time. Further ones are refused, and ask for the document now
	// and then.
	MaxStreams = 64
	// writeWait is how long a viewer may take to accept one message.
	writeWait = 10 * time.Second
	// lastWait is how long it may take to be told that this is the end.
	lastWait = 100 * time.Millisecond
	// aliveEvery is the longest silence of a stream: longer ones mean that the coordinator, or the way to it, is away.
	aliveEvery = 2 * time.Second
	// retryAfter is how long a page waits before it tries again.
	retryAfter = 2 * time.Second
)

// stream is one viewer's connection.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	mu      sync.Mutex // guards ended and deadlines, not writing
	ended   bool
}

// enter books a stream; the status is that of the refusal, 0 for none.
func (l *Live) enter(w http.ResponseWriter) (s *stream, status int, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, http.StatusServiceUnavailable, "the coordinator is stopping"
	case len(l.open) >= MaxStreams:
		return nil, http.StatusServiceUnavailable, fmt.Sprintf("%d pages are open already; close one, or read /api/v1/cluster now and then", MaxStreams)
	}
	s = &stream{w: w, control: http.NewResponseController(w)}
	l.open[s] = true
	l.wait.Add(1)
	return s, 0, ""
}

func (l *Live) leave(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, s)
	l.wait.Done()
}

// end has a message that is being written fail soon, and all that would follow it at once.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	_ = s.control.SetWriteDeadline(time.Now().Add(lastWait)) // it was set before: it can be
}

// send writes messages within writeWait. The server's own limit is for answers that end.
func (s *stream) send(messages []byte) error {
	s.mu.Lock()
	err := error(nil)
	if s.ended {
		err = os.ErrDeadlineExceeded
	} else {
		err = s.control.SetWriteDeadline(time.Now().Add(writeWait))
	}
	s.mu.Unlock()
	if err == nil {
		_, err = s.w.Write(messages)
	}
	if err == nil {
		err = s.control.Flush()
	}
	return err
}

// stream serves server-sent events until the viewer goes, is too slow, or the handler is closed: "cluster" with a
// snapshot where it has changed, "events" with those since the last, "alive" where there was nothing for a while.
func (l *Live) stream(w http.ResponseWriter, r *http.Request) {
	s, status, why := l.enter(w)
	if s == nil {
		w.Header().Set("Retry-After", fmt.Sprint(int(retryAfter.Seconds())))
		http.Error(w, why, status)
		return
	}
	defer l.leave(s)
	if err := s.control.SetWriteDeadline(time.Now().Add(writeWait)); err != nil { // without it a viewer could hold a stream for ever
		http.Error(w, "streams are not possible here; read /api/v1/cluster now and then", http.StatusNotImplemented)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // proxies that gather output would hold the stream back
	if r.Method == http.MethodHead {
		return
	}
	events := l.view.source.Events()
	told := teller{events: events, number: events.since(r.Header.Get("Last-Event-ID"))}
	message := fmt.Appendf(nil, "retry: %d\n\n", retryAfter.Milliseconds())
	for {
		data, change, good, err := l.view.current()
		if err != nil {
			return // the document says why
		}
		if message = told.more(message, data, change, time.Now()); len(message) > 0 {
			if s.send(message) != nil {
				return
			}
		}
		message = message[:0]
		select {
		case <-time.After(good):
		case <-r.Context().Done():
			return
		case <-l.done:
			return
		}
	}
}

// teller knows what a viewer has been told.
type teller struct {
	events *Events
	number uint64 // of the last event
	change uint64 // of the last snapshot
	when   time.Time
}

// more appends messages of what the viewer does not know yet.
func (t *teller) more(to []byte, data []byte, change uint64, now time.Time) []byte {
	told := len(to)
	if list := t.events.After(t.number); len(list) > 0 {
		if encoded, err := json.Marshal(list); err == nil { // texts and numbers: it cannot fail
			t.number = list[len(list)-1].Number
			to = fmt.Appendf(to, "event: events\nid: %s\ndata: %s\n\n", t.events.mark(t.number), encoded)
		}
	}
	if change != t.change {
		t.change = change
		to = fmt.Appendf(to, "event: cluster\ndata: %s\n\n", data)
	}
	if len(to) == told && now.Sub(t.when) >= aliveEvery {
		to = fmt.Appendf(to, "event: alive\ndata: {}\n\n")
	}
	if len(to) > told {
		t.when = now
	}
	return to
}
