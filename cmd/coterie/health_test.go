package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthIsWhatTheProcessSays(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no coordinator"+strings.Repeat(".", 1<<20), http.StatusServiceUnavailable)
	})
	waiting := httptest.NewServer(mux)
	defer waiting.Close()
	ready := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }))
	defer ready.Close()
	away := httptest.NewServer(mux)
	away.Close()
	moved := httptest.NewServer(http.RedirectHandler(ready.URL, http.StatusFound))
	defer moved.Close()
	cases := []struct {
		args []string
		code int
		want string // somewhere in what is said
	}{
		{[]string{hostOf(ready)}, 0, "ok\n"},
		{[]string{hostOf(waiting), "--alive"}, 0, "ok\n"},
		{[]string{hostOf(waiting)}, 1, "is not ready: 503 Service Unavailable no coordinator"},
		{[]string{hostOf(moved)}, 1, "is not ready: 302 Found"},
		{[]string{hostOf(away)}, 1, "does not answer"},
		{[]string{"localhost"}, 2, `HOST:PORT: "localhost" is not an address of the form HOST:PORT`},
		{[]string{"host:0"}, 2, "lacks the host or the port"},
		{[]string{"a b:1"}, 2, `HOST:PORT: "a b:1" is no address`},
		{nil, 2, "coterie health needs HOST:PORT"},
	}
	for _, c := range cases {
		got := coterie(append([]string{"health"}, c.args...)...)
		if said := got.stdout + got.stderr; got.code != c.code || !strings.Contains(said, c.want) || len(said) > 2*healthBytes {
			t.Errorf("coterie health %q: got exit code %d and %.200q, want %d and %q", c.args, got.code, said, c.code, c.want)
		}
	}
}

// hostOf is HOST:PORT of a server.
func hostOf(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }
