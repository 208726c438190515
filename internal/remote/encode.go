package remote

import (
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

const (
	// MaxMessage is the largest message, in bytes: what gRPC takes by default.
	MaxMessage = 4 << 20
	// messageBytes is what a message aims at: large enough that its cost vanishes, small enough to keep the connection in
	// flow. Only a row that is larger by itself makes a larger one.
	messageBytes = 1 << 20
	// columnBytes is what a column costs in a message besides its values.
	columnBytes = 32
	// badBytes is what a bad row costs besides its texts.
	badBytes = 64
	// maxRaw is how much of a record that cannot be used travels, in bytes: it is for people to look at.
	maxRaw = 1 << 20
)

// eachMessage cuts a Block into messages and gives them to send, in order, which must not keep them.
func eachMessage(b *dataset.Block, send func(*pb.Block) error) error {
	bad := b.Bad
	for from := 0; from < b.Rows; {
		to := fit(b, from, bad)
		n := 0
		for n < len(bad) && bad[n].Index < to {
			n++
		}
		m := message(b, from, to, bad[:n])
		if size := proto.Size(m); size > MaxMessage {
			return tooLarge(b, from, bad[:n], size)
		}
		if err := send(m); err != nil {
			return err
		}
		from, bad = to, bad[n:]
	}
	return nil
}

// fit is the end of the rows from from on that make a message of about messageBytes, at least one.
func fit(b *dataset.Block, from int, bad []dataset.BadRow) int {
	size := columnBytes * len(b.Columns)
	to := from
	for ; to < b.Rows; to++ {
		row := 0
		for i := range b.Columns {
			row += cost(&b.Columns[i], to)
		}
		if len(bad) > 0 && bad[0].Index == to {
			row += badBytes + min(len(bad[0].Raw), maxRaw) + len(bad[0].Reason) + len(bad[0].Place.File) + len(bad[0].Place.Column)
			bad = bad[1:]
		}
		if size+row > messageBytes && to > from {
			break
		}
		size += row
	}
	return to
}

// cost is about how many bytes a value takes.
func cost(v *dataset.Vector, row int) int {
	switch {
	case v.Float32 != nil:
		return 4
	case v.Text.Offsets != nil:
		return 5 + v.Text.Offsets[row+1] - v.Text.Offsets[row]
	}
	return 8
}

func message(b *dataset.Block, from, to int, bad []dataset.BadRow) *pb.Block {
	m := &pb.Block{First: b.First + int64(from), Rows: uint32(to - from), Columns: make([]*pb.Vector, len(b.Columns))}
	for i := range b.Columns {
		m.Columns[i] = vectorMessage(&b.Columns[i], from, to)
	}
	for i := range bad {
		m.Bad = append(m.Bad, &pb.BadCell{Index: uint32(bad[i].Index - from), Place: placeMessage(bad[i].Place), Reason: text(bad[i].Reason),
			Raw: []byte(bad[i].Raw[:min(len(bad[i].Raw), maxRaw)])})
	}
	return m
}

// tooLarge is the error about a row that fits no message.
func tooLarge(b *dataset.Block, row int, bad []dataset.BadRow, size int) error {
	at := fault.Place{Row: b.First + int64(row)}
	if len(bad) > 0 {
		at = bad[0].Place
	}
	return fault.Inputf(at, "the row is too large to be sent to a worker: %d bytes, more than %d MiB", size, MaxMessage>>20).
		Do("shorten its texts, leave out columns, or put the file where workers read it by themselves (--data-root)")
}
