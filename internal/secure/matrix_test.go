package secure

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// weakKey is an RSA key of 1024 bits: the library makes none any more, and takes one all the same.
const weakKey = `-----BEGIN TEST KEY-----
MIICXgIBAAKBgQDAkWjHX+ssqOg1UHqLweb8AX/tg2F3h388byUzhUnfO0l8hZVL
krHXtJaOsXyTxhFfGACDWo48WteJgnPm4lQ3swcmlOJUKWusx5ioMZgwe58/LrcV
b/byYjnuJizSML4f1JXwiK4HRtRaKVkhH16IIS0gSoK6u985UUafIa+SBQIDAQAB
AoGBAL98mNWRQxlAyM+jPIjXAyrbDuwO9g/XFCXzW+nUg/XQTa3eY+wnbmNR91jj
kz6a+dE22+PCW6gWqTfbGgegTh7vF56KGG7+GM9FYcroXXc+nKRp8nr8EHsaAp8u
fCZq1S2byOVnI3GmiOuj1NVlMAix8tlLgEV7LPUZOqMdGNZtAkEA55Jnz2F4P8PS
gEOlkyeG3CpCpEm+h6E7MBZzwoDnMIARHb6mHi3xQxUYZVCTxrohyLvh7GzIL1gE
n8J/FiIEQwJBANThtFfWq9g3DDGy7vofufvVh+um02M+c63bHXVW6j0qzauht2y9
czJagCW2G+4HIQAL+fKmXJkczuNh4JrfEBcCQQCXKiYj5O+XSGA4JHCIT+wj+l5I
Wm9KoEA/0tg8JuND8MW7kgFkf/8XGEU1ldTxi/2TyLnhGN3QsfdKxq8pJol7AkEA
i8NfVqgPDJYfgGWctkSsI2Wupg1SDX9MDWGlNouIn/4BJ+S1e0PqZK28IoYsUhsG
FHTIdgG5G6EpR2nUP3mhowJAPBtMWYnZ9ORHMlNnNSCBbrJuxssaioA2Ztoo/WUJ
Pi3wn21oXpmZPhx0IpkSDKiagLiTpDVBMktJ/hkpwIHMtQ==
-----END TEST KEY-----`

// keyed is a leaf with a key of another kind.
func (f *forge) keyed(t testing.TB, roles []Role, key interface{ Public() any }, private any) tls.Certificate {
	t.Helper()
	template := *f.leaf(t, roles).Leaf
	template.SignatureAlgorithm = 0
	der, err := x509.CreateCertificate(rand.Reader, &template, f.ca, key.Public(), f.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}
}

// public makes a key's own method one that gives any.
type public struct{ key any }

func (p public) Public() any { return p.key }

// weakRSA is a leaf whose key could be factored.
func (f *forge) weakRSA(t testing.TB, roles []Role) tls.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(weakKey))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return f.keyed(t, roles, public{&key.PublicKey}, key)
}

// strongRSA is a leaf with a key that is taken.
func (f *forge) strongRSA(t testing.TB, roles []Role) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, leastRSA)
	if err != nil {
		t.Fatal(err)
	}
	return f.keyed(t, roles, public{&key.PublicKey}, key)
}

// smallCurve is a leaf on a curve that TLS 1.3 does not have.
func (f *forge) smallCurve(t testing.TB, roles []Role) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return f.keyed(t, roles, public{&key.PublicKey}, key)
}

// noUsage says nothing of what it is for.
func noUsage(c *x509.Certificate) { c.ExtKeyUsage = nil }

// throughLeaf is signed by a certificate that is no CA, although its holder has signed.
func (f *forge) throughLeaf(t testing.TB, roles []Role) tls.Certificate {
	t.Helper()
	middle := f.leaf(t, roles)
	own := &forge{ca: middle.Leaf, key: middle.PrivateKey.(*ecdsa.PrivateKey)}
	c := own.leaf(t, roles)
	c.Certificate = append(c.Certificate, middle.Certificate[0])
	return c
}

