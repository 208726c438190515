package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// errOverride is what OverrideServerName gives: whoever could set the name could have any certificate accepted.
var errOverride = errors.New("the name of a server is that of its address")

// Server are the credentials of a server: TLS 1.3, and every client shows a certificate of the CA. Which role it has
// is for Guard to ask. A nil Identity gives plain text.
func (i *Identity) Server() credentials.TransportCredentials {
	if i == nil {
		return insecure.NewCredentials()
	}
	return handshaker{identity: i}
}

// Client are the credentials of a connection to a server that has the role want, and whose certificate names the host
// that was dialled. A nil Identity gives plain text.
func (i *Identity) Client(want Role) credentials.TransportCredentials {
	if i == nil {
		return insecure.NewCredentials()
	}
	return handshaker{identity: i, want: want}
}

// handshaker makes a configuration for each handshake, from what the files hold by then. The library's own hooks
// could exchange the certificate, but not the CA on the side that dials.
type handshaker struct {
	identity *Identity
	want     Role // of the server, on the side that dials
}

// ClientHandshake makes a connection to authority, HOST:PORT, out of conn.
func (h handshaker) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	config := h.config()
	config.VerifyConnection = func(state tls.ConnectionState) error { return h.verifyServer(authority, state) }
	// It is shown whatever the server asks for: a server of another CA then says so, where it would else miss one.
	own := config.Certificates[0]
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	return credentials.NewTLS(config).ClientHandshake(ctx, authority, conn)
}

// ServerHandshake makes a connection to a client out of conn, or counts the client as rejected.
func (h handshaker) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	config := h.config()
	config.VerifyConnection = verifyClient
	made, info, err := credentials.NewTLS(config).ServerHandshake(conn)
	// Who hangs up before a word was said is a load balancer that looks whether the port is open.
	if err != nil && !errors.Is(err, io.EOF) {
		h.identity.reject("", conn.RemoteAddr().String(), err.Error())
	}
	if g, ok := conn.(*guest); ok && err == nil {
		g.known()
	}
	return made, info, err
}

// config is what both sides have in common. Tickets would carry a verdict of yesterday's CA into a new connection.
func (h handshaker) config() *tls.Config {
	m := h.identity.fresh()
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Time:                   h.identity.now,
		Certificates:           []tls.Certificate{m.certificate},
		RootCAs:                m.authorities,
		ClientCAs:              m.authorities,
		ClientAuth:             tls.RequireAndVerifyClientCert,
		SessionTicketsDisabled: true,
	}
}

// verifyClient is asked after the chain was found right.
func verifyClient(state tls.ConnectionState) error { return worthy(state, x509.ExtKeyUsageClientAuth) }

// verifyServer is asked after the chain and the host were found right.
func (h handshaker) verifyServer(address string, state tls.ConnectionState) error {
	if err := worthy(state, x509.ExtKeyUsageServerAuth); err != nil {
		return err
	}
	roles := rolesOf(state.PeerCertificates[0])
	if slices.Contains(roles, h.want) {
		return nil
	}
	return fmt.Errorf("the certificate of %s is not that of a %s: it has %s", address, h.want, spell(roles))
}

// Info says what kind of connections come out.
func (h handshaker) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls", SecurityVersion: "1.3"}
}

// Clone gives an equal one.
func (h handshaker) Clone() credentials.TransportCredentials { return h }

// OverrideServerName always fails; the interface has it.
func (h handshaker) OverrideServerName(string) error { return errOverride }
