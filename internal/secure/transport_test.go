package secure

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func expired(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
}

func notYet(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
}

func otherHost(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"elsewhere.example"}, nil }

func onlyServers(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }

// selfSigned is a certificate that is its own CA.
func selfSigned(t *testing.T, role Role) tls.Certificate {
	t.Helper()
	own := &forge{key: newKey()}
	own.ca = leafTemplate(role, []string{"127.0.0.1"})
	own.ca.NotBefore, own.ca.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	c := own.sign(t, own.ca, own.key)
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: own.key, Leaf: c}
}

func TestAWrongClientReachesNoHandlerAndIsCounted(t *testing.T) {
	ca, other := newForge(t), newForge(t)
	cases := []struct {
		name   string
		creds  grpc.DialOption
		code   codes.Code
		reason string // part of what is counted
	}{
		{"no certificate", raw(ca.pool()), codes.Unavailable, "didn't provide a certificate"},
		{"another CA", raw(ca.pool(), other.leaf(t, []Role{Client})), codes.Unavailable, "unknown authority"},
		{"self-signed", raw(ca.pool(), selfSigned(t, Client)), codes.Unavailable, "unknown authority"},
		{"expired", raw(ca.pool(), ca.leaf(t, []Role{Client}, expired)), codes.Unavailable, "expired"},
		{"not yet valid", raw(ca.pool(), ca.leaf(t, []Role{Client}, notYet)), codes.Unavailable, "not yet valid"},
		{"not for clients", raw(ca.pool(), ca.leaf(t, []Role{Client}, onlyServers)), codes.Unavailable, "incompatible key usage"},
		{"wrong role", raw(ca.pool(), ca.leaf(t, []Role{Worker, Coordinator})), codes.PermissionDenied, "has coordinator, worker"},
		{"no role", raw(ca.pool(), ca.leaf(t, nil)), codes.PermissionDenied, "has no role"},
		{"a role of our making", raw(ca.pool(), ca.leaf(t, []Role{"clients", "Client", ""})), codes.PermissionDenied, "has no role"},
		{"TLS 1.2", grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: ca.pool(), MaxVersion: tls.VersionTLS12,
			Certificates: []tls.Certificate{ca.leaf(t, []Role{Client})}})), codes.Unavailable, "unsupported versions"},
		{"plain text", grpc.WithTransportCredentials(insecure.NewCredentials()), codes.Unavailable, "does not look like a TLS handshake"},
		{"the server of another CA", DialOptions(other.identity(t, Client), Coordinator, Limits{})[0], codes.Unavailable, "bad certificate"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, ca.identity(t, Coordinator), Limits{})
			err := listJobs(t, dial(t, d.address, c.creds))
			if status.Code(err) != c.code {
				t.Errorf("got %v, want code %v", err, c.code)
			}
			if got := d.rejections(t, 1); !strings.Contains(got[0].reason, c.reason) || (got[0].method == "") != (c.code == codes.Unavailable) {
				t.Errorf("counted %+v, want %q", got, c.reason)
			}
			if err := listJobs(t, dial(t, d.address, raw(ca.pool(), ca.leaf(t, []Role{Client})))); status.Code(err) != codes.Unimplemented {
				t.Errorf("a right one: got %v, want to reach the handler", err)
			}
			if got := d.ran.Load(); got != 1 {
				t.Errorf("%d handlers ran, want that of the right one alone", got)
			}
		})
	}
}

func TestAWrongServerIsRefused(t *testing.T) {
	ca, other := newForge(t), newForge(t)
	cases := []struct {
		name   string
		shown  tls.Certificate
		reason string
	}{
		{"another CA", other.leaf(t, []Role{Coordinator}), "unknown authority"},
		{"self-signed", selfSigned(t, Coordinator), "unknown authority"},
		{"expired", ca.leaf(t, []Role{Coordinator}, expired), "expired"},
		{"not yet valid", ca.leaf(t, []Role{Coordinator}, notYet), "not yet valid"},
		{"wrong host", ca.leaf(t, []Role{Coordinator}, otherHost), "127.0.0.1"},
		{"wrong role", ca.leaf(t, []Role{Worker, Client}), " is not that of a coordinator: it has worker, client"},
		{"no role", ca.leaf(t, nil), "it has no role"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{c.shown}})))
			conn := dial(t, serve(t, server), DialOptions(ca.identity(t, Client), Coordinator, Limits{})...)
			err := listJobs(t, conn)
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("got %v, want Unavailable with %q", err, c.reason)
			}
		})
	}
}

func TestPlainAndTLSDoNotMeet(t *testing.T) {
	ca := newForge(t)
	d := open(t, nil, Limits{})
	if err := listJobs(t, dial(t, d.address, DialOptions(ca.identity(t, Client), Coordinator, Limits{})...)); status.Code(err) != codes.Unavailable {
		t.Errorf("TLS to a plain server: got %v, want Unavailable", err)
	}
	if got := d.ran.Load(); got != 0 {
		t.Errorf("%d handlers ran, want none", got)
	}
	if err := listJobs(t, dial(t, d.address, DialOptions(nil, Coordinator, Limits{})...)); status.Code(err) != codes.Unimplemented {
		t.Errorf("plain to plain: got %v, want to reach the handler", err)
	}
}

func TestARightPeerIsServedByNameAndByAddress(t *testing.T) {
	ca := newForge(t)
	d := open(t, ca.identity(t, Coordinator), Limits{})
	_, port, err := net.SplitHostPort(d.address)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		conn := dial(t, net.JoinHostPort(host, port), DialOptions(ca.identity(t, Client), Coordinator, Limits{})...)
		if err := listJobs(t, conn); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: got %v, want to reach the handler", host, err)
		}
	}
	if got := d.ran.Load(); got != 2 {
		t.Errorf("%d handlers ran, want 2", got)
	}
}

func TestNobodyOverridesTheNameOfAServer(t *testing.T) {
	creds := newForge(t).identity(t, Client).Client(Coordinator)
	if err := creds.OverrideServerName("elsewhere"); err == nil {
		t.Error("got a name overridden, want an error")
	}
	if creds.Clone() != creds || creds.Info().SecurityProtocol != "tls" {
		t.Errorf("got clone %v, info %+v, want the same again and tls", creds.Clone(), creds.Info())
	}
}

func TestWhoOnlyKnocksIsNotCounted(t *testing.T) {
	ca := newForge(t)
	d := open(t, ca.identity(t, Coordinator), Limits{})
	for range 3 {
		conn, err := net.Dial("tcp", d.address)
		if err != nil {
			t.Fatal(err)
		}
		conn.(*net.TCPConn).CloseWrite()
		if _, err := io.ReadAll(conn); err != nil { // until the server is done with it
			t.Fatal(err)
		}
		conn.Close()
	}
	// Another that says something wrong is counted, and alone.
	listJobs(t, dial(t, d.address, raw(ca.pool())))
	if got := d.rejections(t, 1); !strings.Contains(got[0].reason, "certificate") {
		t.Errorf("counted %+v first, want only the client without a certificate", got)
	}
}

func TestASilentPeerLosesItsConnection(t *testing.T) {
	for _, id := range []*Identity{nil, newForge(t).identity(t, Coordinator)} {
		d := open(t, id, Limits{Connect: leastWait})
		conn, err := net.Dial("tcp", d.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		if _, err := io.ReadAll(conn); err != nil { // a plain server says its own part first
			t.Errorf("TLS %v: got %v, want the connection closed by the server", id != nil, err)
		}
	}
}
