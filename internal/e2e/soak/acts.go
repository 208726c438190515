//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// act is something that happens to the cluster.
type act struct {
	often int // relative to the others
	do    func(context.Context, *rand.Rand) error
}

func draw(random *rand.Rand, acts []act) act {
	sum := 0
	for _, a := range acts {
		sum += a.often
	}
	n := random.IntN(sum)
	for _, a := range acts {
		if n -= a.often; n < 0 {
			return a
		}
	}
	panic("soak: the shares of acts do not add up")
}

// submissions are the acts of those who have work to be done.
func (w *world) submissions(ctx context.Context, again bool) []act {
	var acts []act
	for _, t := range w.tasks(ctx) {
		acts = append(acts, act{t.often, func(ctx context.Context, _ *rand.Rand) error { return w.compare(ctx, t) }})
	}
	acts = append(acts, act{5, w.cancelled}, act{4, w.interrupted}, act{2, w.looksAround})
	if again {
		acts = append(acts, act{1, w.abandoned}) // its job ends a minute later
	}
	return acts
}

// compare runs a task on the cluster and holds its bits against those of one process.
func (w *world) compare(ctx context.Context, t *task) error {
	want, err := t.twin()
	if err != nil {
		return err
	}
	a, err := w.start(ctx, t, w.head().rpc)
	if err != nil {
		return err
	}
	got, err := a.bits()
	w.jobEnded()
	switch {
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("coterie %v: got %v, want the bits of one process, %v", t.args, got, want)
	}
	w.count(map[string]string{"fit": "fits", "assign": "labellings", "sweep": "sweeps"}[t.args[0]])
	return nil
}

// cancelled is a detached job that is cancelled at some moment; half of them go on afterwards.
func (w *world) cancelled(ctx context.Context, random *rand.Rand) error {
	var d struct{ Job string }
	args := append(append([]string{}, long...), "--detach", "--json", "--quiet", "-o", filepath.Join(w.folder, "out", "detached.json"))
	if err := w.ask(ctx, &d, args...); err != nil {
		return err
	}
	pause(ctx, time.Duration(random.IntN(4000))*time.Millisecond)
	err := w.ask(ctx, nil, "jobs", "cancel", d.Job)
	j, shown := w.over(ctx, d.Job)
	if shown != nil {
		return errors.Join(err, shown)
	}
	w.jobEnded()
	if j.State == "done" { // it was faster
		return w.sameDigest(ctx, j)
	}
	if j.State != "cancelled" {
		return fmt.Errorf("a cancelled job: %+v: %w", j, err)
	}
	w.count("cancels")
	if random.IntN(2) == 0 {
		return nil
	}
	return w.resumed(ctx, d.Job)
}

// resumed lets a job go on, to the bits that it would have had.
func (w *world) resumed(ctx context.Context, id string) error {
	err := w.ask(ctx, nil, "jobs", "resume", id)
	j, shown := w.over(ctx, id)
	if shown != nil || j.State != "done" {
		return fmt.Errorf("a resumed job: %+v: %w", j, errors.Join(err, shown))
	}
	w.jobEnded()
	w.count("resumptions")
	return w.sameDigest(ctx, j)
}

func (w *world) sameDigest(ctx context.Context, j job) error {
	want, err := w.longDigest()
	if err == nil && j.Digest != want {
		err = fmt.Errorf("job %s: got digest %s, want that of one process, %s", j.ID, j.Digest, want)
	}
	return err
}

// over waits for the end of a job.
func (w *world) over(ctx context.Context, id string) (j job, err error) {
	err = until(ctx, commandWait, "job "+id+" ends", func() (bool, error) {
		err := w.ask(ctx, &j, "jobs", "show", id, "--json")
		return j.over(), err
	})
	return j, err
}

var resumeHint = regexp.MustCompile(`coterie jobs resume (\S+)`)

// interrupted is a fit whose submitter is told to stop: it says how the job goes on, and so it does.
func (w *world) interrupted(ctx context.Context, random *rand.Rand) error {
	a, err := w.start(ctx, &task{args: long}, w.head().rpc)
	if err != nil {
		return err
	}
	defer a.remove()
	pause(ctx, time.Duration(random.IntN(4000))*time.Millisecond)
	if err := a.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	code := a.code()
	if s := a.cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signaled() && s.Signal() == syscall.SIGINT {
		return nil // it had not come to listen to signals
	}
	w.jobEnded()
	hint := resumeHint.FindStringSubmatch(a.err.String())
	switch {
	case code == 0: // it was faster
		return nil
	case code != 130:
		return a.problem()
	}
	w.count("submitters interrupted")
	if hint == nil { // there was no job yet
		return nil
	}
	if j, err := w.over(ctx, hint[1]); err != nil || j.State == "done" {
		return err
	}
	return w.resumed(ctx, hint[1])
}

