//go:build unix

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/loopback"
)

// slots bounds how many clusters on loopback run at once: one more than the machines that test have cores, since most of the
// time they wait for a worker to be missed.
var slots = make(chan struct{}, 3)

// soon bounds waits for what happens at once on an idle machine; with the race detector all takes several times as long.
var soon = withDetector(30 * time.Second)

func withDetector(d time.Duration) time.Duration {
	if raced() {
		return 4 * d
	}
	return d
}

// cluster is a coordinator and workers on loopback.
type cluster struct {
	*testing.T
	root    string // a folder that all workers may read from and write to
	state   string
	head    *daemon
	workers map[string]*daemon
	flags   []string // of the coordinator
	env     []string // of all
}

// newCluster starts a coordinator with the fail point, "" for none, and workers w1 … wn.
func newCluster(t *testing.T, point string, n int, flags ...string) *cluster {
	t.Helper()
	slots <- struct{}{}
	t.Cleanup(func() { <-slots })
	c := &cluster{T: t, root: t.TempDir(), workers: make(map[string]*daemon), flags: flags}
	c.state = filepath.Join(t.TempDir(), "state")
	c.lead(point, ownAddress(t), ownAddress(t), ownAddress(t))
	for i := range n {
		c.worker(fmt.Sprintf("w%d", i+1), "")
	}
	c.present(n)
	return c
}

// ownAddress is one that a server can be started at again.
func ownAddress(t *testing.T) string {
	t.Helper()
	address, err := loopback.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func (c *cluster) lead(point, rpc, gossip, http string) {
	c.Helper()
	args := []string{"coordinator", "--state", c.state, "--listen", rpc, "--gossip", gossip, "--http", http}
	c.head = serveFrom(c.T, "coordinator", nil, append(failing(point), c.env...), coteriePath(c.T), append(args, c.flags...)...)
}

// restart starts another coordinator, with a fail point, and the state and the addresses of the one that has gone.
func (c *cluster) restart(point string) {
	c.Helper()
	old := c.head
	if !old.gone() {
		c.Fatal("the coordinator is there still")
	}
	c.lead(point, old.rpc, old.gossip, old.http)
}

// worker starts a worker with the fail point, "" for none.
func (c *cluster) worker(name, point string, flags ...string) *daemon {
	c.Helper()
	args := []string{"worker", "--join", c.head.gossip, "--name", name, "--threads", "1", "--memory", "1GiB"}
	if !slices.Contains(flags, "--data-root") {
		args = append(args, "--data-root", c.root+","+shared())
	}
	d := serveFrom(c.T, name, nil, append(failing(point), c.env...), coteriePath(c.T), append(args, flags...)...)
	c.workers[name] = d
	return d
}

func failing(point string) []string { return []string{"COTERIE_FAILPOINT=" + point} }

// present waits until n workers are ready.
func (c *cluster) present(n int) {
	c.Helper()
	until(c.T, soon, fmt.Sprintf("%d workers are ready", n), func() bool {
		ready := 0
		for _, w := range c.look().Workers {
			if w.State == "ready" {
				ready++
			}
		}
		return ready == n
	})
}

func (c *cluster) look() view {
	c.Helper()
	return look(c.T, nil, c.head.rpc)
}

// epoch is the coordinator's.
func (c *cluster) epoch() int {
	c.Helper()
	var v struct{ Epoch int }
	decode(c.T, worked(c.T, nil, "status", "--json", "--cluster", c.head.rpc), &v)
	return v.Epoch
}

// holds is how many partitions a worker has in memory, as status shows it.
func (c *cluster) holds(name string) int {
	c.Helper()
	for _, w := range c.look().Workers {
		if w.Name == name {
			return w.Partitions
		}
	}
	return 0
}

// metric reads one of a process.
func (c *cluster) metric(d *daemon, name string) float64 {
	c.Helper()
	client := http.Client{Timeout: soon}
	reply, err := client.Get("http://" + d.http + "/metrics")
	if err != nil {
		c.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	if err != nil {
		c.Fatal(err)
	}
	return metricIn(c.T, string(text), name)
}

// shownJob is what jobs show --json says of a job.
type shownJob struct {
	ID, State, Phase, Reason, Digest, Model    string
	Iteration, Reassigned, Speculated, Refused int
}

func (c *cluster) show(id string, flags ...string) shownJob {
	c.Helper()
	var j shownJob
	decode(c.T, worked(c.T, nil, append([]string{"jobs", "show", id, "--json", "--cluster", c.head.rpc}, flags...)...), &j)
	return j
}

func decode(t *testing.T, document string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(document), into); err != nil {
		t.Fatalf("%v: %s", err, document)
	}
}

// job waits for the only job of the cluster and gives its id.
func (c *cluster) job() string {
	c.Helper()
	var id string
	until(c.T, soon, "a job is there", func() bool {
		id = c.look().job().ID
		return id != ""
	})
	return id
}

// under waits until a job is in a phase and has come so far in it, and fails if the job ends before.
func (c *cluster) under(id, phase string, iteration int) {
	c.Helper()
	until(c.T, soon, fmt.Sprintf("job %s is in phase %s", id, phase), func() bool {
		j := c.show(id)
		if j.State != "running" && j.State != "queued" && j.State != "waiting" {
			c.Fatalf("the job is %s already, want it in phase %s: the fault would come too late", j.State, phase)
		}
		return j.Phase == phase && j.Iteration >= iteration
	})
}

// ends waits for the end of a job and gives what it was then.
func (c *cluster) ends(id string) shownJob {
	c.Helper()
	var j shownJob
	until(c.T, commandLimit, "job "+id+" ends", func() bool {
		j = c.show(id)
		return j.State == "done" || j.State == "failed" || j.State == "cancelled"
	})
	return j
}

// bits are those of a result: everything that must not depend on where and how it was computed.
type bits struct {
	Result string // digest of a fit's model; counts and inertia of a labelling
	Labels string // SHA-256; empty: no labels were asked for
}

// task is a fit or an assign whose bits are of interest. It says nothing of where it runs.
type task []string

// running is a task under way, on a cluster or in one process.
type running struct {
	*daemon
	t      *testing.T
	labels string
}

// begin starts a task; its labels go to the file, "" for none.
func (k task) begin(t *testing.T, in place, labels string, flags ...string) *running {
	t.Helper()
	args := append(slices.Clone([]string(k)), "--json", "--progress", "json")
	switch {
	case k[0] == "fit":
		args = append(args, "-o", filepath.Join(t.TempDir(), "model.json"))
		if labels != "" {
			args = append(args, "--labels", labels)
		}
	case labels != "":
		args = append(args, "-o", labels)
	}
	return &running{daemon: launch(t, k[0], in, nil, coteriePath(t), append(args, flags...)...), t: t, labels: labels}
}

// inFolder is a place whose working folder is another one, and whose standard input is a file.
func inFolder(folder, stdin string) place {
	return place{"sh", "-c", fmt.Sprintf(`cd '%s' && exec "$0" "$@" <'%s'`, folder, stdin)}
}

// code waits for the end of the task and gives its exit code.
func (r *running) code() int {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(commandLimit):
		r.t.Fatalf("%s has not ended in %v: %s", r.name, commandLimit, r.log.String())
	}
	return r.cmd.ProcessState.ExitCode()
}

