package secure

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
)

const (
	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY"
	remake         = "coterie certs makes new ones"
)

// material is what the three files hold, checked against each other. It is never changed.
type material struct {
	certificate tls.Certificate // with its Leaf
	roles       []Role          // of the leaf, at least one
	authorities *x509.CertPool
}

// load reads and checks the files as of now.
func (f Files) load(now time.Time) (*material, error) {
	contents, err := f.read()
	if err != nil {
		return nil, err
	}
	return f.parse(contents, now)
}

// parse checks contents, which are those of the certificate, the key and the CA. What it refuses would be refused by
// every peer, with a message that reaches nobody.
func (f Files) parse(contents [3][]byte, now time.Time) (*material, error) {
	chain, err := certificates(f.Cert, contents[0])
	if err != nil {
		return nil, err
	}
	key, err := privateKey(f.Key, contents[1])
	if err != nil {
		return nil, err
	}
	leaf := chain[0]
	if !belongs(key, leaf) {
		return nil, wrong(f.Key, "this key does not belong to the certificate %s", f.Cert).Do("name the key that was made with it")
	}
	if err := current(f.Cert, "the certificate", leaf, now); err != nil {
		return nil, err
	}
	roles := rolesOf(leaf)
	if len(roles) == 0 {
		return nil, wrong(f.Cert, "the certificate has no role").
			Do("it needs a URI such as %s among its subject alternative names; %s", Worker.uri(), remake)
	}
	authorities, err := certificates(f.CA, contents[2])
	if err != nil {
		return nil, err
	}
	pool, err := f.verify(chain, authorities, now)
	if err != nil {
		return nil, err
	}
	m := &material{roles: roles, authorities: pool, certificate: tls.Certificate{PrivateKey: key, Leaf: leaf}}
	for _, c := range chain {
		m.certificate.Certificate = append(m.certificate.Certificate, c.Raw)
	}
	return m, nil
}

// verify is the pool of the authorities, once it is clear that they have signed the chain for what it will be used for.
func (f Files) verify(chain, authorities []*x509.Certificate, now time.Time) (*x509.CertPool, error) {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range authorities {
		if !c.IsCA {
			return nil, wrong(f.CA, "%s is not the certificate of a CA", c.Subject).Do("name the file ca.crt that signed %s", f.Cert)
		}
		roots.AddCert(c)
	}
	// One that has had its day may stay in the file while another is good.
	if !slices.ContainsFunc(authorities, func(c *x509.Certificate) bool { return current(f.CA, "the CA", c, now) == nil }) {
		return nil, current(f.CA, "the CA", authorities[0], now)
	}
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	// Everybody dials somebody; a certificate of a client alone need not be one for servers.
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if roles := rolesOf(chain[0]); slices.Contains(roles, Coordinator) || slices.Contains(roles, Worker) {
		usages = append(usages, x509.ExtKeyUsageServerAuth)
	}
	for _, usage := range usages {
		_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}})
		var unknown x509.UnknownAuthorityError
		switch {
		case errors.As(err, &unknown):
			return nil, wrong(f.Cert, "the certificate was not signed by the CA in %s", f.CA).Do("name the CA that signed it")
		case err != nil:
			e := wrong(f.Cert, "the certificate does not hold")
			e.Err = err
			return nil, e.Do(remake)
		}
	}
	return roots, nil
}

// certificates are those in a PEM file, at least one.
func certificates(path string, data []byte) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			break
		}
		if block.Type != pemCertificate {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			e := wrong(path, "holds a damaged certificate")
			e.Err = err
			return nil, e.Do("copy the file anew; %s", remake)
		}
		found = append(found, c)
	}
	if len(found) == 0 {
		return nil, wrong(path, "holds no certificate in PEM form").Do("it should have a line -----BEGIN %s-----", pemCertificate)
	}
	return found, nil
}

// privateKey is the first key in a PEM file.
func privateKey(path string, data []byte) (crypto.Signer, error) {
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		switch {
		case block == nil:
			return nil, wrong(path, "holds no private key in PEM form").Do("it should have a line -----BEGIN %s-----", pemKey)
		case !strings.HasSuffix(block.Type, pemKey):
			continue
		case strings.HasPrefix(block.Type, "ENCRYPTED"), block.Headers["DEK-Info"] != "":
			return nil, wrong(path, "the private key is encrypted").Do("decrypt it first: openssl pkey -in %s", path)
		}
		key, err := decodeKey(block)
		if err != nil {
			e := wrong(path, "holds a damaged private key")
			e.Err = err
			return nil, e.Do("copy the file anew; %s", remake)
		}
		return key, nil
	}
}

// decodeKey reads a key in one of the three forms that are about.
func decodeKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "EC " + pemKey:
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA " + pemKey:
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("it cannot sign")
	}
	return signer, nil
}

// belongs says whether key is that of the certificate.
func belongs(key crypto.Signer, c *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}

// current is an error if a certificate, called what, is not valid as of now.
func current(path, what string, c *x509.Certificate, now time.Time) error {
	var e *fault.Error
	switch {
	case now.After(c.NotAfter):
		e = wrong(path, "%s expired at %s", what, stampOf(c.NotAfter)).Do(remake)
	case now.Before(c.NotBefore):
		e = wrong(path, "%s is not valid before %s", what, stampOf(c.NotBefore)).Do("is the clock of this machine right? It says %s", stampOf(now))
	default:
		return nil
	}
	return e
}

func stampOf(t time.Time) string { return t.UTC().Format(time.RFC3339) }
