package live

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"
)

const (
	// pace is how often the cluster is asked at most, for all viewers together.
	pace = 250 * time.Millisecond
	// flow is how many bytes of snapshots a viewer is sent in a second at most: those of large clusters come less often.
	flow = 256 << 10
)

// Source is what the page shows.
type Source interface {
	// Snapshot is the cluster now, without events. It is asked at most every quarter of a second.
	Snapshot() *Snapshot
	// Events are the same list each time.
	Events() *Events
}

// view is the last snapshot, encoded once for all who look.
type view struct {
	source Source
	mu     sync.Mutex
	made   time.Time
	again  time.Duration // after made: when the next one may be made
	at     Snapshot
	body   []byte // encoded, but for the time
	change uint64 // counts snapshots that differ from the one before
	sent   []byte // body with its time
	whole  []byte // with the events too; nil until somebody asks
}

// current gives the snapshot that is shown now: encoded, with a number that changes only where anything but its time does,
// and how long it will do.
func (v *view) current() (data []byte, change uint64, good time.Duration, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	err = v.refresh()
	return v.sent, v.change, max(time.Millisecond, v.again-time.Since(v.made)), err
}

// document is the snapshot with the events.
func (v *view) document() ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.refresh(); err != nil {
		return nil, err
	}
	if v.whole == nil {
		at := v.at
		at.Events = v.source.Events().After(0)
		data, err := json.Marshal(&at)
		if err != nil {
			return nil, err
		}
		v.whole = append(data, '\n')
	}
	return v.whole, nil
}

// refresh makes a new snapshot where the old one is too old. The caller holds the mutex: who comes meanwhile waits for it.
func (v *view) refresh() error {
	now := time.Now()
	if !v.made.IsZero() && now.Sub(v.made) < v.again {
		return nil
	}
	s := *v.source.Snapshot()
	at := s.Time
	s.Time = time.Time{}
	body, err := json.Marshal(&s)
	if err != nil {
		return err
	}
	if v.change == 0 || !bytes.Equal(body, v.body) {
		v.change++
	}
	s.Time = at
	sent, err := json.Marshal(&s)
	if err != nil {
		return err
	}
	v.at, v.body, v.sent, v.whole, v.made = s, body, sent, nil, now
	v.again = max(pace, time.Duration(len(sent))*time.Second/flow)
	return nil
}
