//go:build linux

package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// readyWait is how long a process may take to say where it listens, and commandWait how long a command may take: both
	// are for what never happens, on a machine that does other things at the same time.
	readyWait   = 60 * time.Second
	commandWait = 5 * time.Minute
	// mostOutput bounds what is kept of what a command says.
	mostOutput = 8 << 20
)

// process is a coordinator, a worker or a server.
type process struct {
	place, name       string
	life              int
	cmd               *exec.Cmd
	rpc, gossip, http string
	ended             chan struct{} // closed when it is gone
	asked             atomic.Bool   // to go; who goes without has fallen by a fault of its own
}

var readyLine = regexp.MustCompile(`^ready rpc=(\S+)(?: gossip=(\S+))? http=(\S+)\n`)

// begin starts a process of a place and waits until it says where it is. Its log goes to a file of the place.
func (w *world) begin(ctx context.Context, place, name string, args ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(w.folder, "logs", place+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	w.mu.Lock()
	w.lives[place]++
	p := &process{place: place, name: name, life: w.lives[place], cmd: exec.Command(w.Binary, args...), ended: make(chan struct{})}
	w.mu.Unlock()
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = w.env, in, log
	err = w.starter.Start(p.cmd)
	in.Close()
	if err != nil {
		return nil, err
	}
	w.waiting.Go(func() {
		_ = p.cmd.Wait() // how it ended is in its state
		close(p.ended)
		if !p.asked.Load() {
			w.fail(fmt.Errorf("%s has ended and nobody had asked it to: %v; its last words are in %s", p.name, p.cmd.ProcessState, log.Name()))
		}
	})
	if err := p.awaitReady(ctx, out); err != nil {
		p.end()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

func (p *process) awaitReady(ctx context.Context, out *os.File) error {
	if err := out.SetReadDeadline(time.Now().Add(readyWait)); err != nil {
		return err
	}
	var line []byte
	for !bytes.HasSuffix(line, []byte("\n")) {
		one := make([]byte, 1)
		if _, err := out.Read(one); err != nil {
			return fmt.Errorf("no ready line but %q: %w", line, errors.Join(err, ctx.Err()))
		}
		line = append(line, one...)
	}
	found := readyLine.FindSubmatch(line)
	if found == nil {
		return fmt.Errorf("%q is no ready line", line)
	}
	p.rpc, p.gossip, p.http = string(found[1]), string(found[2]), string(found[3])
	return nil
}

func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// end kills the process and returns when it has gone.
func (p *process) end() {
	p.asked.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// leave asks it to go and gives its exit code.
func (p *process) leave() (int, error) {
	p.asked.Store(true)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return -1, err
	}
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(commandWait):
		p.end()
		return -1, fmt.Errorf("%s has not left in %v", p.name, commandWait)
	}
}

// command is one that runs, or has run.
type command struct {
	args     []string
	cmd      *exec.Cmd
	out, err bounded
	ended    chan struct{}
	cancel   context.CancelFunc
}

// launch starts the program with arguments, and stdin from a file, "" for none.
func (w *world) launch(ctx context.Context, stdin string, args ...string) (*command, error) {
	ctx, cancel := context.WithTimeout(ctx, commandWait)
	c := &command{args: args, cmd: exec.CommandContext(ctx, w.Binary, args...), ended: make(chan struct{}), cancel: cancel}
	c.cmd.Env, c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = w.env, w.root, &c.out, &c.err
	if stdin != "" {
		file, err := os.Open(stdin)
		if err != nil {
			cancel()
			return nil, err
		}
		defer file.Close()
		c.cmd.Stdin = file
	}
	if err := w.starter.Start(c.cmd); err != nil {
		cancel()
		return nil, err
	}
	w.waiting.Go(func() {
		_ = c.cmd.Wait() // how it ended is in its state
		cancel()
		close(c.ended)
	})
	return c, nil
}

// code waits for the end of the command and gives its exit code; -1: a signal.
func (c *command) code() int {
	<-c.ended
	return c.cmd.ProcessState.ExitCode()
}

func (c *command) problem() error {
	said := c.err.String()
	return fmt.Errorf("coterie %s: exit code %d: %s", strings.Join(c.args, " "), c.code(), said[max(0, len(said)-1000):])
}

// run is what a command printed, which must end well.
func (w *world) run(ctx context.Context, stdin string, args ...string) (string, error) {
	c, err := w.launch(ctx, stdin, args...)
	if err != nil {
		return "", err
	}
	if c.code() != 0 {
		return "", c.problem()
	}
	return c.out.String(), nil
}

// bounded keeps the beginning of what is written.
type bounded struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data.Write(p[:min(len(p), mostOutput-b.data.Len())])
	return len(p), nil
}

func (b *bounded) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// vitals are what the system says of a process: bytes resident, descriptors, threads.
func vitals(pid int) (rss int64, descriptors, threads int, err error) {
	folder := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(folder, "status"))
	if err != nil {
		return 0, 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 1 && fields[0] == "VmRSS:":
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return 0, 0, 0, err
			}
			rss = kilobytes << 10
		case len(fields) > 1 && fields[0] == "Threads:":
			if threads, err = strconv.Atoi(fields[1]); err != nil {
				return 0, 0, 0, err
			}
		}
	}
	open, err := os.ReadDir(filepath.Join(folder, "fd"))
	return rss, len(open), threads, err
}

// sizeOf is the bytes of the files below a folder. What goes away while it looks is not counted.
func sizeOf(folder string) (bytes int64) {
	_ = filepath.WalkDir(folder, func(_ string, entry os.DirEntry, err error) error {
		if err != nil {
			return nil // it has gone
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}
