package secure

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"path/filepath"
	"time"
)

// signer is a CA with its key.
type signer struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// authority loads the CA of the folder, or makes it, and settles the hosts.
func (a *Authority) authority(o Order, now time.Time) (*signer, error) {
	file, keyFile := filepath.Join(o.Folder, caFile), filepath.Join(o.Folder, caKeyFile)
	there, keyThere := exists(file), exists(keyFile)
	switch {
	case o.NewCA || !there && !keyThere:
		a.Hosts = hosts(o.Hosts)
		return a.newCA(file, keyFile, max(o.Valid, caValid), now)
	case !there:
		return nil, wrong(file, "is missing beside %s", keyFile).Do("put it back, or replace the CA with --new-ca")
	case !keyThere:
		return nil, wrong(keyFile, "is missing beside %s", file).Do("put it back, or replace the CA with --new-ca")
	}
	a.Renewed = true
	given := o.Hosts
	if len(given) == 0 {
		var err error
		if given, err = hostsBefore(o.Folder); err != nil {
			return nil, err
		}
	}
	a.Hosts = hosts(given)
	return loadCA(file, keyFile, now)
}

func loadCA(file, keyFile string, now time.Time) (*signer, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	found, err := certificates(file, data)
	if err != nil {
		return nil, err
	}
	key, err := readKey(keyFile)
	if err != nil {
		return nil, err
	}
	ca := found[0]
	switch err := current(file, "the CA", ca, now); {
	case err != nil:
		return nil, wrong(file, "the CA is valid from %s to %s, and it is %s", stampOf(ca.NotBefore), stampOf(ca.NotAfter), stampOf(now)).
			Do("replace it with --new-ca")
	case !ca.IsCA:
		return nil, wrong(file, "this is not the certificate of a CA").Do("replace it with --new-ca")
	case !belongs(key, ca):
		return nil, wrong(keyFile, "this key does not belong to the CA %s", file).Do("put the right one back, or replace the CA with --new-ca")
	}
	return &signer{ca, key}, nil
}

// newCA makes a CA that signs certificates of roles, and no further CAs.
func (a *Authority) newCA(file, keyFile string, valid time.Duration, now time.Time) (*signer, error) {
	key := newKey()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Coterie CA " + now.UTC().Format(time.DateOnly)},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(valid),
		KeyUsage:              x509.KeyUsageCertSign,
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
	}
	own := &signer{template, key}
	made, err := own.sign(file, template, key.Public())
	if err != nil {
		return nil, err
	}
	if err := a.secret(keyFile, encodeKey(key)); err != nil {
		return nil, err
	}
	return &signer{made, key}, a.public(file, made)
}

// sign makes a certificate for the holder of public; the file is for messages.
func (s *signer) sign(file string, template *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, s.certificate, public, s.key)
	var made *x509.Certificate
	if err == nil {
		made, err = x509.ParseCertificate(der)
	}
	if err != nil {
		e := wrong(file, "the certificate could not be made")
		e.Err = err
		return nil, e
	}
	return made, nil
}
