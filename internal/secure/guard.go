package secure

import (
	"context"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// Table says which roles may call which methods of all our services. A key is a full method name, or a service with
// a slash on both sides.
func Table() map[string][]Role {
	all := func(service grpc.ServiceDesc) string { return "/" + service.ServiceName + "/" }
	return map[string][]Role{
		all(coteriev1.Control_ServiceDesc):             {Worker},
		all(coteriev1.Bulk_ServiceDesc):                {Worker},
		all(coteriev1.Jobs_ServiceDesc):                {Client},
		all(coteriev1.Submitter_ServiceDesc):           {Worker},
		coteriev1.Exchange_IDs_FullMethodName:          {Worker},
		coteriev1.Exchange_Dropped_FullMethodName:      {Worker},
		coteriev1.Exchange_Describe_FullMethodName:     {Coordinator},
		all(coteriev1.Lookup_ServiceDesc):              {Client},
		all(healthpb.Health_ServiceDesc):               Roles(),
		all(reflectionpb.ServerReflection_ServiceDesc): {Client},
	}
}

// Guard stands in front of every handler: a caller without one of the roles that the table has for the method gets
// PermissionDenied, and so does everybody at a method that the table does not have. onReject is told of each; it may
// be nil, and must not block. With a nil Identity every caller has every role.
func Guard(table map[string][]Role, id *Identity, onReject func(method, peer, reason string)) (grpc.UnaryServerInterceptor, grpc.StreamServerInterceptor) {
	g := &guard{table: maps.Clone(table), open: id == nil, onReject: onReject}
	unary := func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if err := g.check(ctx, info.FullMethod); err != nil {
			return nil, err
		}
		return handler(ctx, request)
	}
	stream := func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		if err := g.check(stream.Context(), info.FullMethod); err != nil {
			return err
		}
		return handler(server, stream)
	}
	return unary, stream
}

type guard struct {
	table    map[string][]Role
	open     bool // there is no TLS, so nobody has shown a certificate
	onReject func(method, peer, reason string)
}

// check is a status error if the caller may not call method.
func (g *guard) check(ctx context.Context, method string) error {
	allowed, known := g.table[method]
	if !known {
		allowed = g.table[method[:strings.LastIndexByte(method, '/')+1]]
	}
	roles := Roles()
	if !g.open {
		roles = callerRoles(ctx)
	}
	if slices.ContainsFunc(allowed, func(r Role) bool { return slices.Contains(roles, r) }) {
		return nil
	}
	err := status.Errorf(codes.PermissionDenied, "%s is for %s; the certificate of the caller has %s", method, spell(allowed), spell(roles))
	if g.onReject != nil {
		g.onReject(method, address(ctx), status.Convert(err).Message())
	}
	return err
}

// callerRoles are the roles in the certificate that the caller has shown, if it was verified.
func callerRoles(ctx context.Context) []Role {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return nil
	}
	return rolesOf(info.State.PeerCertificates[0])
}

// address is the HOST:PORT of a caller.
func address(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		return p.Addr.String()
	}
	return "unknown"
}
