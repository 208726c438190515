package live

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"net/http"
	"path"
	"sync"
	"time"
)

//go:embed page
var files embed.FS

// policy lets the page load its own script, style and picture, and ask its own server: nothing else, from nowhere else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// file is a file of the page.
type file struct {
	kind, tag string
	data      []byte
}

// Live serves the page, its stream and its document. Close it before its server: streams do not end by themselves.
type Live struct {
	view  view
	files map[string]file // by path

	mu     sync.Mutex
	closed bool
	open   map[*stream]bool
	wait   sync.WaitGroup
	done   chan struct{}
}

// New makes a handler of what source shows.
func New(source Source) *Live {
	l := &Live{view: view{source: source}, files: make(map[string]file), open: make(map[*stream]bool), done: make(chan struct{})}
	kinds := map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml"}
	entries, _ := files.ReadDir("page") // of the binary: it cannot fail
	for _, e := range entries {
		data, _ := files.ReadFile("page/" + e.Name())
		l.files["/"+e.Name()] = file{kind: kinds[path.Ext(e.Name())], tag: fmt.Sprintf(`"%x"`, sha256.Sum256(data))[:18] + `"`, data: data}
	}
	l.files["/"] = l.files["/index.html"]
	delete(l.files, "/index.html")
	return l
}

// ServeHTTP answers GET and HEAD: the page at /, the stream at /api/v1/events, the document at /api/v1/cluster.
func (l *Live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", policy) // the other headers are secure.Headers'
	f, known := l.files[r.URL.Path]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "this can be read, and nothing else: GET or HEAD", http.StatusMethodNotAllowed)
	case r.URL.Path == "/api/v1/events":
		l.stream(w, r)
	case r.URL.Path == "/api/v1/cluster":
		l.document(w, r)
	case known:
		head.Set("Content-Type", f.kind)
		head.Set("Cache-Control", "no-cache")
		head.Set("ETag", f.tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.data))
	default:
		http.Error(w, "there is nothing here: the page is at /", http.StatusNotFound)
	}
}

// document answers with the snapshot and the events.
func (l *Live) document(w http.ResponseWriter, r *http.Request) {
	data, err := l.view.document()
	if err != nil {
		http.Error(w, "the cluster cannot be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// Routes are what a server gives to it: all that nobody else answers.
func (l *Live) Routes() map[string]http.Handler { return map[string]http.Handler{"/": l} }

// Close ends all streams and returns after the last one has. New ones are refused.
func (l *Live) Close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.done)
	}
	for s := range l.open {
		s.end()
	}
	l.mu.Unlock()
	l.wait.Wait()
}