// wrongPapers are all papers that let nobody in, whatever role stands in them: credentials of a client, and what is counted.
func wrongPapers(t *testing.T, ca, other *forge, roles []Role) map[string]struct {
	config *tls.Config // nil: plain text
	reason string
} {
	t.Helper()
	shown := func(c tls.Certificate, change ...func(*tls.Config)) *tls.Config {
		config := &tls.Config{RootCAs: ca.pool(), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }}
		for _, change := range change {
			change(config)
		}
		return config
	}
	self := selfSigned(t, roles[0])
	return map[string]struct {
		config *tls.Config
		reason string
	}{
		"no certificate":     {&tls.Config{RootCAs: ca.pool()}, "didn't provide a certificate"},
		"self-signed":        {shown(self), "unknown authority"},
		"another CA":         {shown(other.leaf(t, roles)), "unknown authority"},
		"expired":            {shown(ca.leaf(t, roles, expired)), "expired"},
		"not yet valid":      {shown(ca.leaf(t, roles, notYet)), "not yet valid"},
		"for servers alone":  {shown(ca.leaf(t, roles, onlyServers)), "incompatible key usage"},
		"for no use":         {shown(ca.leaf(t, roles, noUsage)), "does not say that it is for clients"},
		"signed by a leaf":   {shown(ca.throughLeaf(t, roles)), "cannot sign"},
		"a weak key of RSA":  {shown(ca.weakRSA(t, roles)), "1024 bits of RSA"},
		"a small curve":      {shown(ca.smallCurve(t, roles)), "a curve of 224 bits"},
		"the key of another": {shown(tls.Certificate{Certificate: ca.leaf(t, roles).Certificate, PrivateKey: newKey()}), "invalid signature"},
		"TLS 1.2":            {shown(ca.leaf(t, roles), func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), "unsupported versions"},
		"plain text":         {nil, "does not look like a TLS handshake"},
	}
}

// Every wrong certificate at every method of every service. Each try is a connection of its own, is counted, and comes to no
// handler. The methods are those of the descriptions of the services: a new one is tried too.
func TestEveryWrongCertificateIsRefusedAtEveryMethod(t *testing.T) {
	ca, other := newForge(t), newForge(t)
	d := open(t, ca.identity(t, Coordinator, Worker, Client), Limits{})
	all := methods()
	if testing.Short() { // one of each service
		seen := make(map[string]bool)
		maps.DeleteFunc(all, func(method string, _ *grpc.StreamDesc) bool {
			service, _, _ := strings.Cut(method[1:], "/")
			defer func() { seen[service] = true }()
			return seen[service]
		})
	}
	papers := wrongPapers(t, ca, other, Roles()) // with every role: what lets nobody in is the certificate
	tries, counted := 0, 0
	for name, paper := range papers {
		option := grpc.WithTransportCredentials(insecure.NewCredentials())
		if paper.config != nil {
			option = grpc.WithTransportCredentials(credentials.NewTLS(paper.config))
		}
		for method, stream := range all {
			conn := dial(t, d.address, option)
			if err := invoke(brief(t), conn, method, stream); status.Code(err) != codes.Unavailable {
				t.Errorf("%s at %s: got %v, want Unavailable", name, method, err)
			}
			conn.Close()
			tries++
		}
		got := d.rejections(t, len(all))
		for _, r := range got[counted:] {
			if !strings.Contains(r.reason, paper.reason) || r.method != "" {
				t.Errorf("%s: counted %+v, want a handshake with %q", name, r, paper.reason)
				break
			}
		}
		counted = len(got)
	}
	if counted < tries {
		t.Errorf("%d of %d tries were counted", counted, tries)
	}
	for _, right := range []tls.Certificate{ca.leaf(t, Roles()), ca.strongRSA(t, Roles())} {
		if err := listJobs(t, dial(t, d.address, raw(ca.pool(), right))); status.Code(err) != codes.Unimplemented {
			t.Errorf("a right one: got %v, want to reach the handler", err)
		}
	}
	if got := d.ran.Load(); got != 2 {
		t.Errorf("%d handlers ran, want those of the right ones alone", got)
	}
	t.Logf("%d wrong papers at %d methods", len(papers), len(all))
}

// What the files of the protocol describe is what these tests try: a new service does not slip through.
func TestEveryServiceOfTheProtocolIsTried(t *testing.T) {
	tried := methods()
	described := 0
	protoregistry.GlobalFiles.RangeFilesByPackage("coterie.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				described++
				if name := "/" + string(service.FullName()) + "/" + string(service.Methods().Get(j).Name()); callers[name] == "" {
					t.Errorf("%s has no role in the table of these tests", name)
				} else if _, ok := tried[name]; !ok {
					t.Errorf("%s is not tried", name)
				}
			}
		}
		return true
	})
	if described < 20 {
		t.Errorf("%d methods are described: where are the others?", described)
	}
}

