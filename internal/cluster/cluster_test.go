package cluster

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/coterie-project/coterie/internal/fault"
)

// quick shortens the library's times from seconds to tenths.
func quick(l *memberlist.Config) {
	l.ProbeInterval, l.ProbeTimeout, l.GossipInterval = 200*time.Millisecond, 150*time.Millisecond, 50*time.Millisecond
	l.GossipToTheDeadTime, l.PushPullInterval = time.Millisecond, 500*time.Millisecond
}

// blind never finds out that somebody failed.
func blind(l *memberlist.Config) { l.ProbeInterval = time.Hour }

// config is a worker on loopback; change may be nil.
func config(name string, change func(*Config), seeds ...string) Config {
	c := Config{Name: name, Bind: "127.0.0.1:0", Seeds: seeds, Rejoin: time.Second,
		Meta: Meta{Role: Worker, RPC: "127.0.0.1:7601", Version: "v1"}}
	if change != nil {
		change(&c)
	}
	return c
}

// start runs a member until the test ends. A test is a cluster of its own: the port of a node that it has killed may be
// that of another test's node by now.
func start(t *testing.T, c Config) *Membership {
	t.Helper()
	if c.Cluster == "" {
		c.Cluster = t.Name()[:min(len(t.Name()), maxCluster)]
	}
	m, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(m) })
	return m
}

// kill ends a member as a dying process would: it does not say that it leaves.
func kill(m *Membership) {
	m.close.Do(func() {
		m.cancel()
		m.wire.hangUp()
		m.joined.Wait()
		m.list.Shutdown()
	})
}

// names are those of the members that m sees.
func names(m *Membership) []string {
	var found []string
	for _, member := range m.Members() {
		found = append(found, member.Name)
	}
	return found
}

// await waits for changes until the members of m have these names.
func await(t *testing.T, m *Membership, want ...string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		if slices.Equal(names(m), want) {
			return
		}
		select {
		case <-m.Changes():
		case <-deadline:
			t.Fatalf("got members %v, want %v", names(m), want)
		}
	}
}

// until polls for what sends no signal.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// leave closes m gracefully.
func leave(t *testing.T, m *Membership) {
	t.Helper()
	if err := m.Close(t.Context()); err != nil {
		t.Errorf("leaving: got %v", err)
	}
}

