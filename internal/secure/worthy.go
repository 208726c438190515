package secure

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
)

// leastRSA is how many bits a key of RSA has at least; the library takes half as many. Curves below P-256 it takes none.
const leastRSA = 2048

// worthy is asked after the chain of the other side was found right: each certificate in it has a key that is not weak, and
// the first says itself that it is for this use. The library takes one that says nothing of its use, such as the
// certificate of a CA that was not made for this.
func worthy(state tls.ConnectionState, use x509.ExtKeyUsage) error {
	if len(state.PeerCertificates) == 0 {
		return nil // whether that may be was decided before
	}
	for _, chain := range state.VerifiedChains {
		for _, c := range chain {
			if err := strong(c); err != nil {
				return err
			}
		}
	}
	if usages := state.PeerCertificates[0].ExtKeyUsage; !slices.Contains(usages, use) {
		return fmt.Errorf("the certificate of %s does not say that it is for %s", state.PeerCertificates[0].Subject, usageName(use))
	}
	return nil
}

func usageName(use x509.ExtKeyUsage) string {
	if use == x509.ExtKeyUsageClientAuth {
		return "clients (extended key usage)"
	}
	return "servers (extended key usage)"
}

// strong is an error if the key of a certificate could be found out.
func strong(c *x509.Certificate) error {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < leastRSA {
			return fmt.Errorf("the key of %s has %d bits of RSA, fewer than %d", c.Subject, bits, leastRSA)
		}
	case *ecdsa.PublicKey:
		if bits := key.Curve.Params().BitSize; bits < 256 {
			return fmt.Errorf("the key of %s is on a curve of %d bits, fewer than 256", c.Subject, bits)
		}
	}
	return nil
}
