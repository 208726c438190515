package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"runtime"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/hostile"
)

// someone is a Meta that encodes.
func someone() Meta {
	return Meta{Role: Worker, RPC: "10.0.0.7:7601", Version: "v1.2.3", Boot: "0123456789abcdef", Name: "worker-7"}
}

// sized is a Meta whose encoded form has n bytes.
func sized(n int) Meta {
	m := someone()
	m.Version = ""
	used := 1 + metaChecksum
	for _, text := range m.fields() {
		used += 2 + len(*text)
	}
	m.Version = strings.Repeat("v", n-used)
	return m
}

// sealed gives b a fresh checksum.
func sealed(b []byte) []byte {
	body := bytes.Clone(b[:len(b)-metaChecksum])
	return binary.BigEndian.AppendUint32(body, crc32.Checksum(body, castagnoli))
}

func TestMetaComesBackAsItWas(t *testing.T) {
	for _, m := range []Meta{someone(), sized(MaxMeta), {Role: Coordinator, RPC: "[::1]:1", Boot: "0", Name: "Köln 3"}} {
		b, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeMeta(b); err != nil || got != m {
			t.Errorf("got %+v, %v, want %+v", got, err, m)
		}
	}
}

func TestMetaStaysUnderTheLibrarysLimit(t *testing.T) {
	for n, fits := range map[int]bool{511: true, 512: false, 513: false} {
		b, err := sized(n).encode()
		if (err == nil) != fits || fits && len(b) != n || !fits && !errors.Is(err, ErrMeta) {
			t.Errorf("%d bytes: got %d bytes and %v, want it to fit: %v", n, len(b), err, fits)
		}
		raw := sealed(append([]byte{metaVersion}, make([]byte, n-1)...))
		if _, err := DecodeMeta(raw); strings.Contains(err.Error(), "more than") == fits {
			t.Errorf("%d bytes received: got %v, want it to fit: %v", n, err, fits)
		}
	}
}

func TestMetaThatMakesNoSenseIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Meta){
		"no role":                func(m *Meta) { m.Role = "" },
		"another role":           func(m *Meta) { m.Role = "king" },
		"no address":             func(m *Meta) { m.RPC = "" },
		"no host":                func(m *Meta) { m.RPC = ":7600" },
		"port 0":                 func(m *Meta) { m.RPC = "10.0.0.1:0" },
		"port out of range":      func(m *Meta) { m.RPC = "10.0.0.1:65536" },
		"no name":                func(m *Meta) { m.Name = "" },
		"a long name":            func(m *Meta) { m.Name = strings.Repeat("n", maxName+1) },
		"no nonce":               func(m *Meta) { m.Boot = "" },
		"a long nonce":           func(m *Meta) { m.Boot = strings.Repeat("b", maxBoot+1) },
		"punctuation as nonce":   func(m *Meta) { m.Boot = "a-b" },
		"an escape sequence":     func(m *Meta) { m.Name = "\x1b[2J" },
		"a line end":             func(m *Meta) { m.Version = "1\n2" },
		"bytes that are no text": func(m *Meta) { m.Version = "\xff" },
	} {
		m := someone()
		change(&m)
		if b, err := m.encode(); !errors.Is(err, ErrMeta) {
			t.Errorf("%s: got %x and %v, want an ErrMeta", name, b, err)
		}
	}
	edge := someone()
	edge.Name, edge.Boot = strings.Repeat("n", maxName), strings.Repeat("b", maxBoot)
	if _, err := edge.encode(); err != nil {
		t.Errorf("the longest name and nonce: got %v", err)
	}
}

func TestDamagedMetaIsRefused(t *testing.T) {
	whole, err := someone().encode()
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(what string, at int, b []byte) {
		if m, err := DecodeMeta(b); !errors.Is(err, ErrMeta) || m != (Meta{}) {
			t.Errorf("%s %d: got %+v, %v, want an ErrMeta", what, at, m, err)
		}
	}
	for i := range whole {
		refuse("cut at", i, whole[:i])
		if i > metaChecksum {
			refuse("cut and sealed at", i, sealed(whole[:i]))
		}
		flipped := bytes.Clone(whole)
		flipped[i] ^= 0x10
		refuse("flipped at", i, flipped)
	}
	refuse("longer by", 1, sealed(append(bytes.Clone(whole), 0)))
	newer := bytes.Clone(whole)
	newer[0]++
	refuse("of version", int(newer[0]), sealed(newer))
	control := bytes.Clone(whole)
	control[len(control)-metaChecksum-1] = 7
	refuse("with control character", 7, sealed(control))
}

func TestHostileMetaAllocatesLittle(t *testing.T) {
	huge := make([]byte, 64<<10)
	greedy := sealed(append([]byte{metaVersion, 0xff, 0xff}, make([]byte, 400)...))
	for name, b := range map[string][]byte{"a packet full": huge, "a length beyond the end": greedy} {
		const times, ceiling = 1000, 1024
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range times {
			DecodeMeta(b)
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / times; got > ceiling {
			t.Errorf("%s: got %d bytes allocated, want at most %d", name, got, ceiling)
		}
	}
}

func TestBootNoncesDiffer(t *testing.T) {
	seen := make(map[string]bool)
	for range 100 {
		m := someone()
		m.Boot = NewBoot()
		if _, err := m.encode(); err != nil || seen[m.Boot] {
			t.Fatalf("got %q again or %v", m.Boot, err)
		}
		seen[m.Boot] = true
	}
}

func FuzzDecodeMeta(f *testing.F) {
	for _, m := range []Meta{someone(), sized(MaxMeta), sized(100)} {
		b, err := m.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		hostile.Ceiling(t, len(b), 64<<10, 64, func() {
			try := [][]byte{b}
			if len(b) >= metaChecksum {
				try = append(try, sealed(b)) // the fuzzer does not find checksums
			}
			for _, b := range try {
				m, err := DecodeMeta(b)
				if err != nil {
					if !errors.Is(err, ErrMeta) || m != (Meta{}) {
						t.Fatalf("got %+v, %v, want nothing and an ErrMeta", m, err)
					}
					continue
				}
				if again, err := m.encode(); err != nil || !bytes.Equal(again, b) {
					t.Fatalf("got %x, %v back, want %x", again, err, b)
				}
			}
		})
	})
}
