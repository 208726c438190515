package object

import (
	"context"
	"sync"
)

// Options of the process's store. What is empty comes from what AWS's own tools read: AWS_REGION, AWS_ENDPOINT_URL,
// AWS_PROFILE, ~/.aws and the roles of containers and instances.
type Options struct {
	Endpoint      string // URL of another service than AWS
	Region        string
	PathStyle     bool // http://host/bucket/key in place of http://bucket.host/key
	RequesterPays bool // who reads pays, as some public buckets demand
}

var process struct {
	mu      sync.Mutex
	options Options
	store   Store // nil until it is asked for
	lent    bool  // store is one that Use has put there
}

// Configure says how Default is to reach its service. It is called before the first use, by main.
func Configure(o Options) {
	process.mu.Lock()
	defer process.mu.Unlock()
	process.options = o
	if !process.lent {
		process.store = nil
	}
}

// Use makes s the store of the process, whatever Configure says, and returns how to take that back. It is for tests.
func Use(s Store) (restore func()) {
	process.mu.Lock()
	defer process.mu.Unlock()
	before, lent := process.store, process.lent
	process.store, process.lent = s, true
	return func() {
		process.mu.Lock()
		defer process.mu.Unlock()
		process.store, process.lent = before, lent
	}
}

// Default is the store of the process. It is made when first asked for: who names no object needs no credentials.
func Default(ctx context.Context) (Store, error) {
	process.mu.Lock()
	defer process.mu.Unlock()
	if process.store != nil {
		return process.store, nil
	}
	s, err := New(ctx, process.options)
	if err != nil {
		return nil, err
	}
	process.store = s
	return s, nil
}
