//go:build unix

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	urlpkg "net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/coterie-project/coterie/internal/object"
)

// toolsVariable names the folder with the programs that these tests start: make tools builds them.
const toolsVariable = "COTERIE_TOOLS"

func tool(t *testing.T, name string) string {
	t.Helper()
	folder := os.Getenv(toolsVariable)
	if folder == "" {
		t.Skipf("%s does not say where %s is: make tools builds it", toolsVariable, name)
	}
	path, err := filepath.Abs(filepath.Join(folder, name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatal(err) // who names the folder wants the tests to run
	}
	return path
}

// objects is a real S3-compatible service in a folder, and a proxy before it that harms what passes.
type objects struct {
	*testing.T
	url     string // of the service
	harmed  string // of the proxy
	control string // of the proxy's settings
	folder  string // each bucket is a folder in it
	server  int    // the service's process
}

const objectKey, objectSecret = "coterie", "not-a-secret"

// newObjects starts both, with the bucket "box".
func newObjects(t *testing.T) *objects {
	t.Helper()
	o := &objects{T: t, folder: t.TempDir()}
	if err := os.Mkdir(filepath.Join(o.folder, "box"), 0o777); err != nil {
		t.Fatal(err)
	}
	server, proxy := tool(t, "versitygw"), tool(t, "toxiproxy")
	service, passage, control := ownAddress(t), ownAddress(t), ownAddress(t)
	o.server = launch(t, "objects", nil, nil, server, "--access", objectKey, "--secret", objectSecret, "--port", service, "--health", "/healthz", "--quiet", "posix", o.folder).cmd.Process.Pid
	host, port, err := net.SplitHostPort(control)
	if err != nil {
		t.Fatal(err)
	}
	launch(t, "proxy", nil, nil, proxy, "-host", host, "-port", port)
	o.url, o.harmed, o.control = "http://"+service, "http://"+passage, "http://"+control
	until(t, soon, "the object store and its proxy are there", func() bool { return answers(o.url+"/healthz") && answers(o.control+"/version") })
	o.tell(http.MethodPost, "/proxies", map[string]any{"name": "box", "listen": passage, "upstream": service, "enabled": true})
	return o
}

func answers(url string) bool {
	client := http.Client{Timeout: soon}
	reply, err := client.Get(url)
	if err != nil {
		return false
	}
	reply.Body.Close()
	return reply.StatusCode == http.StatusOK
}

// tell sets the proxy.
func (o *objects) tell(method, path string, body any) {
	o.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		o.Fatal(err)
	}
	request, err := http.NewRequestWithContext(o.Context(), method, o.control+path, bytes.NewReader(text))
	if err != nil {
		o.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		o.Fatal(err)
	}
	defer reply.Body.Close()
	if reply.StatusCode >= 300 {
		said, _ := io.ReadAll(reply.Body) // for the message alone
		o.Fatalf("%s %s: %s: %s", method, path, reply.Status, said)
	}
}

// harm puts a toxic into the answers of the service until it is taken away.
func (o *objects) harm(kind string, attributes map[string]int) (heal func()) {
	o.Helper()
	o.tell(http.MethodPost, "/proxies/box/toxics", map[string]any{"name": kind, "type": kind, "stream": "downstream", "attributes": attributes})
	return sync.OnceFunc(func() { o.tell(http.MethodDelete, "/proxies/box/toxics/"+kind, nil) })
}

