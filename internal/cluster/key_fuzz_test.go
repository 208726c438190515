package cluster

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/hostile"
)

// FuzzKey holds that whatever is taken for a key has the length of one, and is the same key in each of its spellings; what has
// the length of a key and is not text is taken as it is.
func FuzzKey(f *testing.F) {
	for _, data := range [][]byte{{}, []byte("sixteen letters!"), []byte("sixteen letters!\r\n"), []byte(NewKey()), []byte(hex.EncodeToString(make([]byte, 24))), bytes.Repeat([]byte{' '}, 32), bytes.Repeat([]byte{0xff}, 16),
		[]byte("AAAAAAAAAAAAAAAAAAAAAA"), []byte("AAAAAAAAAAAAAAAAAAAAAB=="), []byte("0123456789abcdef0123456789abcdeg")} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var key []byte
		hostile.Ceiling(t, len(data), 16<<10, 16, func() { key = parseKey(data) })
		if key == nil {
			if keySize(len(data)) {
				t.Fatalf("%x is no key", data)
			}
			return
		}
		if !keySize(len(key)) {
			t.Fatalf("%x is a key of %d bytes", data, len(key))
		}
		for _, text := range []string{hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key), base64.RawStdEncoding.EncodeToString(key) + "\n"} {
			if again := parseKey([]byte(text)); !bytes.Equal(again, key) {
				// A base64 text may happen to be hex as well, which comes first.
				if _, isHex := hex.DecodeString(strings.TrimSpace(text)); isHex != nil {
					t.Fatalf("%q is the key %x, want %x", text, again, key)
				}
			}
		}
	})
}
