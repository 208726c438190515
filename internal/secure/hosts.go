package secure

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"

	"github.com/coterie-project/coterie/internal/fault"
)

// hostLimit is how long a name in the DNS can be.
const hostLimit = 253

// hostName is a name in the DNS, at its front perhaps a * for any one label. The last label is not a number: 10.0.0.300
// is an address gone wrong.
var hostName = regexp.MustCompile(`^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)

// checkHosts refuses what is neither a name nor an address.
func checkHosts(hosts []string) error {
	for _, h := range hosts {
		if isHost(h) {
			continue
		}
		err := fault.Usagef("--host: %q is neither the name nor the address of a machine", h)
		if name, _, split := net.SplitHostPort(h); split == nil && isHost(name) {
			return err.Do("leave out the port: %s", name)
		}
		return err
	}
	return nil
}

func isHost(h string) bool {
	return net.ParseIP(h) != nil || len(h) <= hostLimit && hostName.MatchString(h)
}

// hosts are all that certificates hold for: this machine and those that are given.
func hosts(given []string) []string {
	all := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil && isHost(name) {
		all = append(all, name)
	}
	all = append(all, given...)
	var distinct []string
	for _, h := range all {
		if ip := net.ParseIP(h); ip != nil {
			h = ip.String()
		}
		if !slices.Contains(distinct, h) {
			distinct = append(distinct, h)
		}
	}
	return distinct
}

// hostsBefore are those of the certificates that a renewal replaces.
func hostsBefore(folder string) ([]string, error) {
	var all []string
	for _, role := range Roles() {
		path := Paths(folder, role).Cert
		if !exists(path) {
			continue
		}
		data, err := readFile(path)
		if err != nil {
			return nil, err
		}
		found, err := certificates(path, data)
		if err != nil {
			return nil, wrong(path, "is damaged, so the hosts that it held for are not known").Do("remove it, and give every --host")
		}
		all = append(all, found[0].DNSNames...)
		for _, ip := range found[0].IPAddresses {
			all = append(all, ip.String())
		}
	}
	return all, nil
}

// leafTemplate is the certificate of a role, which serves and dials.
func leafTemplate(role Role, hosts []string) *x509.Certificate {
	c := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "coterie " + string(role)},
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		URIs:                  []*url.URL{role.uri()},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	return c
}
