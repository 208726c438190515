//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lan is a network of its own: a switch and machines, which are network namespaces joined to it by a cable each.
//
// Faults are rules of the kernel's routing for what comes in: a packet that a rule of type blackhole takes is dropped
// without a word to anybody, and so it is lost in one direction. Connections that stand already lose their packets as
// well, since a change of the rules makes the kernel forget the routes that it has cached. This needs iproute2 and no
// firewall.
type lan struct {
	t      *testing.T
	prefix string // of the namespaces' names
	count  int
}

// machine is one of them, 10.77.0.N.
type machine struct {
	lan   *lan
	space string // namespace
	ip    string
	rules atomic.Int64 // priorities given out
}

// lans counts those of this process.
var lans atomic.Int64

// newLAN makes a switch, or skips the test where that cannot be.
func newLAN(t *testing.T) *lan {
	t.Helper()
	if testing.Short() {
		t.Skip("namespaces and seconds of waiting: not with -short")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root makes network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("no ip here (package iproute2)")
	}
	l := &lan{t: t, prefix: fmt.Sprintf("cot%d-%d", os.Getpid(), lans.Add(1))}
	space := l.prefix + "-s"
	if out, err := exec.Command("ip", "netns", "add", space).CombinedOutput(); err != nil {
		t.Skipf("network namespaces cannot be made here: %s", out)
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", space).Run() })
	if out, err := exec.Command("ip", "-n", space, "link", "add", "br0", "type", "bridge").CombinedOutput(); err != nil {
		t.Skipf("this kernel has no bridges: %s", out)
	}
	l.ip("-n", space, "link", "set", "br0", "up")
	return l
}

func (l *lan) ip(args ...string) {
	l.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		l.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// machine adds one. The table of the machine's own addresses is asked after the rules that cut makes, instead of
// before all others.
func (l *lan) machine() *machine {
	l.t.Helper()
	l.count++
	m := &machine{lan: l, space: l.prefix + "-" + strconv.Itoa(l.count), ip: "10.77.0." + strconv.Itoa(l.count)}
	l.ip("netns", "add", m.space)
	l.t.Cleanup(func() { exec.Command("ip", "netns", "del", m.space).Run() })
	port := m.port()
	l.ip("-n", l.prefix+"-s", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", m.space)
	l.ip("-n", l.prefix+"-s", "link", "set", port, "master", "br0", "up")
	for _, words := range []string{"link set lo up", "addr add " + m.ip + "/24 dev eth0", "link set eth0 up",
		"rule add pref 1000 table local", "rule del pref 0"} {
		l.ip(append([]string{"-n", m.space}, strings.Fields(words)...)...)
	}
	return m
}

// port is the machine's end of the cable at the switch.
func (m *machine) port() string { return "port" + strings.TrimPrefix(m.ip, "10.77.0.") }

// place is the machine as a place for processes.
func (m *machine) place() place { return place{"ip", "netns", "exec", m.space} }

// at is an address of the machine.
func (m *machine) at(port int) string { return fmt.Sprintf("%s:%d", m.ip, port) }

// deaf drops what comes in from another machine and matches, in the words of ip rule ("ipproto tcp dport 7600"; none:
// everything). heal ends it.
func (m *machine) deaf(from *machine, match ...string) (heal func()) {
	pref := strconv.FormatInt(100+m.rules.Add(1), 10)
	words := append([]string{"-n", m.space, "rule", "add", "pref", pref, "iif", "eth0", "from", from.ip}, match...)
	m.lan.ip(append(words, "blackhole")...)
	return func() { m.lan.ip("-n", m.space, "rule", "del", "pref", pref) }
}

// dropped is how many packets the rules have taken since the machine was made.
func (m *machine) dropped() int {
	m.lan.t.Helper()
	out, err := exec.Command("ip", "netns", "exec", m.space, "cat", "/proc/net/snmp").Output()
	if err != nil {
		m.lan.t.Fatal(err)
	}
	var titles []string
	for line := range strings.Lines(string(out)) {
		if words := strings.Fields(line); words[0] == "Ip:" {
			if titles == nil {
				titles = words
				continue
			}
			for i, title := range titles {
				if n, err := strconv.Atoi(words[i]); title == "InAddrErrors" && err == nil {
					return n
				}
			}
		}
	}
	m.lan.t.Fatalf("the kernel counts no dropped packets: %s", out)
	return 0
}

// unplug pulls the machine's cable; plug puts it back.
func (m *machine) unplug() (plug func()) {
	m.lan.t.Helper()
	m.lan.ip("-n", m.lan.prefix+"-s", "link", "set", m.port(), "down")
	return func() { m.lan.ip("-n", m.lan.prefix+"-s", "link", "set", m.port(), "up") }
}

// metric reads one of a process on the machine, as Prometheus would.
func (m *machine) metric(name string) float64 {
	m.lan.t.Helper()
	text, err := m.get("/metrics")
	if err != nil {
		m.lan.t.Fatalf("metrics of %s: %v", m.ip, err)
	}
	return metricIn(m.lan.t, text, name)
}

// get asks a process on the machine by HTTP. A thread that has entered a namespace is not given back: it ends with its
// goroutine. The connection is made by hand, since the library's client would make it on a thread of another goroutine.
func (m *machine) get(path string) (string, error) {
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		runtime.LockOSThread()
		text, err := func() ([]byte, error) {
			space, err := os.Open("/var/run/netns/" + m.space)
			if err != nil {
				return nil, err
			}
			defer space.Close()
			if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
				return nil, err
			}
			conn, err := net.DialTimeout("tcp", m.at(httpPort), 5*time.Second)
			if err != nil {
				return nil, err
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(5 * time.Second))
			_, err = fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", path)
			text, readErr := io.ReadAll(io.LimitReader(conn, 1<<20))
			return text, errors.Join(err, readErr)
		}()
		answers <- answer{text, err}
	}()
	a := <-answers
	return string(a.text), a.err
}

// sent is how many bytes have left the machine.
func (m *machine) sent() int {
	m.lan.t.Helper()
	out, err := exec.Command("ip", "netns", "exec", m.space, "cat", "/sys/class/net/eth0/statistics/tx_bytes").Output()
	n, convErr := strconv.Atoi(strings.TrimSpace(string(out)))
	if err := errors.Join(err, convErr); err != nil {
		m.lan.t.Fatal(err)
	}
	return n
}

// throttle bounds what leaves the machine, in megabits a second, or skips the test where the kernel cannot.
func (m *machine) throttle(megabits int) {
	m.lan.t.Helper()
	out, err := exec.Command("tc", "-n", m.space, "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", fmt.Sprintf("%dmbit", megabits),
		"burst", "32kbit", "latency", "100ms").CombinedOutput()
	if err != nil {
		m.lan.t.Skipf("links cannot be slowed down here: %v: %s", err, out)
	}
}

// The ports of all processes on a lan, one process a machine.
const (
	rpcPort    = 7600
	gossipPort = 7946
	httpPort   = 7680
)

// coordinator starts one on the machine.
func (m *machine) coordinator(flags ...string) *daemon {
	m.lan.t.Helper()
	return m.serve("coordinator", nil, append([]string{"--state", filepath.Join(m.lan.t.TempDir(), "state")}, flags...)...)
}

// worker starts one on the machine that looks for the coordinator on another.
func (m *machine) worker(name string, of *machine, env []string, flags ...string) *daemon {
	m.lan.t.Helper()
	return m.serve("worker", env, append([]string{"--join=" + of.at(gossipPort), "--name", name, "--threads", "1", "--memory", "1GiB"}, flags...)...)
}

func (m *machine) serve(role string, env []string, flags ...string) *daemon {
	m.lan.t.Helper()
	args := append([]string{role, "--insecure", "--listen", m.at(rpcPort), "--gossip", m.at(gossipPort), "--http", m.at(httpPort)}, flags...)
	return serveFrom(m.lan.t, role+" on "+m.ip, m.place(), env, coteriePath(m.lan.t), args...)
}