// bits waits for the end of the task, which must be a good one.
func (r *running) bits() bits {
	r.t.Helper()
	if code := r.code(); code != 0 {
		r.t.Fatalf("%s ended with exit code %d: %s", r.name, code, tail(r.log.String()))
	}
	var d struct {
		Digest  string
		Rows    int64
		Counts  []int64
		Inertia float64
	}
	decode(r.t, r.out.String(), &d)
	b := bits{Result: fmt.Sprint(d.Digest, d.Rows, d.Counts, d.Inertia)}
	if r.labels != "" {
		b.Labels = sumOf(r.t, r.labels)
	}
	return b
}

// phase is the last one that the task has told of.
func (r *running) phase() string {
	phase := ""
	for line := range strings.Lines(r.log.String()) {
		var e struct{ Event, Phase string }
		if json.Unmarshal([]byte(line), &e) == nil && e.Phase != "" {
			phase = e.Phase
		}
	}
	return phase
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

// sumOf is the SHA-256 of labels: those of a file, or of a folder of CSV parts in the order of their names, with the header
// of the first alone.
func sumOf(t *testing.T, path string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(path, "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		files = []string{path}
	}
	sum := sha256.New()
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			_, data, _ = bytes.Cut(data, []byte("\n"))
		}
		sum.Write(data)
	}
	if len(files) == 0 {
		t.Fatalf("there are no labels at %s", path)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// on runs the task on the cluster, with labels in a CSV file, and gives its bits.
func (k task) on(c *cluster, flags ...string) bits {
	c.Helper()
	return k.start(c, flags...).bits()
}

// start begins the task on the cluster, with labels in a CSV file.
func (k task) start(c *cluster, flags ...string) *running {
	c.Helper()
	return k.begin(c.T, nil, filepath.Join(c.TempDir(), "labels.csv"), append(flags, "--cluster", c.head.rpc)...)
}

// known are the bits of tasks that have run in one process, so that each does so once.
var known sync.Map

// here is the task in one process. Its data must not be the test's own.
func (k task) here(t *testing.T) bits {
	t.Helper()
	once, _ := known.LoadOrStore(strings.Join(k, " "), sync.OnceValue(func() bits {
		return k.begin(t, nil, filepath.Join(t.TempDir(), "labels.csv")).bits()
	}))
	return once.(func() bits)()
}

// same compares.
func same(t *testing.T, what string, got, want bits) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %+v, want the bits of one process, %+v", what, got, want)
	}
}

// signal sends a signal.
func (d *daemon) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%s: %v", d.name, err)
	}
}

// status waits for the process to end, and gives how.
func (d *daemon) status(t *testing.T) syscall.WaitStatus {
	t.Helper()
	select {
	case <-d.ended:
	case <-time.After(commandLimit):
		t.Fatalf("%s has not ended in %v", d.name, commandLimit)
	}
	return d.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// falls waits until the process has ended at its fail point: by a SIGKILL that nobody here has sent. A task that ends
// before says that the fault came too late.
func (d *daemon) falls(t *testing.T, before *running) {
	t.Helper()
	select {
	case <-d.ended:
	case <-before.ended:
		if !d.gone() {
			t.Fatalf("%s has ended, and %s has not come to its fail point", before.name, d.name)
		}
	}
	if s := d.status(t); !s.Signaled() || s.Signal() != syscall.SIGKILL {
		t.Fatalf("%s ended with %v, want SIGKILL from its fail point: %s", d.name, d.cmd.ProcessState, tail(d.log.String()))
	}
}
