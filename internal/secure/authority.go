package secure

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

const (
	// caValid is how long a CA lasts at least: its certificates are renewed long before, and a new CA has to reach
	// every machine.
	caValid = 10 * 365 * 24 * time.Hour
	// skew is how far the clocks of a cluster may be apart without a fresh certificate being refused.
	skew = time.Hour
)

// The files of a folder beside the certificates and keys of the roles.
const (
	caFile     = "ca.crt"
	caKeyFile  = "ca.key"
	gossipFile = "gossip.key"
)

// Order is what NewAuthority shall make.
type Order struct {
	Folder string        // made if missing, open to its owner alone
	Hosts  []string      // names and addresses that the certificates hold for, beside this machine's own
	Valid  time.Duration // of the certificates; never beyond the CA's
	NewCA  bool          // replace everything that is there
}

// Authority is what NewAuthority has made.
type Authority struct {
	Files   []string  // all files, as paths: the CA, the roles, the gossip
	Written []string  // those of them that are new
	Renewed bool      // the CA was there before
	Hosts   []string  // that the certificates hold for
	Expires time.Time // of the certificates
}

// Paths are where the certificate and the key of a role lie in a folder that NewAuthority has filled, and the CA.
func Paths(folder string, role Role) Files {
	at := func(name string) string { return filepath.Join(folder, name) }
	return Files{Cert: at(string(role) + ".crt"), Key: at(string(role) + ".key"), CA: at(caFile)}
}

// GossipPath is where the key for gossip lies in such a folder, one line of base64.
func GossipPath(folder string) string { return filepath.Join(folder, gossipFile) }

// NewAuthority makes a CA, a certificate with its key for each role, and a key for gossip: ECDSA on P-256, for
// localhost, the loopback addresses, this machine's name and the hosts of the order. Keys are readable by their owner
// alone. Each file appears whole or not at all.
//
// Where there is a CA already, its certificates are renewed: the CA, the gossip key and the keys of the roles stay, so
// that a process that looks in between finds pairs, and other machines need only the new certificates. A renewal
// without hosts keeps those of the certificates that it replaces. Errors are *fault.Error.
func NewAuthority(o Order) (*Authority, error) { return newAuthority(o, time.Now()) }

func newAuthority(o Order, now time.Time) (*Authority, error) {
	if o.Valid <= 0 {
		return nil, fault.Usagef("--days: certificates must be valid for some time, not %v", o.Valid)
	}
	if err := checkHosts(o.Hosts); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, store.Explain(filepath.Join(o.Folder, caFile), err)
	}
	now = now.Truncate(time.Second) // as certificates have it
	// All that is there is read before anything is written.
	leaves, err := leaves(o)
	if err != nil {
		return nil, err
	}
	made := &Authority{Files: []string{filepath.Join(o.Folder, caFile), filepath.Join(o.Folder, caKeyFile)}}
	ca, err := made.authority(o, now)
	if err != nil {
		return nil, err
	}
	made.Expires = now.Add(o.Valid)
	if made.Expires.After(ca.certificate.NotAfter) {
		made.Expires = ca.certificate.NotAfter
	}
	// Secrets come before certificates: writing one of those syncs the folder.
	gossip := GossipPath(o.Folder)
	if !exists(gossip) || o.NewCA {
		if err := made.secret(gossip, newGossipKey()); err != nil {
			return nil, err
		}
	}
	for _, l := range leaves {
		if err := made.leaf(l, ca, now); err != nil {
			return nil, err
		}
	}
	made.Files = append(made.Files, gossip)
	return made, nil
}

// leaf is the certificate of a role, to be made.
type leaf struct {
	role  Role
	files Files
	key   *ecdsa.PrivateKey // fresh; nil: the one that is there stays
	own   crypto.PublicKey
}

// leaves are what is to be made for each role, with the keys that are there where they need not be replaced.
func leaves(o Order) ([]leaf, error) {
	var all []leaf
	for _, role := range Roles() {
		l := leaf{role: role, files: Paths(o.Folder, role)}
		if exists(l.files.Key) && !o.NewCA {
			key, err := readKey(l.files.Key)
			if err != nil {
				return nil, err
			}
			l.own = key.Public()
		} else {
			l.key = newKey()
			l.own = l.key.Public()
		}
		all = append(all, l)
	}
	return all, nil
}

// leaf makes the certificate of a role, and its key unless that is there.
func (a *Authority) leaf(l leaf, ca *signer, now time.Time) error {
	template := leafTemplate(l.role, a.Hosts)
	template.NotBefore, template.NotAfter = now.Add(-skew), a.Expires
	if template.NotBefore.Before(ca.certificate.NotBefore) {
		template.NotBefore = ca.certificate.NotBefore
	}
	made, err := ca.sign(l.files.Cert, template, l.own)
	if err != nil {
		return err
	}
	a.Files = append(a.Files, l.files.Cert, l.files.Key)
	if l.key != nil {
		if err := a.secret(l.files.Key, encodeKey(l.key)); err != nil {
			return err
		}
	}
	return a.public(l.files.Cert, made)
}

// public writes a certificate, for everybody to read.
func (a *Authority) public(path string, c *x509.Certificate) error {
	a.Written = append(a.Written, path)
	return store.WriteFile(path, func(w io.Writer) error {
		return pem.Encode(w, &pem.Block{Type: pemCertificate, Bytes: c.Raw})
	})
}

// secret writes what only the owner may read. Package store makes files that the umask decides over, and here not a
// moment may pass in which another user can open the file.
func (a *Authority) secret(path string, data []byte) error {
	a.Written = append(a.Written, path)
	file, err := os.CreateTemp(filepath.Dir(path), ".coterie-*.tmp") // with rights 0600
	if err != nil {
		return store.Explain(path, err)
	}
	defer os.Remove(file.Name())
	_, err = io.Copy(file, bytes.NewReader(data))
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	return store.Explain(path, err)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func readKey(path string) (crypto.Signer, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return privateKey(path, data)
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the source of randomness never fails, and there is such a curve
	}
	return key
}

func encodeKey(key *ecdsa.PrivateKey) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err) // a key on P-256 has that form
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der})
}
