package secure

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
)

func TestWithoutFilesThereIsNoTLS(t *testing.T) {
	id, err := Load(Files{})
	if id != nil || err != nil {
		t.Fatalf("got %v, %v, want nil, nil", id, err)
	}
	id.Notify(Notices{})
	if !slices.Equal(id.Roles(), Roles()) || !id.Expires().IsZero() {
		t.Errorf("got roles %v until %v, want all of them and no end", id.Roles(), id.Expires())
	}
	if got := id.Server().Info().SecurityProtocol + " " + id.Client(Worker).Info().SecurityProtocol; got != "insecure insecure" {
		t.Errorf("got %s, want plain text on both sides", got)
	}
}

func TestSomeOfTheFilesIsWrongUsage(t *testing.T) {
	cases := []struct {
		files Files
		want  string
	}{
		{Files{Cert: "a"}, "--tls-cert without --tls-key and --tls-ca"},
		{Files{Key: "a"}, "--tls-key without --tls-cert and --tls-ca"},
		{Files{CA: "a"}, "--tls-ca without --tls-cert and --tls-key"},
		{Files{Key: "a", CA: "a"}, "--tls-key and --tls-ca without --tls-cert"},
		{Files{Cert: "a", CA: "a"}, "--tls-cert and --tls-ca without --tls-key"},
		{Files{Cert: "a", Key: "a"}, "--tls-cert and --tls-key without --tls-ca"},
	}
	for _, c := range cases {
		id, err := Load(c.files)
		if id != nil || fault.Code(err) != int(fault.Usage) || !strings.HasPrefix(err.Error(), c.want+" (give ") {
			t.Errorf("%+v: got %v, %v, want a usage fault: %s", c.files, id, err, c.want)
		}
	}
}

func TestFilesThatCannotBeUsedAreNamed(t *testing.T) {
	ca, other, oldCA := newForge(t), newForge(t), newForge(t, expired)
	client := []Role{Client}
	right := ca.leaf(t, client)
	folder := t.TempDir()
	key := func(c tls.Certificate) []byte { return encodeKey(c.PrivateKey.(*ecdsa.PrivateKey)) }
	cases := []struct {
		name   string
		leaf   tls.Certificate
		change func(f *Files)
		at     string // the file that is named
		want   string
	}{
		{"no certificate file", right, func(f *Files) { f.Cert = filepath.Join(folder, "none.crt") }, "none.crt", "cannot be read: no such file or directory (check the path given with --tls-cert)"},
		{"no key file", right, func(f *Files) { f.Key = filepath.Join(folder, "none.key") }, "none.key", "(check the path given with --tls-key)"},
		{"no CA file", right, func(f *Files) { f.CA = filepath.Join(folder, "none.crt") }, "none.crt", "(check the path given with --tls-ca)"},
		{"a folder", right, func(f *Files) { f.CA = folder }, folder, "is not a regular file (check the path given with --tls-ca)"},
		{"a device", right, func(f *Files) { f.CA = os.DevNull }, os.DevNull, "is not a regular file"},
		{"too large", right, func(f *Files) { put(t, f.CA, make([]byte, fileLimit+1)) }, "ca.crt", "has more than 1048576 bytes"},
		{"empty certificate", right, func(f *Files) { put(t, f.Cert, nil) }, "a.crt", "holds no certificate in PEM form"},
		{"key for certificate", right, func(f *Files) { f.Cert = f.Key }, "a.key", "holds no certificate in PEM form"},
		{"certificate for key", right, func(f *Files) { f.Key = f.Cert }, "a.crt", "holds no private key in PEM form"},
		{"damaged certificate", right, func(f *Files) {
			put(t, f.Cert, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: right.Certificate[0][1:]}))
		}, "a.crt", "holds a damaged certificate"},
		{"damaged key", right, func(f *Files) { put(t, f.Key, pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: []byte("key")})) }, "a.key", "holds a damaged private key"},
		{"encrypted key", right, func(f *Files) { put(t, f.Key, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED " + pemKey})) }, "a.key", "the private key is encrypted (decrypt it first: openssl pkey -in "},
		{"key of another", right, func(f *Files) { put(t, f.Key, key(ca.leaf(t, client))) }, "a.key", "does not belong to the certificate"},
		{"expired", ca.leaf(t, client, expired), nil, "a.crt", "the certificate expired at "},
		{"not yet valid", ca.leaf(t, client, notYet), nil, "a.crt", "the certificate is not valid before "},
		{"no role", ca.leaf(t, nil), nil, "a.crt", "the certificate has no role (it needs a URI such as coterie://role/worker"},
		{"unknown role", ca.leaf(t, []Role{"guest"}), nil, "a.crt", "the certificate has no role"},
		{"another CA", right, func(f *Files) { put(t, f.CA, certText(other.ca)) }, "a.crt", "was not signed by the CA in"},
		{"no CA", right, func(f *Files) { put(t, f.CA, certText(ca.leaf(t, client).Leaf)) }, "ca.crt", "is not the certificate of a CA"},
		{"expired CA", oldCA.leaf(t, client), func(f *Files) { put(t, f.CA, certText(oldCA.ca)) }, "ca.crt", "the CA expired at "},
		{"not for clients", ca.leaf(t, client, onlyServers), nil, "a.crt", "the certificate does not hold: x509: certificate specifies an incompatible key usage"},
		{"a worker that cannot serve", ca.leaf(t, []Role{Worker}, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}), nil, "a.crt", "the certificate does not hold: x509: certificate specifies an incompatible key usage"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			files := ca.files(t, c.leaf)
			if c.change != nil {
				c.change(&files)
			}
			id, err := Load(files)
			var f *fault.Error
			if id != nil || !errors.As(err, &f) || f.Kind != fault.Failed || !strings.HasSuffix(f.Place.File, c.at) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v, want a fault at %s: %s", id, err, c.at, c.want)
			}
		})
	}
}

