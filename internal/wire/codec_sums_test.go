package wire

import (
	"bytes"
	"errors"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/hostile"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// A coordinator takes hundreds of answers of megabytes in every iteration: what they are read into must not be made
// anew for each.
func TestSumsAreNotCopiedOnTheirWay(t *testing.T) {
	p := &Partial{Sums: benchmarkSums(100, 50), Moved: 5, IDs: []IDSummary{{Partition: 1, Count: 7}}}
	data := encodedPartial(t, p, PackNone)
	context := Context{Kind: Iterate, K: 100, D: 50, Partitions: 4}
	var got *Partial
	var err error
	took := hostile.Allocated(func() { got, err = DecodePartial(data, context) })
	if err != nil || got.Moved != 5 || len(got.IDs) != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if took > uint64(len(data)/4) {
		t.Errorf("reading %d bytes took %d bytes of memory", len(data), took)
	}
	got.Unpack()
	if !bytes.Equal(encodedPartial(t, got, PackNone), data) {
		t.Error("what was read is not what was written")
	}
}

// The reader of sums is held against the library's.
func checkReadSums(t *testing.T, data []byte) {
	t.Helper()
	got, err := readSums(data)
	want := new(pb.Sums)
	if unmarshal(data, want) != nil {
		if err == nil && utf8.ValidString(got.Packing) {
			t.Fatalf("%x: the library refuses what is read here", data)
		}
		return
	}
	if err != nil || !proto.Equal(got, want) {
		t.Fatalf("%x: got %v, %v, want %v", data, got, err, want)
	}
}

func TestSumsAreReadAsTheLibraryReadsThem(t *testing.T) {
	m, err := EncodeSums(benchmarkSums(3, 2), PackS2)
	if err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	spoiled(data, func(data []byte) { checkReadSums(t, data) })
	twice := append(bytes.Clone(data), data...)
	twice = protowire.AppendTag(twice, 9, protowire.Fixed64Type)
	twice = protowire.AppendFixed64(twice, 1)
	twice = protowire.AppendTag(twice, 2, protowire.VarintType)
	checkReadSums(t, protowire.AppendVarint(twice, 1<<40|7))
	wrongKind := protowire.AppendTag(nil, 6, protowire.VarintType)
	checkReadSums(t, protowire.AppendVarint(wrongKind, 3))
}

func TestSumsThatAreCutShortAreErrors(t *testing.T) {
	for _, data := range [][]byte{{0x80}, {0x08}, {0x08, 0x80}, {0x32, 0x05, 1, 2}, {0x0c}} {
		if _, err := readSums(data); !errors.Is(err, ErrFormat) {
			t.Errorf("%x: got %v, want ErrFormat", data, err)
		}
	}
}

func FuzzReadSums(f *testing.F) {
	m, _ := EncodeSums(benchmarkSums(3, 2), PackNone)
	data, _ := proto.Marshal(m)
	f.Add(data)
	f.Add([]byte{0x0b, 0x08, 0x01, 0x0c, 0x3a, 0x01, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		hostile.Ceiling(t, len(data), 256<<10, 256, func() { checkReadSums(t, data) }) // and by the library as well
	})
}
