package wire

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// parts are the messages that stand in others of several services. Each decodes one of a kind, and gives what is encoded of it;
// nil where it was refused.
var parts = []struct {
	name  string
	again func(t *testing.T, data []byte) proto.Message
}{
	{"failure", func(t *testing.T, data []byte) proto.Message {
		m := &pb.Failure{}
		if proto.Unmarshal(data, m) != nil {
			return nil
		}
		err := DecodeFailure(m)
		var known *fault.Error
		if !errors.As(err, &known) || fault.Code(err) == 0 {
			t.Fatalf("got %#v, want an error with a code", err)
		}
		return EncodeFailure(err)
	}},
	{"input", func(t *testing.T, data []byte) proto.Message {
		m := &pb.Input{}
		if proto.Unmarshal(data, m) != nil {
			return nil
		}
		in, err := DecodeInput(m)
		if err != nil {
			refused(t, err)
			return nil
		}
		again, err := EncodeInput(in)
		if err != nil {
			t.Fatal(err)
		}
		return again
	}},
	{"matrix", func(t *testing.T, data []byte) proto.Message {
		m := &pb.Matrix{}
		if proto.Unmarshal(data, m) != nil {
			return nil
		}
		c, err := DecodeMatrix(m)
		if err != nil {
			refused(t, err)
			return nil
		}
		return EncodeMatrix(c)
	}},
	{"totals", func(t *testing.T, data []byte) proto.Message {
		m := &pb.Totals{}
		if proto.Unmarshal(data, m) != nil {
			return nil
		}
		totals, err := DecodeTotals(m, 3)
		if err != nil {
			refused(t, err)
			return nil
		}
		return EncodeTotals(totals)
	}},
	{"sums", func(t *testing.T, data []byte) proto.Message {
		m := &pb.Sums{}
		if proto.Unmarshal(data, m) != nil {
			return nil
		}
		sums, err := DecodeSums(m, 2, 3)
		if err != nil {
			refused(t, err)
			return nil
		}
		again, err := EncodeSums(sums, PackNone)
		if err != nil {
			t.Fatal(err)
		}
		return again
	}},
	{"intake", func(t *testing.T, data []byte) proto.Message {
		m := &pb.Intake{}
		if proto.Unmarshal(data, m) != nil {
			return nil
		}
		n := DecodeIntake(m)
		return EncodeIntake(&n)
	}},
	{"bad rows", func(t *testing.T, data []byte) proto.Message {
		m := &pb.Partial{}
		if proto.Unmarshal(data, m) != nil {
			return nil
		}
		return &pb.Partial{Bad: EncodeBadRows(DecodeBadRows(m.Bad))}
	}},
}

func refused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrFormat) {
		t.Fatalf("got %v, want ErrFormat", err)
	}
}

// FuzzParts holds that what is read of a part of a message is written as a message that is read as the same again.
func FuzzParts(f *testing.F) {
	w := newWorld(f, 6, true)
	input, err := EncodeInput(w.input)
	if err != nil {
		f.Fatal(err)
	}
	sums, err := EncodeSums(benchmarkSums(2, 3), PackS2)
	if err != nil {
		f.Fatal(err)
	}
	for i, m := range []proto.Message{EncodeFailure(fault.Inputf(fault.Place{File: "a.csv", Row: 3}, "is damaged").Do("copy it again")), input,
		EncodeMatrix(&kmeans.Centroids{K: 1, D: 2, Values: []float32{1, 2}}), EncodeTotals(kmeans.NewTotals(3)), sums,
		EncodeIntake(&Intake{Read: 5, Kept: 3, Bad: 2}), &pb.Partial{Bad: EncodeBadRows([]BadRow{{Row: 7, Reason: "none", Raw: "x"}})}} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), data)
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		part := parts[int(which)%len(parts)]
		var first proto.Message
		hostile.Ceiling(t, len(data), 2<<20, 256, func() { first = part.again(t, data) })
		if first == nil || !first.ProtoReflect().IsValid() {
			return
		}
		once, err := marshalling.Marshal(first)
		if err != nil {
			t.Fatalf("%s: %v", part.name, err)
		}
		second := part.again(t, once)
		if second == nil || !proto.Equal(first, second) {
			t.Fatalf("%s: %v is read as %v", part.name, first, second)
		}
	})
}
