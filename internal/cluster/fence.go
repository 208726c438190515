package cluster

import (
	"bufio"
	"encoding/binary"
	"fmt"
)

// What a stranger may make the library do before it knows them for one. The library unpacks up to 40 MiB of a message, and
// makes room for as many records as a header announces, up to 112 MiB for ten bytes; with a key that is behind the
// decryption, without one it is open to whoever knows the cluster's name. So without a key nothing of ours is packed, and
// what is packed, or announces more than a cluster has, is turned away unread.
const (
	maxPacket   = 2048           // bytes of a UDP packet: ours have packetBytes, and what encryption adds
	streamBytes = 4 << 20        // bytes read of one stream: maxMembers records take 2.5 MB
	maxRecords  = 2 * maxMembers // of an exchange: the dead stay in it for a while
	headEntries = 3              // of the head of an exchange
	headBytes   = 512            // of a stream that are looked at: a label of 257, and three entries of at most 41
)

// fenced begins the line of the log about what was turned away.
const fenced = "turned away"

// The messages of the library that matter here, by their first byte.
const (
	ofExchange   = 6   // all members of the sender
	ofCompound   = 7   // several messages in one
	ofUser       = 8   // of the application: ours has none
	ofCompressed = 9   // a packed message
	ofEncrypted  = 10  // followed by its length
	ofChecksum   = 12  // followed by it
	ofLabel      = 244 // followed by its length
)

// unlabelled is what follows the label of a packet or, where there is none or it is cut short, all of it: the library
// refuses that by itself.
func unlabelled(b []byte) []byte {
	if len(b) >= 2 && b[0] == ofLabel && len(b) >= 2+int(b[1]) {
		return b[2+int(b[1]):]
	}
	return b
}

// checkPacket refuses a packet that none of ours sends. keyed: what is in it is encrypted.
func checkPacket(b []byte, keyed bool) error {
	if len(b) > maxPacket {
		return fmt.Errorf("a packet of %d bytes, more than %d", len(b), maxPacket)
	}
	if keyed {
		return nil
	}
	b = unlabelled(b)
	if len(b) >= 5 && b[0] == ofChecksum {
		b = b[5:]
	}
	if len(b) == 0 {
		return nil
	}
	if b[0] != ofCompound {
		return checkKind(b[0])
	}
	return checkParts(b[1:])
}

// checkParts looks at the kinds of the messages of a compound, in which there is no other compound. One that is cut short
// is left to the library.
func checkParts(b []byte) error {
	if len(b) < 1 || len(b) < 1+2*int(b[0]) {
		return nil
	}
	lengths, b := b[1:1+2*int(b[0])], b[1+2*int(b[0]):]
	for ; len(lengths) > 0; lengths = lengths[2:] {
		n := int(binary.BigEndian.Uint16(lengths))
		if n > len(b) {
			return nil
		}
		if n > 0 {
			if b[0] == ofCompound {
				return fmt.Errorf("a compound message in another")
			}
			if err := checkKind(b[0]); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}

func checkKind(kind byte) error {
	switch kind {
	case ofCompressed:
		return fmt.Errorf("a packed message, without a key")
	case ofUser:
		return fmt.Errorf("a message for an application")
	}
	return nil
}

// checkStream looks at the beginning of a stream, without taking it, and refuses what none of ours begins with. It waits for
// no more bytes than the library would.
func checkStream(r *bufio.Reader, keyed bool) error {
	at := 0
	next := func(n int) ([]byte, error) { // the next n bytes
		b, err := r.Peek(at + n)
		if err != nil {
			return nil, err
		}
		at += n
		return b[at-n:], nil
	}
	kind, err := next(1)
	if err == nil && kind[0] == ofLabel {
		var size []byte
		if size, err = next(1); err == nil {
			if _, err = next(int(size[0])); err == nil {
				kind, err = next(1)
			}
		}
	}
	if err != nil {
		return nil // the library meets the same error, and knows which of them matter
	}
	switch {
	case kind[0] == ofEncrypted:
		length, err := next(4)
		if err == nil && binary.BigEndian.Uint32(length) > streamBytes {
			return fmt.Errorf("an encrypted message of %d bytes, more than %d", binary.BigEndian.Uint32(length), streamBytes)
		}
	case keyed:
	case kind[0] == ofExchange:
		return checkExchange(next)
	default:
		return checkKind(kind[0])
	}
	return nil
}

// checkExchange reads the head of an exchange, a small map in msgpack: how many members follow, how many bytes for the
// application, and whether the sender joins.
func checkExchange(next func(int) ([]byte, error)) error {
	head, err := next(1)
	if err != nil {
		return nil
	}
	if head[0]&0xf0 != 0x80 || head[0]&0x0f > headEntries {
		return fmt.Errorf("an exchange that begins with byte %#x", head[0])
	}
	for range head[0] & 0x0f {
		size, err := next(1)
		if err != nil {
			return nil
		}
		if size[0]&0xe0 != 0xa0 { // a text of less than 32 bytes
			return fmt.Errorf("the head of an exchange has the key %#x", size[0])
		}
		name, err := next(int(size[0] & 0x1f))
		if err != nil {
			return nil
		}
		key := string(name)
		value, err := number(next)
		if err != nil {
			return err
		}
		if most := map[string]uint64{"Nodes": maxRecords, "Join": 1}[key]; value > most {
			return fmt.Errorf("the head of an exchange has %d %.20q, more than %d", value, key, most)
		}
	}
	return nil
}

// number reads a number or a truth in msgpack; a negative one counts as very large. Whatever is cut short is 0: the
// library will say so.
func number(next func(int) ([]byte, error)) (uint64, error) {
	kind, err := next(1)
	if err != nil {
		return 0, nil
	}
	switch k := kind[0]; {
	case k < 0x80: // a small one
		return uint64(k), nil
	case k == 0xc0, k == 0xc2: // nothing, false
		return 0, nil
	case k == 0xc3: // true
		return 1, nil
	case k >= 0xcc && k <= 0xd3: // 1, 2, 4 or 8 bytes, without a sign and with one
		signed, size := k >= 0xd0, 1<<((k-0xcc)%4)
		b, err := next(size)
		if err != nil {
			return 0, nil
		}
		var wide [8]byte
		copy(wide[8-size:], b)
		if signed && b[0] >= 0x80 {
			return ^uint64(0), nil
		}
		return binary.BigEndian.Uint64(wide[:]), nil
	}
	return 0, fmt.Errorf("the head of an exchange has a value of kind %#x", kind[0])
}
