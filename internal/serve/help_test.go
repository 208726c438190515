package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/secure"
	"github.com/coterie-project/coterie/model"
)

// patient bounds every wait of these tests: what it is for happens within a fraction of it.
const patient = 20 * time.Second

// shop is a model of two numbers, an ordered text and a text, whose segments are people around 20, 40 and 60 years; turned
// has them the other way round.
func shop(missing feature.Missing, turned bool) *model.Model {
	grid := feature.Grid{Exponent: -30}
	t := &feature.Transform{Scale: feature.Standard, Missing: missing,
		Numeric: []feature.NumericColumn{
			{Name: "age", Center: 40, Spread: 10, Grid: grid},
			{Name: "spend", Log1p: true, Center: 3, Spread: 1, Grid: grid},
			{Name: "education", Order: []string{"school", "college", "doctor"}, Center: 1, Spread: 1, Grid: grid},
		},
		Categorical: []feature.CategoricalColumn{{Name: "gender", Levels: []feature.Level{{Value: "f", Grid: grid}, {Value: "m", Grid: grid}}}}}
	if missing == feature.Mean {
		age, spend, education := 40.0, 19.0, 1.0
		t.Numeric[0].Fill, t.Numeric[1].Fill, t.Numeric[2].Fill = &age, &spend, &education
	}
	m := &model.Model{K: 3, Metric: model.Euclidean, Transform: t, Rows: 6, Counts: []int64{1, 2, 3}, Segments: model.NewSegments(3),
		Centroids: []float32{-2, 0, 0, 0.5, 0.5, 0, 0, 0, 0.5, 0.5, 2, 0, 0, 0.5, 0.5}}
	if turned {
		m.Centroids[0], m.Centroids[10] = 2, -2
	}
	return m
}

func put(t testing.TB, path string, m *model.Model) {
	t.Helper()
	if err := model.WriteFile(path, m); err != nil {
		t.Fatal(err)
	}
}

// journal is a log that a test reads while the server writes it.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// running is a server on loopback ports.
type running struct {
	*Server
	path   string
	log    journal
	reload chan os.Signal
	stop   context.CancelFunc
	done   chan error
	client *http.Client
	conn   *grpc.ClientConn
}

// start serves a model until the test ends. change may set what is unusual before Run begins.
func start(t testing.TB, m *model.Model, w waits, change func(*running)) *running {
	t.Helper()
	r := &running{path: filepath.Join(t.TempDir(), "model.json"), reload: make(chan os.Signal, 1), done: make(chan error, 1),
		client: &http.Client{Timeout: patient, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	put(t, r.path, m)
	var err error
	if r.Server, err = newServer(Config{Model: r.path, RPC: listen(t), HTTP: listen(t), Grace: patient, Log: slog.New(slog.NewTextHandler(&r.log, nil))}, w); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	ready := make(chan struct{})
	go func() { r.done <- r.Run(ctx, r.reload, func() error { close(ready); return nil }) }()
	<-ready
	if r.conn, err = grpc.NewClient(r.rpc.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(1<<30))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.client.CloseIdleConnections()
		r.conn.Close()
		r.stop()
		if err := r.wait(t); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

// wait gives what Run gave.
func (r *running) wait(t testing.TB) error {
	t.Helper()
	select {
	case err := <-r.done:
		r.done <- err
		return err
	case <-time.After(patient):
		t.Fatal("the server does not end")
	}
	return nil
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := secure.Listen("--http", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// call asks over HTTP; an empty body is a GET.
func (r *running) call(t testing.TB, path, body string) (status int, answer string) {
	t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	return r.send(t, method, path, body)
}

func (r *running) send(t testing.TB, method, path, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequest(method, "http://"+r.site.Addr().String()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	data, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(data)
}

// results reads an answer.
func results(t testing.TB, answer string) *answers {
	t.Helper()
	a := new(answers)
	if err := json.Unmarshal([]byte(answer), a); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	return a
}

// until waits for something to become true.
func until(t testing.TB, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(patient); !true(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}
