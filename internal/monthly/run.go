package monthly

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// Program runs commands.
type Program interface {
	// Check says whether a call's flags are the command's, without doing anything.
	Check(ctx context.Context, c *Call) error
	// Do runs a call and gives what it answers: one JSON document.
	Do(ctx context.Context, c *Call) ([]byte, error)
}

// Request is a month to make.
type Request struct {
	File       *File
	Month      Month
	Force      bool   // make it even if it is there and up to date
	Version    string // of the program
	Arithmetic string // its numbers' definition: months of another one are out of date
	// Began is told of each step before it is done; nil: nobody asks.
	Began func(c *Call)
}

// Outcome is a month that is there.
type Outcome struct {
	Manifest *Manifest
	Folder   string
	UpToDate bool // nothing was done
}

// Calls are the commands that a month takes, for who only wants to see them.
func Calls(ctx context.Context, r *Request, p Program) ([]*Call, error) {
	last, _, err := lastBefore(r.File.output, r.Month)
	if err != nil {
		return nil, err
	}
	calls, err := r.File.calls(r.Month, filepath.Join(r.File.output, r.Month.String()), last)
	if err != nil {
		return nil, err
	}
	return calls, checkAll(ctx, calls, p)
}

func checkAll(ctx context.Context, calls []*Call, p Program) error {
	for _, c := range calls {
		if err := p.Check(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// Run makes a month: all of it, or nothing. A month that is whole, and of the same file, inputs and last month, stays.
func Run(ctx context.Context, r *Request, p Program) (*Outcome, error) {
	y := &year{r: r, folder: filepath.Join(r.File.output, r.Month.String()), staging: filepath.Join(r.File.output, "."+r.Month.String()+".unfinished"),
		replaced: filepath.Join(r.File.output, "."+r.Month.String()+".replaced")}
	if err := os.MkdirAll(r.File.output, 0o777); err != nil {
		return nil, fault.Failedf(err, "%s: the folder of the months cannot be made", r.File.output)
	}
	unlock, err := y.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := y.restore(); err != nil {
		return nil, err
	}
	m, err := y.plan(ctx, p)
	if err != nil {
		return nil, err
	}
	if old := readManifest(y.folder); old != nil && old.Key == m.Key && old.intact(y.folder) && !r.Force {
		return &Outcome{Manifest: old, Folder: y.folder, UpToDate: true}, nil
	}
	if err := y.make(ctx, m, p); err != nil {
		return nil, err
	}
	return &Outcome{Manifest: m, Folder: y.folder}, nil
}

// year is the folder of the months, and one month in it that is being made.
type year struct {
	r                         *Request
	folder, staging, replaced string
	last                      string
	calls                     []*Call
}

// lock keeps a second run away from the folder. The file stays: who deletes it lets two in.
func (y *year) lock() (unlock func(), err error) {
	path := filepath.Join(y.r.File.output, ".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, store.Explain(path, err)
	}
	held, err := store.TryLock(f)
	switch {
	case err != nil:
		f.Close()
		return nil, store.Explain(path, err)
	case !held:
		f.Close()
		return nil, fault.Failedf(nil, "%s: another run is at work here", y.r.File.output).Do("wait for its end")
	}
	return func() { f.Close() }, nil
}

// restore tidies up after a run that was killed: a month that was about to be replaced comes back.
func (y *year) restore() error {
	if _, err := os.Stat(y.replaced); err == nil {
		if _, err := os.Stat(y.folder); errors.Is(err, fs.ErrNotExist) {
			if err := os.Rename(y.replaced, y.folder); err != nil {
				return store.Explain(y.replaced, err)
			}
		}
	}
	for _, path := range []string{y.staging, y.replaced} {
		if err := os.RemoveAll(path); err != nil {
			return store.Explain(path, err)
		}
	}
	return nil
}

// plan finds out what is to be done and what it depends on.
func (y *year) plan(ctx context.Context, p Program) (*Manifest, error) {
	r := y.r
	m := &Manifest{Format: manifestFormat, Version: manifestVersion, Month: r.Month.String(), Coterie: r.Version}
	last, before, err := lastBefore(r.File.output, r.Month)
	if err != nil {
		return nil, err
	}
	y.last = last
	lastKey := ""
	if before != nil {
		m.Last, lastKey = before.Month, before.Key
	}
	named, err := r.File.calls(r.Month, "", last)
	if err != nil {
		return nil, err
	}
	if y.calls, err = r.File.calls(r.Month, y.staging, last); err != nil {
		return nil, err
	}
	if err := checkAll(ctx, y.calls, p); err != nil {
		return nil, err
	}
	data, err := (&planner{file: r.File, month: r.Month}).inputs()
	if err != nil {
		return nil, err
	}
	if m.Inputs, err = inputsOf(data); err != nil {
		return nil, err
	}
	m.Key, err = keyOf(named, m.Inputs, r.Arithmetic, lastKey)
	return m, err
}

// make does the steps in a folder of their own and lets it appear.
func (y *year) make(ctx context.Context, m *Manifest, p Program) (err error) {
	if err := os.Mkdir(y.staging, 0o777); err != nil {
		return store.Explain(y.staging, err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(y.staging) // what is left is removed by the next run
		}
	}()
	for _, c := range y.calls {
		if y.r.Began != nil {
			y.r.Began(c)
		}
		began := time.Now()
		answer, err := p.Do(ctx, c)
		if err != nil {
			return y.explain(c, err)
		}
		answer = y.settled(answer)
		done := Done{Command: c.Command, Seconds: time.Since(began).Seconds()}
		switch {
		case c.result != "":
			err = store.WriteFile(filepath.Join(y.staging, c.result), func(w io.Writer) error {
				_, err := w.Write(answer)
				return err
			})
		case json.Valid(answer):
			done.Result = answer
		}
		if err != nil {
			return err
		}
		m.Steps = append(m.Steps, done)
	}
	if m.Outputs, err = outputsOf(y.staging); err != nil {
		return err
	}
	if err := m.write(y.staging); err != nil {
		return err
	}
	return y.appear(ctx)
}

// settled is a step's answer with the names that its files will have.
func (y *year) settled(answer []byte) []byte {
	from, err := json.Marshal(y.staging)
	if err != nil {
		return answer
	}
	to, err := json.Marshal(y.folder)
	if err != nil {
		return answer
	}
	return bytes.ReplaceAll(answer, bytes.Trim(from, `"`), bytes.Trim(to, `"`))
}

// explain says which step failed and that the months are as they were; the kind of the error, and so the exit code, stays.
func (y *year) explain(c *Call, err error) error {
	var known *fault.Error
	if !errors.As(err, &known) {
		return fmt.Errorf("%s: %s: %w", y.r.Month, c.Command, err)
	}
	e := *known
	stays := "nothing was written"
	if y.last != "" {
		stays = filepath.Base(y.last) + " stays the last month"
	}
	e.Problem = fmt.Sprintf("%s: %s: %s", y.r.Month, c.Command, e.Problem)
	if e.Remedy != "" {
		stays = e.Remedy + "; " + stays
	}
	e.Remedy = stays
	return &e
}

// appear puts the folder in its place, also where there is one already.
func (y *year) appear(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := os.Stat(y.folder); err == nil {
		if err := os.Rename(y.folder, y.replaced); err != nil {
			return store.Explain(y.folder, err)
		}
	}
	if err := os.Rename(y.staging, y.folder); err != nil {
		return store.Explain(y.folder, err)
	}
	// The month is there; what it replaced may go, now or at the next run.
	_ = os.RemoveAll(y.replaced)
	return nil
}
