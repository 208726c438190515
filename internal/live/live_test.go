package live

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/coterie-project/coterie/internal/bubble"
	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/secure"
)

// hamlet is a cluster that is what the test says.
type hamlet struct {
	mu     sync.Mutex
	at     Snapshot
	events *Events
	asked  int
}

func newHamlet() *hamlet {
	return &hamlet{events: NewEvents(7), at: Snapshot{Version: "test", Epoch: 7, Workers: []Worker{{Name: "w1"}}, Jobs: []Job{}}}
}

func (h *hamlet) Snapshot() *Snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	s := h.at
	s.Time = time.Now()
	return &s
}

func (h *hamlet) Events() *Events { return h.events }

func (h *hamlet) change(f func(*Snapshot)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.at)
}

// pipes are a network in memory, without buffers: who does not read holds up who writes. It knows virtual time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// house is a server of the page, in virtual time, with the limits of the real one.
type house struct {
	t    *testing.T
	live *Live
	*hamlet
	network *pipes
}

func inHouse(t *testing.T, test func(t *testing.T, h *house)) {
	bubble.Test(t, func(t *testing.T) {
		h := &house{t: t, hamlet: newHamlet(), network: &pipes{conns: make(chan net.Conn), done: make(chan struct{})}}
		h.live = New(h.hamlet)
		server := &http.Server{Handler: h.live, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second}
		served := make(chan error, 1)
		go func() { served <- server.Serve(h.network) }()
		test(t, h)
		h.live.Close()
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// message is one of a stream.
type message struct{ event, id, data string }

// viewer is somebody who looks.
type viewer struct {
	t      *testing.T
	conn   net.Conn
	reply  *http.Response
	reader *bufio.Reader
}

// look opens a stream.
func (h *house) look(headers ...string) *viewer {
	h.t.Helper()
	here, there := net.Pipe()
	h.network.conns <- there
	fmt.Fprintf(here, "GET /api/v1/events HTTP/1.1\r\nHost: here\r\n%s\r\n", strings.Join(append(headers, ""), "\r\n"))
	reader := bufio.NewReader(here)
	reply, err := http.ReadResponse(reader, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { here.Close() })
	return &viewer{t: h.t, conn: here, reply: reply, reader: bufio.NewReader(reply.Body)}
}

// next reads a message; io errors mean that the stream has ended.
func (v *viewer) next() (m message, err error) {
	for {
		line, err := v.reader.ReadString('\n')
		if err != nil {
			return m, err
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case field == "event":
			m.event = value
		case field == "id":
			m.id = value
		case field == "data":
			m.data = value
		case field == "" && m.event != "":
			return m, nil
		}
	}
}

// must reads a message of a kind.
func (v *viewer) must(event string) message {
	v.t.Helper()
	m, err := v.next()
	if err != nil || m.event != event {
		v.t.Fatalf("got %q (%v), want %q", m, err, event)
	}
	return m
}

func TestAStreamTellsWhatIsThereAndThenWhatChanges(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.events.Add(Event{Kind: WorkerJoined, Worker: "w1", Text: "w1 joined"})
		v := h.look()
		if got := v.reply.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("got %q, want an event stream", got)
		}
		if m := v.must("events"); m.id != "7-1" || !strings.Contains(m.data, "w1 joined") {
			t.Errorf("got %+v, want the event there was, as 7-1", m)
		}
		if m := v.must("cluster"); !strings.Contains(m.data, `"name":"w1"`) {
			t.Errorf("got %+v, want the cluster", m)
		}
		v.must("alive") // nothing has changed for a while
		h.change(func(s *Snapshot) { s.Workers = append(s.Workers, Worker{Name: "w2"}) })
		if m := v.must("cluster"); !strings.Contains(m.data, `"name":"w2"`) {
			t.Errorf("got %+v, want the new worker", m)
		}
		h.events.Add(Event{Kind: WorkerLost, Worker: "w1", Text: "w1 lost"})
		if m := v.must("events"); m.id != "7-2" || strings.Contains(m.data, "joined") {
			t.Errorf("got %+v, want the new event alone", m)
		}
	})
}

func TestAStreamOutlivesTheLimitsOfItsServer(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		v, began := h.look(), time.Now()
		v.must("cluster")
		for time.Since(began) < time.Hour {
			before := time.Now()
			v.must("alive")
			if silent := time.Since(before); silent > aliveEvery+pace {
				t.Fatalf("a silence of %v, want at most %v", silent, aliveEvery+pace)
			}
		}
	})
}

