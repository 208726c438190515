package serve

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/lookup"
	"github.com/coterie-project/coterie/internal/secure"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

func TestBodiesAreTakenUpToTheirLimit(t *testing.T) {
	r := start(t, shop(feature.Mean, false), usual, nil)
	padded := func(body string, size int) string { return body + strings.Repeat(" ", size-len(body)) }
	rows := func(n int) string {
		return `{"rows": [` + strings.TrimSuffix(strings.Repeat(`{"values":{}},`, n), ",") + `]}`
	}
	cases := []struct {
		name, path, body string
		status           int
		say              string
	}{
		{"one, full", "/v1/lookup", padded(`{"values": {}}`, oneBody), http.StatusOK, `"segment":1`},
		{"one, a byte more", "/v1/lookup", padded(`{"values": {}}`, oneBody+1), http.StatusRequestEntityTooLarge, "more than 1048576 bytes"},
		{"many, full", "/v1/lookup:batch", padded(`{"rows": []}`, manyBody), http.StatusOK, "[]"},
		{"many, a byte more", "/v1/lookup:batch", padded(`{"rows": []}`, manyBody+1), http.StatusRequestEntityTooLarge, "fewer rows"},
		{"all rows", "/v1/lookup:batch", rows(lookup.MaxRows), http.StatusOK, `"segment":1`},
		{"a row more", "/v1/lookup:batch", rows(lookup.MaxRows + 1), http.StatusBadRequest, "at most 10000"},
	}
	for _, c := range cases {
		if status, answer := r.call(t, c.path, c.body); status != c.status || !strings.Contains(answer, c.say) {
			t.Errorf("%s: got %d, %.200s, want %d: %s", c.name, status, answer, c.status, c.say)
		}
	}
	client := coteriev1.NewLookupClient(r.conn)
	full := &coteriev1.FindBatchRequest{Rows: lookup.MaxRows}
	if got, err := client.FindBatch(t.Context(), full); err != nil || len(got.Segments) != lookup.MaxRows {
		t.Errorf("all rows over gRPC: %v", err)
	}
	full.Because, full.Rows = true, lookup.MaxReasons/4+1
	if _, err := client.FindBatch(t.Context(), full); err == nil || !strings.Contains(err.Error(), "without because") {
		t.Errorf("a row too many to explain: got %v", err)
	}
	full.Rows--
	if got, err := client.FindBatch(t.Context(), full); err != nil || len(got.Because) != lookup.MaxReasons/4 {
		t.Errorf("as many as are explained: %v", err)
	}
	large := columns(1)
	large.Texts[1].Values[0] = strings.Repeat("x", manyBody)
	if _, err := client.FindBatch(t.Context(), large); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message that is too large: got %v, want ResourceExhausted", err)
	}
}

func TestUselessBodiesAreRefusedByTheirHeader(t *testing.T) {
	r := start(t, shop(feature.Mean, false), usual, nil)
	const body = `{"values": {}}`
	for header, want := range map[string]int{
		"Content-Length: 99999999999":                            http.StatusRequestEntityTooLarge,
		fmt.Sprintf("Content-Length: %d", oneBody+1):             http.StatusRequestEntityTooLarge,
		"Content-Length: 14\r\nContent-Encoding: gzip":           http.StatusUnsupportedMediaType,
		"Content-Length: 99999\r\nContent-Encoding: br":          http.StatusUnsupportedMediaType,
		"Content-Length: 14\r\nContent-Encoding: identity, gzip": http.StatusUnsupportedMediaType,
		"Content-Length: 14\r\nContent-Encoding: Identity":       http.StatusOK,
		"Content-Length: 14":                                     http.StatusOK,
	} {
		conn, err := net.Dial("tcp", r.site.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patient))
		fmt.Fprintf(conn, "POST /v1/lookup HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n%s", header, body)
		if answer, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || answer.StatusCode != want {
			t.Errorf("%q: got %v, %v, want %d", header, answer, err, want)
		}
		conn.Close()
	}
}

