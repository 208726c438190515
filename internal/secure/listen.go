package secure

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"

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

// Listen opens address, HOST:PORT given with flag, for TCP. The error names both and says what to do.
func Listen(flag, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err == nil {
		return listener, nil
	}
	failed := fault.Failedf(err, "%s %s: cannot listen", flag, address)
	if cause := (*net.OpError)(nil); errors.As(err, &cause) {
		failed.Err = cause.Err // the rest of it repeats the address
	}
	if name := (*net.DNSError)(nil); errors.As(err, &name) || errors.Is(err, syscall.EADDRNOTAVAIL) {
		return nil, failed.Do("give an address of this machine")
	}
	return nil, failed.Do("choose another port, or 0 for any")
}

// loopback says whether host is this machine for itself. An empty host is every address of the machine.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
