package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/secure"
	"github.com/coterie-project/coterie/internal/serve"
)

// serveFlags are those of coterie serve.
type serveFlags struct {
	model    string
	listen   string // HOST:PORT of gRPC
	http     string // HOST:PORT of HTTP
	insecure bool
	grace    time.Duration
	threads  int64
	tls      tlsFlags
	observe  observeFlags
}

// newServeCommand is coterie serve.
func newServeCommand(app *App) *cobra.Command {
	f := &serveFlags{}
	cmd := &cobra.Command{
		Use:   "serve --model model.json",
		Short: "Answer over HTTP and gRPC which segment a customer belongs to",
		Long: "Answers single customers and batches: the segment, how near, which is second, and why. HTTP takes and gives JSON, and\n" +
			"describes itself at /openapi.json; gRPC has the same calls, with health and reflection. The model is read again when\n" +
			"its file changes, and on SIGHUP; no request is lost, and every answer names the digest of its model. When ready it\n" +
			"prints one line with its addresses; on SIGTERM it finishes what is under way.",
		Example: "  coterie serve --model model.json\n" +
			"  curl http://127.0.0.1:7780/v1/lookup -d '{\"values\": {\"recency_days\": 2, \"frequency\": 7, \"monetary\": 4310}}'\n" +
			"  coterie serve --model model.json --listen 10.0.0.1:7700 --http 10.0.0.1:7780 \\\n" +
			"    --tls-cert pki/worker.crt --tls-key pki/worker.key --tls-ca pki/ca.crt",
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), app) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.model, "model", "", "the model: `FILE`.json")
	flags.Var(newOwn(&f.listen, "127.0.0.1:7700"), "listen", "`HOST:PORT` of gRPC; port 0 takes a free one")
	flags.Var(newOwn(&f.http, "127.0.0.1:7780"), "http", "`HOST:PORT` of HTTP: /v1/lookup, /openapi.json, /healthz, /readyz, /metrics")
	flags.Var(newSpan(&f.grace, 10*time.Second), "grace", "how long requests under way may go on after SIGTERM")
	flags.BoolVar(&f.insecure, "insecure", false, "listen beyond loopback without TLS")
	f.tls.bind(cmd)
	f.observe.bind(cmd)
	bindThreads(cmd, &f.threads)
	require(cmd, "model")
	return cmd
}

func (f *serveFlags) run(ctx context.Context, app *App) error {
	identity, err := f.identity()
	if err != nil {
		return err
	}
	parts, err := f.observe.profiles(f.http, identity)
	if err != nil {
		return err
	}
	log, err := f.observe.logger(app)
	if err != nil {
		return err
	}
	seen := &refusals{log: log}
	identity.Notify(seen.notices())
	if f.threads > 0 {
		runtime.GOMAXPROCS(int(f.threads))
	}
	// Before anything is announced, so that a signal right after the line does not end the process.
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	rpc, err := secure.Listen("--listen", f.listen)
	if err != nil {
		return err
	}
	http, err := secure.Listen("--http", f.http)
	if err != nil {
		rpc.Close()
		return err
	}
	server, err := serve.New(serve.Config{Model: f.model, RPC: rpc, HTTP: http, Identity: identity, Grace: f.grace, Log: log, Refused: seen.turnedAway, Private: parts})
	if err != nil {
		return err
	}
	return server.Run(ctx, reload, func() error { return f.announce(app, rpc.Addr(), http.Addr()) })
}

// identity checks who this process is, and that nobody reaches it who should not.
func (f *serveFlags) identity() (*secure.Identity, error) {
	identity, err := f.tls.identity()
	if err != nil {
		return nil, err
	}
	if err := secure.CheckListen("--listen", f.listen, identity, f.insecure); err != nil {
		return nil, err
	}
	if err := secure.CheckListen("--http", f.http, identity, f.insecure); err != nil {
		return nil, err
	}
	if roles := identity.Roles(); !slices.Contains(roles, secure.Worker) && !slices.Contains(roles, secure.Coordinator) {
		return nil, fault.Usagef("--tls-cert: %s is the certificate of a client, and clients do not take a client for a server", f.tls.cert).
			Do("use worker.crt with worker.key, as coterie certs makes them")
	}
	return identity, nil
}

// announce prints the addresses: requests are answered from now on.
func (f *serveFlags) announce(app *App, rpc, http net.Addr) error {
	if _, err := fmt.Fprintf(app.Stdout, "ready rpc=%s http=%s\n", f.reachable(rpc), f.reachable(http)); err != nil {
		return fault.Failedf(err, "standard output")
	}
	return nil
}

// reachable is an address by which others reach the one that is bound, where that stands for all addresses.
func (f *serveFlags) reachable(bound net.Addr) string {
	if address, err := new(servingFlags).reachable(bound.String()); err == nil {
		return address
	}
	return bound.String()
}
