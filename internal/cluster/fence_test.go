package cluster

import (
	"bufio"
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/hostile"
)

// packed is a message that the library would unpack to n bytes of zeros.
func packed(n int) []byte {
	var b bytes.Buffer
	w := lzw.NewWriter(&b, lzw.LSB, 8)
	w.Write(make([]byte, n))
	w.Close()
	head := append([]byte{ofCompressed, 0x82, 0xa4}, "Algo\x00\xa3Buf\xc6"...)
	return append(binary.BigEndian.AppendUint32(head, uint32(b.Len())), b.Bytes()...)
}

// exchange is the beginning of one, with the head that a sender likes.
func exchange(nodes, user uint32, more ...byte) []byte {
	head := append([]byte{ofExchange, 0x83, 0xa5}, "Nodes\xce"...)
	head = append(binary.BigEndian.AppendUint32(head, nodes), "\xacUserStateLen\xce"...)
	return append(append(binary.BigEndian.AppendUint32(head, user), "\xa4Join\xc3"...), more...)
}

// compound is several messages in one.
func compound(parts ...[]byte) []byte {
	b := []byte{ofCompound, byte(len(parts))}
	for _, p := range parts {
		b = binary.BigEndian.AppendUint16(b, uint16(len(p)))
	}
	return append(b, bytes.Join(parts, nil)...)
}

// labelled puts the label of a cluster in front.
func labelled(label string, b []byte) []byte {
	return append(append([]byte{ofLabel, byte(len(label))}, label...), b...)
}

