package secure

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"

	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// patience ends a test that hangs. No verdict depends on it.
const patience = 30 * time.Second

// forge is a CA that signs whatever a test wants, right or wrong. It shares no code with NewAuthority.
type forge struct {
	ca  *x509.Certificate
	key *ecdsa.PrivateKey
}

func newForge(t testing.TB, change ...func(*x509.Certificate)) *forge {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "a CA"}, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	for _, c := range change {
		c(template)
	}
	f := &forge{ca: template, key: newKey()}
	f.ca = f.sign(t, template, f.key)
	return f
}

func (f *forge) sign(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, f.ca, key.Public(), f.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// leaf is a certificate for this machine with some roles, as changed.
func (f *forge) leaf(t testing.TB, roles []Role, change ...func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := leafTemplate("leaf", []string{"localhost", "127.0.0.1", "::1"})
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	template.URIs = nil
	for _, r := range roles {
		template.URIs = append(template.URIs, r.uri())
	}
	for _, c := range change {
		c(template)
	}
	key := newKey()
	c := f.sign(t, template, key)
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}
}

func (f *forge) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(f.ca)
	return pool
}

func certText(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: c.Raw})
}

// files writes a certificate, its key and the CA.
func (f *forge) files(t testing.TB, c tls.Certificate) Files {
	t.Helper()
	folder := t.TempDir()
	files := Files{Cert: filepath.Join(folder, "a.crt"), Key: filepath.Join(folder, "a.key"), CA: filepath.Join(folder, "ca.crt")}
	put(t, files.Cert, certText(c.Leaf))
	put(t, files.Key, encodeKey(c.PrivateKey.(*ecdsa.PrivateKey)))
	put(t, files.CA, certText(f.ca))
	return files
}

// identity loads a right certificate with some roles.
func (f *forge) identity(t testing.TB, roles ...Role) *Identity {
	t.Helper()
	id, err := Load(f.files(t, f.leaf(t, roles)))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// clock is a clock that a test sets.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Now().UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

// rejection is what Notices.Rejected was told.
type rejection struct{ method, reason string }

// desk is a server with all our services. Their handlers only count.
type desk struct {
	address string
	ran     atomic.Int64 // handlers

	mu       sync.Mutex
	rejected []rejection
	news     chan struct{} // one for each rejection
}

// open starts a server of id with all our services; more options come after those of ServerOptions.
func open(t testing.TB, id *Identity, l Limits, more ...grpc.ServerOption) *desk {
	t.Helper()
	d := &desk{news: make(chan struct{}, 1000)}
	id.Notify(Notices{Rejected: d.reject})
	server := grpc.NewServer(append(append(ServerOptions(id, l), d.counting()...), more...)...)
	coteriev1.RegisterControlServer(server, coteriev1.UnimplementedControlServer{})
	coteriev1.RegisterBulkServer(server, coteriev1.UnimplementedBulkServer{})
	coteriev1.RegisterJobsServer(server, coteriev1.UnimplementedJobsServer{})
	coteriev1.RegisterSubmitterServer(server, coteriev1.UnimplementedSubmitterServer{})
	coteriev1.RegisterExchangeServer(server, coteriev1.UnimplementedExchangeServer{})
	coteriev1.RegisterLookupServer(server, coteriev1.UnimplementedLookupServer{})
	reflectionpb.RegisterServerReflectionServer(server, reflectionpb.UnimplementedServerReflectionServer{})
	healthpb.RegisterHealthServer(server, healthpb.UnimplementedHealthServer{})
	d.address = serve(t, server)
	return d
}

// serve runs a server on a loopback port until the test ends.
func serve(t testing.TB, server *grpc.Server) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() { server.Serve(listener) })
	t.Cleanup(func() { server.Stop(); served.Wait() })
	return listener.Addr().String()
}

// counting are interceptors that count the calls that reach a handler.
func (d *desk) counting() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			d.ran.Add(1)
			return handler(ctx, request)
		}),
		grpc.ChainStreamInterceptor(func(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			d.ran.Add(1)
			return handler(server, stream)
		}),
	}
}

func (d *desk) reject(method, peer, reason string) {
	d.mu.Lock()
	d.rejected = append(d.rejected, rejection{method, reason})
	d.mu.Unlock()
	d.news <- struct{}{}
}

// rejections waits until there are at least n.
func (d *desk) rejections(t testing.TB, n int) []rejection {
	t.Helper()
	for range n {
		select {
		case <-d.news:
		case <-time.After(patience):
			t.Fatalf("fewer than %d rejections", n)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]rejection(nil), d.rejected...)
}

// dial connects to address until the test ends.
func dial(t testing.TB, address string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// raw are the credentials of a client that this package would not let pass.
func raw(pool *x509.CertPool, shown ...tls.Certificate) grpc.DialOption {
	config := &tls.Config{RootCAs: pool}
	if len(shown) > 0 {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown[0], nil }
	}
	return grpc.WithTransportCredentials(credentials.NewTLS(config))
}

// brief is a context for one call.
func brief(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// listJobs calls Jobs.List, which all tests of connections use.
func listJobs(t testing.TB, conn *grpc.ClientConn, options ...grpc.CallOption) error {
	t.Helper()
	_, err := coteriev1.NewJobsClient(conn).List(brief(t), &coteriev1.ListRequest{}, options...)
	return err
}