// abandoned is a fit whose submitter is killed: the job ends a minute later.
func (w *world) abandoned(ctx context.Context, random *rand.Rand) error {
	a, err := w.start(ctx, &task{args: long}, w.head().rpc)
	if err != nil {
		return err
	}
	defer a.remove()
	pause(ctx, time.Duration(random.IntN(3000))*time.Millisecond)
	_ = a.cmd.Process.Kill()
	<-a.ended
	w.jobEnded()
	w.count("submitters killed")
	return nil
}

// looksAround asks for what people ask for.
func (w *world) looksAround(ctx context.Context, _ *rand.Rand) error {
	var s status
	model := filepath.Join(w.folder, "model0.json")
	_, looked := w.run(ctx, "", "lookup", "--model", model, "--values", "age=40,income=30000,monetary=300", "--json")
	w.count("looks at status and jobs")
	return errors.Join(w.ask(ctx, &s, "status", "--json"), w.ask(ctx, nil, "jobs", "list"), looked)
}

// faults are the acts of chance. The coordinator falls in the first part alone, so that one of them lives for long.
func (w *world) faults(first bool) []act {
	acts := []act{{4, w.killsWorker}, {2, w.replacesWorker}, {3, w.sendsWorkerAway}, {3, w.stopsWorker}, {3, w.exchanges}, {1, w.renewsCertificates}}
	if first {
		acts = append(acts, act{5, w.killsCoordinator})
	}
	return acts
}

// mortal is one of the places whose workers may fall.
func mortal(random *rand.Rand) string { return places[2+random.IntN(len(places)-2)] }

func (w *world) killsWorker(ctx context.Context, random *rand.Rand) error {
	p := w.at(mortal(random))
	p.end()
	w.count("workers killed")
	pause(ctx, time.Duration(random.IntN(4000))*time.Millisecond)
	return w.work(ctx, p.place, p.name)
}

// replacesWorker kills one, and another one of another name comes for it, as pods do.
func (w *world) replacesWorker(ctx context.Context, random *rand.Rand) error {
	p := w.at(mortal(random))
	p.end()
	w.count("workers killed and replaced by strangers")
	return w.work(ctx, p.place, "guest"+strconv.Itoa(w.next()))
}

func (w *world) sendsWorkerAway(ctx context.Context, random *rand.Rand) error {
	p := w.at(mortal(random))
	code, err := p.leave()
	if err == nil && code != 0 {
		err = fmt.Errorf("%s left with exit code %d", p.name, code)
	}
	w.count("workers sent away")
	pause(ctx, time.Duration(random.IntN(2000))*time.Millisecond)
	return errors.Join(err, w.work(ctx, p.place, p.name))
}

// stopsWorker lets one stand still, sometimes for longer than it takes to be given up.
func (w *world) stopsWorker(ctx context.Context, random *rand.Rand) error {
	p := w.at(places[1+random.IntN(len(places)-1)])
	mark := func(stopped bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.paused[p.place] = stopped
	}
	mark(true)
	defer mark(false)
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	pause(ctx, time.Duration(500+random.IntN(9000))*time.Millisecond)
	w.count("workers stopped for a while")
	return p.cmd.Process.Signal(syscall.SIGCONT)
}

func (w *world) killsCoordinator(ctx context.Context, random *rand.Rand) error {
	p := w.head()
	p.end()
	w.count("coordinators killed")
	pause(ctx, time.Duration(random.IntN(2000))*time.Millisecond)
	return w.lead(ctx, p.rpc, p.gossip, p.http)
}

func (w *world) renewsCertificates(ctx context.Context, _ *rand.Rand) error {
	_, err := w.run(ctx, "", "certs", w.pki, "--json")
	w.count("certificates renewed")
	return err
}

// exchanges puts the other model in the place of the one that is served, and sometimes says so.
func (w *world) exchanges(_ context.Context, random *rand.Rand) error {
	if err := w.exchange(); err != nil {
		return err
	}
	w.count("models exchanged while they are served")
	if random.IntN(2) == 0 {
		return w.at(serverName).cmd.Process.Signal(syscall.SIGHUP)
	}
	return nil
}

func (w *world) exchange() error {
	w.mu.Lock()
	w.shown = 1 - w.shown
	name := fmt.Sprintf("model%d.json", w.shown)
	w.mu.Unlock()
	data, err := os.ReadFile(filepath.Join(w.folder, name))
	if err != nil {
		return err
	}
	draft := w.served() + ".new"
	return errors.Join(os.WriteFile(draft, data, 0o644), os.Rename(draft, w.served()))
}
