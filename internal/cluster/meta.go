package cluster

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Role is what a process is in the cluster.
type Role string

// The roles.
const (
	Coordinator Role = "coordinator"
	Worker      Role = "worker"
)

// Bounds of what a process says about itself.
const (
	MaxMeta = 511 // bytes of an encoded Meta: under the 512 at which memberlist panics, so that a record fits one packet
	maxName = 64  // bytes of a name: a machine's name, and it stands in every message
	maxBoot = 32  // bytes of a boot nonce: twice what NewBoot makes
)

// ErrMeta is wrapped by every refusal of a Meta or of its encoded form.
var ErrMeta = errors.New("metadata of a member")

// Meta is what a process tells the others about itself. All of it is printable text; encoded it takes at most MaxMeta
// bytes.
type Meta struct {
	Role    Role
	RPC     string // HOST:PORT for calls, the port not 0
	Version string // of the program; may be empty
	Boot    string // a nonce made anew by each process: 1 to 32 letters and digits
	Name    string // for people: 1 to 64 bytes
}

// NewBoot is a fresh boot nonce of 16 hex digits.
func NewBoot() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// node is the name under which gossip knows the process. A process that starts again is another node, because memberlist
// takes news of a known name only with a higher count than the dead process had reached.
func (m Meta) node() string { return m.Name + "-" + m.Boot }

// The encoded form is a byte for the version, five texts as 16 bits of length and bytes, and a CRC-32C of all that, big
// endian. Lengths have one spelling, so a record has one encoding.
const (
	metaVersion  = 1
	metaChecksum = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fields are the texts in the order of the encoded form.
func (m *Meta) fields() [5]*string {
	return [5]*string{(*string)(&m.Role), &m.RPC, &m.Version, &m.Boot, &m.Name}
}

// encode gives the form that DecodeMeta reads. Its errors wrap ErrMeta.
func (m Meta) encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	size := 1 + metaChecksum
	for _, text := range m.fields() {
		size += 2 + len(*text)
	}
	if size > MaxMeta {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrMeta, size, MaxMeta)
	}
	b := append(make([]byte, 0, size), metaVersion)
	for _, text := range m.fields() {
		b = binary.BigEndian.AppendUint16(b, uint16(len(*text)))
		b = append(b, *text...)
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// DecodeMeta reads what another process says about itself. It takes any bytes, allocates no more than their number, and
// gives back only what encode accepts. Its errors wrap ErrMeta.
func DecodeMeta(b []byte) (Meta, error) {
	if len(b) > MaxMeta {
		return Meta{}, fmt.Errorf("%w: %d bytes, more than %d", ErrMeta, len(b), MaxMeta)
	}
	if len(b) < 1+metaChecksum {
		return Meta{}, fmt.Errorf("%w: cut short", ErrMeta)
	}
	if b[0] != metaVersion {
		return Meta{}, fmt.Errorf("%w: version %d, this program reads %d", ErrMeta, b[0], metaVersion)
	}
	body, sum := b[:len(b)-metaChecksum], binary.BigEndian.Uint32(b[len(b)-metaChecksum:])
	if crc32.Checksum(body, castagnoli) != sum {
		return Meta{}, fmt.Errorf("%w: the checksum is wrong", ErrMeta)
	}
	var m Meta
	rest := body[1:]
	for _, text := range m.fields() {
		if len(rest) < 2 || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
			return Meta{}, fmt.Errorf("%w: cut short", ErrMeta)
		}
		end := 2 + int(binary.BigEndian.Uint16(rest))
		*text, rest = string(rest[2:end]), rest[end:]
	}
	if len(rest) > 0 {
		return Meta{}, fmt.Errorf("%w: %d bytes too many", ErrMeta, len(rest))
	}
	if err := m.check(); err != nil {
		return Meta{}, err
	}
	return m, nil
}

// check refuses what must not reach a terminal, a log or a dialer.
func (m *Meta) check() error {
	for _, text := range m.fields() {
		if !printable(*text) {
			return fmt.Errorf("%w: %q is not printable text", ErrMeta, *text)
		}
	}
	if m.Role != Coordinator && m.Role != Worker {
		return fmt.Errorf("%w: role %q is neither %s nor %s", ErrMeta, m.Role, Coordinator, Worker)
	}
	if _, port, err := hostPort(m.RPC); err != nil || port == 0 {
		return fmt.Errorf("%w: %q is no HOST:PORT for calls", ErrMeta, m.RPC)
	}
	if len(m.Name) == 0 || len(m.Name) > maxName {
		return fmt.Errorf("%w: the name %q has not 1 to %d bytes", ErrMeta, m.Name, maxName)
	}
	if len(m.Boot) == 0 || len(m.Boot) > maxBoot {
		return fmt.Errorf("%w: the boot nonce %q has not 1 to %d bytes", ErrMeta, m.Boot, maxBoot)
	}
	for _, r := range m.Boot {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return fmt.Errorf("%w: the boot nonce %q is not letters and digits", ErrMeta, m.Boot)
		}
	}
	return nil
}

// printable says whether text is UTF-8 of letters, marks, numbers, punctuation, symbols and the space.
func printable(text string) bool {
	if !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// hostPort takes HOST:PORT apart. The host is not empty, the port is a number from 0 to 65535.
func hostPort(address string) (host string, port uint16, err error) {
	host, digits, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return "", 0, err
	}
	if host == "" {
		return "", 0, errors.New("the host is missing")
	}
	return host, uint16(n), nil
}
