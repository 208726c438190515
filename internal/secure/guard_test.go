package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// callers is the table once more, by hand and in full: a new method fails here until somebody has thought about it.
var callers = map[string]string{
	"/coterie.v1.Control/Join":                                  "worker",
	"/coterie.v1.Bulk/Job":                                      "worker",
	"/coterie.v1.Bulk/Task":                                     "worker",
	"/coterie.v1.Bulk/Answer":                                   "worker",
	"/coterie.v1.Jobs/Describe":                                 "client",
	"/coterie.v1.Jobs/Submit":                                   "client",
	"/coterie.v1.Jobs/Follow":                                   "client",
	"/coterie.v1.Jobs/List":                                     "client",
	"/coterie.v1.Jobs/Show":                                     "client",
	"/coterie.v1.Jobs/Cancel":                                   "client",
	"/coterie.v1.Jobs/Resume":                                   "client",
	"/coterie.v1.Jobs/Spec":                                     "client",
	"/coterie.v1.Jobs/Result":                                   "client",
	"/coterie.v1.Jobs/Status":                                   "client",
	"/coterie.v1.Submitter/Read":                                "worker",
	"/coterie.v1.Submitter/Locate":                              "worker",
	"/coterie.v1.Submitter/PutLabels":                           "worker",
	"/coterie.v1.Exchange/IDs":                                  "worker",
	"/coterie.v1.Exchange/Dropped":                              "worker",
	"/coterie.v1.Exchange/Describe":                             "coordinator",
	"/coterie.v1.Lookup/Find":                                   "client",
	"/coterie.v1.Lookup/FindBatch":                              "client",
	"/coterie.v1.Lookup/Model":                                  "client",
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "client",
	"/grpc.health.v1.Health/Check":                              "coordinator worker client",
	"/grpc.health.v1.Health/Watch":                              "coordinator worker client",
	"/grpc.health.v1.Health/List":                               "coordinator worker client",
}

// services are the descriptions of all that our servers serve.
var services = []grpc.ServiceDesc{coteriev1.Control_ServiceDesc, coteriev1.Bulk_ServiceDesc, coteriev1.Jobs_ServiceDesc,
	coteriev1.Submitter_ServiceDesc, coteriev1.Exchange_ServiceDesc, coteriev1.Lookup_ServiceDesc, reflectionpb.ServerReflection_ServiceDesc, healthpb.Health_ServiceDesc}

// methods are all methods of our services, and which of them are streams.
func methods() map[string]*grpc.StreamDesc {
	all := make(map[string]*grpc.StreamDesc)
	for _, s := range services {
		for _, m := range s.Methods {
			all["/"+s.ServiceName+"/"+m.MethodName] = nil
		}
		for i := range s.Streams {
			all["/"+s.ServiceName+"/"+s.Streams[i].StreamName] = &s.Streams[i]
		}
	}
	return all
}

// invoke calls any method with an empty message, which every request can be.
func invoke(ctx context.Context, conn *grpc.ClientConn, method string, stream *grpc.StreamDesc) error {
	if stream == nil {
		return conn.Invoke(ctx, method, &coteriev1.ListRequest{}, &coteriev1.ListReply{})
	}
	s, err := conn.NewStream(ctx, stream, method)
	if err != nil {
		return err
	}
	s.SendMsg(&coteriev1.ListRequest{}) // if it fails, the receipt says why
	s.CloseSend()
	return s.RecvMsg(&coteriev1.ListReply{})
}

