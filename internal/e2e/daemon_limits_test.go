//go:build unix

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// workshop is where programs are built; it goes with the tests.
var workshop string

// together is how many tests run at once: on few cores too, since most of the time they wait for what time brings.
const together = "6"

func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if counts := os.Getenv("COTERIE_E2E_COUNTS"); counts != "" {
		os.Setenv("GOCOVERDIR", counts) // for programs built with -cover; the go command has set it to a folder that it removes
	}
	var err error
	if workshop, err = os.MkdirTemp("", "coterie-e2e-"); err == nil && !asked {
		err = flag.Set("test.parallel", together)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(workshop)
	os.Exit(code)
}

// built is the program with its fail points, made once for all tests. COTERIE_E2E_BUILD are more flags for the go command, such as -race or
// -cover.
var built = sync.OnceValues(func() (string, error) {
	path := filepath.Join(workshop, "coterie")
	args := append([]string{"build", "-tags", "failpoints", "-o", path}, strings.Fields(os.Getenv("COTERIE_E2E_BUILD"))...)
	out, err := exec.Command("go", append(args, "../../cmd/coterie")...).CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

// raced says whether the processes have the race detector: they are slower then, and take memory for what it remembers of theirs.
func raced() bool { return slices.Contains(strings.Fields(os.Getenv("COTERIE_E2E_BUILD")), "-race") }

// withShadow is a bound of memory, or with the race detector that of a process whose shadow counts too: five to ten times as much
// (https://go.dev/doc/articles/race_detector).
func withShadow(bytes int) int {
	if raced() {
		return 10 * bytes
	}
	return bytes
}

func coteriePath(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// place is where a process runs: the words before the program's own name, such as those that enter a namespace.
type place []string

func (p place) command(ctx context.Context, binary string, args ...string) *exec.Cmd {
	words := append(append(append([]string(nil), p...), binary), args...)
	return exec.CommandContext(ctx, words[0], words[1:]...)
}

// text is a buffer that a process writes and a test reads.
type text struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *text) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *text) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// daemon is a coordinator or a worker: a process of its own.
type daemon struct {
	name              string
	cmd               *exec.Cmd
	out, log          text
	rpc, gossip, http string
	ended             chan struct{} // closed after the process has gone
}

var readyLine = regexp.MustCompile(`(?m)^ready rpc=(\S+) gossip=(\S+) http=(\S+)$`)

// launch starts a process; its end is the test's.
func launch(t *testing.T, name string, in place, env []string, binary string, args ...string) *daemon {
	t.Helper()
	d := &daemon{name: name, cmd: in.command(context.Background(), binary, args...), ended: make(chan struct{})}
	d.cmd.Env = append(os.Environ(), env...)
	d.cmd.Stdout, d.cmd.Stderr = &d.out, &d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone, err := mind(d.cmd.Process.Pid)
	go func() {
		defer close(d.ended)
		_ = d.cmd.Wait() // how it ended is in its state
		gone()
	}()
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			log := d.log.String()
			t.Logf("%s said:\n%s", name, log[max(0, len(log)-3000):])
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// serveFrom launches a coordinator or worker and waits for its ready line.
func serveFrom(t *testing.T, name string, in place, env []string, binary string, args ...string) *daemon {
	t.Helper()
	d := launch(t, name, in, env, binary, args...)
	until(t, 20*time.Second, name+" is ready", func() bool {
		found := readyLine.FindStringSubmatch(d.out.String())
		if found != nil {
			d.rpc, d.gossip, d.http = found[1], found[2], found[3]
		}
		if found == nil && d.gone() {
			t.Fatalf("%s has ended: %s", name, d.log.String())
		}
		return found != nil
	})
	return d
}

func (d *daemon) gone() bool {
	select {
	case <-d.ended:
		return true
	default:
		return false
	}
}

// kill ends the process at once and returns after it has gone.
func (d *daemon) kill() {
	_ = d.cmd.Process.Signal(syscall.SIGCONT)
	_ = d.cmd.Process.Kill()
	<-d.ended
}

// until polls until something holds. The limit is there for what never will; it is no verdict on speed.
func until(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// outcome is how a command ended.
type outcome struct {
	out, err string
	code     int
	took     time.Duration
}

// commandLimit bounds a command of a test: nothing here takes a tenth of it.
const commandLimit = 80 * time.Second

// coterie runs a command to its end.
func coterie(t *testing.T, in place, args ...string) outcome {
	t.Helper()
	binary := coteriePath(t) // building it, the first time, may take longer than a command may
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	defer cancel()
	var out, problems bytes.Buffer
	cmd := in.command(ctx, binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	began := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("coterie %s: %v", strings.Join(args, " "), err)
	}
	return outcome{out: out.String(), err: problems.String(), code: cmd.ProcessState.ExitCode(), took: time.Since(began)}
}

// worked is what a command printed; the test ends if it failed.
func worked(t *testing.T, in place, args ...string) string {
	t.Helper()
	o := coterie(t, in, args...)
	if o.code != 0 {
		t.Fatalf("coterie %s: exit %d: %s", strings.Join(args, " "), o.code, o.err)
	}
	return o.out
}

// view is what status says.
type view struct {
	Workers []struct {
		Name, State string
		Partitions  int
	}
	Jobs []jobView
}

type jobView struct {
	ID, State, Phase, Reason, Digest string
	Iteration                        int
	Reassigned, Speculated           int // partitions
}

// worker is a worker's state, "absent" if there is none of that name.
func (v view) worker(name string) string {
	for _, w := range v.Workers {
		if w.Name == name {
			return w.State
		}
	}
	return "absent"
}

// job is the only job there is, or the zero value.
func (v view) job() jobView {
	if len(v.Jobs) == 0 {
		return jobView{}
	}
	return v.Jobs[len(v.Jobs)-1]
}

// look asks a coordinator for its status. tls are the flags that it asks for, if it does.
func look(t *testing.T, in place, address string, tls ...string) view {
	t.Helper()
	var v view
	out := worked(t, in, append([]string{"status", "--json", "--cluster", address}, tls...)...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("status: %v: %s", err, out)
	}
	return v
}

// fitting is a coterie fit under way.
type fitting struct {
	*daemon
	t *testing.T
}

// beginFit starts a fit whose result is one JSON document.
func beginFit(t *testing.T, in place, args ...string) fitting {
	t.Helper()
	return fitting{launch(t, "fit", in, nil, coteriePath(t), append([]string{"fit", "--json", "-o", filepath.Join(t.TempDir(), "m.json")}, args...)...), t}
}

// digest waits for the end of the fit and gives the digest of what it found.
func (f fitting) digest() string {
	f.t.Helper()
	select {
	case <-f.ended:
	case <-time.After(commandLimit):
		f.t.Fatalf("the fit has not ended in %v: %s", commandLimit, f.log.String())
	}
	if code := f.cmd.ProcessState.ExitCode(); code != 0 {
		f.t.Fatalf("the fit ended with exit %d: %s", code, f.log.String())
	}
	return digestOf(f.t, f.out.String())
}

func digestOf(t *testing.T, document string) string {
	t.Helper()
	var d struct{ Digest string }
	if err := json.NewDecoder(strings.NewReader(document)).Decode(&d); err != nil && !errors.Is(err, io.EOF) || d.Digest == "" {
		t.Fatalf("no digest in %q: %v", document, err)
	}
	return d.Digest
}

// digestHere is that of the same fit in one process.
func digestHere(t *testing.T, args ...string) string {
	t.Helper()
	return digestOf(t, worked(t, nil, append([]string{"fit", "--json", "--quiet", "-o", filepath.Join(t.TempDir(), "here.json")}, args...)...))
}

// metricIn finds a metric of ours in the text that Prometheus reads.
func metricIn(t *testing.T, text, name string) float64 {
	t.Helper()
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "coterie_"+name+" "); ok {
			if v, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil {
				return v
			}
		}
	}
	t.Fatalf("there is no metric coterie_%s in %.2000s", name, text)
	return 0
}

// leadOnLoopback starts a coordinator with a state of its own.
func leadOnLoopback(t *testing.T) *daemon {
	t.Helper()
	return serveFrom(t, "coordinator", nil, nil, coteriePath(t), "coordinator", "--state", filepath.Join(t.TempDir(), "state"),
		"--listen", "127.0.0.1:0", "--gossip", "127.0.0.1:0", "--http", "127.0.0.1:0")
}

// localWorker starts a worker of that coordinator.
func localWorker(t *testing.T, name string, of *daemon, env []string) *daemon {
	t.Helper()
	return serveFrom(t, name, nil, env, coteriePath(t), "worker", "--join", of.gossip, "--name", name, "--threads", "1", "--memory", "1GiB")
}

// longJob is a fit of six partitions and 154 rounds of iteration, which take no time of their own.
var longJob = []string{"synth://uniform?rows=1500000&seed=4&d=2", "-k", "8", "--tol", "0", "--max-iter", "300"}

// slowRounds makes a worker wait in each iteration: with it longJob lasts for more than a minute, and a fault falls into it.
var slowRounds = []string{"COTERIE_FAILPOINT=iterate:1:sleep=500ms"}
