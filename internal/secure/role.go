package secure

import (
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
)

// Role is what the holder of a certificate is in a cluster. A certificate may carry several.
type Role string

// The roles.
const (
	Coordinator Role = "coordinator" // decides the rounds
	Worker      Role = "worker"      // holds partitions and computes
	Client      Role = "client"      // submits jobs, and serves its own rows to workers
)

// Roles are all roles.
func Roles() []Role { return []Role{Coordinator, Worker, Client} }

// uri is how a role stands in a certificate. A name of its own scheme cannot be mistaken for a host, and an operator
// reads it in any tool that shows certificates.
func (r Role) uri() *url.URL { return &url.URL{Scheme: "coterie", Host: "role", Path: "/" + string(r)} }

// rolesOf are the roles that a certificate carries. URIs that name none of ours are left out: they may be another
// program's.
func rolesOf(cert *x509.Certificate) []Role {
	var roles []Role
	for _, role := range Roles() {
		text := role.uri().String()
		if slices.ContainsFunc(cert.URIs, func(u *url.URL) bool { return u.String() == text }) {
			roles = append(roles, role)
		}
	}
	return roles
}

// spell lists roles for a message: "worker, client", or "no role".
func spell(roles []Role) string {
	if len(roles) == 0 {
		return "no role"
	}
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}
