//go:build linux

package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/coterie-project/coterie/internal/secure"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// mostIdle is how many connections strangers have open at a time.
const mostIdle = 30

// strangers open connections to all ports, say nothing or nonsense, and go, some without a word. All are gone when it returns.
func (w *world) strangers(ctx context.Context, random *rand.Rand) {
	seats := make(chan struct{}, mostIdle)
	var open sync.WaitGroup
	for ctx.Err() == nil {
		head, server, worker := w.head(), w.at(serverName), w.at(places[random.IntN(len(places))])
		ports := []string{head.rpc, head.gossip, head.http, server.rpc, server.http, worker.rpc, worker.gossip, worker.http}
		address, stay, way := ports[random.IntN(len(ports))], time.Duration(random.IntN(20000))*time.Millisecond, random.IntN(4)
		seats <- struct{}{}
		open.Go(func() {
			defer func() { <-seats }()
			conn, err := net.DialTimeout("tcp", address, time.Second)
			if err != nil {
				return // who has been killed is not there
			}
			defer conn.Close()
			w.count("connections of strangers")
			if way == 1 {
				_, _ = io.WriteString(conn, "hello?\r\n") // whether it is taken does not matter
			}
			pause(ctx, stay)
			if tcp, ok := conn.(*net.TCPConn); ok && way == 2 {
				_ = tcp.SetLinger(0) // a reset
			}
		})
		pause(ctx, time.Duration(200+random.IntN(600))*time.Millisecond)
	}
	open.Wait()
}

// viewers look at the live page for a while, one after another.
func (w *world) viewers(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		view, cancel := context.WithTimeout(ctx, time.Duration(1000+random.IntN(15000))*time.Millisecond)
		request, err := http.NewRequestWithContext(view, http.MethodGet, "http://"+w.head().http+"/api/v1/events", nil)
		if err == nil {
			var reply *http.Response
			// Streams do not end by themselves: no client with a time limit.
			if reply, err = w.client.Transport.RoundTrip(request); err == nil {
				_, _ = io.Copy(io.Discard, reply.Body) // ends with the view
				reply.Body.Close()
				w.count("viewers of the live page")
			}
		}
		cancel()
		pause(ctx, 500*time.Millisecond)
	}
}

// customers ask the server over HTTP and gRPC, on connections that last for some requests. Every answer must be of one of
// the two models.
func (w *world) customers(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		if err := errors.Join(w.askOverHTTP(ctx, 1+random.IntN(30)), w.askOverRPC(ctx, 1+random.IntN(30))); err != nil && ctx.Err() == nil {
			w.fail(err)
		}
	}
}

// between requests of one customer.
const requestPause = 50 * time.Millisecond

func (w *world) askOverHTTP(ctx context.Context, times int) error {
	transport := w.client.Transport.(*http.Transport).Clone()
	transport.DisableKeepAlives = false
	defer transport.CloseIdleConnections()
	client := &http.Client{Timeout: commandWait, Transport: transport}
	for range times {
		body := bytes.NewReader([]byte(`{"values": {"age": 40, "income": 30000, "monetary": 310}}`))
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+w.at(serverName).http+"/v1/lookup", body)
		if err != nil {
			return err
		}
		reply, err := client.Do(request)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
		reply.Body.Close()
		var d struct{ Digest string }
		if err = errors.Join(err, json.Unmarshal(text, &d)); err != nil || reply.StatusCode != http.StatusOK {
			return fmt.Errorf("a look-up: %s: %.300s: %w", reply.Status, text, err)
		}
		if err := w.answered(d.Digest); err != nil {
			return err
		}
		pause(ctx, requestPause)
	}
	return nil
}

func (w *world) askOverRPC(ctx context.Context, times int) error {
	identity, err := secure.Load(secure.Paths(w.pki, secure.Client))
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(w.at(serverName).rpc, secure.DialOptions(identity, secure.Worker, secure.Limits{})...)
	if err != nil {
		return err
	}
	defer conn.Close()
	lookup := coteriev1.NewLookupClient(conn)
	for range times {
		reply, err := lookup.Find(ctx, &coteriev1.FindRequest{Numbers: map[string]float64{"age": 40, "income": 30000, "monetary": 310}})
		if err != nil {
			return fmt.Errorf("a look-up over gRPC: %w", err)
		}
		if err := w.answered(reply.GetDigest()); err != nil {
			return err
		}
		pause(ctx, requestPause)
	}
	return nil
}

// answered holds the digest of an answer against those of the models.
func (w *world) answered(digest string) error {
	if !slices.Contains(w.live, digest) {
		return fmt.Errorf("a look-up was answered by model %q, want one of %v", digest, w.live)
	}
	w.count("look-ups answered")
	return nil
}