// This test runs alone, before the parallel ones: it counts goroutines.
func TestNothingRunsOnAfterClose(t *testing.T) {
	before := runtime.NumGoroutine()
	a := start(t, config("a", nil))
	b := start(t, config("b", nil, a.Address(), "127.0.0.1:1"))
	await(t, a, "a", "b")
	await(t, b, "a", "b")
	leave(t, b)
	leave(t, b)
	await(t, a, "a")
	leave(t, a)
	until(t, "as many goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
}

func TestThreeFindEachOtherThroughOneSeed(t *testing.T) {
	t.Parallel()
	a := start(t, config("a", func(c *Config) { c.Meta.Role, c.Meta.Boot = Coordinator, "first" }))
	b := start(t, config("b", func(c *Config) { c.Meta.RPC, c.Meta.Version = "10.0.0.1:99", "v2" }, a.Address()))
	c := start(t, config("c", nil, a.Address(), "no.such.host.invalid:7946"))
	for _, m := range []*Membership{a, b, c} {
		await(t, m, "a", "b", "c")
		got := m.Members()
		if want := (Meta{Coordinator, "127.0.0.1:7601", "v1", "first", "a"}); got[0].Meta != want || got[0].Node != "a-first" || got[0].Address != a.Address() {
			t.Errorf("got %+v, want %+v at %s", got[0], want, a.Address())
		}
		if got[1].RPC != "10.0.0.1:99" || got[1].Version != "v2" || got[1].Boot == "" || got[1].Boot == got[2].Boot || got[1].Address != b.Address() {
			t.Errorf("got %+v and %+v, want b's own metadata and two nonces", got[1], got[2])
		}
		if m.Refused() != 0 {
			t.Errorf("got %d refused among friends, want 0", m.Refused())
		}
	}
}

func TestAKeyIsUnderstoodByThoseWhoHaveIt(t *testing.T) {
	t.Parallel()
	key := func(c *Config) { c.Key = []byte("0123456789abcdef0123456789abcdef") }
	a := start(t, config("a", key))
	b := start(t, config("b", key, a.Address()))
	await(t, a, "a", "b")
	await(t, b, "a", "b")
}

func TestALeaveIsSeenWithoutFailureDetection(t *testing.T) {
	t.Parallel()
	a := start(t, config("a", func(c *Config) { c.tune = blind }))
	b := start(t, config("b", func(c *Config) { c.tune = blind }, a.Address()))
	await(t, a, "a", "b")
	await(t, b, "a", "b")
	leave(t, b)
	await(t, a, "a")
	if got := b.Members(); len(got) != 1 || got[0].Name != "a" {
		t.Errorf("who left sees %v, want the one who stayed", got)
	}
}

func TestAKilledNodeDisappears(t *testing.T) {
	t.Parallel()
	tuned := func(c *Config) { c.tune = quick }
	a := start(t, config("a", tuned))
	b := start(t, config("b", tuned, a.Address()))
	c := start(t, config("c", tuned, a.Address()))
	for _, m := range []*Membership{a, b, c} {
		await(t, m, "a", "b", "c")
	}
	kill(b)
	await(t, a, "a", "c")
	await(t, c, "a", "c")
}

func TestStrangersAreNotSeenAndCounted(t *testing.T) {
	t.Parallel()
	key, other := []byte("0123456789abcdef"), []byte("fedcba9876543210")
	for name, c := range map[string]struct{ host, guest func(*Config) }{
		"another label":  {nil, func(c *Config) { c.Cluster = "other" }},
		"no label":       {nil, func(c *Config) { c.tune = func(l *memberlist.Config) { l.Label = "" } }},
		"no key":         {func(c *Config) { c.Key = key }, nil},
		"another key":    {func(c *Config) { c.Key = key }, func(c *Config) { c.Key = other }},
		"a key too many": {nil, func(c *Config) { c.Key = key }},
		"no metadata that we read": {nil, func(c *Config) {
			c.tune = func(l *memberlist.Config) { l.Delegate, l.Alive = newTable("", []byte("from the future")), nil }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := start(t, config("host", c.host))
			guest := start(t, config("guest", c.guest, host.Address()))
			until(t, "a stranger is counted", func() bool { return host.Refused() > 0 })
			if got := names(host); !slices.Equal(got, []string{"host"}) {
				t.Errorf("got members %v, want the host alone", got)
			}
			if got := guest.Members(); name != "no metadata that we read" && len(got) != 1 {
				t.Errorf("the stranger sees %v, want itself alone", got)
			}
		})
	}
}

func TestPacketsOfStrangersAreCountedOneByOne(t *testing.T) {
	t.Parallel()
	open, key := func(*Config) {}, func(c *Config) { c.Key = []byte("0123456789abcdef") }
	labelled := func(label, rest string) string { return string([]byte{244, byte(len(label))}) + label + rest }
	for name, c := range map[string]struct {
		host   func(*Config)
		packet string
	}{
		"no label":             {open, "hello"},
		"another label":        {open, labelled("coterie/other", "hello")},
		"a label cut short":    {open, "\xf4\x20co"},
		"an empty label":       {open, "\xf4\x00"},
		"no message":           {open, labelled("coterie/test", "")},
		"an unknown message":   {open, labelled("coterie/test", "\xee")},
		"a ping of garbage":    {open, labelled("coterie/test", "\x00\xc1")},
		"not encrypted":        {key, labelled("coterie/test", "\x00\x80")},
		"encrypted to garbage": {key, labelled("coterie/test", "\x01"+strings.Repeat("g", 60))},
		"a bad checksum":       {open, labelled("coterie/test", "\x0c\x00\x00\x00\x00hello")},
		"a bad compression":    {open, labelled("coterie/test", "\x09\xc1")},
	} {
		host := start(t, config("host", func(d *Config) { d.Cluster = "test"; c.host(d) }))
		conn, err := net.Dial("udp", host.Address())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := conn.Write([]byte(c.packet)); err != nil {
				t.Fatal(err)
			}
		}
		conn.Close()
		until(t, name+" is counted twice", func() bool { return host.Refused() >= 2 })
		if got := host.Refused(); got != 2 {
			t.Errorf("%s: got %d refused, want 2", name, got)
		}
		kill(host)
	}
}

func TestASeedThatComesUpLaterIsFound(t *testing.T) {
	t.Parallel()
	first := start(t, config("first", nil))
	later := first.Address()
	kill(first)
	b := start(t, config("b", func(c *Config) { c.Rejoin = time.Hour }, later))
	a := start(t, config("a", func(c *Config) { c.Bind = later }))
	await(t, b, "a", "b")
	await(t, a, "a", "b")
}

