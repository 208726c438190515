package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/coterie-project/coterie/internal/fault"
)

// Bounds of a Config and of the names that it asks for.
const (
	maxSeeds      = 64              // beyond that a name that resolves to many addresses is the better list
	maxCluster    = 64              // bytes: the label stands in front of every packet of 1,400
	lookupTimeout = 5 * time.Second // for one name; resolvers give up at about that
	defaultRejoin = 30 * time.Second
)

// labelPrefix keeps our packets apart from those of other programs that gossip by the same library without a label.
const labelPrefix = "coterie/"

// Config says how a process takes part in the gossip.
type Config struct {
	// Name is shown to people, 1 to 64 bytes; empty: Meta.Name. The node is called Name-Boot.
	Name string
	// Cluster is the label that every packet carries, at most 64 bytes; those of other clusters are dropped.
	Cluster string
	// Bind is HOST:PORT to listen at, for TCP and UDP alike; port 0 takes a free one.
	Bind string
	// Advertise is HOST:PORT that others reach us by; port 0 is the one bound. Empty: the address bound, or for 0.0.0.0
	// a private address of this machine.
	Advertise string
	// Key is 16, 24 or 32 bytes and encrypts everything; nil: no encryption, and encrypted packets are dropped.
	Key []byte
	// Seeds are HOST:PORT of some others, at most 64. Names are looked up anew at every attempt.
	Seeds []string
	// Rejoin is how often seeds that are not among the members are tried again, within a fifth; default 30 s. A split does
	// not heal without: each side forgets the other after a while.
	Rejoin time.Duration
	// Meta is told to all. An empty Name is taken from Config.Name, an empty Boot is made.
	Meta Meta
	// Log gets what the library says, at debug and warn; nil: nowhere. Some of it is said with the library's lock held, so
	// the handler must not wait for this package.
	Log *slog.Logger

	tune func(*memberlist.Config) // tests shorten times and cut cables with it
}

// complete is the configuration with its defaults, and the encoded Meta. It refuses what cannot work as a *fault.Error
// that names the flag and the value.
func (c Config) complete() (Config, []byte, error) {
	if c.Name == "" {
		c.Name = c.Meta.Name
	}
	c.Meta.Name = c.Name
	if c.Meta.Boot == "" {
		c.Meta.Boot = NewBoot()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Rejoin == 0 {
		c.Rejoin = defaultRejoin
	}
	switch {
	case c.Rejoin < 0:
		return c, nil, fault.Usagef("gossip: a negative time %v between attempts to join", c.Rejoin)
	case len(c.Cluster) > maxCluster || !printable(c.Cluster):
		return c, nil, fault.Usagef("gossip: the cluster's name %q is not printable text of at most %d bytes", c.Cluster, maxCluster)
	case c.Key != nil && !keySize(len(c.Key)):
		return c, nil, fault.Usagef("--gossip-key: a key of %d bytes", len(c.Key)).Do("16, 24 or 32 are possible")
	case len(c.Seeds) > maxSeeds:
		return c, nil, fault.Usagef("--join: %d addresses, more than %d", len(c.Seeds), maxSeeds).Do("a few suffice: all others are found through them")
	}
	for _, seed := range c.Seeds {
		if _, port, err := hostPort(seed); err != nil || port == 0 {
			return c, nil, fault.Usagef("--join: %q is not HOST:PORT", seed)
		}
	}
	meta, err := c.Meta.encode()
	if err != nil {
		return c, nil, &fault.Error{Kind: fault.Usage, Place: fault.Place{Row: fault.NoRow}, Problem: "gossip", Err: err,
			Remedy: "shorten the name or the addresses"}
	}
	return c, meta, nil
}

// bind looks up where to listen. An empty host is 0.0.0.0.
func (c *Config) bind(ctx context.Context) (netip.AddrPort, error) {
	address := c.Bind
	if host, port, err := net.SplitHostPort(address); err == nil && host == "" {
		address = net.JoinHostPort("0.0.0.0", port)
	}
	at, err := resolveOne(ctx, address)
	if err != nil {
		return at, usage(err, "--gossip: cannot listen at %q", c.Bind).Do("give HOST:PORT with an address of this machine")
	}
	if at.Addr().Is6() && at.Addr().IsUnspecified() && c.Advertise == "" {
		return at, fault.Usagef("--gossip: %q listens everywhere, and does not say how others reach us", c.Bind).
			Do("give one address of this machine")
	}
	return at, nil
}

// advertise looks up what to tell the others; the zero AddrPort leaves it to the address bound.
func (c *Config) advertise(ctx context.Context) (netip.AddrPort, error) {
	if c.Advertise == "" {
		return netip.AddrPort{}, nil
	}
	at, err := resolveOne(ctx, c.Advertise)
	if err == nil && at.Addr().IsUnspecified() {
		err = fmt.Errorf("%s is no machine's address", at.Addr())
	}
	if err != nil {
		return at, usage(err, "gossip: cannot advertise %q", c.Advertise).Do("give HOST:PORT that the others reach")
	}
	return at, nil
}

// usage is a wrong call with its cause.
func usage(cause error, format string, args ...any) *fault.Error {
	e := fault.Usagef(format, args...)
	e.Err = cause
	return e
}

// resolveOne is one address of HOST:PORT, of version 4 if there is one.
func resolveOne(ctx context.Context, address string) (netip.AddrPort, error) {
	host, port, err := hostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	found, err := lookup(ctx, host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	best := found[0]
	for _, a := range found {
		if a.Is4() && !best.Is4() {
			best = a
		}
	}
	return netip.AddrPortFrom(best, port), nil
}

// lookup gives the addresses of a host, at least one; an address is its own. The library would ask for the names itself,
// but beyond any context, by a TCP query for ANY that many resolvers refuse, and it would bind to a name by binding to
// everything.
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no address", host)
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, nil
}
