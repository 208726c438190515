package observe

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// page is a part with a page of its own.
type page struct{}

func (page) Routes() map[string]http.Handler {
	return map[string]http.Handler{"/own": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		io.WriteString(w, "<script>")
	})}
}
func (page) Close() {}

func serving(t *testing.T) *Server {
	t.Helper()
	s, err := Listen("127.0.0.1:0", func() error { return errors.New("no <b>coordinator</b>") }, prometheus.NewRegistry(), page{}, Profiles())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Whatever is answered, to whomever, has the headers that keep a browser from making more of it.
func TestEveryAnswerHasItsHeaders(t *testing.T) {
	s := serving(t)
	for path, code := range map[string]int{"/healthz": 200, "/readyz": 503, "/metrics": 200, "/own": 200, "/nothing": 404, "/debug/pprof/": 200,
		"/debug/pprof/cmdline": 404, "/<script>alert(1)</script>": 404, "/%2e%2e/%2e%2e/etc/passwd": 404, "/debug/pprof/..%2f..%2fetc/passwd": 404} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions, "BREW"} {
			request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Address()+path, strings.NewReader("a"))
			if err != nil {
				t.Fatal(err)
			}
			reply, err := http.DefaultTransport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(reply.Body)
			reply.Body.Close()
			policy := "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
			if path == "/own" {
				policy = "default-src 'self'"
			}
			for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
				"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin"} {
				if got := reply.Header.Get(name); got != want {
					t.Errorf("%s %s: got %s %q, want %q", method, path, name, got, want)
				}
			}
			if method == http.MethodGet && reply.StatusCode != code {
				t.Errorf("%s: got %d, want %d", path, reply.StatusCode, code)
			}
			if strings.Contains(string(body), "root:") || path != "/own" && strings.Contains(string(body), "<script>") && strings.HasPrefix(reply.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%s %s: got %.200q", method, path, body)
			}
		}
	}
}

// What is too large, or makes no sense, costs its connection and nothing else.
func TestRequestsThatAreTooLargeAreRefused(t *testing.T) {
	s := serving(t)
	for name, c := range map[string]struct{ text, want string }{
		"a header of 64 KiB":    {"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", "HTTP/1.1 431"},
		"many headers":          {"GET /healthz HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: a\r\n", 20000) + "\r\n", "HTTP/1.1 431"},
		"a target of 64 KiB":    {"GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 431"},
		"two lengths":           {"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", "HTTP/1.1 400"},
		"a length and chunks":   {"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n", "HTTP/1.1 501"},
		"a NUL in a header":     {"GET /healthz HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", "HTTP/1.1 400"},
		"HTTP/2 without TLS":    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 4"},
		"no host":               {"GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
		"another version":       {"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n", "HTTP/1.1 505"},
		"TLS to a plain server": {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "HTTP/1.1 400"},
	} {
		conn, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		go io.WriteString(conn, c.text) // the other side may answer before it has heard all
		answer := make([]byte, len("HTTP/1.1 431"))
		n, err := io.ReadFull(conn, answer)
		if got := string(answer[:n]); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %q, %v, want %s", name, got, err, c.want)
		}
		conn.Close()
	}
	reply, err := http.Get("http://" + s.Address() + "/healthz")
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Errorf("after them: got %v, %v, want to be served", reply, err)
	}
}