func TestWhoeverGetsNoTurnIsToldSo(t *testing.T) {
	quick := usual
	quick.slot = time.Millisecond
	r := start(t, shop(feature.Mean, false), quick, func(r *running) { r.ones, r.manys = make(slots, 1), make(slots, 1) })
	client := coteriev1.NewLookupClient(r.conn)
	ask := func() (web, batch int, rpc, rpcBatch error) {
		web, _ = r.call(t, "/v1/lookup", `{"values": {}}`)
		batch, _ = r.call(t, "/v1/lookup:batch", `{"rows": []}`)
		_, rpc = client.Find(t.Context(), &coteriev1.FindRequest{})
		_, rpcBatch = client.FindBatch(t.Context(), &coteriev1.FindBatchRequest{})
		return web, batch, rpc, rpcBatch
	}
	r.ones <- struct{}{}
	if web, batch, rpc, rpcBatch := ask(); web != http.StatusServiceUnavailable || batch != http.StatusOK || status.Code(rpc) != codes.Unavailable || rpcBatch != nil {
		t.Errorf("no turns for one: got %d, %d, %v, %v", web, batch, rpc, rpcBatch)
	}
	r.ones.give()
	r.manys <- struct{}{}
	if web, batch, rpc, rpcBatch := ask(); web != http.StatusOK || batch != http.StatusServiceUnavailable || rpc != nil || status.Code(rpcBatch) != codes.Unavailable {
		t.Errorf("no turns for many: got %d, %d, %v, %v", web, batch, rpc, rpcBatch)
	}
	r.manys.give()
	if web, batch, rpc, rpcBatch := ask(); web != http.StatusOK || batch != http.StatusOK || rpc != nil || rpcBatch != nil {
		t.Errorf("with turns: got %d, %d, %v, %v", web, batch, rpc, rpcBatch)
	}
}

func TestConnectionsBeyondTheLimitAreClosed(t *testing.T) {
	r := start(t, shop(feature.Mean, false), usual, func(r *running) { r.site = secure.Bound(r.site.Listener, secure.Room{Open: 2, OfOne: 2}) })
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", r.site.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	alive := func(conn net.Conn) bool {
		conn.SetDeadline(time.Now().Add(patient))
		fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
		n, _ := conn.Read(make([]byte, 1))
		return n == 1
	}
	first, second := dial(), dial()
	if !alive(first) || !alive(second) {
		t.Fatal("two connections are not served")
	}
	if alive(dial()) {
		t.Error("the third connection is served")
	}
	first.Close()
	until(t, "the first to be gone", func() bool { open, _ := r.site.Connections(); return open == 1 })
	if !alive(dial()) {
		t.Error("a connection in the place of the first is not served")
	}
	if _, got := r.site.Connections(); got != 1 {
		t.Errorf("%d were refused, want 1", got)
	}
}

func TestSlowRequestsEnd(t *testing.T) {
	quick := usual
	quick.header, quick.body = 50*time.Millisecond, 50*time.Millisecond
	r := start(t, shop(feature.Mean, false), quick, nil)
	for name, text := range map[string]string{
		"nothing":       "",
		"half a header": "POST /v1/lookup HTTP/1.1\r\nHost:",
		"half a body":   "POST /v1/lookup HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{",
	} {
		conn, err := net.Dial("tcp", r.site.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patient))
		fmt.Fprint(conn, text)
		answer, err := io.ReadAll(conn)
		if err != nil || name == "half a body" && !bytes.Contains(answer, []byte("408")) {
			t.Errorf("%s: got %q, %v, want it to end", name, answer, err)
		}
		if bytes.Contains(answer, []byte("timeout")) || bytes.Contains(answer, []byte(r.site.Addr().String())) {
			t.Errorf("%s: got %q, which tells of the socket", name, answer)
		}
		conn.Close()
	}
	until(t, "the turns to be given back", func() bool { return len(r.ones) == 0 })
	// A call whose message does not come.
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	stream, err := r.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, coteriev1.Lookup_Find_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(new(coteriev1.FindReply)); status.Code(err) == codes.OK || ctx.Err() != nil {
		t.Errorf("a call without a message: got %v, want it to end", err)
	}
}
