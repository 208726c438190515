package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// patient bounds every wait of these tests: what it is for happens within a fraction of it.
const patient = 20 * time.Second

// output is a stream that a test reads while the program writes it.
type output struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.String()
}

// until waits for something to become true.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(patient); !true(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

// process is a run of the program in this process that goes on while the test does.
type process struct {
	stdout, stderr output
	cancel         context.CancelFunc
	done           chan struct{}
	code           int
}

// begin starts the program in an environment of its own. It is stopped, and waited for, at the end of the test.
func begin(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.code = newApp(strings.NewReader(""), &p.stdout, &p.stderr, env).run(ctx, args)
	}()
	t.Cleanup(func() { p.stop(t) })
	return p
}

// stop ends the run as a signal does.
func (p *process) stop(t *testing.T) outcome {
	t.Helper()
	p.cancel()
	return p.end(t)
}

// end waits for the run to end by itself.
func (p *process) end(t *testing.T) outcome {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patient):
		t.Fatalf("it does not end; it says %q", p.stderr.String())
	}
	return outcome{p.code, p.stdout.String(), p.stderr.String()}
}

// daemon is a coordinator or a worker that is ready.
type daemon struct {
	*process
	rpc, gossip, http string
}

// ready is the line that each of them prints.
var ready = regexp.MustCompile(`^ready rpc=(127\.0\.0\.1:[1-9]\d*) gossip=(127\.0\.0\.1:[1-9]\d*) http=(127\.0\.0\.1:[1-9]\d*)\n$`)

// startDaemon begins a coordinator or a worker and waits for its line.
func startDaemon(t *testing.T, env []string, args ...string) *daemon {
	t.Helper()
	d := &daemon{process: begin(t, env, args...)}
	until(t, "a line of coterie "+strings.Join(args, " "), func() bool {
		select {
		case <-d.done:
			t.Fatalf("coterie %s ended with %d: %s", strings.Join(args, " "), d.code, d.stderr.String())
		default:
		}
		return strings.Contains(d.stdout.String(), "\n")
	})
	found := ready.FindStringSubmatch(d.stdout.String())
	if found == nil {
		t.Fatalf("got %q, want one line that matches %v", d.stdout.String(), ready)
	}
	d.rpc, d.gossip, d.http = found[1], found[2], found[3]
	return d
}

// anywhere are the flags that take free ports.
var anywhere = []string{"--listen", "127.0.0.1:0", "--gossip", "127.0.0.1:0", "--http", "127.0.0.1:0"}

func coordinate(t *testing.T, args ...string) *daemon {
	t.Helper()
	return startDaemon(t, nil, append(append([]string{"coordinator", "--state", filepath.Join(t.TempDir(), "deep", "state")}, anywhere...), args...)...)
}

// join starts a worker and waits until its coordinator has it.
func (d *daemon) join(t *testing.T, args ...string) *daemon {
	t.Helper()
	w := startDaemon(t, nil, append([]string{"worker", "--join", d.gossip, "--threads", "1"}, args...)...)
	until(t, "the worker to be ready", func() bool { code, _ := get(t, w.http, "/readyz"); return code == http.StatusOK })
	return w
}

