package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/coterie-project/coterie/internal/object"
)

// Every file but the lock and the epoch is an envelope: a header of headerBytes and a body. Numbers are little-endian.
//
//	0  magic    7 bytes  "coterie"
//	7  version  1 byte
//	8  kind     8 bytes  text, padded with blanks
//	16 number   8 bytes  generation, or of a checkpoint its sequence
//	24 length   8 bytes  of the body
//	32 checksum 32 bytes SHA-256 over the 32 bytes above and the body
//
// The place of these fields is the same in all versions, so that "newer" and "damaged" can be told apart.
const (
	magic       = "coterie"
	version     = 1
	headerBytes = 64
	sumOffset   = 32
)

type kind string

const (
	specKind       kind = "spec    "
	stateKind      kind = "state   "
	manifestKind   kind = "manifest"
	checkpointKind kind = "checkpnt"
	resultKind     kind = "result  "
)

// What can be wrong with a file; both are wrapped.
var (
	// ErrInvalid is the cause of an error about a file that is cut off, altered or not what its name says.
	ErrInvalid = errors.New("damaged")
	// ErrNewer is the cause of an error about a file that a newer coterie wrote. A job that has one is left alone.
	ErrNewer = errors.New("written by a newer coterie")
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

type digest = [sha256.Size]byte

type header [headerBytes]byte

func (h *header) number() uint64 { return binary.LittleEndian.Uint64(h[16:]) }
func (h *header) length() uint64 { return binary.LittleEndian.Uint64(h[24:]) }
func (h *header) sum() digest    { return digest(h[sumOffset:]) }

// seal makes the header of body.
func seal(k kind, number uint64, body []byte) header {
	var h header
	copy(h[:], magic)
	h[7] = version
	copy(h[8:16], k)
	binary.LittleEndian.PutUint64(h[16:], number)
	binary.LittleEndian.PutUint64(h[24:], uint64(len(body)))
	sum := checksum(&h, body)
	copy(h[sumOffset:], sum[:])
	return h
}

func checksum(h *header, body []byte) digest {
	sum := sha256.New()
	sum.Write(h[:sumOffset])
	sum.Write(body)
	return digest(sum.Sum(nil))
}

// fits says what is wrong with a header before the body is read: of a file of size bytes, whose body may have limit.
func (h *header) fits(k kind, size, limit int64) error {
	switch {
	case string(h[:len(magic)]) != magic:
		return invalid("it does not begin as a file of coterie does")
	case string(h[8:16]) != string(k):
		return invalid("it says that it is %q, not %q", bytes.TrimSpace(h[8:16]), bytes.TrimSpace([]byte(k)))
	case h.length() != uint64(size)-headerBytes:
		return invalid("it has %d bytes and says that it has %d more than its header of %d", size, h.length(), headerBytes)
	case h.length() > uint64(min(limit, math.MaxInt-headerBytes)):
		return invalid("its %d bytes are more than the %d that are allowed", h.length(), limit)
	}
	return nil
}

// matches says what is wrong with a header and its body together.
func (h *header) matches(body []byte) error {
	if checksum(h, body) != h.sum() {
		return invalid("its SHA-256 is another one than was written")
	}
	if h[7] != version {
		return fmt.Errorf("%w: its version is %d, this one reads version %d", ErrNewer, h[7], version)
	}
	return nil
}

// read takes an envelope of size bytes from r. The body is allocated only after the header fits the size, so that
// no more is asked for than is there.
func read(r io.Reader, size int64, k kind, limit int64) (header, []byte, error) {
	var h header
	if size < headerBytes {
		return h, nil, invalid("it has %d bytes, and its header alone has %d", size, headerBytes)
	}
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return h, nil, err
	}
	if err := h.fits(k, size, limit); err != nil {
		return h, nil, err
	}
	body := make([]byte, h.length())
	if _, err := io.ReadFull(r, body); err != nil {
		return h, nil, err
	}
	return h, body, h.matches(body)
}

// errUnread is wrapped by what failed to read a file without saying anything about it: it may be whole.
var errUnread = errors.New("cannot be read now")

// rereads is how often a file is read that another writer replaces meanwhile.
const rereads = 4

// readFile is read for the file at path.
func readFile(at home, path string, k kind, limit int64) (h header, body []byte, err error) {
	for range rereads {
		if h, body, err = readOnce(at, path, k, limit); !errors.Is(err, object.ErrChanged) {
			break
		}
	}
	return h, body, err
}

func readOnce(at home, path string, k kind, limit int64) (header, []byte, error) {
	f, err := at.open(path, math.MaxInt64)
	if err != nil {
		return header{}, nil, err
	}
	defer f.Close()
	return read(f, f.size, k, limit)
}

// readHeader takes only the header of the file at path, which may still belong to another body.
func readHeader(at home, path string, k kind, limit int64) (header, error) {
	f, err := at.open(path, headerBytes)
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	var h header
	if f.size < headerBytes {
		return h, invalid("it has %d bytes, and its header alone has %d", f.size, headerBytes)
	}
	if _, err := io.ReadFull(f, h[:]); err != nil {
		return h, err
	}
	return h, h.fits(k, f.size, limit)
}

// bare leaves the path out of an error of the operating system: the message names it already.
func bare(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
