package model

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
)

// FuzzDecode signs what the fuzzer makes, so that it gets past the checksum, and holds that memory stays within a
// multiple of the input, that errors are the input's fault, and that what is accepted can be written again.
func FuzzDecode(f *testing.F) {
	good := encode(f, example())
	f.Add(good)
	f.Add(encode(f, weighted()))
	f.Add(encode(f, sampled()))
	f.Add(bytes.Replace(encode(f, sampled()), []byte(`"base": [`), []byte(`"base": [`+strings.Repeat(`{},`, 5000)), 1))
	f.Add(good[:len(good)/2])
	f.Add([]byte{})
	f.Add(bytes.Replace(good, []byte(`"sources": [`), []byte(`"sources": [`+strings.Repeat(`"",`, 5000)), 1))
	f.Add(bytes.Replace(good, []byte(`"numeric": [`), []byte(`"numeric": [`+strings.Repeat(`{},`, 5000)), 1))
	f.Add(bytes.Replace(good, []byte(`"centroids": [`), []byte(`"centroids": [`+strings.Repeat(`[],`, 5000)), 1))
	f.Add(bytes.Replace(good, []byte(`"segments": [`), []byte(`"segments": [`+strings.Repeat(`{},`, 5000)), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = signed(data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Decode(data, "f.json")
		runtime.ReadMemStats(&after)
		if spent, ceiling := after.TotalAlloc-before.TotalAlloc, uint64(256*len(data)+4<<20); spent > ceiling {
			t.Errorf("%d bytes of input took %d bytes of memory, more than %d", len(data), spent, ceiling)
		}
		if err != nil {
			if fault.Code(err) != int(fault.Input) {
				t.Errorf("not the input's fault: %v", err)
			}
			return
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatalf("accepted but cannot be written: %v", err)
		}
		if _, err := Decode(again, "f.json"); err != nil {
			t.Fatalf("written but not accepted: %v", err)
		}
	})
}
