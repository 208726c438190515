package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/coterie-project/coterie/internal/hostile"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// ceiling is what a decoder may allocate for so many bytes: some times as much for the values that they become, and
// what it takes to begin with (the state of a zstd decoder, empty Statistics).
func ceiling(n int) uint64 { return 1<<20 + 128*uint64(n) }

// checkHostile decodes and holds that an error is ErrFormat, and that memory stays under the ceiling.
func checkHostile(t *testing.T, name string, data []byte, decode func([]byte) error) {
	t.Helper()
	var err error
	took := hostile.Allocated(func() { err = decode(data) })
	if err != nil && !errors.Is(err, ErrFormat) {
		t.Fatalf("%s: got %v, want ErrFormat", name, err)
	}
	if most := ceiling(len(data)); took > most {
		t.Fatalf("%s: %d bytes took %d of memory, want at most %d", name, len(data), took, most)
	}
}

// spoiled are data cut at every offset, and with each byte changed in two ways.
func spoiled(data []byte, visit func([]byte)) {
	for n := range data {
		visit(data[:n])
		for _, by := range []byte{0x01, 0x80 | byte(n)} {
			other := bytes.Clone(data)
			other[n] ^= by
			visit(other)
		}
	}
}

func TestDamagedTasksAreErrors(t *testing.T) {
	w := newWorld(t, 4, true)
	for _, r := range append(w.rounds(), w.quantiles()) {
		spoiled(encodedTask(t, r.task), func(data []byte) {
			checkHostile(t, r.name, data, func(data []byte) error {
				_, err := DecodeTask(data)
				return err
			})
		})
	}
}

func TestDamagedPartialsAreErrors(t *testing.T) {
	w := newWorld(t, 4, true)
	for _, r := range w.rounds() {
		context := r.task.Context(testPartitions)
		for _, packing := range []Packing{PackNone, PackS2, PackZstd} {
			if packing != PackNone && r.parts[0].Sums == nil {
				continue
			}
			data := encodedPartial(t, r.parts[0], packing)
			whole := merged(r.parts[1:], []int{0, 1})
			spoiled(data, func(data []byte) {
				checkHostile(t, r.name, data, func(data []byte) error {
					p, err := DecodePartial(data, context)
					if err == nil { // it says something else, in the same shapes
						new(Partial).Merge(p)
						whole.Merge(p)
					}
					return err
				})
			})
			r.parts = w.again(r.name)
		}
	}
}

// again makes the answers of a round anew, for those that were merged.
func (w *world) again(name string) []*Partial {
	for _, r := range w.rounds() {
		if r.name == name {
			return r.parts
		}
	}
	return nil
}

// Counts make room for what a search counts, megabytes of it, but only once their intervals are those of the search.
func TestDamagedCountsAreErrors(t *testing.T) {
	r := newWorld(t, 4, true).quantiles()
	context, data := r.task.Context(testPartitions), encodedPartial(t, r.parts[0], PackNone)
	for n := 0; n < len(data); n += 1 + n/10 {
		other := bytes.Clone(data)
		other[n] ^= 1
		for _, d := range [][]byte{data[:n], other} {
			if p, err := DecodePartial(d, context); err == nil {
				r.parts[1].Merge(p)
			} else if !errors.Is(err, ErrFormat) {
				t.Fatalf("byte %d: got %v, want ErrFormat", n, err)
			}
		}
	}
}

