package secure

import (
	"crypto/rand"
	"encoding/base64"
)

// gossipKeyBytes is the length of a new key: AES-256.
const gossipKeyBytes = 32

// newGossipKey is the text of a fresh key file: one line of base64, as internal/cluster reads it.
func newGossipKey() []byte {
	key := make([]byte, gossipKeyBytes)
	rand.Read(key) // never fails
	return []byte(base64.StdEncoding.EncodeToString(key) + "\n")
}
