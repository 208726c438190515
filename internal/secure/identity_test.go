package secure

import (
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/internal/fault"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// place puts another certificate of f where files are, each file by renaming, as a careful tool would.
func (f *forge) place(t *testing.T, files Files, c tls.Certificate) {
	t.Helper()
	fresh := f.files(t, c)
	for i, n := range fresh.names() {
		if err := os.Rename(n[1], files.names()[i][1]); err != nil {
			t.Fatal(err)
		}
	}
}

// shown is the serial number of the certificate that a new connection to address is shown.
func shown(t *testing.T, address string, client grpc.DialOption) *big.Int {
	t.Helper()
	var p peer.Peer
	if err := listJobs(t, dial(t, address, client), grpc.Peer(&p)); status.Code(err) != codes.Unimplemented {
		t.Fatalf("got %v, want to reach the handler", err)
	}
	return p.AuthInfo.(credentials.TLSInfo).State.PeerCertificates[0].SerialNumber
}

func TestANewCertificateIsUsedWithoutARestart(t *testing.T) {
	ca, time := newForge(t), newClock()
	first, second := ca.leaf(t, []Role{Coordinator}), ca.leaf(t, []Role{Coordinator})
	files := ca.files(t, first)
	id, err := load(files, time.now)
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, id, Limits{})
	client := raw(ca.pool(), ca.leaf(t, []Role{Client, Worker}))
	old := dial(t, d.address, client)
	if err := listJobs(t, old); status.Code(err) != codes.Unimplemented {
		t.Fatal(err)
	}
	ca.place(t, files, second)
	time.advance(recheck - 1)
	if got := shown(t, d.address, client); got.Cmp(first.Leaf.SerialNumber) != 0 {
		t.Error("within a second: got another certificate, want the files left alone")
	}
	time.advance(1)
	if got := shown(t, d.address, client); got.Cmp(second.Leaf.SerialNumber) != 0 {
		t.Error("after a second: got the old certificate, want the new one")
	}
	var p peer.Peer
	if err := listJobs(t, old, grpc.Peer(&p)); status.Code(err) != codes.Unimplemented ||
		p.AuthInfo.(credentials.TLSInfo).State.PeerCertificates[0].SerialNumber.Cmp(first.Leaf.SerialNumber) != 0 {
		t.Errorf("the old connection: got %v, want it to go on", err)
	}
}

func TestABrokenFileKeepsTheOldCertificateAndIsToldOnce(t *testing.T) {
	ca, time := newForge(t), newClock()
	first, second := ca.leaf(t, []Role{Coordinator}), ca.leaf(t, []Role{Coordinator})
	files := ca.files(t, first)
	id, err := load(files, time.now)
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, id, Limits{})
	var told []error
	id.Notify(Notices{Broken: func(err error) { told = append(told, err) }, Rejected: d.reject})
	client := raw(ca.pool(), ca.leaf(t, []Role{Client}))
	key := encodeKey(second.PrivateKey.(*ecdsa.PrivateKey))
	steps := []struct {
		name   string
		change func()
		want   tls.Certificate
		told   string // what is told in this step
	}{
		{"half a certificate", func() { put(t, files.Cert, certText(second.Leaf)[:100]) }, first, "a.crt: holds no certificate"},
		{"nothing new", func() {}, first, ""},
		{"no file", func() { os.Remove(files.Cert) }, first, "a.crt: cannot be read"},
		{"still none", func() {}, first, ""},
		{"a new certificate with the old key", func() { put(t, files.Cert, certText(second.Leaf)) }, first, "a.key: this key does not belong"},
		{"both new", func() { put(t, files.Key, key) }, second, ""},
		{"nothing new again", func() {}, second, ""},
		{"an expired one", func() { ca.place(t, files, ca.leaf(t, []Role{Coordinator}, expired)) }, second, "a.crt: the certificate expired"},
		{"the first one", func() { ca.place(t, files, first) }, first, ""},
	}
	for _, s := range steps {
		told = nil
		s.change()
		time.advance(recheck)
		if got := shown(t, d.address, client); got.Cmp(s.want.Leaf.SerialNumber) != 0 {
			t.Errorf("%s: got another certificate than the one wanted", s.name)
		}
		var known *fault.Error
		switch {
		case s.told == "" && len(told) > 0:
			t.Errorf("%s: told %v, want nothing", s.name, told)
		case s.told != "" && (len(told) != 1 || !errors.As(told[0], &known) || !strings.Contains(told[0].Error(), s.told)):
			t.Errorf("%s: told %v, want once: %s", s.name, told, s.told)
		}
	}
}

