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
	"slices"
	"strings"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
	"github.com/coterie-project/coterie/model"
)

// Program runs commands.
type Program interface {
	// Check says whether a call's flags are the command's, without doing anything.
	Check(ctx context.Context, c *Call) error
	// Knows says whether a command has a flag.
	Knows(command, flag string) bool
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
	// Settings are what flags have from elsewhere, such as "COTERIE_RUNS=5": months of others are out of date.
	Settings []string
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
	return calls, r.File.checkAll(ctx, calls, p)
}

// checkAll holds all flags of a month against its commands.
func (f *File) checkAll(ctx context.Context, calls []*Call, p Program) error {
	if err := f.checkShared(calls, p); err != nil {
		return err
	}
	for _, c := range calls {
		if err := p.Check(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// checkShared holds that each flag for all steps is one of some step's, and of none that the month decides on.
func (f *File) checkShared(calls []*Call, p Program) error {
	if f.customers == nil {
		return nil
	}
	for i := 0; i+1 < len(f.customers.Content); i += 2 {
		key, known := f.customers.Content[i], false
		for _, c := range calls {
			if c.Shared == nil || !p.Knows(c.Command, key.Value) {
				continue
			}
			if slices.Contains(c.Taken, key.Value) {
				return f.wrong(key, "%s is not for the file to set: %s has it from the month", key.Value, c.Command).Do("leave it out")
			}
			known = true
		}
		if !known {
			return f.wrong(key, "unknown key %q for customers", key.Value).Do("the keys are data, and flags of the steps that read customers")
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
	old, err := y.standing()
	if err != nil {
		return nil, err
	}
	m, err := y.plan(ctx, p)
	if err != nil {
		return nil, err
	}
	if old != nil && old.Key == m.Key && old.damaged(y.folder) == "" && !r.Force {
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

// restore tidies up after runs that were killed: months that were about to be replaced come back.
func (y *year) restore() error {
	entries, err := os.ReadDir(y.r.File.output)
	if err != nil {
		return store.Explain(y.r.File.output, err)
	}
	for _, e := range entries {
		name, hidden := strings.CutPrefix(e.Name(), ".")
		month, replaced := strings.CutSuffix(name, ".replaced")
		month, unfinished := strings.CutSuffix(month, ".unfinished")
		if _, err := ParseMonth(month); err != nil || !hidden || !replaced && !unfinished {
			continue
		}
		path, folder := filepath.Join(y.r.File.output, e.Name()), filepath.Join(y.r.File.output, month)
		if _, err := os.Stat(folder); replaced && errors.Is(err, fs.ErrNotExist) {
			if err := os.Rename(path, folder); err != nil {
				return store.Explain(path, err)
			}
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return store.Explain(path, err)
		}
	}
	return nil
}

// standing is the manifest of the month that is there, nil if none is. What is not a month of ours, or holds files that are not,
// is not replaced.
func (y *year) standing() (*Manifest, error) {
	entries, err := os.ReadDir(y.folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fault.Failedf(err, "%s: is in the place of the month", y.folder).Do("move it away")
	}
	m := readManifest(y.folder)
	if m == nil {
		return nil, fault.Failedf(nil, "%s: is in the place of the month, and has no %s that can be read", y.folder, manifestFile).Do("move it away")
	}
	for _, e := range entries {
		if e.Name() != manifestFile && !slices.ContainsFunc(m.Outputs, func(o Output) bool { return o.Name == e.Name() }) {
			return nil, fault.Failedf(nil, "%s: is not one of the month's results, and would be lost", filepath.Join(y.folder, e.Name())).Do("move it away")
		}
	}
	return m, nil
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
	// What the key is made of: names as the file has them.
	named, err := (&planner{file: r.File, month: r.Month, last: m.Last, plain: true}).plan()
	if err != nil {
		return nil, err
	}
	if y.calls, err = r.File.calls(r.Month, y.staging, last); err != nil {
		return nil, err
	}
	if err := r.File.checkAll(ctx, y.calls, p); err != nil {
		return nil, err
	}
	data, err := (&planner{file: r.File, month: r.Month}).inputs()
	if err != nil {
		return nil, err
	}
	if m.Inputs, err = inputsOf(ctx, data); err != nil {
		return nil, err
	}
	for _, in := range m.Inputs {
		if in.ETag == "" && within(in.Path, r.File.output) {
			return nil, fault.Usagef("%s: lies among the months in %s, whose folders are replaced", in.Path, r.File.output).
				Do("give output a folder of its own")
		}
	}
	m.Key, err = keyOf(named, r, append(m.Inputs, filesOf(y.calls)...), lastKey)
	return m, err
}

// within says whether a file lies in a folder.
func within(path, folder string) bool {
	a, errA := filepath.Abs(path)
	b, errB := filepath.Abs(folder)
	rel, err := filepath.Rel(b, a)
	return errA == nil && errB == nil && err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
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
		if c.Command == "fit" {
			if err := y.settleModel(); err != nil {
				return err
			}
		}
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
	if fitted, err := model.ReadFile(filepath.Join(y.staging, modelFile)); err == nil {
		m.Model = fitted.Digest()
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

// settleModel gives the sources of a model the names that they will have. What is no model is left as it is.
func (y *year) settleModel() error {
	path := filepath.Join(y.staging, modelFile)
	m, err := model.ReadFile(path)
	if err != nil {
		return nil
	}
	for i, name := range m.Origin.Sources {
		m.Origin.Sources[i] = strings.ReplaceAll(name, y.staging, y.folder)
	}
	return model.WriteFile(path, m)
}

// explain says which step failed and that the months are as they were; the kind of the error, and so the exit code, stays.
func (y *year) explain(c *Call, err error) error {
	var known *fault.Error
	if !errors.As(err, &known) {
		return fmt.Errorf("%s: %s: %w", y.r.Month, c.Command, err)
	}
	e := *known
	final := func(text string) string { return strings.ReplaceAll(text, y.staging, y.folder) }
	e.Problem = fmt.Sprintf("%s: %s: %s", y.r.Month, c.Command, final(e.Problem))
	e.Place.File, e.Remedy = final(e.Place.File), final(e.Remedy)
	if y.last != "" {
		e.Remedy = strings.TrimPrefix(e.Remedy+"; "+filepath.Base(y.last)+" stays the last month", "; ")
	}
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
		// What was there comes back; if that fails too, the next run does it.
		_ = os.Rename(y.replaced, y.folder)
		return store.Explain(y.folder, err)
	}
	if folder, err := os.Open(y.r.File.output); err == nil {
		// A power cut may cost the month, which is then made again; systems that cannot sync a folder say so, and that is all.
		_ = folder.Sync()
		folder.Close()
	}
	// The month is there; what it replaced may go, now or at the next run.
	_ = os.RemoveAll(y.replaced)
	return nil
}
