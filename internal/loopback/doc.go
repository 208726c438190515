// Package loopback starts the processes of a cluster on this machine, and harms them: for load tests with chaos.
//
// It starts a bounded number of processes, each in a group of its own, and ends them, whatever happens to this process as
// far as the system allows that. It finds addresses for servers that end and start again: one that the system has picked
// for port 0 is free once its server has ended, and any other process may get it before the server is back. What it does
// not do: kill what it has not started, or decide when.
package loopback
