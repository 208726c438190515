package pipeline

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"
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
	for seed := range uint64(4) {
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