func TestAViewerThatComesBackHearsOnlyWhatItHasMissed(t *testing.T) {
	for _, c := range []struct{ mark, want string }{
		{"7-2", "[3]"},
		{"7-0", "[1 2 3]"},
		{"6-2", "[1 2 3]"}, // of the coordinator before this one
		{"7-99", "[1 2 3]"},
		{"7--1", "[1 2 3]"},
		{"nonsense", "[1 2 3]"},
	} {
		inHouse(t, func(t *testing.T, h *house) {
			for i := range 3 {
				h.events.Add(Event{Kind: WorkerJoined, Text: fmt.Sprint(i)})
			}
			var list []Event
			if err := json.Unmarshal([]byte(h.look("Last-Event-ID: "+c.mark).must("events").data), &list); err != nil {
				t.Fatal(err)
			}
			var got []uint64
			for _, e := range list {
				got = append(got, e.Number)
			}
			if fmt.Sprint(got) != c.want {
				t.Errorf("after %q: got events %v, want %s", c.mark, got, c.want)
			}
		})
	}
}

// Ten viewers cost the cluster what one does.
func TestTheClusterIsAskedAtMostEveryQuarterOfASecond(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		var wait sync.WaitGroup
		for range 10 {
			v := h.look()
			wait.Go(func() {
				for err := error(nil); err == nil; _, err = v.next() {
				}
			})
		}
		time.Sleep(10 * time.Second) // virtual
		h.mu.Lock()
		asked := h.asked
		h.mu.Unlock()
		h.live.Close()
		wait.Wait()
		if most := int(10*time.Second/pace) + 1; asked > most || asked < most/2 {
			t.Errorf("asked %d times in ten seconds, want about %d", asked, most)
		}
	})
}

func TestLargeSnapshotsComeLessOften(t *testing.T) {
	h := newHamlet()
	h.at.Version = strings.Repeat("x", 4*flow)
	v := &view{source: h}
	if _, _, good, err := v.current(); err != nil || good < 4*time.Second-pace || good > 5*time.Second {
		t.Errorf("1 MiB is good for %v (%v), want about 4 s", good, err)
	}
}

// One that does not read loses its stream, and holds up nobody: neither the others nor the end.
func TestASlowViewerIsGivenUpAndOthersGoOn(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		slow, quick := h.look(), h.look()
		began := time.Now()
		for i := 0; time.Since(began) < writeWait+aliveEvery; i++ {
			h.change(func(s *Snapshot) { s.Workers = []Worker{{Name: fmt.Sprint(i)}} })
			before := time.Now()
			quick.must("cluster")
			if d := time.Since(before); d > aliveEvery {
				t.Fatalf("the quick viewer waited %v", d)
			}
		}
		h.live.mu.Lock()
		n := len(h.live.open)
		h.live.mu.Unlock()
		if n != 1 {
			t.Errorf("%d streams are open, want the quick one alone", n)
		}
		if _, err := io.ReadAll(slow.reader); err == nil {
			t.Error("the slow viewer's stream ended in order, want it cut off")
		}
	})
}

func TestStreamsAreBoundedInNumber(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		var all []*viewer
		for range MaxStreams {
			all = append(all, h.look())
		}
		v := h.look()
		text, _ := io.ReadAll(v.reply.Body)
		if v.reply.StatusCode != http.StatusServiceUnavailable || v.reply.Header.Get("Retry-After") == "" || !strings.Contains(string(text), "/api/v1/cluster") {
			t.Errorf("one more: got %d, %q, want 503 that says what else to do", v.reply.StatusCode, text)
		}
		all[0].conn.Close()
		time.Sleep(writeWait + aliveEvery) // virtual: until its end must have been seen
		if got := h.look().reply.StatusCode; got != http.StatusOK {
			t.Errorf("after one has gone: got %d, want 200", got)
		}
	})
}

func TestCloseEndsStreamsAndWaitsAlsoForOneThatIsStuck(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		reading := h.look()
		ended := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, reading.reader)
			ended <- err
		}()
		h.change(func(s *Snapshot) { s.Version = strings.Repeat("x", 1<<20) })
		time.Sleep(2 * pace) // virtual
		h.look()             // it reads nothing more: the snapshot waits to be taken
		synctest.Wait()
		began := time.Now()
		h.live.Close()
		if d := time.Since(began); d > time.Second {
			t.Errorf("Close took %v, want it at once", d)
		}
		h.live.mu.Lock()
		n := len(h.live.open)
		h.live.mu.Unlock()
		if n != 0 {
			t.Errorf("%d streams are open after Close", n)
		}
		<-ended
		if got := h.look().reply.StatusCode; got != http.StatusServiceUnavailable {
			t.Errorf("a stream after the end: got %d, want 503", got)
		}
	})
}

// ask is one request to the handler alone.
func ask(l *Live, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	secure.Headers(l).ServeHTTP(w, r) // as the server has it
	return w
}

