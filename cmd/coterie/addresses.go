package main

import (
	"net"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// endpoint is a flag for HOST:PORT.
type endpoint struct {
	to    *string
	check func(string) error
}

// newPeer is a flag that sets *to to the address of somebody else.
func newPeer(to *string) *endpoint { return &endpoint{to: to, check: checkPeer} }

// newOwn is a flag that sets *to, at first to preset, to an address of this machine: the host may be left out, and
// port 0 stands for a free one.
func newOwn(to *string, preset string) *endpoint {
	*to = preset
	return &endpoint{to: to, check: checkOwn}
}

func (e *endpoint) String() string { return *e.to }
func (e *endpoint) Type() string   { return "HOST:PORT" }

// Set takes an address.
func (e *endpoint) Set(value string) error {
	if err := e.check(value); err != nil {
		return err
	}
	*e.to = value
	return nil
}

// checkPeer is nil for HOST:PORT with both.
func checkPeer(value string) error {
	host, port, err := hostPort(value)
	if err != nil {
		return err
	}
	if host == "" || port == 0 {
		return refuse("lacks the host or the port: it has the form HOST:PORT")
	}
	return nil
}

// checkOwn is nil for HOST:PORT, :PORT and HOST:0.
func checkOwn(value string) error {
	_, _, err := hostPort(value)
	return err
}

func hostPort(value string) (host string, port uint64, err error) {
	host, text, err := net.SplitHostPort(value)
	if err != nil {
		return "", 0, refuse("is not an address of the form HOST:PORT")
	}
	if port, err = strconv.ParseUint(text, 10, 16); err != nil {
		return "", 0, refuse("has a port that is not a number from 0 to 65535")
	}
	return host, port, nil
}

// maxName is how long names in the gossip may be, in bytes: all its members carry them in every packet.
const maxName = 64

// shortName is a flag for a short name that is shown to people.
type shortName struct{ to *string }

func (l *shortName) String() string { return *l.to }
func (l *shortName) Type() string   { return "NAME" }

// Set takes a name.
func (l *shortName) Set(value string) error {
	if value == "" || len(value) > maxName || !utf8.ValidString(value) {
		return refuse("must have 1 to %d bytes", maxName)
	}
	for _, r := range value {
		if !unicode.IsPrint(r) {
			return refuse("has characters that cannot be printed")
		}
	}
	*l.to = value
	return nil
}

// hostOnly is a flag for a host without a port.
type hostOnly struct{ to *string }

func (h *hostOnly) String() string { return *h.to }
func (h *hostOnly) Type() string   { return "HOST" }

// Set takes a host.
func (h *hostOnly) Set(value string) error {
	if _, _, err := net.SplitHostPort(value); err == nil {
		return refuse("has a port: only the host is wanted")
	}
	if value == "" {
		return refuse("is no host")
	}
	*h.to = value
	return nil
}

// span is a flag for a time span of at least 0.
type span struct{ to *time.Duration }

// newSpan is a flag that sets *to, at first to preset.
func newSpan(to *time.Duration, preset time.Duration) *span {
	*to = preset
	return &span{to: to}
}

func (s *span) String() string { return s.to.String() }
func (s *span) Type() string   { return "duration" }

// Set takes a time span with its unit.
func (s *span) Set(value string) error {
	d, err := time.ParseDuration(value)
	switch {
	case err != nil:
		return refuse("is not a time span such as 30s or 5m")
	case d < 0:
		return refuse("must be at least 0s")
	}
	*s.to = d
	return nil
}