// packedPartial is an answer whose values are the given bytes under a packing.
func packedPartial(t tester, packing Packing, width int, values []byte) []byte {
	m := &pb.Partial{Sums: &pb.Sums{K: 2, D: 3, Counts: make([]byte, 16), Width: uint32(width), Values: values, Packing: string(packing)}}
	data, err := marshalling.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCompressedSumsNeverTakeMoreThanTheyShould(t *testing.T) {
	frame := func(content []byte, options ...zstd.EOption) []byte {
		e, err := zstd.NewWriter(nil, options...)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		return e.EncodeAll(content, nil)
	}
	large := make([]byte, 64<<20)
	fits := make([]byte, 2*3*8)
	noSize := func(content []byte, size int) []byte { // a frame that does not say how much is in it
		var b bytes.Buffer
		e, err := zstd.NewWriter(&b, zstd.WithWindowSize(size), zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		for lo := 0; lo < len(content); lo += 1 << 20 {
			if _, err := e.Write(content[lo:min(lo+1<<20, len(content))]); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(e.Flush(), e.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		packing Packing
		values  []byte
		ok      bool
	}{
		"zstd":                              {PackZstd, frame(fits), true},
		"zstd of 64 MiB":                    {PackZstd, frame(large), false},
		"zstd of one byte more":             {PackZstd, frame(make([]byte, len(fits)+1)), false},
		"zstd of one byte less":             {PackZstd, frame(fits[1:]), false},
		"zstd in two frames":                {PackZstd, append(frame(fits), frame(fits)...), false},
		"zstd of a size that is not said":   {PackZstd, noSize(fits, 1<<20), true},
		"zstd of 64 MiB not said":           {PackZstd, noSize(large, 1<<20), false},
		"zstd with a window of 512 MiB":     {PackZstd, noSize(fits, 512<<20), false},
		"zstd of nothing":                   {PackZstd, nil, false},
		"s2 of 4 GiB":                       {PackS2, binary.AppendUvarint(nil, 1<<32-1), false},
		"s2 of a size that is no number":    {PackS2, bytes.Repeat([]byte{0xff}, 12), false},
		"s2 of the right size, and no more": {PackS2, binary.AppendUvarint(nil, uint64(len(fits))), false},
		"an unknown packing":                {"gzip", fits, false},
		"nothing packed":                    {PackNone, fits, true},
		"one byte more":                     {PackNone, make([]byte, len(fits)+1), false},
	} {
		data := packedPartial(t, c.packing, 8, c.values)
		checkHostile(t, name, data, func(data []byte) error {
			_, err := DecodePartial(data, Context{K: 2, D: 3})
			if (err == nil) != c.ok {
				t.Errorf("%s: got %v, want accepted = %v", name, err, c.ok)
			}
			return err
		})
	}
	for _, width := range []int{0, 17, 1 << 31} {
		if _, err := DecodePartial(packedPartial(t, PackNone, width, fits), Context{K: 2, D: 3}); !errors.Is(err, ErrFormat) {
			t.Errorf("width %d: got %v, want ErrFormat", width, err)
		}
	}
}

// Where sums are larger than the window there is memory enough for one that is too large.
func TestAWindowBeyondTheLimitIsRefusedWhateverTheSizeOfTheSums(t *testing.T) {
	const k, d = 4096, 128
	for size, ok := range map[int]bool{window: true, 2 * window: false} {
		var b bytes.Buffer
		e, err := zstd.NewWriter(&b, zstd.WithWindowSize(size), zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Write(make([]byte, k*d*8))
		if err := errors.Join(err, e.Flush(), e.Close()); err != nil {
			t.Fatal(err)
		}
		m := &pb.Partial{Sums: &pb.Sums{K: k, D: d, Counts: make([]byte, 8*k), Width: 8, Values: b.Bytes(), Packing: string(PackZstd)}}
		data, err := marshalling.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodePartial(data, Context{K: k, D: d}); (err == nil) != ok {
			t.Errorf("a window of %d: got %v, want accepted = %v", size, err, ok)
		}
	}
}

// A message of a few megabytes must not become gigabytes of values.
func TestManySmallFieldsAreRefusedBeforeTheyAreRead(t *testing.T) {
	repeat := func(number protowire.Number, content []byte, n int) []byte {
		one := protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
		return bytes.Repeat(one, n)
	}
	context := newWorld(t, 1, false).rounds()[2].task.Context(testPartitions)
	for name, data := range map[string][]byte{
		"bad rows":      repeat(badField, nil, MaxQuarantined+2),
		"ids":           repeat(idsField, nil, 1<<20),
		"faults":        repeat(1, nil, 1<<20),
		"seeds":         repeat(10, repeat(6, nil, 1), 1<<20),
		"later fields":  repeat(63, nil, 1<<20),
		"no end of tag": bytes.Repeat([]byte{0xff}, 1<<20),
	} {
		took := hostile.Allocated(func() {
			if _, err := DecodePartial(data, context); !errors.Is(err, ErrFormat) {
				t.Errorf("%s: got %v, want ErrFormat", name, err)
			}
		})
		if took > 1<<16 {
			t.Errorf("%s: %d bytes were allocated", name, took)
		}
	}
	if _, err := DecodePartial(repeat(maxField+1, nil, 5), Context{}); err != nil {
		t.Errorf("fields of a later version: got %v, want none", err)
	}
}

func TestReloadsDoNotNestWithoutEnd(t *testing.T) {
	w := newWorld(t, 1, false)
	body, err := EncodeBody(&Task{Input: w.input, Transform: w.transform, Centroids: w.centroids})
	if err != nil {
		t.Fatal(err)
	}
	for depth := range 4 {
		m := &pb.Task{Kind: string(Iterate), Body: body}
		at := m.Body
		for range depth {
			at.Reload = &pb.TaskBody{Input: body.Input, Transform: body.Transform}
			at = at.Reload
		}
		data, err := marshalling.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeTask(data); (err == nil) != (depth < 2) || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%d deep: got %v", depth, err)
		}
	}
	deep := []byte(nil) // a body in a body, and so on: 5 bytes each
	for range 1000 {
		deep = protowire.AppendBytes(protowire.AppendTag(nil, 10, protowire.BytesType), deep)
	}
	deep = protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), deep)
	checkHostile(t, "a thousand reloads", deep, func(data []byte) error {
		_, err := DecodeTask(data)
		if err == nil {
			t.Error("got no error")
		}
		return err
	})
}

func FuzzDecodeTask(f *testing.F) {
	w := newWorld(f, 6, true)
	for _, r := range append(w.rounds(), w.quantiles()) {
		f.Add(encodedTask(f, r.task))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// It is decoded and encoded twice, and its search opened.
		hostile.Ceiling(t, len(data), 8<<20, 1<<10, func() {
			task, err := DecodeTask(data)
			if err != nil {
				if !errors.Is(err, ErrFormat) {
					t.Fatalf("got %v, want ErrFormat", err)
				}
				return
			}
			once := encodedTask(t, task)
			back, err := DecodeTask(once)
			if err != nil {
				t.Fatalf("what was read is not read again: %v", err)
			}
			if twice := encodedTask(t, back); !bytes.Equal(once, twice) {
				t.Fatalf("%x became %x", once, twice)
			}
			context := task.Context(1)
			if task.Seed != nil && context.validate() == nil && !task.Seed.Recluster {
				kmeans.NewSeedPartial(task.Seed)
			}
			if task.Search != nil {
				task.Search.Open()
			}
		})
	})
}

func FuzzDecodePartial(f *testing.F) {
	w := newWorld(f, 6, true)
	rounds := w.rounds()
	for i, r := range rounds {
		for _, packing := range []Packing{PackNone, PackS2, PackZstd} {
			f.Add(uint8(i), encodedPartial(f, r.parts[0], packing))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		// It is decoded and encoded several times, and merged.
		hostile.Ceiling(t, len(data), 16<<20, 1<<10, func() {
			r := rounds[int(kind)%len(rounds)]
			context := r.task.Context(testPartitions)
			p, err := DecodePartial(data, context)
			if err != nil {
				if !errors.Is(err, ErrFormat) {
					t.Fatalf("got %v, want ErrFormat", err)
				}
				return
			}
			once := encodedPartial(t, p, PackNone)
			back, err := DecodePartial(once, context)
			if err != nil {
				t.Fatalf("%s: what was read is not read again: %v", r.name, err)
			}
			if twice := encodedPartial(t, back, PackNone); !bytes.Equal(once, twice) {
				t.Fatalf("%s: %x became %x", r.name, once, twice)
			}
			good, err := DecodePartial(encodedPartial(t, r.parts[1], PackNone), context)
			if err != nil {
				t.Fatal(err)
			}
			good.Merge(p)
			back.Merge(good)
		})
	})
}
