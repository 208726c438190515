// Package live is the page on which people watch a cluster: the workers and what they hold, the jobs with their curves, and
// what has happened, newest first.
//
// It holds the types of what is shown, a bounded list of events, and a handler that serves the page, a stream of
// server-sent events that keeps it up to date, and the same as one JSON document at /api/v1/cluster. Script and style are
// files of the binary: the page loads nothing from anywhere else, and its policy forbids it to. Names that other people
// chose reach the page as text alone.
//
// However many people look, the cluster is asked at most a few times a second, by whoever asks first; the others are given
// what it said. A viewer that reads too slowly misses what lies between and in the end its stream, and holds up nobody.
//
// What it does not do: know a coordinator (package coordinator fills in the types), ask who the viewer is (what is shown
// is no secret within the network that --http is opened to), or change anything.
package live
