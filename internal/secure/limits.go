package secure

import (
	"math"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
)

// Limits bound what a peer can make a server or a connection do. A field that is 0 has its default. Both sides of a
// cluster should be given the same ones.
type Limits struct {
	// Message is how many bytes one received message may have, unpacked; 8 MiB by default, 1 KiB to 1 GiB. A larger
	// one fails its call with ResourceExhausted before it is read. What is large goes in chunks and does not need more.
	Message int
	// Header is how many bytes the header of one call may have; 16 KiB by default, 4 KiB to 1 MiB. Beyond it the call
	// fails.
	Header uint32
	// Streams is how many calls one connection may have under way at once; 256 by default, at most 65536. A client that wants more
	// waits for one of its own to end.
	Streams uint32
	// Connect is how long a new connection may take until both sides know each other; 5 s by default, 100 ms to 1 min.
	// Then it is dropped, so that a peer that says nothing holds no socket.
	Connect time.Duration
	// Reconnect is the longest wait between two attempts at a connection; 3 s by default. It is how late a worker may
	// notice that its coordinator is back.
	Reconnect time.Duration
	// Quiet is after how long without a sign of the other side it is asked for one; 10 s by default, and at least that,
	// since the library takes no less. Answer is how long that may take; 3 s by default. Then the connection is dropped
	// and its calls fail: without this a call to a stopped process hangs for good.
	Quiet, Answer time.Duration
	// Idle is after how long without a call a server closes a connection, which its other side opens anew when it has one to
	// make; 30 min by default, as the library's clients do by themselves, 1 s to 24 h. Workers always have one under way.
	Idle time.Duration
	// Ping is the shortest time between two such questions that a server puts up with; 5 s by default, at most Quiet.
	// A client that asks more often is disconnected.
	Ping time.Duration
	// Window is how many bytes of one stream may lie unread at its receiver; 1 MiB by default, 64 KiB to 1 GiB. Two
	// chunks of 512 KiB keep a stream moving. ConnWindow is the same for a whole connection; 2 MiB by default, and at
	// least Window. A coordinator of 500 workers that do not wait for each other holds 1 GiB at worst.
	Window, ConnWindow int32
	// Rate is how many unary calls a second one peer, which is a machine, may make on average; 1000 by default. Burst is
	// how many it may make at once after a while without any; 2000 by default. Beyond them a call fails with
	// ResourceExhausted. They stop a program that loops, not one that is busy. Of streams twenty times as many are let in.
	Rate, Burst float64
	// Peers is for how many peers that is remembered; 4096 by default. Beyond it the one that was quiet longest is
	// forgotten, and has its burst again.
	Peers int
}

// The bounds of the bounds.
const (
	leastMessage, mostMessage = 1 << 10, 1 << 30
	leastHeader, mostHeader   = 4 << 10, 1 << 20 // our own headers have a few hundred bytes
	mostStreams               = 1 << 16
	leastWait, mostWait       = 100 * time.Millisecond, time.Minute
	leastQuiet                = 10 * time.Second
	leastIdle, mostIdle       = time.Second, 24 * time.Hour
	leastWindow, mostWindow   = 64 << 10, 1 << 30 // below, the library ignores it
	mostQuiet                 = time.Hour
	mostPeers                 = 1 << 20
)

// defaults are what fields of 0 stand for.
var defaults = Limits{
	Message:    8 << 20,
	Header:     16 << 10,
	Streams:    256,
	Connect:    5 * time.Second,
	Reconnect:  3 * time.Second,
	Quiet:      10 * time.Second,
	Answer:     3 * time.Second,
	Idle:       30 * time.Minute,
	Ping:       5 * time.Second,
	Window:     1 << 20,
	ConnWindow: 2 << 20,
	Rate:       1000,
	Burst:      2000,
	Peers:      4096,
}

// filled is l with its defaults.
func (l Limits) filled() Limits {
	fill(&l.Message, defaults.Message)
	fill(&l.Header, defaults.Header)
	fill(&l.Streams, defaults.Streams)
	fill(&l.Connect, defaults.Connect)
	fill(&l.Reconnect, defaults.Reconnect)
	fill(&l.Quiet, defaults.Quiet)
	fill(&l.Answer, defaults.Answer)
	fill(&l.Idle, defaults.Idle)
	fill(&l.Ping, defaults.Ping)
	fill(&l.Window, defaults.Window)
	fill(&l.ConnWindow, max(defaults.ConnWindow, l.Window))
	fill(&l.Rate, defaults.Rate)
	fill(&l.Burst, defaults.Burst)
	fill(&l.Peers, defaults.Peers)
	return l
}

func fill[T comparable](field *T, preset T) {
	var none T
	if *field == none {
		*field = preset
	}
}

// Validate is an error that names the first field that is out of its bounds, and its value.
func (l Limits) Validate() error {
	l = l.filled()
	outside := func(field string, value, least, most any) error {
		return fault.Usagef("limits: %s of %v must lie between %v and %v", field, value, least, most)
	}
	switch {
	case l.Message < leastMessage, l.Message > mostMessage:
		return outside("Message", l.Message, leastMessage, mostMessage)
	case l.Header < leastHeader, l.Header > mostHeader:
		return outside("Header", l.Header, leastHeader, mostHeader)
	case l.Streams > mostStreams:
		return outside("Streams", l.Streams, 1, mostStreams)
	case l.Connect < leastWait, l.Connect > mostWait:
		return outside("Connect", l.Connect, leastWait, mostWait)
	case l.Reconnect < leastWait, l.Reconnect > mostWait:
		return outside("Reconnect", l.Reconnect, leastWait, mostWait)
	case l.Quiet < leastQuiet, l.Quiet > mostQuiet:
		return outside("Quiet", l.Quiet, leastQuiet, mostQuiet)
	case l.Answer < leastWait, l.Answer > mostWait:
		return outside("Answer", l.Answer, leastWait, mostWait)
	case l.Idle < leastIdle, l.Idle > mostIdle:
		return outside("Idle", l.Idle, leastIdle, mostIdle)
	case l.Ping < time.Millisecond, l.Ping > l.Quiet:
		return outside("Ping", l.Ping, time.Millisecond, l.Quiet)
	case l.Window < leastWindow, l.Window > mostWindow:
		return outside("Window", l.Window, leastWindow, mostWindow)
	case l.ConnWindow < l.Window, l.ConnWindow > mostWindow:
		return outside("ConnWindow", l.ConnWindow, l.Window, mostWindow)
	case !(l.Rate > 0), math.IsInf(l.Rate, 0):
		return fault.Usagef("limits: Rate of %v must be a number above 0", l.Rate)
	case !(l.Burst >= 1), math.IsInf(l.Burst, 0):
		return fault.Usagef("limits: Burst of %v must be a number of at least 1", l.Burst)
	case l.Peers < 1, l.Peers > mostPeers:
		return outside("Peers", l.Peers, 1, mostPeers)
	}
	return nil
}
