package secure

import (
	"crypto/tls"
	"net/http"
	"slices"
)

// Web is what an HTTPS server is made with: TLS 1.3 with what the files hold at each handshake. Clients need not show a
// certificate, since probes and scrapers have none; one that is shown must be of the CA. Which role its holder has is
// for MayCall to ask. A nil Identity gives nil, which is plain text.
func (i *Identity) Web() *tls.Config {
	if i == nil {
		return nil
	}
	fresh := func(*tls.ClientHelloInfo) (*tls.Config, error) {
		config := handshaker{identity: i}.config()
		config.ClientAuth, config.NextProtos = tls.VerifyClientCertIfGiven, []string{"h2", "http/1.1"}
		return config, nil
	}
	config, _ := fresh(nil)
	config.GetConfigForClient = fresh
	return config
}

// MayCall says whether a request over a Web connection comes from the holder of one of the roles. With a nil Identity
// every caller has every role.
func (i *Identity) MayCall(r *http.Request, roles ...Role) bool {
	if i == nil {
		return true
	}
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return false
	}
	own := rolesOf(r.TLS.PeerCertificates[0])
	return slices.ContainsFunc(roles, func(role Role) bool { return slices.Contains(own, role) })
}