// get asks a daemon over HTTP.
func get(t *testing.T, address, path string) (code int, body string) {
	t.Helper()
	client := &http.Client{Timeout: patient}
	defer client.CloseIdleConnections()
	reply, err := client.Get("http://" + address + path)
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

func TestDaemonsSayWhereTheyAreAndStopInOrder(t *testing.T) {
	enter(t)
	lonely := startDaemon(t, nil, "worker", "--join", "127.0.0.1:9,127.0.0.1:10", "--join", "127.0.0.1:11")
	if code, body := get(t, lonely.http, "/readyz"); code != http.StatusServiceUnavailable || body == "" {
		t.Errorf("a worker without a coordinator: got %d %q of /readyz, want 503 and why", code, body)
	}
	c := coordinate(t)
	w := c.join(t)
	for _, d := range []*daemon{lonely, c, w} {
		if code, body := get(t, d.http, "/healthz"); code != http.StatusOK || body != "ok\n" {
			t.Errorf("/healthz: got %d %q, want 200 and ok", code, body)
		}
	}
	for _, d := range []*daemon{c, w} {
		if code, _ := get(t, d.http, "/readyz"); code != http.StatusOK {
			t.Errorf("/readyz: got %d, want 200", code)
		}
		if code, _ := get(t, d.http, "/nothing"); code != http.StatusNotFound {
			t.Errorf("/nothing: got %d, want 404", code)
		}
	}
	for d, want := range map[*daemon][]string{c: {"coterie_workers{state=\"ready\"} 1\n", "coterie_jobs{state=\"running\"} 0\n", "coterie_epoch 1\n", "go_goroutines "},
		w: {"coterie_worker_joined 1\n", "coterie_worker_partitions 0\n", "go_goroutines "}} {
		code, body := get(t, d.http, "/metrics")
		for _, line := range want {
			if code != http.StatusOK || !strings.Contains(body, "\n"+line) {
				t.Errorf("/metrics: got %d without the line %q:\n%s", code, line, body)
			}
		}
	}
	for name, d := range map[string]*daemon{"worker": w, "lonely worker": lonely, "coordinator": c} {
		if got := d.stop(t); got.code != 0 || !ready.MatchString(got.stdout) || !strings.Contains(got.stderr, "level=INFO") {
			t.Errorf("%s: got %+v, want exit code 0, its one line and a log on standard error", name, got)
		}
	}
}

// TestDaemonsRefuse holds the exit code and the words for what daemons cannot work with.
func TestDaemonsRefuse(t *testing.T) {
	enter(t)
	held := filepath.Join(t.TempDir(), "held")
	c := startDaemon(t, nil, append([]string{"coordinator", "--state", held}, anywhere...)...)
	write(t, "file", "")
	free := func(args ...string) []string {
		return append(append([]string{"coordinator", "--state", "new"}, anywhere...), args...)
	}
	worker := func(args ...string) []string { return append([]string{"worker", "--join", c.gossip}, args...) }
	cases := []struct {
		args []string
		code int
		say  []string // the first begins the line
	}{
		{[]string{"coordinator"}, 2, []string{"coterie coordinator needs --state"}},
		{[]string{"worker"}, 2, []string{"coterie worker needs --join"}},
		{free("here"), 2, []string{`coterie coordinator does not take the argument "here"`}},
		{free("--state", ""), 2, []string{`--state: "" is neither a folder`}},
		{free("--state", "gs://bucket/state"), 2, []string{`--state: "gs://bucket/state" is neither a folder of this machine nor s3://BUCKET/PREFIX`, "local disk"}},
		{free("--state", "s3://"), 2, []string{`"s3://": "" is not the name of a bucket`, "write s3://BUCKET/KEY"}},
		{free("--state", "file"), 1, []string{"file: is a file"}},
		{free("--state", held), 1, []string{held + ": is held by process ", fmt.Sprint(os.Getpid()), "a folder of its own"}},
		{free("--listen", c.rpc), 1, []string{"--listen " + c.rpc + ": cannot listen", "in use", "choose another port"}},
		{free("--gossip", c.gossip), 1, []string{"--gossip", c.gossip, "in use", "port"}},
		{free("--http", c.http), 1, []string{"--http " + c.http + ": cannot listen", "in use", "choose another port"}},
		{worker("--listen", c.rpc), 1, []string{"--listen " + c.rpc}},
		{free("--listen", "localhost"), 2, []string{`--listen: "localhost" is not an address of the form HOST:PORT`}},
		{free("--http", "localhost:http"), 2, []string{`--http: "localhost:http" has a port that is not a number`}},
		{free("--gossip", "127.0.0.1:65536"), 2, []string{`--gossip: "127.0.0.1:65536" has a port`}},
		{worker("--join", "node1"), 2, []string{`--join: "node1" is not an address`}},
		{worker("--join", "node1:0"), 2, []string{`--join: "node1:0" lacks`}},
		{free("--listen", "0.0.0.0:0"), 2, []string{`--listen: "0.0.0.0:0" can be reached from other machines`, "--tls-cert", "--insecure"}},
		{free("--gossip", "0.0.0.0:0"), 2, []string{`--gossip: "0.0.0.0:0" can be reached`, "--insecure"}},
		{worker("--http", ":0"), 2, []string{`--http: ":0" can be reached`, "--insecure"}},
		{worker("--tls-cert", "x"), 2, []string{"--tls-cert without"}},
		{worker("--gossip-key", "none"), 2, []string{"none: ", "gossip key"}},
		{worker("--name", strings.Repeat("n", 65)), 2, []string{"--name: ", "1 to 64 bytes"}},
		{worker("--name", "a\x1bb"), 2, []string{"--name: ", "cannot be printed"}},
		{worker("--cluster-name", ""), 2, []string{"--cluster-name: "}},
		{worker("--advertise", "node1:7600"), 2, []string{`--advertise: "node1:7600" has a port`}},
		{worker("--data-root", "none"), 1, []string{"--data-root none: there is no such folder"}},
		{worker("--spill", "none"), 1, []string{"--spill none: there is no such folder"}},
		{worker("--spill", "file"), 1, []string{"--spill file: is a file, not a folder"}},
		{worker("--memory", "1KiB"), 2, []string{`--memory: "1KiB" must be at least 64.0 MiB`}},
		{worker("--threads", "0"), 2, []string{`--threads: "0"`}},
		{worker("--state", "new"), 2, []string{"unknown flag --state for coterie worker"}},
		{free("--data-root", "."), 2, []string{"unknown flag --data-root for coterie coordinator"}},
		{free("--cluster", c.rpc), 2, []string{"unknown flag --cluster for coterie coordinator"}},
	}
	for _, c := range cases {
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		got := runWith(ctx, nil, c.args...)
		cancel()
		if got.code != c.code || got.stdout != "" || !strings.HasPrefix(got.stderr, "coterie: "+c.say[0]) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("coterie %s: got %+v, want exit code %d and one line that begins with %q", strings.Join(c.args, " "), got, c.code, c.say[0])
		}
		for _, word := range c.say {
			if !strings.Contains(got.stderr, word) {
				t.Errorf("coterie %s: got %q, want it to name %q", strings.Join(c.args, " "), got.stderr, word)
			}
		}
	}
}

