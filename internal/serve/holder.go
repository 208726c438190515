package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/lookup"
	"github.com/coterie-project/coterie/model"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// held is a model in use, with what is said of it. It is never changed.
type held struct {
	*lookup.Finder
	reply    *coteriev1.ModelReply
	document []byte // the answer of GET /v1/model
}

// holder has the model in use, and looks after its file.
type holder struct {
	path    string
	log     *slog.Logger
	waits   waits
	now     func() time.Time
	current atomic.Pointer[held]
	since   atomic.Int64           // when it was loaded, in seconds since 1970
	problem atomic.Pointer[string] // why the file cannot be used now; nil: it can
	loads   atomic.Int64
	refused atomic.Int64
	tell    func(*held) // of each model that comes into use

	// For the watching goroutine alone.
	seen  os.FileInfo
	tried time.Time
}

// newHolder reads the model. The error is that of model.ReadFile.
func newHolder(path string, log *slog.Logger, w waits, tell func(*held)) (*holder, error) {
	h := &holder{path: path, log: log, waits: w, now: time.Now, tell: tell}
	h.seen, _ = glance(path) // before it is read, so that a change in between is seen; an error comes again below
	m, err := model.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return h, h.use(m)
}

// use brings a model into use. Requests that are under way end with the one before.
func (h *holder) use(m *model.Model) error {
	next := &held{Finder: lookup.New(m)}
	next.reply = describe(next.Finder)
	var err error
	if next.document, err = json.Marshal(document(next.reply)); err != nil {
		return err
	}
	h.tell(next)
	h.current.Store(next)
	h.since.Store(h.now().Unix())
	h.problem.Store(nil)
	h.loads.Add(1)
	return nil
}

// watch looks at the file until the context ends: now and then, and whenever somebody says so, which also reads a file
// that looks the same.
func (h *holder) watch(ctx context.Context, now <-chan os.Signal) {
	ticks := time.NewTicker(h.waits.poll)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-now:
			h.look(true)
		case <-ticks.C:
			h.look(false)
		}
	}
}

// look reads the file if it has changed, or if it could not be used and some time has passed: it may have been read
// half written. What is wrong is logged once for each change. It never waits for the other side of a pipe.
func (h *holder) look(force bool) {
	there, err := glance(h.path)
	changed := !same(h.seen, there)
	retry := h.problem.Load() != nil && h.now().Sub(h.tried) >= h.waits.again
	if !force && !changed && !retry {
		return
	}
	h.seen, h.tried = there, h.now()
	var m *model.Model
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		m, err = model.ReadRegular(h.path)
	}
	if err == nil {
		before := h.current.Load()
		if err = h.use(m); err == nil {
			h.log.Info("model loaded", "file", h.path, "digest", m.Digest(), "before", before.Digest(), "segments", m.K)
			return
		}
	}
	h.refused.Add(1)
	text := err.Error()
	if old := h.problem.Swap(&text); old == nil || *old != text || changed {
		h.log.Warn("the model file has changed and cannot be used; the model from before stays in use", "file", h.path, "error", text)
	}
}

// same says whether two looks found the same file, unchanged. One that took the place of another by renaming is another.
func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if x, ok := a.(seenObject); ok {
		y, ok := b.(seenObject)
		return ok && x.of.ETag == y.of.ETag
	}
	// The system gives the number of a file that is gone to the next one, of whatever type.
	if a.Mode().Type() != b.Mode().Type() || !os.SameFile(a, b) {
		return false
	}
	// A pipe changes with all that goes through it, and a folder with what lies in it.
	return !a.Mode().IsRegular() || a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// describe says what a caller has to know of a model.
func describe(f *lookup.Finder) *coteriev1.ModelReply {
	m := f.Model()
	reply := &coteriev1.ModelReply{Digest: f.Digest(), Metric: m.Metric, Missing: string(m.Transform.Missing)}
	for j := range m.Transform.Numeric {
		c := &m.Transform.Numeric[j]
		kind := lookup.Number
		if len(c.Order) > 0 {
			kind = lookup.Ordered
		}
		reply.Features = append(reply.Features, &coteriev1.ModelFeature{Name: c.Name, Kind: string(kind), Levels: c.Order})
	}
	for i := range m.Transform.Categorical {
		c := &m.Transform.Categorical[i]
		reply.Features = append(reply.Features, &coteriev1.ModelFeature{Name: c.Name, Kind: string(lookup.Categorical), Levels: levels(c)})
	}
	for i, s := range m.Segments {
		reply.Segments = append(reply.Segments, &coteriev1.ModelSegment{Segment: int32(i), Id: s.ID, Name: s.Name, Rows: m.Counts[i]})
	}
	return reply
}

func levels(c *feature.CategoricalColumn) []string {
	var names []string
	for i := range c.Levels {
		names = append(names, c.Levels[i].Value)
	}
	return names
}

// modelDocument is what GET /v1/model answers.
type modelDocument struct {
	Digest   string            `json:"digest"`
	Metric   string            `json:"metric"`
	Missing  string            `json:"missing"`
	Features []featureDocument `json:"features"`
	Segments []segmentDocument `json:"segments"`
}

type featureDocument struct {
	Name   string   `json:"name"`
	Kind   string   `json:"kind"`
	Levels []string `json:"levels,omitempty"`
}

type segmentDocument struct {
	Segment int    `json:"segment"`
	ID      string `json:"id"`
	Name    string `json:"name"`
	Rows    int64  `json:"rows"`
}

// document is the reply as JSON.
func document(r *coteriev1.ModelReply) modelDocument {
	d := modelDocument{Digest: r.Digest, Metric: r.Metric, Missing: r.Missing}
	for _, f := range r.Features {
		d.Features = append(d.Features, featureDocument{f.Name, f.Kind, f.Levels})
	}
	for _, s := range r.Segments {
		d.Segments = append(d.Segments, segmentDocument{int(s.Segment), s.Id, s.Name, s.Rows})
	}
	return d
}
