package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/coterie-project/coterie/internal/cluster"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/secure"
	"github.com/coterie-project/coterie/internal/trace"
)

// stopWait bounds the orderly end of a server: its calls, then its gossip.
const stopWait = 3 * time.Second

// servingFlags are those that coordinator and worker share.
type servingFlags struct {
	listen    string // HOST:PORT of the gRPC services
	gossip    string // HOST:PORT of the gossip
	http      string // HOST:PORT of health and metrics
	advertise string // HOST that others reach this machine by
	name      string
	cluster   string   // the cluster's name: gossip of another is not heard
	join      []string // seeds
	key       string   // file with the gossip's key
	insecure  bool
	tls       tlsFlags
	observe   observeFlags
}

func (s *servingFlags) bind(cmd *cobra.Command, listen, gossip, http string) {
	flags := cmd.Flags()
	s.cluster = "coterie"
	flags.Var(newOwn(&s.listen, listen), "listen", "`HOST:PORT` of the services; port 0 takes a free one")
	flags.Var(newOwn(&s.gossip, gossip), "gossip", "`HOST:PORT` of the gossip, TCP and UDP")
	flags.Var(newOwn(&s.http, http), "http", "`HOST:PORT` of /healthz, /readyz and /metrics")
	flags.Var(&hostOnly{&s.advertise}, "advertise", "`HOST` that the others reach this machine by (default what --listen names, or this machine's address)")
	flags.Var(&shortName{&s.name}, "name", "what this process is called (default the host's name and the port)")
	flags.Var(&shortName{&s.cluster}, "cluster-name", "`NAME` of the cluster; the gossip of others is not heard")
	flags.StringVar(&s.key, "gossip-key", "", "`FILE` with the key that encrypts the gossip, as coterie certs makes it")
	flags.BoolVar(&s.insecure, "insecure", false, "listen beyond loopback without TLS")
	s.tls.bind(cmd)
	s.observe.bind(cmd)
}

// server is a process's listeners, open.
type server struct {
	flags    *servingFlags
	identity *secure.Identity
	log      *slog.Logger
	rpc      net.Listener
	address  string // that others reach the services by
	grpc     *grpc.Server
	members  *cluster.Membership
	http     *observe.Server
	parts    []observe.Part // of http
	boot     string
	refusals *refusals
}

// open checks the flags and takes the port of the services.
func (s *servingFlags) open(app *App) (*server, error) {
	identity, err := s.tls.identity()
	if err != nil {
		return nil, err
	}
	if err := s.checkOpen(identity); err != nil {
		return nil, err
	}
	srv := &server{flags: s, identity: identity, boot: cluster.NewBoot()}
	if srv.parts, err = s.observe.profiles(s.http, nil); err != nil { // what is served over HTTP asks for no certificate
		return nil, err
	}
	if srv.log, err = s.observe.logger(app); err != nil {
		return nil, err
	}
	srv.refusals = &refusals{log: srv.log}
	identity.Notify(srv.refusals.notices())
	port, err := secure.Listen("--listen", s.listen)
	if err != nil {
		return nil, err
	}
	bounded := secure.Bound(port, secure.CallRoom(identity))
	srv.rpc = bounded
	srv.refusals.rpc.Store(bounded)
	if srv.address, err = s.reachable(srv.rpc.Addr().String()); err != nil {
		srv.rpc.Close()
		return nil, err
	}
	_, number, _ := net.SplitHostPort(srv.address)
	if s.advertise != "" {
		srv.address = net.JoinHostPort(s.advertise, number)
	}
	s.name = cmp.Or(s.name, hostName()+"-"+number)
	options := append(secure.ServerOptions(identity, secure.Limits{}), srv.refusals.failed.Option())
	srv.grpc = grpc.NewServer(append(options, trace.ServerOptions()...)...)
	return srv, nil
}

// checkOpen refuses addresses that other machines reach without being asked who they are. TLS does not cover the gossip,
// which has a key of its own; what is served over HTTP is not secret.
func (s *servingFlags) checkOpen(id *secure.Identity) error {
	if err := secure.CheckListen("--listen", s.listen, id, s.insecure); err != nil {
		return err
	}
	if err := secure.CheckListen("--gossip", s.gossip, nil, s.insecure || id != nil && s.key != ""); err != nil {
		if id == nil {
			return err
		}
		return fault.Usagef("--gossip: %q can be reached from other machines, and the gossip is not encrypted", s.gossip).
			Do("use --gossip-key, which coterie certs makes, or --insecure")
	}
	return secure.CheckListen("--http", s.http, id, s.insecure)
}