// environment is what a process needs to reach the service at an address.
func (o *objects) environment(url string) []string {
	return []string{"AWS_ACCESS_KEY_ID=" + objectKey, "AWS_SECRET_ACCESS_KEY=" + objectSecret, "AWS_CONFIG_FILE=/nonexistent",
		"AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "COTERIE_S3_ENDPOINT=" + url, "COTERIE_S3_PATH_STYLE=true"}
}

// store is a client in this process.
func (o *objects) store(url string) object.Store {
	o.Helper()
	o.Setenv("AWS_ACCESS_KEY_ID", objectKey)
	o.Setenv("AWS_SECRET_ACCESS_KEY", objectSecret)
	o.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	o.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	s, err := object.New(o.Context(), object.Options{Endpoint: url, PathStyle: true})
	if err != nil {
		o.Fatal(err)
	}
	return s
}

// upload writes an object of some size through a client and gives what it holds.
func upload(t *testing.T, s object.Store, n object.Name, size int) (object.Info, []byte) {
	t.Helper()
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(data)
	u, err := s.Create(t.Context(), n)
	if err == nil {
		_, err = u.Write(data)
	}
	var info object.Info
	if err == nil {
		info, err = u.Commit(object.Condition{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return info, data
}

// The service is a real one, so its ETags, ranges, parts and conditions are too.
func TestARealObjectStoreKeepsItsPromises(t *testing.T) {
	o := newObjects(t)
	s, n := o.store(o.url), object.Name{Bucket: "box", Key: "deep/in/the box.bin"}
	info, data := upload(t, s, n, 20<<20)
	stands, err := s.Stat(t.Context(), n)
	if err != nil || stands.ETag != info.ETag || stands.Size != int64(len(data)) {
		t.Fatalf("got %+v, %v, want what Commit said, %+v", stands, err, info)
	}
	part := make([]byte, 100_000)
	if err := s.ReadAt(t.Context(), info, part, 9<<20); err != nil || !bytes.Equal(part, data[9<<20:][:len(part)]) {
		t.Errorf("a range: got %v, or other bytes", err)
	}
	if _, err := s.Put(t.Context(), n, []byte("another"), object.Condition{IfAbsent: true}); !errors.Is(err, object.ErrChanged) {
		t.Errorf("over one that is there: got %v, want ErrChanged", err)
	}
	if _, err := s.Put(t.Context(), n, []byte("another"), object.Condition{IfMatch: info.ETag}); err != nil {
		t.Errorf("in place of the one that is known: %v", err)
	}
	if err := s.ReadAt(t.Context(), info, part, 0); !errors.Is(err, object.ErrChanged) {
		t.Errorf("what was replaced: got %v, want ErrChanged", err)
	}
	if _, err := s.Stat(t.Context(), object.Name{Bucket: "nowhere", Key: "x"}); !errors.Is(err, object.ErrNotFound) {
		t.Errorf("in a bucket that is missing: got %v", err)
	}
	raceOf(t, s)
}

// raceOf lets writers race for one object that must not be there yet: one wins.
func raceOf(t *testing.T, s object.Store) {
	t.Helper()
	const writers = 16
	var mu sync.Mutex
	var wait sync.WaitGroup
	won := 0
	for i := range writers {
		wait.Go(func() {
			_, err := s.Put(t.Context(), object.Name{Bucket: "box", Key: "epoch"}, fmt.Appendf(nil, "writer %d", i), object.Condition{IfAbsent: true})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, object.ErrChanged) {
				t.Errorf("writer %d: got %v, want ErrChanged", i, err)
			}
		})
	}
	wait.Wait()
	if won != 1 {
		t.Errorf("%d writers have won, want 1", won)
	}
}

// Connections are reset, end in the middle of a body, and are slow, and what is read is the same.
func TestReadingFromAHarmedObjectStore(t *testing.T) {
	o := newObjects(t)
	info, data := upload(t, o.store(o.url), object.Name{Bucket: "box", Key: "x"}, 3<<20)
	through := o.store(o.harmed)
	for _, c := range []struct {
		kind       string
		attributes map[string]int
		retried    bool
	}{
		{"limit_data", map[string]int{"bytes": 1 << 20}, true}, // each connection gives a third of it
		{"latency", map[string]int{"latency": 300, "jitter": 100}, false},
		{"slicer", map[string]int{"average_size": 4000, "size_variation": 1000, "delay": 10}, false},
	} {
		heal := o.harm(c.kind, c.attributes)
		before := object.Counts().Retries
		stream, err := through.Open(t.Context(), info, 0, info.Size)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		_, err = io.Copy(sum, stream)
		stream.Close()
		if err != nil || [32]byte(sum.Sum(nil)) != sha256.Sum256(data) {
			t.Errorf("%s: got %v, or other bytes", c.kind, err)
		}
		if got := object.Counts().Retries > before; got != c.retried {
			t.Errorf("%s: tries were repeated: %v, want %v", c.kind, got, c.retried)
		}
		heal()
	}
	heal := o.harm("reset_peer", map[string]int{"timeout": 0})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	before := object.Counts().Retries
	go func() { ended <- through.ReadAt(ctx, info, make([]byte, 1000), 0) }()
	until(t, soon, "a reset connection is tried again", func() bool { return object.Counts().Retries > before })
	heal()
	if err := <-ended; err != nil {
		t.Errorf("after the resets: %v", err)
	}
	cancel()
}

// forgetful passes requests on, and loses the answers to those that match, once each.
func (o *objects) forgetful(match func(*http.Request) bool) (url string, lost func() int) {
	o.Helper()
	to, err := urlpkg.Parse(o.url)
	if err != nil {
		o.Fatal(err)
	}
	var mu sync.Mutex
	count := 0
	proxy := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host }, // the host is signed: it stays
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ModifyResponse: func(r *http.Response) error {
			mu.Lock()
			defer mu.Unlock()
			if count > 0 || !match(r.Request) {
				return nil
			}
			count++
			return errors.New("lost")
		},
	}
	server := httptest.NewServer(proxy)
	o.Cleanup(server.Close)
	return server.URL, func() int {
		mu.Lock()
		defer mu.Unlock()
		return count
	}
}

// The service does what it was asked to, and its answer is lost: the next try finds the object there, or the parts gone.
func TestAnswersToWritesThatAreLostOnTheWay(t *testing.T) {
	o := newObjects(t)
	for _, c := range []struct {
		what string
		size int
		lost func(*http.Request) bool
	}{
		{"small", 1000, func(r *http.Request) bool { return r.Method == http.MethodPut }},
		{"in parts", 17 << 20, func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") }},
	} {
		url, lost := o.forgetful(c.lost)
		s, n := o.store(url), object.Name{Bucket: "box", Key: c.what}
		u, err := s.Create(t.Context(), n)
		if err == nil {
			_, err = u.Write(make([]byte, c.size))
		}
		var info object.Info
		if err == nil {
			info, err = u.Commit(object.Condition{IfAbsent: true})
		}
		if err != nil || lost() != 1 {
			t.Fatalf("%s: got %v, and %d answers were lost, want one and no error", c.what, err, lost())
		}
		if stands, err := s.Stat(t.Context(), n); err != nil || stands.ETag != info.ETag || stands.Size != int64(c.size) {
			t.Errorf("%s: got %+v, %v, want what Commit said, %+v", c.what, stands, err, info)
		}
	}
}
