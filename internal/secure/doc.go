// Package secure decides who may call what, and how much.
//
// Coordinator, workers and clients show each other certificates of one CA (mutual TLS 1.3). A certificate carries its
// roles as URIs, coterie://role/worker, and a guard in front of every handler holds the caller's roles against one
// table of all methods. ServerOptions and DialOptions put that together with the limits on messages, streams, waits
// and calls, so that each of our servers and connections is made the same way. NewAuthority makes a CA and the
// certificates. Certificates are loaded anew when their files change; connections that exist go on.
//
// What it does not do: open a socket, revoke a certificate (a CA is replaced instead), or secure the gossip, which has
// its own key. The coordinator's, the worker's and the submitter's servers are built with these options; the walk goes
// on in their handlers.
package secure
