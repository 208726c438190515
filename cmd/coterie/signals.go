package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is for how long after the first signal further ones are taken for the same wish: timeout(1) signals its
// child and then the child's group, and a child killed by the second would leave its temporary files behind.
const patience = 2 * time.Second

// interruptible is a context that the first SIGINT or SIGTERM cancels. After patience the signals have their usual
// effect again, so that a later one kills a command whose orderly end takes too long. stop releases the signals.
func interruptible(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	running, over := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		select {
		case <-caught:
			cancel()
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(patience):
			signal.Stop(caught)
		case <-running.Done():
		}
	}()
	return ctx, func() {
		over()
		cancel()
		<-done
		signal.Stop(caught)
	}
}