func TestEveryMethodAndRoleGiveTheTable(t *testing.T) {
	ca := newForge(t)
	d := open(t, ca.identity(t, Coordinator, Worker, Client), Limits{})
	all := methods()
	if len(all) != len(callers) {
		t.Errorf("%d methods, want the %d of this test's table", len(all), len(callers))
	}
	sets := [][]Role{nil, {Coordinator}, {Worker}, {Client}, {Coordinator, Worker}, {Coordinator, Client}, {Worker, Client}, Roles()}
	for _, roles := range sets {
		conn := dial(t, d.address, raw(ca.pool(), ca.leaf(t, roles)))
		for method, stream := range all {
			before := d.ran.Load()
			err := invoke(brief(t), conn, method, stream)
			want := codes.PermissionDenied
			if slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(strings.Fields(callers[method]), string(r)) }) {
				want = codes.Unimplemented // the handler's answer
			}
			if got := status.Code(err); got != want {
				t.Errorf("%s as %v: got %v, want %v", method, roles, err, want)
			}
			if ran := d.ran.Load() - before; (ran == 1) != (want == codes.Unimplemented) {
				t.Errorf("%s as %v: %d handlers ran", method, roles, ran)
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if got, want := int64(len(d.rejected))+d.ran.Load(), int64(len(all)*len(sets)); got != want {
		t.Errorf("%d calls were served or counted as rejected, want each of %d", got, want)
	}
}

func TestWithoutTLSEveryCallerHasEveryRole(t *testing.T) {
	d := open(t, nil, Limits{})
	conn := dial(t, d.address, DialOptions(nil, Coordinator, Limits{})...)
	for method, stream := range methods() {
		if err := invoke(brief(t), conn, method, stream); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: got %v, want to reach the handler", method, err)
		}
	}
}

func TestAMethodThatTheTableLacksIsRefused(t *testing.T) {
	ca := newForge(t)
	tls := credentials.TLSInfo{State: verified(ca.leaf(t, Roles()).Leaf)}
	at := &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 4}
	table := map[string][]Role{"/a.A/": {Worker}, "/a.A/Closed": {}, "/a.A/Other": {Client}, "/b.B/M": {Worker}}
	cases := []struct {
		name   string
		id     *Identity
		caller *peer.Peer
		method string
		want   bool
	}{
		{"by the service", ca.identity(t, Worker), &peer.Peer{Addr: at, AuthInfo: tls}, "/a.A/Any", true},
		{"by its name", ca.identity(t, Worker), &peer.Peer{Addr: at, AuthInfo: tls}, "/b.B/M", true},
		{"closed by its name", ca.identity(t, Worker), &peer.Peer{Addr: at, AuthInfo: tls}, "/a.A/Closed", false},
		{"no entry for the method", ca.identity(t, Worker), &peer.Peer{Addr: at, AuthInfo: tls}, "/b.B/N", false},
		{"no entry for the service", ca.identity(t, Worker), &peer.Peer{Addr: at, AuthInfo: tls}, "/a.AA/Any", false},
		{"no slash", ca.identity(t, Worker), &peer.Peer{Addr: at, AuthInfo: tls}, "any", false},
		{"no entry, without TLS", nil, &peer.Peer{Addr: at}, "/b.B/N", false},
		{"an entry, without TLS", nil, &peer.Peer{Addr: at}, "/b.B/M", true},
		{"plain text, with TLS", ca.identity(t, Worker), &peer.Peer{Addr: at}, "/b.B/M", false},
		{"nobody", ca.identity(t, Worker), nil, "/b.B/M", false},
		{"not verified", ca.identity(t, Worker), &peer.Peer{Addr: at, AuthInfo: credentials.TLSInfo{State: unverified(ca.leaf(t, Roles()).Leaf)}}, "/b.B/M", false},
	}
	for _, c := range cases {
		var rejected []string
		unary, _ := Guard(table, c.id, func(method, peer, reason string) { rejected = append(rejected, method+" "+peer) })
		ctx := t.Context()
		from := "unknown"
		if c.caller != nil {
			ctx, from = peer.NewContext(ctx, c.caller), "10.1.2.3:4"
		}
		ran := false
		_, err := unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: c.method}, func(context.Context, any) (any, error) {
			ran = true
			return nil, nil
		})
		want := []string{c.method + " " + from}
		if c.want {
			want = nil
		}
		if ran != c.want || (err == nil) != c.want || !cmp.Equal(rejected, want) {
			t.Errorf("%s: got ran %v, %v, counted %q; want ran %v, counted %q", c.name, ran, err, rejected, c.want, want)
		}
	}
}

// verified is the state of a connection whose peer has shown a good certificate.
func verified(c *x509.Certificate) tls.ConnectionState {
	state := unverified(c)
	state.VerifiedChains = [][]*x509.Certificate{{c}}
	return state
}

func unverified(c *x509.Certificate) tls.ConnectionState {
	return tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}
}
