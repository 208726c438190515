package secure

import (
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
)

func TestWithoutTLSOnlyLoopbackIsListenedOn(t *testing.T) {
	id := newForge(t).identity(t, Worker)
	cases := []struct {
		address string
		want    bool // without TLS
	}{
		{"127.0.0.1:0", true},
		{"127.8.9.10:7600", true},
		{"[::1]:1", true},
		{"[::ffff:127.0.0.1]:1", true},
		{"localhost:0", true},
		{"LOCALHOST:0", true},
		{":0", false},
		{"0.0.0.0:1", false},
		{"[::]:1", false},
		{"10.0.0.1:1", false},
		{"[fe80::1%eth0]:1", false},
		{"[::ffff:10.0.0.1]:1", false},
		{"localhost.example:1", false},
		{"node1:7600", false},
		{"127.1:1", false},
	}
	for _, c := range cases {
		err := CheckListen("--listen", c.address, nil, false)
		if (err == nil) != c.want {
			t.Errorf("%s: got %v, want allowed = %v", c.address, err, c.want)
		}
		if err != nil {
			text := err.Error()
			if fault.Code(err) != int(fault.Usage) || !strings.HasPrefix(text, "--listen: ") || !strings.Contains(text, c.address) ||
				!strings.Contains(text, "(use --tls-cert, ") || !strings.HasSuffix(text, "or --insecure)") {
				t.Errorf("%s: got %q, want a usage fault with the flag, the address and the way out", c.address, text)
			}
		}
		if err := CheckListen("--listen", c.address, id, false); err != nil {
			t.Errorf("%s with TLS: got %v, want allowed", c.address, err)
		}
		if err := CheckListen("--listen", c.address, nil, true); err != nil {
			t.Errorf("%s --insecure: got %v, want allowed", c.address, err)
		}
	}
	for _, address := range []string{"", "localhost", "10.0.0.1", "::1", "a:b:c"} {
		for _, insecure := range []bool{false, true} {
			if err := CheckListen("--http", address, nil, insecure); fault.Code(err) != int(fault.Usage) || !strings.HasPrefix(err.Error(), "--http: ") {
				t.Errorf("%q: got %v, want a usage fault that names --http", address, err)
			}
		}
	}
}
