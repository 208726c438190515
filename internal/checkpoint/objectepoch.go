package checkpoint

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/coterie-project/coterie/internal/object"
)

const (
	// lastEpoch bounds epochs in an object store: they are the upper half of a record's number.
	lastEpoch = 1<<32 - 1
	// epochTries bounds how often an epoch is tried for that another has begun at the same moment.
	epochTries = 10
	// overtakenEvery is how often a coordinator looks whether another has taken over. Its writes show that at once.
	overtakenEvery = 5 * time.Second
)

// newToken says who begins an epoch, to people and, by its last word, to itself.
func newToken() string {
	host, err := os.Hostname()
	if err != nil {
		host = "a host"
	}
	return fmt.Sprintf("process %d on %s %s\n", os.Getpid(), host, rand.Text())
}

func (o *objectHome) epochPath(n uint64) string {
	return o.at(o.root, epochPrefix+strconv.FormatUint(n, 10))
}

// tokenOf reads what stands in the object of an epoch.
func (o *objectHome) tokenOf(n uint64) (string, error) {
	f, err := o.open(o.epochPath(n), maxHolder)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}

// holder is who has begun an epoch, for a message: "" where it does not say.
func (o *objectHome) holder(n uint64) string {
	words := []string{}
	if text, err := o.tokenOf(n); err == nil {
		words = strings.Fields(strings.ToValidUTF8(text, "?"))
	}
	if len(words) < 2 {
		return ""
	}
	return ": " + strings.Join(words[:len(words)-1], " ")
}

// takeEpoch begins an epoch after all others: from now on the records are for this coordinator to write.
func (o *objectHome) takeEpoch() error {
	for range epochTries {
		n, err := o.afterAll()
		if err != nil {
			return err
		}
		ours, err := o.beginEpoch(n)
		if err != nil {
			return err
		}
		kept, err := o.keepsConditions(n)
		if err != nil {
			return err
		}
		known, err := epochsIn(o, o.root)
		if err != nil {
			return err
		}
		if newest, err := newestEpoch(o.root, known, lastEpoch); err != nil || newest != n || !ours {
			continue // another was faster, or has begun a later one since this looked
		}
		if !kept {
			return problem(o.root, nil, "this object store does not keep to conditions (If-None-Match), so that two %ss could not be kept apart", o.owner.name).
				Do("use another one, or a folder on a disk")
		}
		if err := o.begun(n); errors.Is(err, object.ErrNotFound) {
			continue // removed by one with a later epoch
		} else if err != nil {
			return err
		}
		for _, old := range known { // what stays is below, and removed next time
			if old < n {
				_ = o.remove(o.epochPath(old))
			}
		}
		return nil
	}
	return problem(o.root, ErrConflict, "other %ss begin epochs here all the time", o.owner.name).
		Do("give each %s a %s of its own", o.owner.name, o.owner.flag)
}

// afterAll is the epoch after the last one; 1 in a state that is new.
func (o *objectHome) afterAll() (uint64, error) {
	known, err := epochsIn(o, o.root)
	if err != nil {
		return 0, err
	}
	if len(known) == 0 {
		jobs, err := o.list(o.at(o.root, "jobs"))
		if err != nil {
			return 0, problem(o.root, err, "cannot be read")
		}
		if len(jobs) == 0 {
			return 1, nil
		}
	}
	newest, err := newestEpoch(o.root, known, lastEpoch)
	return newest + 1, err
}

// beginEpoch makes the object of an epoch, and says whether it is this coordinator's.
func (o *objectHome) beginEpoch(n uint64) (ours bool, err error) {
	_, err = o.write(o.epochPath(n), object.Condition{IfAbsent: true}, []byte(o.token))
	if err == nil {
		return true, nil
	}
	text, unread := o.tokenOf(n)
	switch {
	case unread == nil && text == o.token:
		return true, nil // it has happened, and only the answer was lost
	case errors.Is(err, object.ErrChanged):
		return false, nil
	}
	return false, failedAt(o.epochPath(n), err)
}

// keepsConditions makes sure that the service refuses to make the object of an epoch a second time: all depends on that.
// It is also made again where a later epoch has begun meanwhile and this one's object has been removed.
func (o *objectHome) keepsConditions(n uint64) (bool, error) {
	path := o.epochPath(n)
	_, err := o.write(path, object.Condition{IfAbsent: true}, []byte(o.token))
	if errors.Is(err, object.ErrChanged) {
		return true, nil
	}
	return false, failedAt(path, err)
}

// begun notes the epoch n and when it began, by the service's clock.
func (o *objectHome) begun(n uint64) error {
	path := o.epochPath(n)
	ctx, cancel := o.patience(0)
	defer cancel()
	info, err := o.store.Stat(ctx, name(path))
	if err != nil {
		return failedAt(path, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.epoch, o.given, o.since = n, false, info.Modified
	return nil
}

// nextEpoch gives the epoch that was begun when the state was taken, and after that further ones.
func (o *objectHome) nextEpoch() (uint64, error) {
	o.mu.Lock()
	given := o.given
	o.given = true
	n := o.epoch
	o.mu.Unlock()
	if !given {
		return n, nil
	}
	if err := o.current(); err != nil {
		return 0, err
	}
	if err := o.takeEpoch(); err != nil {
		return 0, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.given = true
	return o.epoch, nil
}

// Overtaken waits until another coordinator has taken this state over, and returns ErrConflict, or until ctx ends (nil). A
// folder is never taken over: it is locked.
func (s *Store) Overtaken(ctx context.Context) error {
	o, shared := s.home.(*objectHome)
	if !shared {
		<-ctx.Done()
		return nil
	}
	ticks := time.NewTicker(overtakenEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.lost:
			return o.reason
		case <-ticks.C:
			_ = o.current() // an error that is not about another coordinator says nothing
		}
	}
}
