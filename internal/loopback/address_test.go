package loopback

import (
	"net"
	"testing"
)

func TestAddressesAreFreeAndGivenOnce(t *testing.T) {
	seen := make(map[string]bool)
	for range 200 {
		a, err := Address()
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", a)
		if err != nil || seen[a] {
			t.Fatalf("%s: got %v, given before: %v; want it free, and once", a, err, seen[a])
		}
		seen[a] = true
		l.Close()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if free(l.Addr().String()) {
		t.Errorf("%s is said to be free, and is listened on", l.Addr())
	}
}