// hostName is what this machine is called, short enough that a port can follow.
func hostName() string {
	name, err := os.Hostname()
	if name, _, _ = strings.Cut(name, "."); err != nil || name == "" {
		return "host"
	}
	return strings.ToValidUTF8(name[:min(len(name), maxName-len("-65535"))], "")
}

// reachable is the address that others are told of one that is bound. One that stands for all addresses says nothing
// to them.
func (s *servingFlags) reachable(bound string) (string, error) {
	host, port, err := net.SplitHostPort(bound)
	if err != nil {
		return "", err
	}
	if net.ParseIP(host).IsUnspecified() {
		host = cmp.Or(s.advertise, thisMachine())
	}
	if host == "" {
		return "", fault.Failedf(nil, "this machine has no address by which others reach %s", bound).Do("name it with --advertise HOST")
	}
	return net.JoinHostPort(host, port), nil
}

// thisMachine is the address that packets to anywhere would leave from, or where there is no way to anywhere any that
// is not loopback; empty: there is none. No packet is sent.
func thisMachine() string {
	if conn, err := net.Dial("udp", "192.0.2.1:9"); err == nil {
		defer conn.Close()
		host, _, _ := net.SplitHostPort(conn.LocalAddr().String())
		return host
	}
	addresses, _ := net.InterfaceAddrs() // none is what an error comes to
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	return ""
}

// begin opens gossip and HTTP and prints the line that says where everything is.
func (s *server) begin(ctx context.Context, app *App, role cluster.Role, ready func() error, of observe.Process, report observe.Source, parts ...observe.Part) error {
	var key []byte
	var err error
	if s.flags.key != "" {
		if key, err = cluster.ReadKey(s.flags.key); err != nil {
			return err
		}
	}
	metrics, err := observe.Gather(of, report, s.refusals.report, observe.Objects, observe.Traces)
	if err != nil {
		return err
	}
	if s.http, err = observe.Listen(s.flags.http, ready, metrics, append(s.parts, parts...)...); err != nil {
		return err
	}
	s.refusals.http.Store(s.http)
	s.members, err = cluster.Start(ctx, cluster.Config{Name: s.flags.name, Cluster: s.flags.cluster, Bind: s.flags.gossip, Advertise: s.flags.gossipHost(), Key: key,
		Seeds: s.flags.join, Log: s.log, Meta: cluster.Meta{Role: role, RPC: s.address, Version: version(), Boot: s.boot, Name: s.flags.name}})
	s.refusals.gossip.Store(s.members)
	return err
}

// gossipHost is HOST:0 that others reach the gossip by, where that is not the address bound: the same host as that of
// the services.
func (s *servingFlags) gossipHost() string {
	host := s.advertise
	if bound, _, _ := net.SplitHostPort(s.gossip); host == "" && (bound == "" || net.ParseIP(bound).IsUnspecified()) {
		host = thisMachine()
	}
	if host == "" {
		return "" // that of the address bound
	}
	return net.JoinHostPort(host, "0")
}

// announce prints the addresses: the process takes work from now on.
func (s *server) announce(app *App) error {
	http, err := s.flags.reachable(s.http.Address())
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(app.Stdout, "ready rpc=%s gossip=%s http=%s\n", s.address, s.members.Address(), http); err != nil {
		return fault.Failedf(err, "standard output")
	}
	return nil
}

// dial opens a connection to somebody of a role. It does not wait for the other side.
func (s *server) dial(address string, want secure.Role) (*grpc.ClientConn, error) {
	return grpc.NewClient(address, append(secure.DialOptions(s.identity, want, secure.Limits{}), trace.DialOptions()...)...)
}

// close ends everything that is open, in the order in which it is asked for.
func (s *server) close() {
	ctx, cancel := context.WithTimeout(context.Background(), stopWait)
	defer cancel()
	if s.members != nil {
		if err := s.members.Close(ctx); err != nil {
			s.log.Info("gossip", "error", err)
		}
	}
	if s.http != nil {
		if err := s.http.Close(); err != nil {
			s.log.Info("http", "error", err)
		}
	}
	s.grpc.Stop()
	s.rpc.Close()
}
