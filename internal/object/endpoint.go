package object

import (
	"net/url"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
)

// isService refuses an address that is not that of a service over HTTP. One with an @ may hold a password: it is not said
// again, neither here nor, since it is refused, by anything later.
func isService(from, address string) error {
	if strings.Contains(address, "@") {
		return fault.Usagef("%s: the address of the service has an @, as if a password were in it", from).
			Do("write https://HOST:PORT, and give keys as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fault.Usagef("%s: %q is not the URL of a service", from, address).Do("write https://HOST:PORT")
	}
	return nil
}