// cable is a transport that a test can cut.
type cable struct {
	memberlist.NodeAwareTransport
	cut    *atomic.Bool
	failed *atomic.Int32 // counts dials that came to nothing
}

var errCut = errors.New("the cable is cut")

func (c cable) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if c.cut.Load() {
		return time.Now(), nil // lost on the way
	}
	return c.NodeAwareTransport.WriteToAddress(b, a)
}

func (c cable) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if c.cut.Load() {
		return nil, errCut
	}
	conn, err := c.NodeAwareTransport.DialAddressTimeout(a, timeout)
	if err != nil {
		c.failed.Add(1)
	}
	return conn, err
}

func TestTwoHalvesStartedApartBecomeOne(t *testing.T) {
	t.Parallel()
	first := start(t, config("first", nil))
	missing := first.Address()
	kill(first)
	var cut atomic.Bool
	var failed atomic.Int32
	tuned := func(c *Config) { c.tune = quick }
	a := start(t, config("a", tuned))
	b := start(t, config("b", func(c *Config) {
		c.tune = func(l *memberlist.Config) {
			quick(l)
			l.Transport = cable{l.Transport.(memberlist.NodeAwareTransport), &cut, &failed}
		}
	}, a.Address(), missing))
	await(t, a, "a", "b")
	until(t, "the other half is looked for again and again", func() bool { return failed.Load() >= 3 })
	c := start(t, config("c", func(c *Config) { tuned(c); c.Bind = missing }))
	d := start(t, config("d", tuned, c.Address()))
	for _, m := range []*Membership{a, b, c, d} {
		await(t, m, "a", "b", "c", "d")
	}
}

func TestASplitHeals(t *testing.T) {
	t.Parallel()
	var cut atomic.Bool
	wired := func(c *Config) {
		c.tune = func(l *memberlist.Config) {
			quick(l)
			l.Transport = cable{l.Transport.(memberlist.NodeAwareTransport), &cut, new(atomic.Int32)}
		}
	}
	a := start(t, config("a", wired))
	b := start(t, config("b", wired, a.Address()))
	await(t, a, "a", "b")
	await(t, b, "a", "b")
	cut.Store(true)
	await(t, a, "a")
	await(t, b, "b")
	cut.Store(false)
	await(t, a, "a", "b")
	await(t, b, "a", "b")
}

func TestARestartAtTheSameAddressIsNotShadowed(t *testing.T) {
	t.Parallel()
	old := start(t, config("w", func(c *Config) { c.Meta.Boot = "old" }))
	b := start(t, config("b", func(c *Config) { c.tune = blind }, old.Address()))
	await(t, b, "b", "w")
	kill(old)
	fresh := start(t, config("w", func(c *Config) { c.Meta.Boot, c.Bind = "fresh", old.Address() }, b.Address()))
	await(t, fresh, "b", "w", "w") // b believes in the old one, and tells
	await(t, b, "b", "w", "w")     // it never finds out, and sees the new one nevertheless
	if got := b.Members(); got[1].Boot != "fresh" || got[2].Boot != "old" || got[1].Address != got[2].Address {
		t.Errorf("got %+v and %+v, want the fresh one and the old one at one address", got[1], got[2])
	}
}

func TestTheOldNodeOfARestartGoesAway(t *testing.T) {
	t.Parallel()
	old := start(t, config("w", func(c *Config) { c.Meta.Boot = "old" }))
	b := start(t, config("b", func(c *Config) { c.tune = quick }, old.Address()))
	await(t, b, "b", "w")
	kill(old)
	start(t, config("w", func(c *Config) { c.Meta.Boot, c.Bind = "fresh", old.Address() })) // without a seed of its own
	until(t, "the fresh one alone", func() bool {
		got := b.Members()
		return len(got) == 2 && got[1].Boot == "fresh"
	})
}

func TestCloseDoesNotWaitForASeedThatHangs(t *testing.T) {
	t.Parallel()
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // connects, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	m := start(t, config("a", func(c *Config) { c.tune = func(l *memberlist.Config) { l.TCPTimeout = time.Hour } }, hanging.Addr().String()))
	conn, err := hanging.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ended := make(chan error)
	go func() { ended <- m.Close(context.Background()) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Close hangs")
	}
}