func TestWhatIsServedAndHow(t *testing.T) {
	l := New(newHamlet())
	for _, c := range []struct {
		method, path string
		status       int
		kind         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/live.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/live.css", 200, "text/css; charset=utf-8"},
		{"GET", "/icon.svg", 200, "image/svg+xml"},
		{"GET", "/api/v1/cluster", 200, "application/json"},
		{"HEAD", "/api/v1/cluster", 200, "application/json"},
		{"GET", "/index.html", 404, "text/plain; charset=utf-8"},
		{"GET", "/page/live.js", 404, "text/plain; charset=utf-8"},
		{"GET", "/../handler.go", 404, "text/plain; charset=utf-8"},
		{"POST", "/", 405, "text/plain; charset=utf-8"},
		{"DELETE", "/api/v1/cluster", 405, "text/plain; charset=utf-8"},
		{"OPTIONS", "/api/v1/events", 405, "text/plain; charset=utf-8"},
		{"GET", "/api/v1/events", 501, "text/plain; charset=utf-8"}, // a recorder has no deadlines
	} {
		w := ask(l, c.method, c.path)
		if w.Code != c.status || w.Header().Get("Content-Type") != c.kind {
			t.Errorf("%s %s: got %d, %q, want %d, %q", c.method, c.path, w.Code, w.Header().Get("Content-Type"), c.status, c.kind)
		}
		if c.method == "HEAD" && w.Body.Len() > 0 {
			t.Errorf("HEAD %s: got a body", c.path)
		}
		if (w.Header().Get("Allow") != "") != (c.status == 405) {
			t.Errorf("%s %s: got Allow %q", c.method, c.path, w.Header().Get("Allow"))
		}
		for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s %s: got %s %q, want %q", c.method, c.path, name, got, want)
			}
		}
	}
	w := ask(l, "GET", "/live.js")
	if again := ask(l, "GET", "/live.js", "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("the same script again: got %d, want 304", again.Code)
	}
}

// The policy is worth what the page keeps to.
func TestThePageHasNothingInlineAndNothingFromElsewhere(t *testing.T) {
	l := New(newHamlet())
	page := string(l.files["/"].data)
	if found := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script>|javascript:|//[a-z]`).FindString(page); found != "" {
		t.Errorf("the page has %q", found)
	}
	script := string(l.files["/live.js"].data)
	if found := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|setAttribute\('style'`).FindString(script); found != "" {
		t.Errorf("the script has %q: what others have named must reach the page as text", found)
	}
	if found := regexp.MustCompile(`https?://[^'"]*`).FindAllString(script, -1); len(found) != 1 || found[0] != "http://www.w3.org/2000/svg" {
		t.Errorf("the script names %v, want the name of SVG alone", found)
	}
	for name := range l.files {
		if name != "/" && !strings.Contains(page, `"`+name[1:]+`"`) {
			t.Errorf("%s is served and not used", name)
		}
	}
}

func TestTheDocumentHasTheEventsToo(t *testing.T) {
	h := newHamlet()
	h.at.Workers[0].Name = `<img src=x onerror=alert(1)>`
	h.events.Add(Event{Kind: JobDone, Job: "job-a", Text: "done"})
	w := ask(New(h), "GET", "/api/v1/cluster")
	var s Snapshot
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if s.Epoch != 7 || len(s.Events) != 1 || s.Events[0].Job != "job-a" || s.Workers[0].Name != h.at.Workers[0].Name {
		t.Errorf("got %+v, want the cluster and its event", s)
	}
	if strings.Contains(w.Body.String(), "<img") {
		t.Error("the document holds markup, want it escaped")
	}
}

func TestAClusterThatCannotBeEncodedIsAnError(t *testing.T) {
	h := newHamlet()
	h.at.Workers[0].Silent = -1 / zero
	if w := ask(New(h), "GET", "/api/v1/cluster"); w.Code != http.StatusInternalServerError {
		t.Errorf("got %d, want 500", w.Code)
	}
}

var zero float64

func TestARequestThatIsGivenUpEndsItsStream(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		ctx, cancel := context.WithCancel(t.Context())
		v := h.look()
		context.AfterFunc(ctx, func() { v.conn.Close() })
		v.must("cluster")
		cancel()
		time.Sleep(aliveEvery + writeWait) // virtual
		h.live.mu.Lock()
		defer h.live.mu.Unlock()
		if len(h.live.open) != 0 {
			t.Errorf("%d streams are open, want none", len(h.live.open))
		}
	})
}

// The real server, which waits for its answers to end when it is closed.
func TestTheServerEndsWithItsStreams(t *testing.T) {
	l := New(newHamlet())
	server, err := observe.Listen("127.0.0.1:0", func() error { return nil }, prometheus.NewRegistry(), l)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.Get("http://" + server.Address() + "/api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	for path, want := range map[string]int{"/": 200, "/healthz": 200, "/metrics": 200, "/nothing": 404} {
		r, err := http.Get("http://" + server.Address() + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, r.StatusCode, want)
		}
	}
	_ = server.Close()                     // how it ended is a matter of time here
	_, _ = io.Copy(io.Discard, reply.Body) // returns, since the stream has ended
	if l.mu.Lock(); len(l.open) != 0 || !l.closed {
		t.Errorf("%d streams are open after the end of the server", len(l.open))
	}
	l.mu.Unlock()
}
