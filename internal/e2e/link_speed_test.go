//go:build unix

package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// linkVariable tells a process of these tests that it is a link: "ADDRESS SERVICE BYTES/S DELAY".
const linkVariable = "COTERIE_E2E_LINK"

// A link carries what a service answers, of all connections together no faster than its rate, each byte so long after it
// was sent. It stands for the network between a reader and an object store, and is a process of its own, so that what it
// costs is nobody else's.
type link struct {
	rate  float64       // bytes a second; of the answers: what is asked is small
	delay time.Duration // of a byte
	mu    sync.Mutex
	free  time.Time // when what has been let through is through
}

// startLink starts a link before a service, and gives its URL.
func startLink(t *testing.T, service string, bitsPerSecond float64, delay time.Duration) string {
	t.Helper()
	address := ownAddress(t)
	launch(t, "link", nil, []string{fmt.Sprintf("%s=%s %s %g %s", linkVariable, address, service, bitsPerSecond/8, delay)},
		os.Args[0], "-test.run=^TestTheLinkOfTheSpeedTest$")
	until(t, soon, "the link is there", func() bool { return answers("http://" + address + "/healthz") })
	return "http://" + address
}

// The process of a link is this test.
func TestTheLinkOfTheSpeedTest(t *testing.T) {
	var address, service, delay string
	l := &link{}
	if n, err := fmt.Sscan(os.Getenv(linkVariable), &address, &service, &l.rate, &delay); n != 4 {
		t.Skipf("it runs in a process that %s makes a link (%v)", linkVariable, err)
	}
	var err error
	if l.delay, err = time.ParseDuration(delay); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	for {
		near, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer near.Close()
			far, err := net.Dial("tcp", service)
			if err != nil {
				return
			}
			defer far.Close()
			go func() {
				io.Copy(far, near)
				far.(*net.TCPConn).CloseWrite()
			}()
			l.carry(near, far)
		}()
	}
}

// sent is some bytes on their way.
type sent struct {
	data []byte
	due  time.Time
}

// carry brings what far answers to near.
func (l *link) carry(near io.Writer, far io.Reader) {
	const chunk, flying = 64 << 10, 128 // what is on its way of one connection: more than a fast link holds
	way, back := make(chan sent, flying), make(chan []byte, flying+2)
	go func() {
		defer close(way)
		for {
			var b []byte
			select {
			case b = <-back:
			default:
				b = make([]byte, chunk)
			}
			n, err := far.Read(b)
			if n > 0 {
				way <- sent{b[:n], time.Now().Add(l.delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	broken := false
	for s := range way {
		if time.Sleep(time.Until(s.due)); !broken {
			time.Sleep(time.Until(l.turn(len(s.data))))
			_, err := near.Write(s.data)
			broken = err != nil
		}
		back <- s.data[:chunk]
	}
}

// turn is when n bytes may pass. A link that was idle gives no credit but for what the clock's coarseness takes.
func (l *link) turn(n int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if idle := time.Now().Add(-time.Millisecond); l.free.Before(idle) {
		l.free = idle
	}
	at := l.free
	l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	return at
}
