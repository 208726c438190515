package secure

import (
	"crypto/x509"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

// FuzzHosts holds that what is taken for a host of a certificate is an address or a name that other programs take for one, and that
// a URI in a certificate is a role only if it is spelled as one to the letter.
func FuzzHosts(f *testing.F) {
	for _, text := range []string{"node1", "10.0.0.1", "10.0.0.300", "::1", "*.example.org", "a..b", "-a", "a-", "node1:7700", "[::1]:80", "coterie://role/worker", "coterie://role/worker/", "coterie://role/worker#", "coterie://role/%77orker",
		"COTERIE://role/worker", "coterie://ROLE/worker", "coterie://role/worker?", "coterie://x@role/worker", "coterie://role/client\x00", strings.Repeat("a.", 130) + "a", "ex\u00e4mple"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hostile.Ceiling(t, len(text), 256<<10, 256, func() {
			err := checkHosts([]string{text})
			if err != nil && (fault.Code(err) != 2 || !strings.Contains(err.Error(), "--host")) {
				t.Fatalf("%q: got %v, want a wrong call", text, err)
			}
			if err == nil && net.ParseIP(text) == nil && (len(text) > hostLimit || strings.ContainsAny(text, " :/\\@\x00[]%") || strings.Contains(text, "..")) {
				t.Fatalf("%q is taken for a name", text)
			}
			u, err := url.Parse(text)
			if err != nil {
				return
			}
			roles := rolesOf(&x509.Certificate{URIs: []*url.URL{u}})
			if len(roles) > 1 || len(roles) == 1 && u.String() != "coterie://role/"+string(roles[0]) {
				t.Fatalf("%q is the roles %v", text, roles)
			}
		})
	})
}
