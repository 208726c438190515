package cluster

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// keyFileBytes bounds the file of a key: the longest spelling is 64 hex digits, the rest is room for white space.
const keyFileBytes = 1024

// NewKey makes a key of 32 bytes (AES-256) as one line of base64, without a line end.
func NewKey() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base64.StdEncoding.EncodeToString(b[:])
}

// ReadKey reads a gossip key of 16, 24 or 32 bytes (AES-128, -192, -256) from a file: hex, base64 or the bytes themselves,
// tried in this order, so that a text which is both hex and base64 is hex. White space around text is dropped. Errors are
// a *fault.Error and never hold the key.
func ReadKey(path string) ([]byte, error) {
	at := fault.In(path)
	data, err := store.ReadInput(store.ProcessContext(), path, keyFileBytes)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Usage, Place: at, Problem: "cannot read the gossip key", Err: err, Remedy: makeOne}
	}
	if len(data) > keyFileBytes {
		return nil, &fault.Error{Kind: fault.Usage, Place: at, Problem: fmt.Sprintf("a file of more than %d bytes is no gossip key", keyFileBytes), Remedy: makeOne}
	}
	if key := parseKey(data); key != nil {
		return key, nil
	}
	return nil, &fault.Error{Kind: fault.Usage, Place: at, Remedy: makeOne,
		Problem: fmt.Sprintf("%d bytes are no gossip key: it has 16, 24 or 32 bytes, as base64, hex or as they are", len(data))}
}

const makeOne = "coterie certs DIR makes a key; all machines of the cluster need the same one"

// parseKey is the key that the contents of a file stand for, or nil.
func parseKey(data []byte) []byte {
	text := string(bytes.TrimSpace(data))
	if key, err := hex.DecodeString(text); err == nil && keySize(len(key)) {
		return key
	}
	if key, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(text, "=")); err == nil && keySize(len(key)) {
		return key
	}
	if keySize(len(data)) {
		return data // before trimming: random bytes may begin or end with what looks like white space
	}
	if keySize(len(text)) {
		return []byte(text)
	}
	return nil
}

func keySize(n int) bool { return n == 16 || n == 24 || n == 32 }