func TestCloseWithoutTimeEndsAllTheSame(t *testing.T) {
	t.Parallel()
	m := start(t, config("a", nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Close(ctx); !errors.Is(err, context.Canceled) || m.Close(t.Context()) != err {
		t.Errorf("got %v, want the context's end, also the second time", err)
	}
	if _, err := net.Dial("tcp", m.Address()); err == nil {
		t.Error("it still listens")
	}
}

func TestConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	taken := start(t, config("taken", nil))
	long := strings.Repeat("c", maxCluster+1)
	for name, c := range map[string]struct {
		change func(*Config)
		kind   fault.Kind
		says   string
	}{
		"metadata too large": {func(c *Config) { c.Meta = sized(MaxMeta + 1); c.Name = c.Meta.Name }, fault.Usage, "512 bytes"},
		"no name":            {func(c *Config) { c.Name = "" }, fault.Usage, "name"},
		"no port":            {func(c *Config) { c.Bind = "127.0.0.1" }, fault.Usage, "--gossip"},
		"no such host":       {func(c *Config) { c.Bind = "no.such.host.invalid:0" }, fault.Usage, "no.such.host.invalid"},
		"everywhere by IPv6": {func(c *Config) { c.Bind = "[::]:0" }, fault.Usage, "[::]:0"},
		"advertising nobody": {func(c *Config) { c.Advertise = "0.0.0.0:1" }, fault.Usage, "0.0.0.0:1"},
		"a port taken":       {func(c *Config) { c.Bind = taken.Address() }, fault.Failed, taken.Address()},
		"a key of 15 bytes":  {func(c *Config) { c.Key = make([]byte, 15) }, fault.Usage, "--gossip-key"},
		"an empty key":       {func(c *Config) { c.Key = []byte{} }, fault.Usage, "--gossip-key"},
		"a seed's port 0":    {func(c *Config) { c.Seeds = []string{"127.0.0.1:0"} }, fault.Usage, "127.0.0.1:0"},
		"a seed with a path": {func(c *Config) { c.Seeds = []string{"name/127.0.0.1"} }, fault.Usage, "name/127.0.0.1"},
		"too many seeds":     {func(c *Config) { c.Seeds = slices.Repeat([]string{"127.0.0.1:1"}, maxSeeds+1) }, fault.Usage, "65"},
		"a long cluster":     {func(c *Config) { c.Cluster = long }, fault.Usage, long},
		"a negative Rejoin":  {func(c *Config) { c.Rejoin = -1 }, fault.Usage, "-1ns"},
	} {
		m, err := Start(t.Context(), config("x", c.change))
		if m != nil {
			kill(m)
		}
		if fault.Code(err) != int(c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v (exit %d), want %q (exit %d)", name, err, fault.Code(err), c.says, c.kind)
		}
	}
	edge := config("x", func(c *Config) { c.Meta, c.Cluster = sized(MaxMeta), long[1:] }, slices.Repeat([]string{"127.0.0.1:1"}, maxSeeds)...)
	edge.Name = edge.Meta.Name
	if got := start(t, edge).Members(); len(got) != 1 || got[0].Meta != edge.Meta {
		t.Errorf("at the bounds: got %+v, want ourselves", got)
	}
}

func TestTheLargestMetadataTravelsByPacket(t *testing.T) {
	t.Parallel()
	large := func(c *Config) {
		c.Meta, c.Name, c.Key = sized(MaxMeta), "", []byte("0123456789abcdef")
		c.tune = func(l *memberlist.Config) { l.PushPullInterval = time.Hour }
	}
	a := start(t, config("a", func(c *Config) { large(c); c.Name, c.Meta.Version = "a", "" }))
	b := start(t, config("b", func(c *Config) { large(c); c.Name, c.Meta.Version = "b", "" }, a.Address()))
	await(t, a, "a", "b")
	await(t, b, "a", "b")
	start(t, config("", large, a.Address())) // b hears of it by gossip alone: its own seed is a member
	await(t, b, "a", "b", "worker-7")
}

func TestAdvertisedAndBoundAddresses(t *testing.T) {
	t.Parallel()
	m := start(t, config("a", func(c *Config) { c.Bind, c.Advertise = "localhost:0", "10.1.2.3:0" }))
	at, err := netip.ParseAddrPort(m.Address())
	if err != nil || at.Addr().String() != "10.1.2.3" || at.Port() == 0 {
		t.Errorf("got %s, want 10.1.2.3 with the port bound", m.Address())
	}
	if got := m.wire.GetAutoBindPort(); got != int(at.Port()) {
		t.Errorf("got port %d told, %d bound", at.Port(), got)
	}
	if conn, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), at.Port()).String()); err == nil {
		conn.Close()
		t.Error("localhost listens at all addresses")
	}
}
