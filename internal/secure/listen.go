package secure

import (
	"net"
	"net/netip"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
)

// CheckListen is done before a socket is opened: address, the HOST:PORT given with flag, must be a loopback address
// unless there is an identity or the operator asked for insecure. A name other than localhost is not looked up: what it
// stands for may change.
func CheckListen(flag, address string, id *Identity, insecure bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fault.Usagef("%s: %q is not an address", flag, address).Do("it has the form HOST:PORT")
	}
	if id != nil || insecure || loopback(host) {
		return nil
	}
	return fault.Usagef("%s: %q can be reached from other machines, and there is no TLS", flag, address).
		Do("use --tls-cert, --tls-key and --tls-ca, which coterie certs makes, or --insecure")
}

// loopback says whether host is this machine for itself. An empty host is every address of the machine.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