// TestGossipWithoutAKeyIsRefusedBesideTLS holds that TLS alone does not open the gossip to other machines.
func TestGossipWithoutAKeyIsRefusedBesideTLS(t *testing.T) {
	enter(t)
	madeCerts(t, "pki")
	tls := []string{"--tls-cert", "pki/worker.crt", "--tls-key", "pki/worker.key", "--tls-ca", "pki/ca.crt"}
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	got := runWith(ctx, nil, append([]string{"worker", "--join", "127.0.0.1:9", "--gossip", "0.0.0.0:0"}, tls...)...)
	if got.code != 2 || !strings.Contains(got.stderr, `--gossip: "0.0.0.0:0"`) || !strings.Contains(got.stderr, "--gossip-key") {
		t.Errorf("got %+v, want exit code 2 and --gossip-key named", got)
	}
}

func TestSettingsReachDaemonsFromEverywhere(t *testing.T) {
	enter(t)
	write(t, "coordinator.yaml", "state: from-file\nlisten: 127.0.0.1:0\ngossip: 127.0.0.1:0\nhttp: 127.0.0.1:0\njobs: 2\njoin: [127.0.0.1:9, \"127.0.0.1:10\"]\n")
	c := startDaemon(t, nil, "coordinator", "--config", "coordinator.yaml")
	if info, err := os.Stat("from-file"); err != nil || !info.IsDir() {
		t.Errorf("got %v, want the folder that the file names", err)
	}
	write(t, "worker.yaml", "join: ["+c.gossip+"]\ndata-root: [., tmp]\nthreads: 1\nname: from-file\nmemory: 1GiB\n")
	startDaemon(t, []string{"COTERIE_NAME=from-environment", "COTERIE_STATE=elsewhere", "COTERIE_CLUSTER=node1:1"}, "worker", "--config", "worker.yaml")
	until(t, "the worker in the status", func() bool {
		got := runWith(context.Background(), []string{"COTERIE_CLUSTER=" + c.rpc}, "status", "--json")
		if got.code != 0 {
			t.Fatalf("got %+v, want the status", got)
		}
		return strings.Contains(got.stdout, `"name":"from-environment"`) && strings.Contains(got.stdout, `"memory":1073741824`)
	})
	for file, want := range map[string]string{"statee: x\n": `unknown key "statee" for coterie coordinator (did you mean "state"?)`,
		"workers: 3\n": `unknown key "workers" for coterie coordinator`, "join: [node1]\n": `--join (bad.yaml, line 1): "node1" is not an address`} {
		write(t, "bad.yaml", file)
		if got := coterie("coordinator", "--state", "new", "--config", "bad.yaml"); got.code != 2 || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: got %+v, want exit code 2 and %q", file, got, want)
		}
	}
}