func TestPacketsThatNoneOfUsSendsAreTurnedAway(t *testing.T) {
	summed := func(b []byte) []byte { return append([]byte{ofChecksum, 1, 2, 3, 4}, b...) }
	alive := []byte{4, 0x80}
	cases := []struct {
		name   string
		packet []byte
		keyed  bool
		want   string // "": it passes
	}{
		{"nothing", nil, false, ""},
		{"a message", alive, false, ""},
		{"with a label and a checksum", labelled("x", summed(alive)), false, ""},
		{"several in one", labelled("x", summed(compound(alive, nil, alive))), false, ""},
		{"a compound that is cut short", compound(alive, alive)[:5], false, ""},
		{"a compound of nothing", []byte{ofCompound}, false, ""},
		{"a label that is cut short", []byte{ofLabel, 9, 'x'}, false, ""},
		{"of the most bytes", make([]byte, maxPacket), false, ""},
		{"one more byte", make([]byte, maxPacket+1), false, "2049 bytes, more than 2048"},
		{"one more byte, with a key", make([]byte, maxPacket+1), true, "2049 bytes, more than 2048"},
		{"packed", labelled("x", packed(9)), false, "packed"},
		{"packed behind a checksum", labelled("x", summed(packed(9))), false, "packed"},
		{"packed as the last of several", labelled("x", compound(alive, packed(9))), false, "packed"},
		{"packed behind what is cut short", labelled("x", append(compound(alive, packed(9)), packed(9)...)), false, "packed"},
		{"a compound in another", compound(alive, compound(packed(9))), false, "in another"},
		{"for an application", []byte{ofUser, 1}, false, "for an application"},
		{"with a key all is encrypted", packed(9), true, ""},
	}
	for _, c := range cases {
		if err := checkPacket(c.packet, c.keyed); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestStreamsThatNoneOfUsBeginsAreTurnedAway(t *testing.T) {
	encrypted := func(n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{ofEncrypted}, n) }
	many := append([]byte{ofExchange, 0x8f}, bytes.Repeat(append([]byte{0xbf}, strings.Repeat("k", 31)+"\x00"...), 15)...)
	cases := []struct {
		name  string
		bytes []byte
		keyed bool
		want  string
	}{
		{"nothing", nil, false, ""},
		{"an exchange", labelled("x", exchange(maxRecords, 0, 0x80)), false, ""},
		{"an answer, which has no label", exchange(1, 0), false, ""},
		{"a head that is cut short", exchange(1, 0)[:9], false, ""},
		{"one record more", labelled("x", exchange(maxRecords+1, 0)), false, `8193 "Nodes", more than 8192`},
		{"bytes for an application", labelled("x", exchange(1, 1)), false, `"UserStateLen", more than 0`},
		{"fewer than no records", append([]byte{ofExchange, 0x81, 0xa5}, "Nodes\xd0\xff"...), false, `"Nodes", more than`},
		{"a head of another kind", []byte{ofExchange, 0xdf, 0, 0, 0, 3}, false, "begins with byte 0xdf"},
		{"a head beyond what is looked at", labelled(strings.Repeat("l", 255), many), false, "begins with byte 0x8f"},
		{"a key that is a list", []byte{ofExchange, 0x81, 0x91}, false, "the key 0x91"},
		{"a value that is a fraction", append([]byte{ofExchange, 0x81, 0xa5}, "Nodes\xcb"...), false, "a value of kind 0xcb"},
		{"packed", labelled("x", packed(9)), false, "packed"},
		{"for an application", []byte{ofUser, 0x81}, false, "for an application"},
		{"encrypted", labelled("x", encrypted(streamBytes)), true, ""},
		{"encrypted, and too long", labelled("x", encrypted(streamBytes+1)), true, "4194305 bytes, more than 4194304"},
		{"encrypted for others, and too long", encrypted(1 << 31), false, "more than"},
		{"what the library refuses where there is a key", exchange(1<<30, 1), true, ""},
	}
	for _, c := range cases {
		r := bufio.NewReaderSize(bytes.NewReader(c.bytes), headBytes)
		err := checkStream(r, c.keyed)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if rest, _ := io.ReadAll(r); !bytes.Equal(rest, c.bytes) {
			t.Errorf("%s: %d of %d bytes are left for the library, want all", c.name, len(rest), len(c.bytes))
		}
	}
}

// The bombs of an unauthenticated stranger who knows the cluster's name. This test runs alone: it counts what is allocated.
func TestBombsOfStrangersCostNothingAndAreCounted(t *testing.T) {
	a := start(t, config("a", nil))
	label := labelPrefix + t.Name()[:min(len(t.Name()), maxCluster)]
	udp, err := net.Dial("udp", a.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	small := packed(400 << 10) // what fits into a packet
	if len(small) > maxPacket-100 {
		t.Fatalf("the bomb has %d bytes", len(small))
	}
	packets := [][]byte{small, compound(small), append([]byte{ofChecksum, 0, 0, 0, 0}, small...), packed(30 << 20)}
	streams := [][]byte{exchange(1<<20, 0), exchange(1, 20<<20), packed(30 << 20), append([]byte{ofUser, 0x81, 0xaa}, "UserMsgLen\xce\x01\x00\x00\x00"...),
		append([]byte{ofEncrypted, 0x7f, 0xff, 0xff, 0xff}, make([]byte, 4096)...)}
	const rounds = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		for _, b := range packets {
			was := a.Refused()
			until(t, "the packet is counted", func() bool { // one may be lost on the way: it is sent until one more is counted
				_, err := udp.Write(labelled(label, b))
				return err == nil && a.Refused() > was
			})
		}
		for _, b := range streams {
			was := a.Refused()
			c, err := net.Dial("tcp", a.Address())
			if err != nil {
				t.Fatal(err)
			}
			c.SetDeadline(time.Now().Add(patience))
			c.Write(labelled(label, b))
			io.Copy(io.Discard, c) // until it is closed
			c.Close()
			until(t, "the stream is counted", func() bool { return a.Refused() > was })
		}
	}
	runtime.ReadMemStats(&after)
	// Each packet is read into 64 KiB by the library, each stream through some buffers of 4 KiB.
	if took, most := after.TotalAlloc-before.TotalAlloc, uint64(rounds*(4*len(packets)+len(streams))*(100<<10)); took > most {
		t.Errorf("%d rounds of bombs made %d KiB, want at most %d KiB", rounds, took>>10, most>>10)
	}
	friend := start(t, config("friend", nil, a.Address()))
	await(t, a, "a", "friend")
	await(t, friend, "a", "friend")
}

func TestAStreamEndsAtItsLimit(t *testing.T) {
	tr := bare(t)
	c := dial(t, tr)
	go func() { // an exchange that never ends
		c.Write(exchange(1, 0))
		for block := make([]byte, 64<<10); ; {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	}()
	s := next(t, tr)
	defer s.Close()
	if n, err := io.Copy(io.Discard, s); n != streamBytes || err != io.ErrUnexpectedEOF {
		t.Errorf("got %d bytes and %v, want %d and the end", n, err, streamBytes)
	}
}

func TestOneStrangerAloneDoesNotKeepOthersOut(t *testing.T) {
	tr := bare(t)
	var held []net.Conn
	for range maxOfOne {
		dial(t, tr)
		held = append(held, next(t, tr))
	}
	if _, err := dial(t, tr).Read(make([]byte, 1)); err != io.EOF || tr.refused.Load() != 1 {
		t.Errorf("stream %d of one address: got %v and %d refused, want it closed and counted", maxOfOne+1, err, tr.refused.Load())
	}
	for _, c := range held {
		c.Close()
	}
	dial(t, tr)
	next(t, tr)
	if tr.mu.Lock(); len(tr.from) != 1 || tr.inbound != 1 {
		t.Errorf("got %v of %d streams on the books, want one", tr.from, tr.inbound)
	}
	tr.mu.Unlock()
}

// Whatever comes, it is read within its bounds, and nothing of it is taken away from the library.
func FuzzFence(f *testing.F) {
	for _, b := range [][]byte{packed(1000), exchange(1, 0, 0x80), exchange(1<<30, 1), compound(packed(9), []byte{4, 0x80}), {ofEncrypted, 1, 2, 3, 4}, {ofChecksum, 1, 2, 3, 4}} {
		f.Add(b, false)
		f.Add(labelled("coterie/x", b), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, keyed bool) {
		hostile.Ceiling(t, len(b), 64<<10, 64, func() {
			_ = checkPacket(b, keyed)
			r := bufio.NewReaderSize(bytes.NewReader(b), headBytes)
			_ = checkStream(r, keyed)
			if rest, err := io.ReadAll(r); err != nil || !bytes.Equal(rest, b) {
				t.Fatalf("%d of %d bytes are left, %v", len(rest), len(b), err)
			}
		})
	})
}
