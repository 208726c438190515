package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
)

const (
	// healthWait bounds the question and its answer: who asks does so again soon.
	healthWait = 3 * time.Second
	// healthBytes bounds what is read of the reason that a process gives.
	healthBytes = 1 << 10
)

// newHealthCommand is coterie health: what a container without a shell or curl asks itself by.
func newHealthCommand(app *App) *cobra.Command {
	var alive bool
	cmd := &cobra.Command{
		Use:   "health HOST:PORT",
		Short: "Ask a coordinator, worker or server whether it takes work",
		Long: "health asks a process at the address of its --http whether it takes work (/readyz), or with --alive only whether\n" +
			"it answers (/healthz). The exit code is 0 if so, else 1: for health checks of containers, which have nothing to ask with.",
		Example: "  coterie health 127.0.0.1:7680\n  coterie health 127.0.0.1:7680 --alive",
		Args:    exactArgs("HOST:PORT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkPeer(args[0]); err != nil {
				return fault.Usagef("HOST:PORT: %q %v", args[0], err)
			}
			path := "/readyz"
			if alive {
				path = "/healthz"
			}
			if err := askHealth(cmd.Context(), args[0], path); err != nil {
				return err
			}
			if _, err := fmt.Fprintln(app.Stdout, "ok"); err != nil {
				return fault.Failedf(err, "standard output")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&alive, "alive", false, "ask only whether it answers")
	return cmd
}

// askHealth is nil where address answers path with 200. Proxies and redirections are not followed: the question is about
// this process.
func askHealth(ctx context.Context, address, path string) error {
	ctx, cancel := context.WithTimeout(ctx, healthWait)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return fault.Usagef("HOST:PORT: %q is no address", address)
	}
	transport := &http.Transport{DialContext: new(net.Dialer).DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: healthBytes}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	reply, err := client.Do(request)
	if err != nil {
		return fault.Failedf(err, "%s does not answer", address).Do("is it running, with this --http?")
	}
	defer reply.Body.Close()
	if reply.StatusCode == http.StatusOK {
		return nil
	}
	why, _ := io.ReadAll(io.LimitReader(reply.Body, healthBytes)) // half a reason is better than none
	return fault.Failedf(nil, "%s is not ready: %s", address, strings.TrimSpace(strings.Join([]string{reply.Status, string(why)}, " ")))
}
