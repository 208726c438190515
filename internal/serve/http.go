package serve

import (
	_ "embed" // for the description
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/lookup"
	"github.com/coterie-project/coterie/internal/secure"
)

// description is the OpenAPI document of what follows.
//
//go:embed openapi.json
var description []byte

// modelHeader names the model that an answer came from.
const modelHeader = "Coterie-Model"

// route is one thing that can be asked for over HTTP.
type route struct {
	method, path string
	call         string // in metrics; empty: not counted
	private      bool   // only for holders of a client's certificate, where there is TLS
	answer       func(w http.ResponseWriter, r *http.Request) error
}

// routes are all of them.
func (s *Server) routes() []route {
	metrics := promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: s.waits.body})
	return []route{
		{http.MethodPost, "/v1/lookup", "lookup", true, s.one},
		{http.MethodPost, "/v1/lookup:batch", "lookup:batch", true, s.many},
		{http.MethodGet, "/v1/model", "model", true, s.describe},
		{http.MethodGet, "/openapi.json", "", false, func(w http.ResponseWriter, _ *http.Request) error { return send(w, http.StatusOK, description) }},
		{http.MethodGet, "/healthz", "", false, func(w http.ResponseWriter, _ *http.Request) error { return say(w, "ok") }},
		{http.MethodGet, "/readyz", "", false, s.ready},
		{http.MethodGet, "/metrics", "", false, func(w http.ResponseWriter, r *http.Request) error { metrics.ServeHTTP(w, r); return nil }},
	}
}

// handler answers all requests.
func (s *Server) handler() http.Handler {
	byPath := make(map[string]route)
	var paths []string
	for _, r := range s.routes() {
		byPath[r.path] = r
		paths = append(paths, r.path)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, known := byPath[r.URL.Path]
		if _, pattern := s.private.Handler(r); pattern != "" {
			to, known = route{method: r.Method, path: pattern, private: true, answer: func(w http.ResponseWriter, r *http.Request) error {
				s.private.ServeHTTP(w, r)
				return nil
			}}, true
		}
		switch {
		case !known:
			s.fail(w, unknownPath(r.URL.Path, paths))
		case r.Method != to.method && (to.method != http.MethodGet || r.Method != http.MethodHead):
			w.Header().Set("Allow", to.method)
			s.fail(w, &failure{Status: http.StatusMethodNotAllowed, Message: fmt.Sprintf("%s takes no %s", to.path, clip(r.Method)), Remedy: "use " + to.method})
		case to.private && !s.identity.MayCall(r, secure.Client):
			s.fail(w, &failure{Status: http.StatusForbidden, Message: "this is for holders of a client's certificate", Remedy: "show one of this server's CA; coterie certs makes them"})
		default:
			s.run(to, w, r)
		}
	})
}

func unknownPath(path string, paths []string) *failure {
	f := &failure{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no %q here", clip(path))}
	if near := fault.Nearest(clip(path), paths); near != "" {
		return f.Do("did you mean %s?", near)
	}
	return f.Do("there are %s", strings.Join(paths, ", "))
}

// run answers one request and counts it.
func (s *Server) run(to route, w http.ResponseWriter, r *http.Request) {
	watched := &watched{ResponseWriter: w, status: http.StatusOK}
	if to.call != "" {
		end := s.metrics.begin(viaHTTP, to.call)
		defer func() { end(strconv.Itoa(watched.status)) }()
	}
	defer func() {
		if value := recover(); value != nil {
			s.log.Error("a handler panicked, which is a bug", "path", to.path, "panic", value, "stack", string(debug.Stack()))
			s.fail(watched, &failure{Status: http.StatusInternalServerError, Message: "a bug ended this request; the log of the server has the details"})
		}
	}()
	if err := to.answer(watched, r); err != nil {
		var known *failure
		if !errors.As(err, &known) {
			s.log.Debug("an answer did not arrive", "path", to.path, "error", err) // the caller has gone
			return
		}
		s.fail(watched, known)
	}
}

// watched remembers the status of an answer.
type watched struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (w *watched) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets handlers set deadlines.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// answers is the document of /v1/lookup and /v1/lookup:batch: that of lookup --json and the model it came from.
type answers struct {
	Digest  string           `json:"digest"`
	Results []*lookup.Result `json:"results"` // nil: the model leaves the row out
}

func (s *Server) one(w http.ResponseWriter, r *http.Request) error {
	return s.lookup(w, r, s.ones, oneBody, decodeOne, func(a *lookup.Answers, because bool) ([]*lookup.Result, error) {
		result, err := a.One(because)
		return []*lookup.Result{result}, err
	})
}

func (s *Server) many(w http.ResponseWriter, r *http.Request) error {
	return s.lookup(w, r, s.manys, manyBody, decodeBatch, func(a *lookup.Answers, because bool) ([]*lookup.Result, error) {
		results := make([]*lookup.Result, len(a.Segment))
		for i := range results {
			results[i] = a.Result(i, because)
		}
		return results, nil
	})
}

// lookup reads a question, answers it from the model in use, and sends the results.
func (s *Server) lookup(w http.ResponseWriter, r *http.Request, turns slots, most int64, decode func(*lookup.Finder, []byte) (*question, error),
	results func(a *lookup.Answers, because bool) ([]*lookup.Result, error)) error {
	if err := refuse(w, r, most); err != nil {
		return err
	}
	if !turns.take(r.Context(), s.waits.slot) {
		w.Header().Set("Retry-After", "1")
		return busy()
	}
	defer turns.give()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		s.log.Debug("a body did not arrive", "error", err)
		return unread(err, most)
	}
	model := s.holder.current.Load()
	w.Header().Set(modelHeader, model.Digest())
	q, err := decode(model.Finder, body)
	if err != nil {
		return err
	}
	found, err := model.Find(q.table)
	if err != nil {
		return wrongValue(err, fieldOf(err, q))
	}
	doc := answers{Digest: model.Digest()}
	if doc.Results, err = results(found, q.because); err != nil {
		return wrongValue(err, "values")
	}
	for i, result := range doc.Results {
		if result != nil {
			result.ID = q.ids[i]
		}
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return wrongValue(err, "")
	}
	s.metrics.rows.WithLabelValues(viaHTTP).Add(float64(q.table.Rows))
	return send(w, http.StatusOK, data)
}