func TestFilesAtTheirLimitAreRead(t *testing.T) {
	ca := newForge(t)
	files := ca.files(t, ca.leaf(t, []Role{Client}))
	text := certText(ca.ca)
	put(t, files.CA, append(bytes.Repeat([]byte("\n"), fileLimit-len(text)), text...))
	if _, err := Load(files); err != nil {
		t.Errorf("%d bytes: got %v, want them read", fileLimit, err)
	}
}

func TestSeveralCAsRolesAndKindsOfKeysAreTaken(t *testing.T) {
	ca, other, old := newForge(t), newForge(t), newForge(t, expired)
	files := ca.files(t, ca.leaf(t, []Role{Client, Worker}))
	put(t, files.CA, slices.Concat(certText(old.ca), certText(other.ca), certText(ca.ca)))
	id, err := Load(files)
	if err != nil || !slices.Equal(id.Roles(), []Role{Worker, Client}) {
		t.Fatalf("got %v, want the roles worker and client", err)
	}
	leaf := ca.leaf(t, []Role{Client}, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	files = ca.files(t, leaf)
	der, err := x509.MarshalECPrivateKey(leaf.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	put(t, files.Key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	if id, err := Load(files); err != nil || !id.Expires().Equal(leaf.Leaf.NotAfter) {
		t.Errorf("a client that cannot serve: got %v, want it loaded until %v", err, leaf.Leaf.NotAfter)
	}
}

func TestIntermediatesLeadToTheCA(t *testing.T) {
	root := newForge(t)
	between := &forge{key: newKey()}
	between.ca = root.sign(t, root.ca, between.key)
	leaf := between.leaf(t, []Role{Coordinator})
	files := root.files(t, leaf)
	if _, err := Load(files); err == nil {
		t.Error("without the intermediate one: got it loaded, want it refused")
	}
	put(t, files.Cert, append(certText(leaf.Leaf), certText(between.ca)...))
	id, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, id, Limits{})
	if err := listJobs(t, dial(t, d.address, DialOptions(root.identity(t, Client), Coordinator, Limits{})...)); d.ran.Load() != 1 {
		t.Errorf("got %v, want the handler reached", err)
	}
}

// FuzzFiles holds that no bytes in the three files do more than be refused with a name and a next step, in memory that
// is in proportion to them.
func FuzzFiles(f *testing.F) {
	ca := newForge(f)
	leaf := ca.leaf(f, []Role{Worker})
	cert, key, authority := certText(leaf.Leaf), encodeKey(leaf.PrivateKey.(*ecdsa.PrivateKey)), certText(ca.ca)
	f.Add(cert, key, authority)
	f.Add(slices.Concat(cert, authority, cert), key, slices.Concat(authority, cert))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: x\n\n-----END RSA PRIVATE KEY-----"), []byte{})
	files := Files{Cert: "a.crt", Key: "a.key", CA: "ca.crt"}
	now := time.Now()
	f.Fuzz(func(t *testing.T, cert, key, authority []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := files.parse([3][]byte{cert, key, authority}, now)
		runtime.ReadMemStats(&after)
		// A chain is checked by arithmetic on its keys, which takes some memory for each certificate.
		n := len(cert) + len(key) + len(authority)
		if spent, ceiling := after.TotalAlloc-before.TotalAlloc, uint64(512*n+4<<20); spent > ceiling {
			t.Errorf("%d bytes of input took %d bytes of memory, more than %d", n, spent, ceiling)
		}
		var known *fault.Error
		switch {
		case err == nil && (len(m.roles) == 0 || m.certificate.Leaf == nil || m.authorities == nil):
			t.Errorf("got %+v, want all of it", m)
		case err != nil && (m != nil || !errors.As(err, &known) || known.Place.File == "" || known.Remedy == ""):
			t.Errorf("got %v, %v, want a fault with its place and the next step", m, err)
		}
	})
}
