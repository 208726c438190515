package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/internal/hostile"
)

func TestAnEnvelopeComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "body")
		number := rapid.Uint64().Draw(t, "number")
		h := seal(checkpointKind, number, content)
		data := append(h[:], content...)
		got, back, err := read(bytes.NewReader(data), int64(len(data)), checkpointKind, int64(len(content)))
		if err != nil || got.number() != number || !bytes.Equal(back, content) {
			t.Errorf("got %d %q (%v), want %d %q", got.number(), back, err, number, content)
		}
		if _, _, err := read(bytes.NewReader(data), int64(len(data)), stateKind, 1000); !errors.Is(err, ErrInvalid) {
			t.Errorf("read as another kind: %v, want ErrInvalid", err)
		}
		_, _, err = read(bytes.NewReader(data), int64(len(data)), checkpointKind, int64(len(content))-1)
		if len(content) > 0 && !errors.Is(err, ErrInvalid) {
			t.Errorf("over the limit: %v, want ErrInvalid", err)
		}
	})
}

func TestALieAboutTheLengthAllocatesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	h := seal(checkpointKind, 1, nil)
	for _, length := range []uint64{1, 1 << 30, 1 << 40, 1<<63 - 1, 1 << 63, 1<<64 - headerBytes, 1<<64 - 1} {
		binary.LittleEndian.PutUint64(h[24:], length)
		os.WriteFile(path, h[:], 0o600)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := readFile(&folderHome{}, path, checkpointKind, 16<<30)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrInvalid) || n > 64<<10 {
			t.Errorf("a header that says %d bytes gives %v and takes %d, want ErrInvalid and next to nothing", length, err, n)
		}
	}
	if err := os.Truncate(path, 1<<40); err != nil { // a hole: it is that long, and nothing is there
		t.Skip(err)
	}
	binary.LittleEndian.PutUint64(h[24:], 1<<40-headerBytes)
	f, _ := os.OpenFile(path, os.O_WRONLY, 0)
	f.Write(h[:])
	f.Close()
	if _, _, err := readFile(&folderHome{}, path, checkpointKind, 16<<30); !errors.Is(err, ErrInvalid) {
		t.Errorf("a file over the limit: %v, want ErrInvalid", err)
	}
}

func TestManifestRules(t *testing.T) {
	a, b, c := entry{sequence: 9, length: 30, sum: digest{1}}, entry{sequence: 7, length: 0, sum: digest{2}}, entry{sequence: 5}
	for name, in := range map[string]struct {
		entries []entry
		ok      bool
	}{
		"none":             {nil, true},
		"one":              {[]entry{a}, true},
		"two":              {[]entry{a, b}, true},
		"three":            {[]entry{a, b, c}, false},
		"ascending":        {[]entry{b, a}, false},
		"twice":            {[]entry{a, a}, false},
		"over the limit":   {[]entry{{length: 31}}, false},
		"length of 2^63":   {[]entry{{length: 1 << 63}}, false},
		"largest sequence": {[]entry{{sequence: 1<<64 - 1}, {}}, true},
	} {
		got, err := decodeManifest(encodeManifest(in.entries), 30)
		if (err == nil) != in.ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want it to pass: %v", name, err, in.ok)
		}
		if in.ok && len(got)+len(in.entries) > 0 && !cmp.Equal(got, in.entries, cmp.AllowUnexported(entry{})) {
			t.Errorf("%s: got %v, want %v", name, got, in.entries)
		}
	}
}

// mend gives data a header that is right for it, so that the fuzzer gets past the checksum.
func mend(data []byte) []byte {
	if len(data) < headerBytes {
		return data
	}
	data = bytes.Clone(data)
	h := seal(kind(data[8:16]), binary.LittleEndian.Uint64(data[16:]), data[headerBytes:])
	h[7] = data[7]
	sum := checksum(&h, data[headerBytes:])
	copy(h[sumOffset:], sum[:])
	copy(data, h[:])
	return data
}

func FuzzManifest(f *testing.F) {
	for _, entries := range [][]entry{nil, {{sequence: 41, length: 9}}, {{sequence: 41, sum: digest{1}}, {sequence: 40}}} {
		list := encodeManifest(entries)
		h := seal(manifestKind, 3, list)
		f.Add(append(h[:], list...), false)
		f.Add(append(h[:], list...), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, whole bool) {
		hostile.Ceiling(t, len(data), 64<<10, 64, func() {
			if whole {
				data = mend(data)
			}
			_, list, err := read(bytes.NewReader(data), int64(len(data)), manifestKind, kept*entryBytes)
			if err != nil {
				return
			}
			entries, err := decodeManifest(list, 1<<40)
			if err != nil {
				if !errors.Is(err, ErrInvalid) {
					t.Errorf("got %v, want it to be ErrInvalid", err)
				}
				return
			}
			if len(entries) > kept || !bytes.Equal(encodeManifest(entries), list) {
				t.Errorf("%v is encoded as %x, want %x", entries, encodeManifest(entries), list)
			}
		})
	})
}

func FuzzObject(f *testing.F) {
	for _, content := range [][]byte{nil, []byte("x"), body("a", 41)} {
		h := seal(checkpointKind, 41, content)
		f.Add(append(h[:], content...), int64(len(content)), false)
		f.Add(append(h[:], content...), int64(1<<40), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, limit int64, whole bool) {
		hostile.Ceiling(t, len(data), 64<<10, 64, func() {
			if whole {
				data = mend(data)
			}
			limit = max(limit, 0)
			h, content, err := read(bytes.NewReader(data), int64(len(data)), checkpointKind, limit)
			if err != nil {
				if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrNewer) {
					t.Errorf("got %v, want ErrInvalid or ErrNewer", err)
				}
				return
			}
			if int64(len(content)) > limit {
				t.Errorf("got %d bytes, want at most %d", len(content), limit)
			}
			again := seal(checkpointKind, h.number(), content)
			if got := append(again[:], content...); !bytes.Equal(got, data) {
				t.Errorf("sealed anew it is %x, want %x", got, data)
			}
		})
	})
}
