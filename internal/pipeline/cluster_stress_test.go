package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/progress"
)

// turmoil starts and stops workers at random until stop is called; one stays.
func (c *camp) turmoil(seed uint64) (stop func()) {
	r := rand.New(rand.NewPCG(seed, 1))
	end := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := 0; ; i++ {
			_, leave := c.worker(fmt.Sprintf("guest%d", i%2), 1) // the names come again
			select {
			case <-time.After(time.Duration(20+r.IntN(250)) * time.Millisecond):
				leave()
			case <-end:
				leave()
				return
			}
		}
	})
	return func() {
		close(end)
		wait.Wait()
	}
}

func TestWorkersThatComeAndGoChangeNothing(t *testing.T) {
	root := t.TempDir()
	path := writeCustomers(t, root, "customers.csv", 60000)
	c := newCamp(t, root)
	c.worker("host", 1)
	here := make(map[string]string)
	seeds := uint64(4)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		stop := c.turmoil(seed)
		for _, file := range []string{made, path, relative(t, path)} {
			r := madeFit()
			r.Data.Files = []string{file}
			if file != made {
				r.Data.Duplicates = "first"
			}
			if here[file] == "" {
				here[file] = everythingOf(t, r, nil, ".csv")
			}
			if there := everythingOf(t, r, c.cluster(1), ".csv"); there != here[file] {
				t.Errorf("turmoil %d, %s:\n got %s\nwant %s", seed, filepath.Base(file), there, here[file])
			}
		}
		stop()
	}
}

// eventually waits for something that soon is so, and says whether it is.
func eventually(is func() bool) bool {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if is() {
			return true
		}
	}
	return false
}

func TestNothingIsLeftOfJobsThatHaveEndedOrWereInterrupted(t *testing.T) {
	before := runtime.NumGoroutine()
	dir := t.TempDir()
	c := newCamp(t)
	node, _ := c.worker("w", 2)
	for i := range 6 {
		ctx, cancel := context.WithCancel(t.Context())
		if i%2 == 1 { // while rows are read, in the iterations, while labels are written
			time.AfterFunc(time.Duration(40*i)*time.Millisecond, cancel)
		}
		r := madeFit()
		r.Data.Files, r.Labels = []string{made}, filepath.Join(dir, "l.csv")
		r.Engine = Engine{Reporter: progress.New(progress.None, nil), Cluster: c.cluster(1)}
		// A job that ended just before it was to be interrupted is as good as one that was.
		if _, err := Fit(ctx, &r); err != nil && ctx.Err() == nil {
			t.Errorf("job %d: got %v", i, err)
		}
		cancel()
		os.Remove(r.Labels)
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("job %d: %d files are left, %v", i, len(left), err)
		}
		if !eventually(func() bool { held, _ := node.Held(); return held == 0 }) {
			t.Errorf("job %d: its partitions are held for good", i)
		}
	}
	c.close()
	c.stops, c.halt = nil, func() {}
	if !eventually(func() bool { return runtime.NumGoroutine() <= before }) {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines are left of %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
	}
}
