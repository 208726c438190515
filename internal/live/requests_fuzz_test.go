package live

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coterie-project/coterie/internal/hostile"
	"github.com/coterie-project/coterie/internal/secure"
)

// FuzzRequests gives any bytes to the live page's server as a request: what is one at all is answered, with the page's policy, and
// never with what was asked for in the answer.
func FuzzRequests(f *testing.F) {
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /api/v1/cluster HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2,5-\r\n\r\n", "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 7-1\r\n\r\n",
		"HEAD /page.js HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"a\"\r\n\r\n", "GET /../index.html HTTP/1.1\r\nHost: x\r\n\r\n", "GET /<script> HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
		"GET //page.css HTTP/1.1\r\nHost: x\r\n\r\n"} {
		f.Add([]byte(text))
	}
	l := New(newHamlet())
	f.Fuzz(func(t *testing.T, data []byte) {
		var answer *httptest.ResponseRecorder
		hostile.Ceiling(t, len(data), 8<<20, 512, func() {
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
			if err != nil {
				return
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // a viewer who has gone: a stream ends at once
			answer = httptest.NewRecorder()
			secure.Headers(l).ServeHTTP(answer, r.WithContext(ctx))
		})
		if answer == nil {
			return
		}
		if answer.Header().Get("Content-Security-Policy") != policy || answer.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Fatalf("%q is answered with %v", data, answer.Header())
		}
		if kind := answer.Header().Get("Content-Type"); answer.Code >= 400 && bytes.HasPrefix([]byte(kind), []byte("text/html")) {
			t.Fatalf("%q is answered with a page: %d", data, answer.Code)
		}
	})
}
