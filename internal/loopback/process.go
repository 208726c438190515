package loopback

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
)

const (
	// readyWait is how long a process may take to say where it listens: a moment on an idle machine.
	readyWait = 30 * time.Second
	// leaveWait is how long processes may take to leave in order before they are killed.
	leaveWait = 5 * time.Second
	// mostLine bounds the line in which a process says where it is, and tailBytes what is kept of its log for messages.
	mostLine  = 4 << 10
	tailBytes = 2 << 10
)

// ready is what a coordinator or worker prints once it can be reached.
var ready = regexp.MustCompile(`^ready rpc=(\S+) gossip=(\S+) http=(\S+)$`)

// process is a coordinator or a worker.
type process struct {
	name        string
	cmd         *exec.Cmd
	rpc, gossip string
	ended       chan struct{} // closed when it is gone
	log         *tail
}

// begin starts a process and waits until it says where it is.
func (s *Starter) begin(ctx context.Context, name, binary string, env []string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(binary, args...), ended: make(chan struct{}), log: &tail{}}
	p.cmd.Env, p.cmd.Stderr = env, p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fault.Failedf(err, "%s cannot be started", name)
	}
	if err := s.Start(p.cmd); err != nil {
		return nil, fault.Failedf(err, "%s cannot be started", name)
	}
	first := make(chan string, 1)
	go func() {
		defer close(p.ended)
		line, _ := bufio.NewReader(io.LimitReader(out, mostLine)).ReadString('\n') // whatever ends it, it is no ready line then
		first <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, out)
		_ = p.cmd.Wait() // that it was killed is what was wanted
	}()
	timer := time.NewTimer(readyWait)
	defer timer.Stop()
	select {
	case line := <-first:
		if found := ready.FindStringSubmatch(line); found != nil {
			p.rpc, p.gossip = found[1], found[2]
			return p, nil
		}
		p.end()
		return nil, fault.Failedf(nil, "%s did not start: %s", name, p.log)
	case <-timer.C:
		p.end()
		return nil, fault.Failedf(nil, "%s was not ready within %v", name, readyWait).Do("try again on a machine that does less")
	case <-ctx.Done():
		p.end()
		return nil, ctx.Err()
	}
}

// gone says whether the process has ended.
func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// end kills the process and waits for its end.
func (p *process) end() {
	_ = p.cmd.Process.Kill() // one that is gone already is what is wanted
	<-p.ended
}

// leave waits for the end of a process that was asked to leave, and kills it if it takes too long.
func (p *process) leave(over <-chan struct{}) {
	select {
	case <-p.ended:
	case <-over:
		p.end()
	}
}

// tail keeps the end of what is written.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailBytes; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

// String is the last line.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.text))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
