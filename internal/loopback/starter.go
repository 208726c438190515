package loopback

import (
	"os/exec"
	"runtime"
	"sync"
)

// Starter starts processes from one thread, which lives until it is closed: on Linux they die with the thread that has started
// them, also where this process is killed, and Go's threads come and go.
type Starter struct {
	ask  chan func()
	done chan struct{}
	once sync.Once
}

// NewStarter makes a Starter. Close it after the last of its processes has ended.
func NewStarter() *Starter {
	s := &Starter{ask: make(chan func()), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		runtime.LockOSThread()
		for do := range s.ask {
			do()
		}
	}()
	return s
}

// Start starts a command, in a group of its own. The error is that of exec.Cmd.Start.
func (s *Starter) Start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = attributes()
	started := make(chan error)
	s.ask <- func() { started <- cmd.Start() }
	return <-started
}

// Close ends the thread, and what is left of its processes on Linux.
func (s *Starter) Close() {
	s.once.Do(func() { close(s.ask) })
	<-s.done
}
