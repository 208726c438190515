// Package serve answers over HTTP and gRPC to which segment customers belong: one customer or many at once. It holds one
// model, and exchanges it when its file changes, between two requests: each is answered whole from one model, and says
// from which.
//
// Package lookup finds the answers; here is what stands between it and the network: what requests look like, what they
// may cost, what is said where something is wrong, and how the server ends.
package serve