// The same for servers: nobody of ours speaks to one whose certificate is wrong.
func TestEveryWrongServerIsRefusedForEveryRole(t *testing.T) {
	ca, other := newForge(t), newForge(t)
	for _, want := range Roles() {
		right := []Role{want}
		rest := slices.DeleteFunc(Roles(), func(r Role) bool { return r == want })
		onlyClients := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
		for name, c := range map[string]struct {
			shown  tls.Certificate
			reason string
		}{
			"self-signed":       {selfSigned(t, want), "unknown authority"},
			"another CA":        {other.leaf(t, right), "unknown authority"},
			"expired":           {ca.leaf(t, right, expired), "expired"},
			"not yet valid":     {ca.leaf(t, right, notYet), "not yet valid"},
			"of another host":   {ca.leaf(t, right, otherHost), "127.0.0.1"},
			"of other roles":    {ca.leaf(t, rest), "is not that of a " + string(want)},
			"for clients alone": {ca.leaf(t, right, onlyClients), "incompatible key usage"},
			"for no use":        {ca.leaf(t, right, noUsage), "does not say that it is for servers"},
			"a weak key of RSA": {ca.weakRSA(t, right), "1024 bits of RSA"},
			"signed by a leaf":  {ca.throughLeaf(t, right), "cannot sign"},
		} {
			server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{c.shown}})))
			conn := dial(t, serve(t, server), DialOptions(ca.identity(t, Client), want, Limits{})...)
			if err := listJobs(t, conn); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%s instead of a %s: got %v, want Unavailable with %q", name, want, err, c.reason)
			}
		}
	}
}

// Over HTTPS a certificate is not asked for, since probes have none; one that is shown and is wrong ends the connection, and
// without the right role what is private is refused. All of it is counted.
func TestEveryWrongCertificateIsRefusedOverHTTP(t *testing.T) {
	ca, other := newForge(t), newForge(t)
	id := ca.identity(t, Worker)
	var mu sync.Mutex
	counted := make(map[string]int) // by what was asked for
	id.Notify(Notices{Rejected: func(method, _, _ string) { mu.Lock(); counted[method]++; mu.Unlock() }})
	ran := 0
	server := httptest.NewUnstartedServer(Headers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/private" && !id.MayCall(r, Client) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		mu.Lock()
		ran++
		mu.Unlock()
	})))
	server.Config.ErrorLog = id.ErrorLog(slog.New(slog.DiscardHandler))
	server.TLS = id.Web()
	server.Config.TLSConfig = server.TLS
	server.StartTLS()
	t.Cleanup(server.Close)
	get := func(config *tls.Config, path string) (int, error) {
		transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
		defer transport.CloseIdleConnections()
		url := server.URL
		if config == nil {
			url = strings.Replace(url, "https:", "http:", 1)
		}
		reply, err := (&http.Client{Transport: transport, Timeout: patience}).Get(url + path)
		if err != nil {
			return 0, err
		}
		defer reply.Body.Close()
		io.Copy(io.Discard, reply.Body)
		return reply.StatusCode, nil
	}
	handshakes := 0
	for name, paper := range wrongPapers(t, ca, other, []Role{Client}) {
		code, err := get(paper.config, "/private")
		switch name {
		case "no certificate":
			if code != http.StatusForbidden {
				t.Errorf("%s: got %d, %v, want it forbidden", name, code, err)
			}
		case "plain text":
			if code != http.StatusBadRequest { // what the library says to it
				t.Errorf("%s: got %d, %v, want a refusal", name, code, err)
			}
			handshakes++
		default:
			if err == nil {
				t.Errorf("%s: got %d, want no connection", name, code)
			}
			handshakes++
		}
	}
	for _, roles := range [][]Role{nil, {Worker}, {Coordinator}} {
		config := &tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{ca.leaf(t, roles)}}
		if code, err := get(config, "/private"); code != http.StatusForbidden {
			t.Errorf("roles %v: got %d, %v, want it forbidden", roles, code, err)
		}
	}
	mu.Lock()
	if ran != 0 {
		t.Errorf("%d handlers ran, want none", ran)
	}
	mu.Unlock()
	want := map[string]int{"": handshakes, "/private": 4}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) { // a handshake is counted after it has failed
		mu.Lock()
		same := maps.Equal(counted, want)
		mu.Unlock()
		if same {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("counted %v, want %v", counted, want)
		}
	}
	right := &tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{ca.leaf(t, []Role{Client})}}
	for path, config := range map[string]*tls.Config{"/private": right, "/open": {RootCAs: ca.pool()}} {
		if code, err := get(config, path); code != http.StatusOK {
			t.Errorf("%s with what it takes: got %d, %v", path, code, err)
		}
	}
}
