package secure

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"slices"
	"strings"
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
		config.VerifyConnection = verifyClient
		return config, nil
	}
	config, _ := fresh(nil)
	config.GetConfigForClient = fresh
	return config
}

// MayCall says whether a request over a Web connection comes from the holder of one of the roles; if not, the Notices are told.
// With a nil Identity every caller has every role.
func (i *Identity) MayCall(r *http.Request, roles ...Role) bool {
	if i == nil {
		return true
	}
	var own []Role
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		own = rolesOf(r.TLS.PeerCertificates[0])
	}
	if slices.ContainsFunc(roles, func(role Role) bool { return slices.Contains(own, role) }) {
		return true
	}
	i.reject(r.URL.Path, r.RemoteAddr, fmt.Sprintf("%s is for %s; the certificate of the caller has %s", r.URL.Path, spell(roles), spell(own)))
	return false
}

// handshakeFailed is how net/http begins its line about one; the address and the reason follow.
const handshakeFailed = "http: TLS handshake error from "

// ErrorLog is for http.Server: handshakes that fail are told to the Notices, as those of the services are, and what else the
// library says of strangers goes to the log as debug.
func (i *Identity) ErrorLog(to *slog.Logger) *log.Logger { return log.New(webLog{i, to}, "", 0) }

type webLog struct {
	identity *Identity
	to       *slog.Logger
}

// Write takes one line.
func (w webLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if rest, ok := strings.CutPrefix(text, handshakeFailed); ok {
		// Who hangs up before a word was said is a load balancer that looks whether the port is open.
		if peer, reason, ok := strings.Cut(rest, ": "); ok && reason != io.EOF.Error() {
			w.identity.reject("", peer, reason)
		}
		return len(line), nil
	}
	w.to.Debug("http", "error", text)
	return len(line), nil
}
