package cluster

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
)

// keyFile writes contents to a file and gives its path.
func keyFile(t *testing.T, contents []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gossip.key")
	if err := os.WriteFile(path, contents, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKeysAreReadInEverySpelling(t *testing.T) {
	for _, size := range []int{16, 24, 32} {
		key := bytes.Repeat([]byte{0xfe, '\n', 0x03, ' '}, size/4) // ends with what looks like white space
		spellings := map[string][]byte{
			"raw":                     key,
			"hex":                     []byte(hex.EncodeToString(key)),
			"capital hex":             []byte(strings.ToUpper(hex.EncodeToString(key))),
			"base64":                  []byte(base64.StdEncoding.EncodeToString(key)),
			"base64 without padding":  []byte(base64.RawStdEncoding.EncodeToString(key)),
			"base64 with white space": []byte(" \t" + base64.StdEncoding.EncodeToString(key) + "\r\n\n"),
		}
		for name, contents := range spellings {
			got, err := ReadKey(keyFile(t, contents))
			if err != nil || !bytes.Equal(got, key) {
				t.Errorf("%d bytes as %s: got %x, %v, want %x", size, name, got, err, key)
			}
		}
	}
	text := "sixteen letters!"
	if got, err := ReadKey(keyFile(t, []byte(text+"\n"))); err != nil || string(got) != text {
		t.Errorf("text with a line end: got %q, %v, want %q", got, err, text)
	}
}

func TestNewKeysAreReadAndDiffer(t *testing.T) {
	first, err := ReadKey(keyFile(t, []byte(NewKey()+"\n")))
	if err != nil || len(first) != 32 {
		t.Fatalf("got %d bytes, %v, want 32", len(first), err)
	}
	if second, err := ReadKey(keyFile(t, []byte(NewKey()))); err != nil || bytes.Equal(first, second) {
		t.Errorf("got %x twice, or %v", second, err)
	}
}

func TestFilesThatAreNoKeyAreRefused(t *testing.T) {
	secret := "hunter2-hunter2-hunter2"
	full := append(bytes.Repeat([]byte{' '}, keyFileBytes-32), bytes.Repeat([]byte{'!'}, 32)...)
	if _, err := ReadKey(keyFile(t, full)); err != nil {
		t.Errorf("%d bytes: got %v, want the key in them", len(full), err)
	}
	for name, path := range map[string]string{
		"empty":         keyFile(t, nil),
		"15 bytes":      keyFile(t, []byte("fifteen letters")),
		"17 bytes":      keyFile(t, []byte("seventeen letters")),
		"20 hex":        keyFile(t, []byte(strings.Repeat("ab", 20))),
		"a password":    keyFile(t, []byte(secret)),
		"too large":     keyFile(t, append([]byte{' '}, full...)),
		"a folder":      t.TempDir(),
		"not there yet": filepath.Join(t.TempDir(), "none"),
	} {
		key, err := ReadKey(path)
		if key != nil || fault.Code(err) != int(fault.Usage) {
			t.Errorf("%s: got %x, %v, want a wrong usage", name, key, err)
			continue
		}
		if text := err.Error(); !strings.Contains(text, path) || !strings.Contains(text, "coterie certs") || strings.Contains(text, secret) {
			t.Errorf("%s: got %q, want the file, what to do and no key", name, text)
		}
	}
}
