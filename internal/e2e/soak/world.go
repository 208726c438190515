//go:build linux

package soak

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coterie-project/coterie/internal/loopback"
)

// places are those of workers, in order. The first is never touched, the second is stopped and goes on, the others are
// killed, replaced and sent away.
var places = []string{"w1", "w2", "w3", "w4"}

// world is the cluster with all that happens to it.
type world struct {
	Config
	folder, root, pki, tmp, state string
	env                           []string
	starter                       *loopback.Starter
	waiting                       sync.WaitGroup // for all processes
	began                         time.Time
	client                        *http.Client // with a client's certificate; its connections are not kept

	longDigest func() (string, error) // of one process

	gate sync.RWMutex // acts hold it for reading; who needs quiet holds it alone

	looking sync.Mutex // who looks at processes

	mu       sync.Mutex
	lives    map[string]int
	here     map[string]*process // who fills a place now
	paused   map[string]bool     // stopped by a signal
	tally    map[string]int
	problems []string
	jobs     int // that have ended
	serial   int
	live     []string // digests of the two models that are served in turn
	shown    int      // which of them
	rows     []Row
}

func newWorld(ctx context.Context, c Config) (*world, error) {
	w := &world{Config: c, folder: c.Folder, starter: loopback.NewStarter(), began: time.Now(), lives: make(map[string]int),
		here: make(map[string]*process), paused: make(map[string]bool), tally: make(map[string]int)}
	for _, f := range []struct {
		into *string
		name string
	}{{&w.root, "data"}, {&w.pki, "pki"}, {&w.tmp, "tmp"}, {&w.state, "state"}} {
		*f.into = filepath.Join(w.folder, f.name)
	}
	for _, folder := range []string{w.root, w.tmp, filepath.Join(w.folder, "logs"), filepath.Join(w.folder, "out")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return w, err
		}
	}
	w.longDigest = sync.OnceValues(func() (digest string, err error) {
		var d struct{ Digest string }
		model := filepath.Join(w.folder, "out", "long.json")
		out, err := w.run(ctx, "", append(slices.Clone(long), "--json", "--quiet", "-o", model)...)
		if err == nil {
			err = json.Unmarshal([]byte(out), &d)
		}
		return d.Digest, err
	})
	w.env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "COTERIE_") }), "TMPDIR="+w.tmp)
	if _, err := w.run(ctx, "", "certs", w.pki, "--json"); err != nil {
		return w, err
	}
	return w, errors.Join(w.dial(), w.makeData(ctx), w.lead(ctx, "", "", ""))
}

// close ends all processes.
func (w *world) close() {
	w.mu.Lock()
	all := make([]*process, 0, len(w.here))
	for _, p := range w.here {
		all = append(all, p)
	}
	w.mu.Unlock()
	for _, p := range all {
		p.end()
	}
	w.waiting.Wait()
	w.starter.Close()
}

// papers are the flags of a role's certificate.
func (w *world) papers(role string) []string {
	file := func(name string) string { return filepath.Join(w.pki, name) }
	return []string{"--tls-cert", file(role + ".crt"), "--tls-key", file(role + ".key"), "--tls-ca", file("ca.crt")}
}

// dial makes the client that looks at metrics and asks the server.
func (w *world) dial() error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(w.pki, "client.crt"), filepath.Join(w.pki, "client.key"))
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(filepath.Join(w.pki, "ca.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return errors.New("no certificate in ca.crt")
	}
	w.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, MinVersion: tls.VersionTLS13}}}
	return nil
}

// lead starts the coordinator; without addresses it takes some that it can be started at again.
func (w *world) lead(ctx context.Context, rpc, gossip, http string) error {
	for _, a := range []*string{&rpc, &gossip, &http} {
		if *a != "" {
			continue
		}
		address, err := loopback.Address()
		if err != nil {
			return err
		}
		*a = address
	}
	args := append(w.papers("coordinator"), "--gossip-key", filepath.Join(w.pki, "gossip.key"), "--pprof")
	p, err := w.begin(ctx, headName, headName, append([]string{"coordinator", "--name", headName, "--state", w.state, "--listen", rpc, "--gossip", gossip, "--http", http}, args...)...)
	return w.settle(p, err)
}

// work starts a worker in a place. The second has little memory: it spills where rows are many.
func (w *world) work(ctx context.Context, place, name string) error {
	memory := "512MiB"
	if place == places[1] {
		memory = "96MiB"
	}
	args := append(w.papers("worker"), "--gossip-key", filepath.Join(w.pki, "gossip.key"), "--pprof", "--data-root", w.root)
	p, err := w.begin(ctx, place, name, append([]string{"worker", "--name", name, "--join", w.head().gossip, "--http", "127.0.0.1:0",
		"--threads", "1", "--memory", memory}, args...)...)
	return w.settle(p, err)
}

// serve starts the server of models.
func (w *world) serve(ctx context.Context) error {
	p, err := w.begin(ctx, serverName, serverName, append([]string{"serve", "--model", w.served(), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
		"--threads", "1", "--pprof"}, w.papers("worker")...)...)
	return w.settle(p, err)
}

func (w *world) settle(p *process, err error) error {
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.here[p.place] = p
	return nil
}

func (w *world) served() string { return filepath.Join(w.folder, "served.json") }

func (w *world) at(place string) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.here[place]
}

func (w *world) head() *process { return w.at(headName) }

// count books something that has been done.
func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally[what]++
}

func (w *world) booked(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tally[what]
}

// jobEnded books a job whose end somebody has seen.
func (w *world) jobEnded() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs++
}

// fail books what should not have happened.
func (w *world) fail(err error) {
	if err == nil {
		return
	}
	const most = 50
	text := fmt.Sprintf("after %v: %v", time.Since(w.began).Round(time.Second), err)
	w.Say(text)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.problems) < most {
		w.problems = append(w.problems, text)
	}
}

// next is a number that nobody else has had.
func (w *world) next() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serial++
	return w.serial
}

// ask runs a short command against the coordinator, again where the coordinator has been replaced meanwhile.
func (w *world) ask(ctx context.Context, into any, args ...string) error {
	for began := time.Now(); ; {
		before := w.head()
		out, err := w.run(ctx, "", append(append(args, "--cluster", before.rpc), w.papers("client")...)...)
		if err == nil && into != nil {
			err = json.Unmarshal([]byte(out), into)
		}
		if err == nil || ctx.Err() != nil || time.Since(began) > commandWait || w.head() == before && !before.gone() {
			return err
		}
		pause(ctx, time.Second)
	}
}

// status is what the coordinator says of the cluster.
type status struct {
	Workers []struct{ Name, State string }
	Jobs    []job
}

// job is what it says of a job.
type job struct{ ID, State, Phase, Reason, Digest string }

func (j job) over() bool { return j.State == "done" || j.State == "failed" || j.State == "cancelled" }

// until polls until something holds; the limit is for what never will.
func until(ctx context.Context, limit time.Duration, what string, holds func() (bool, error)) error {
	for began := time.Now(); ; pause(ctx, 200*time.Millisecond) {
		ok, err := holds()
		switch {
		case ok || err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Since(began) > limit:
			return fmt.Errorf("not within %v: %s", limit, what)
		}
	}
}

// pause waits, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