func TestACertificateWhoseTimeHasComeIsTaken(t *testing.T) {
	ca, clock := newForge(t), newClock()
	first, second := ca.leaf(t, []Role{Client}), ca.leaf(t, []Role{Client}, notYet)
	files := ca.files(t, first)
	id, err := load(files, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	id.Notify(Notices{Broken: func(error) {}})
	ca.place(t, files, second)
	clock.advance(recheck)
	if !id.Expires().Equal(first.Leaf.NotAfter) {
		t.Error("got a certificate that is not valid yet, want the old one")
	}
	clock.advance(90 * time.Minute) // the files stay as they are
	if !id.Expires().Equal(second.Leaf.NotAfter) {
		t.Error("got the old certificate, want the one that is valid by now")
	}
}

func TestANewCAReachesBothSides(t *testing.T) {
	before, after := newForge(t), newForge(t)
	clock := newClock()
	both := make([]*Identity, 2)
	var places [2]Files
	for i, role := range []Role{Coordinator, Client} {
		places[i] = before.files(t, before.leaf(t, []Role{role}))
		var err error
		if both[i], err = load(places[i], clock.now); err != nil {
			t.Fatal(err)
		}
	}
	d := open(t, both[0], Limits{})
	call := func() error { return listJobs(t, dial(t, d.address, DialOptions(both[1], Coordinator, Limits{})...)) }
	old := dial(t, d.address, DialOptions(both[1], Coordinator, Limits{})...)
	if err := listJobs(t, old); status.Code(err) != codes.Unimplemented {
		t.Fatal(err)
	}
	after.place(t, places[0], after.leaf(t, []Role{Coordinator}))
	clock.advance(recheck)
	if err := call(); status.Code(err) != codes.Unavailable {
		t.Errorf("a client of the old CA: got %v, want Unavailable", err)
	}
	after.place(t, places[1], after.leaf(t, []Role{Client}))
	clock.advance(recheck)
	if err := call(); status.Code(err) != codes.Unimplemented {
		t.Errorf("a client of the new CA: got %v, want to reach the handler", err)
	}
	if err := listJobs(t, old); status.Code(err) != codes.Unimplemented {
		t.Errorf("the old connection: got %v, want it to go on", err)
	}
}

func TestReloadingIsSafeForManyHandshakesAtOnce(t *testing.T) {
	ca, clock := newForge(t), newClock()
	files := ca.files(t, ca.leaf(t, []Role{Coordinator}))
	id, err := load(files, func() time.Time { clock.advance(recheck); return clock.now() })
	if err != nil {
		t.Fatal(err)
	}
	id.Notify(Notices{Broken: func(error) {}})
	options := ServerOptions(id, Limits{})
	server := grpc.NewServer(options...)
	coteriev1.RegisterJobsServer(server, coteriev1.UnimplementedJobsServer{})
	address := serve(t, server)
	client := raw(ca.pool(), ca.leaf(t, []Role{Client}))
	done := make(chan error)
	for range 8 {
		conn := dial(t, address, client)
		go func() { done <- listJobs(t, conn) }()
	}
	for range 5 {
		ca.place(t, files, ca.leaf(t, []Role{Coordinator}))
	}
	for range 8 {
		if err := <-done; status.Code(err) != codes.Unimplemented {
			t.Errorf("got %v, want to reach the handler", err)
		}
	}
}
