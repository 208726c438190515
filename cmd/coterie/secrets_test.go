package main

import (
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// hushed are secrets that can be recognised wherever they turn up.
var hushed = map[string]string{
	"AWS_ACCESS_KEY_ID":     "HUSHKEYID00000000000",
	"AWS_SECRET_ACCESS_KEY": "hush-secret-access-key",
	"AWS_SESSION_TOKEN":     "hush-session-token",
}

const (
	hushedHeader   = "hush-header"   // of the receiver of traces
	hushedPassword = "hush-password" // in the address of a service
)

// ears collect what comes out of a cluster, by where, and say what of it is secret.
type ears struct {
	*testing.T
	secrets []string
	mu      sync.Mutex
	places  int
}

func (e *ears) hear(where, text string) {
	e.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.places++
	for _, secret := range e.secrets {
		if strings.Contains(text, secret) {
			e.Errorf("%s tells the secret %.24q…", where, secret)
		}
	}
}

// folder hears all files below one.
func (e *ears) folder(name string) {
	e.Helper()
	err := filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		e.hear(path, string(data))
		return err
	})
	if err != nil {
		e.Fatal(err)
	}
}

// A cluster with TLS, a key for its gossip, data in an object store and a receiver of traces, all with secrets of their own:
// none of them is in what it prints, logs, stores, shows or sends.
func TestNoSecretIsInWhatAClusterTells(t *testing.T) {
	enter(t)
	for name, value := range hushed {
		t.Setenv(name, value)
	}
	env := s3Service(t)
	for name, value := range hushed { // after those of the service
		t.Setenv(name, value)
	}
	e := &ears{T: t, secrets: []string{hushedHeader, hushedPassword}}
	for _, secret := range hushed {
		e.secrets = append(e.secrets, secret)
	}
	madeCerts(t, "pki")
	for _, file := range []string{"ca.key", "coordinator.key", "worker.key", "client.key", "gossip.key"} {
		text, err := os.ReadFile(filepath.Join("pki", file))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); len(line) >= 40 && !strings.HasPrefix(line, "-----") {
				e.secrets = append(e.secrets, line)
				if raw, err := base64.StdEncoding.DecodeString(line); err == nil {
					e.secrets = append(e.secrets, string(raw))
				}
			}
		}
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.hear("a trace", string(body))
	}))
	defer receiver.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization="+hushedHeader)
	traced := append(env, "OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL, "OTEL_EXPORTER_OTLP_HEADERS=authorization="+hushedHeader)

	papers := func(role string) []string {
		at := func(name string) string { return filepath.Join("pki", name) }
		return []string{"--tls-cert", at(role + ".crt"), "--tls-key", at(role + ".key"), "--tls-ca", at("ca.crt")}
	}
	loud := []string{"--log-level", "debug", "--gossip-key", filepath.Join("pki", "gossip.key")}
	head := startDaemon(t, env, append(append(append([]string{"coordinator", "--state", "state"}, anywhere...), papers("coordinator")...), loud...)...)
	hand := startDaemon(t, env, append(append(append([]string{"worker", "--join", head.gossip, "--threads", "1", "--data-root", "s3://box/"}, anywhere...), papers("worker")...), loud...)...)
	until(t, "the worker to be ready", func() bool { code, _ := get(t, hand.http, "/readyz"); return code == http.StatusOK })
	on := append(papers("client"), "--cluster", head.rpc)
	run := func(code int, args ...string) {
		t.Helper()
		o := runWith(t.Context(), traced, args...)
		if o.code != code {
			t.Errorf("%s: got exit %d, want %d: %s", strings.Join(args, " "), o.code, code, o.stderr)
		}
		e.hear(strings.Join(args[:2], " ")+", standard output", o.stdout)
		e.hear(strings.Join(args[:2], " ")+", standard error", o.stderr)
	}
	run(0, "synth", "customers", "-n", "2000", "-o", "s3://box/c.parquet")
	run(0, append([]string{"fit", "s3://box/c.parquet", "-k", "3", "-o", "m.json", "--labels", "l.csv", "--progress", "json", "--json"}, on...)...)
	run(0, append([]string{"status"}, append(on, "--json")...)...)
	run(0, append([]string{"jobs", "list", "--json"}, on...)...)
	run(3, append([]string{"fit", "s3://box/none.parquet", "-k", "3", "-o", "n.json"}, on...)...)
	run(3, "fit", "s3://box/none.parquet", "-k", "3", "-o", "n.json")
	for _, flag := range []string{"--tls-key", "--tls-cert", "--gossip-key"} { // a key in the place of something else
		run(2, append([]string{"coordinator", "--state", "other", flag, filepath.Join("pki", "client.key")}, anywhere...)...)
	}
	for _, address := range []string{"http://u:" + hushedPassword + "@127.0.0.1:1", "http://u:" + hushedPassword + "@127.0.0.1:1/%zz", "u:" + hushedPassword + "@x"} {
		o := runWith(t.Context(), []string{"COTERIE_S3_ENDPOINT=" + address}, "fit", "s3://box/c.parquet", "-k", "3", "-o", "n.json")
		if o.code != 2 {
			t.Errorf("%s: got exit %d, want 2: %s", address, o.code, o.stderr)
		}
		e.hear("a service that is not there", o.stdout+o.stderr)
	}
	for _, d := range []*daemon{head, hand} {
		for _, path := range []string{"/metrics", "/healthz", "/readyz", "/", "/api/v1/cluster", "/debug/pprof/cmdline"} {
			_, body := get(t, d.http, path)
			e.hear(path, body)
		}
	}
	for _, d := range []*daemon{hand, head} {
		o := d.stop(t)
		e.hear("a log", o.stderr)
		e.hear("a ready line", o.stdout)
	}
	e.folder("state")
	for _, name := range []string{"m.json", "l.csv"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		e.hear(name, string(data))
	}
	if e.places < 30 {
		t.Errorf("looked at %d places: where are the others?", e.places)
	}
}
