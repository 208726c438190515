package sim

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/kmeans"
)

// user submits the job, resumes it when it was cancelled or has failed for a reason that is over, and looks at its result.
type user struct {
	w       *world
	state   string // what the user knows of the job
	reason  error
	resumed int
	tries   int // submissions that were refused
}

// maxResumes bounds how often a job is resumed: each has a fault for its reason.
const maxResumes = 100

// submit hands the job in, until it is taken.
func (u *user) submit() {
	w := u.w
	c := w.current()
	taken := false
	if c != nil && w.now >= c.frozen && c.state == "" {
		taken = c.create()
	}
	if !taken && (c == nil || c.state == "") {
		w.after(500*time.Millisecond, "submit", u.submit)
	}
}

// create makes the job.
func (c *coord) create() bool {
	err := c.store.Create(c.w.job, []byte(c.w.script.Job.String()), []byte(stateRunning))
	if err != nil { // what may be left of it is another job's: who submits again gets another id
		c.overtaken(err)
		c.w.user.tries++
		c.w.job = fmt.Sprintf("%s-%d", jobID, c.w.user.tries)
		return false
	}
	c.w.note("submitted", c.epoch, c.w.job)
	c.w.books.stands = stateRunning
	c.state = stateRunning
	c.start()
	return true
}

// hears is told how the job stands. What an older coordinator says of its run is not the job's end.
func (u *user) hears(c *coord, state string, reason error) {
	w := u.w
	if c != w.current() {
		return
	}
	u.state, u.reason = state, reason
	switch state {
	case stateDone:
		u.fetch()
	case stateFailed:
		u.failed(reason)
	case stateCancelled:
		w.after(w.between(300*time.Millisecond, 3*time.Second), "resume", u.resume)
	}
}

// failed decides whether a job may fail so.
func (u *user) failed(reason error) {
	w := u.w
	text := ""
	if reason != nil {
		text = reason.Error()
	}
	switch {
	case w.twin.fault != "" && text == w.twin.fault:
		w.over = true // as it does in one process
		return
	case reason == nil: // a coordinator started again knows that it failed
	case strings.Contains(text, injectedError):
	case errors.Is(reason, kmeans.ErrConservation) && w.books.wrong:
	case strings.Contains(text, "has brought down workers") && w.books.grief >= 3:
	case fault.Code(reason) == int(fault.Unavailable) && strings.Contains(text, "after waiting"):
		w.nobody = 0
	case w.disk.damagedOrTroubled():
	default:
		w.breaks("I7: the job has failed: %v (in one process: %q)", reason, w.twin.fault)
	}
	w.after(w.between(300*time.Millisecond, 3*time.Second), "resume", u.resume)
}

// damagedOrTroubled says whether the state cannot be written for a reason.
func (b *bed) damagedOrTroubled() bool { return b.troubled() }

// resume asks for the job to go on, until somebody listens.
func (u *user) resume() {
	w := u.w
	c := w.current()
	if c == nil || w.now < c.frozen {
		w.after(500*time.Millisecond, "resume", u.resume)
		return
	}
	if c.running || c.state != stateFailed && c.state != stateCancelled {
		return
	}
	if u.resumed++; u.resumed > maxResumes {
		w.breaks("I7: the job has been resumed %d times: %v", u.resumed, u.reason)
		return
	}
	w.note("resumed", c.epoch)
	c.resume()
}

// fetch looks at the result: it must be the twin's, to the bit (I1).
func (u *user) fetch() {
	w := u.w
	c := w.current()
	switch {
	case c == nil || c.state != stateDone:
		return // who starts again says how it stands
	case w.now < c.frozen:
		w.after(time.Second, "result", u.fetch)
		return
	}
	data, err := c.store.Result(c.w.job)
	switch {
	case err != nil && w.disk.troubled():
		w.after(time.Second, "result", u.fetch)
		return
	case err != nil:
		w.breaks("I1: the job is done, and its result cannot be read: %v", err)
	case w.twin.fault != "":
		w.breaks("I1: the job is done, and fails in one process: %s", w.twin.fault)
	case !bytes.Equal(data, w.twin.result):
		w.breaks("I1: the result has the digest %x, the twin's has %x", digestOf(data), digestOf(w.twin.result))
	}
	w.labels.verify()
	w.note("result", digestOf(data))
	w.over = true
}