// fieldOf is where the value of an error stands in the body.
func fieldOf(err error, q *question) string {
	var known *lookup.Error
	if !errors.As(err, &known) {
		return ""
	}
	field := "values"
	if known.Feature != "" {
		field += "." + known.Feature
	}
	if q.batch && known.Row >= 0 {
		field = "rows[" + strconv.Itoa(known.Row) + "]." + field
	}
	return field
}

// refuse looks at the header for what makes the body useless, so that nobody sends or awaits it in vain.
func refuse(w http.ResponseWriter, r *http.Request, most int64) error {
	if r.ContentLength > most {
		return tooLarge(most)
	}
	coding := strings.Join(r.Header.Values("Content-Encoding"), ", ")
	if coding == "" || strings.EqualFold(coding, "identity") {
		return nil
	}
	w.Header().Set("Accept-Encoding", "identity")
	return &failure{Status: http.StatusUnsupportedMediaType, Message: fmt.Sprintf("bodies are not taken with Content-Encoding: %s", clip(coding)), Remedy: "send it without one"}
}

func tooLarge(most int64) *failure {
	return &failure{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the body has more than %d bytes", most), Remedy: "send fewer rows at once"}
}

// unread says why a body could not be read. The error itself has addresses of this machine, which are nobody's business.
func unread(err error, most int64) *failure {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return tooLarge(most)
	}
	return &failure{Status: http.StatusRequestTimeout, Message: "the body did not arrive", Remedy: "send it whole, and in time"}
}

func (s *Server) describe(w http.ResponseWriter, _ *http.Request) error {
	model := s.holder.current.Load()
	w.Header().Set(modelHeader, model.Digest())
	return send(w, http.StatusOK, model.document)
}

// ready says whether requests should come here. A damaged model file does not stop it: the model from before answers.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) error {
	if s.draining.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return say(w, "the server is stopping")
	}
	if problem := s.holder.problem.Load(); problem != nil {
		return say(w, "ok, but with the model of "+time.Unix(s.holder.since.Load(), 0).UTC().Format(time.RFC3339)+": "+*problem)
	}
	return say(w, "ok")
}

// fail sends what is wrong.
func (s *Server) fail(w http.ResponseWriter, f *failure) {
	data, err := json.Marshal(map[string]*failure{"error": f})
	if err != nil {
		panic(err) // three texts
	}
	if err := send(w, f.Status, data); err != nil {
		s.log.Debug("an answer did not arrive", "error", err)
	}
}

// send writes a JSON document.
func send(w http.ResponseWriter, status int, data []byte) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)+1))
	w.WriteHeader(status)
	_, err := w.Write(append(data[:len(data):len(data)], '\n'))
	return err
}

func say(w http.ResponseWriter, text string) error {
	_, err := fmt.Fprintln(w, text)
	return err
}

// web is the server around the handler.
func (s *Server) web() *http.Server {
	return &http.Server{Handler: secure.Headers(s.handler()), ConnState: secure.Heard, TLSConfig: s.identity.Web(), ReadHeaderTimeout: s.waits.header, ReadTimeout: s.waits.body,
		WriteTimeout: s.waits.answer, IdleTimeout: s.waits.idle, MaxHeaderBytes: headerBytes,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: streams}, ErrorLog: s.identity.ErrorLog(s.log)}
}
