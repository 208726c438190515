// Package cluster lets the processes of a cluster find each other by gossip.
//
// A coordinator or worker calls Start with the addresses of a few others (its seeds) and then sees, in Members, who
// else is there: name, role, version and the address for calls, which travel with the gossip as at most MaxMeta bytes.
// Traffic carries the cluster's label, and with a key it is encrypted; whatever comes without them is dropped and counted.
//
// What it says is a hint. Gossip hides the very split that matters, a coordinator cut off from a worker that others still
// reach, and without a key anyone on the network can write into it. Who is alive, who is called and who may speak is
// settled by the calls themselves: package coordinator takes nobody's work away because this package missed them. For
// some seconds after a restart both the old and the new process of a machine are listed; the boot nonce tells them apart.
//
// This is the one importer of hashicorp/memberlist, whose manners stay inside: transport.go, logbridge.go and table.go say
// which of them need a fence. The walk of a row does not pass through here.
package cluster
