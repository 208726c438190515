package serve

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/hostile"
)

// FuzzRequests gives any bytes to the server as a request. What is a request at all is answered: with what was asked for, or with
// a document that says what is wrong and that is not the server's fault; nothing of it becomes a header or a page.
func FuzzRequests(f *testing.F) {
	const ann = `{"id": 7, "values": {"age": 58, "spend": 19.5, "education": "college", "gender": "f"}}`
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /v1/lookup HTTP/1.1\r\nHost: x\r\nContent-Length: 87\r\n\r\n" + ann, "POST /v1/lookup:batch HTTP/1.0\r\n\r\n", "HEAD /openapi.json HTTP/1.1\r\nHost: x\r\nRange: bytes=0-\r\n\r\n",
		"GET /metrics?a=<script> HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%2e%2e/v1/model HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /v1/lookup HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\n\r\n", "GET http://y/readyz HTTP/1.1\r\nHost: x\r\ntraceparent: 00-1-1-1\r\n\r\n", "DELETE /v1/model HTTP/1.1\r\nHost: x\r\n\r\n"} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "model.json")
	put(f, path, shop(feature.Mean, false))
	s, err := newServer(Config{Model: path, RPC: listen(f), HTTP: listen(f), Grace: patient, Log: slog.New(slog.DiscardHandler)}, usual)
	if err != nil {
		f.Fatal(err)
	}
	handler := s.handler()
	f.Fuzz(func(t *testing.T, data []byte) {
		var answer *httptest.ResponseRecorder
		hostile.Ceiling(t, len(data), 4<<20, 512, func() {
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
			if err != nil {
				return
			}
			answer = httptest.NewRecorder()
			handler.ServeHTTP(answer, r.WithContext(t.Context()))
			io.Copy(io.Discard, answer.Body)
		})
		if answer == nil {
			return
		}
		kind := answer.Header().Get("Content-Type")
		if answer.Code >= 500 || answer.Code < 200 || answer.Code < 300 && kind == "" || bytes.HasPrefix([]byte(kind), []byte("text/html")) {
			t.Fatalf("%q is answered with %d, %q", data, answer.Code, kind)
		}
	})
}

// What the server says of a request that is wrong is a document that holds what it quotes, whatever that is.
func TestRefusalsOfRequestsAreDocuments(t *testing.T) {
	r := start(t, shop(feature.Mean, false), usual, nil)
	for _, path := range []string{"/%3Cscript%3Ealert(1)%3C/script%3E", "/%22%0d%0aX:%201", "/v1/%ff"} {
		status, answer := r.call(t, path, "")
		var doc struct{ Error failure }
		if err := json.Unmarshal([]byte(answer), &doc); err != nil || status != http.StatusNotFound || doc.Error.Message == "" || strings.ContainsAny(answer, "<\r") {
			t.Errorf("%s: got %d, %q, %v", path, status, answer, err)
		}
	}
}
