package csv

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/hostile"
)

// transcript is everything a Reader says about a table whose columns are asked for in turn as numbers, ids, times and
// text; one by one if oneByOne. batched is how many rows came in batches.
func transcript(t *testing.T, table *Table, oneByOne bool) (lines []string, batched int) {
	t.Helper()
	fields := make([]dataset.Field, min(len(table.Schema().Columns), 50))
	for i := range fields {
		fields[i] = dataset.Field{Column: i, As: []dataset.As{dataset.AsNumber, dataset.AsID, dataset.AsNumber, dataset.AsText, dataset.AsTime}[i%5]}
	}
	if len(fields) > 3 { // one that is skipped, and one that is asked for twice
		fields[1].Column = 3
	}
	r, err := table.Read(context.Background(), 0, table.Rows(), fields)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if oneByOne {
		r.(*Reader).batch.most = 0
	}
	for {
		before := r.(*Reader).scanner.line
		b, err := r.Next()
		if err == io.EOF {
			return append(lines, fmt.Sprint("end on line ", r.(*Reader).scanner.line)), batched
		}
		if err != nil {
			t.Fatal(err)
		}
		batched += r.(*Reader).batch.rows
		lines = append(lines, fmt.Sprintf("block of %d rows at %d, on line %d", b.Rows, b.First, before))
		for i := range b.Rows {
			lines = append(lines, render(b, i))
		}
		for _, bad := range b.Bad {
			lines = append(lines, fmt.Sprintf("bad %+v", bad))
		}
	}
}

func checkBatches(t *testing.T, text []byte) (batched int) {
	t.Helper()
	table, err := OpenStream(context.Background(), bytes.NewReader(text), Options{Name: "t.csv"})
	if err != nil {
		return 0
	}
	defer table.Close()
	want, _ := transcript(t, table, true)
	eachWay(func() {
		var got []string
		got, batched = transcript(t, table, false)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("vectors=%v: %q (-one by one +in batches):\n%s", vectors, text, diff)
		}
	})
	return batched
}

// eachWay does something with the vector instructions there are and without.
func eachWay(do func()) {
	defer func(have bool) { vectors = have }(vectors)
	do()
	vectors = false
	do()
}

func TestMarksAreFoundEachWay(t *testing.T) {
	random := rand.New(rand.NewPCG(23, 24))
	for range 3000 {
		text := grammarText(random, 64*(1+random.IntN(20))+random.IntN(64))
		for i := range random.IntN(4) {
			text[random.IntN(len(text))] = []byte{0x80 | '"', 0x8a, 0xac, '#'}[i] // the characters' neighbours
		}
		delim := candidates[random.IntN(len(candidates))]
		want := make([]marks, len(text)/blockBits)
		for i, c := range text[:len(want)*blockBits] {
			bit := uint64(1) << (i % blockBits)
			switch m := &want[i/blockBits]; c {
			case '"':
				m.quote |= bit
			case delim:
				m.delim |= bit
			case '\n':
				m.newline |= bit
			}
		}
		eachWay(func() {
			got := make([]marks, len(want))
			lookAll(got, text, delim)
			if !slices.Equal(got, want) {
				t.Fatalf("vectors=%v: %q has marks %x, want %x", vectors, text, got, want)
			}
		})
		checkPlainEnds(t, text, delim, want)
	}
}

// checkPlainEnds holds plainEnds against the marks of each block.
func checkPlainEnds(t *testing.T, text []byte, delim byte, blocks []marks) {
	t.Helper()
	var want []uint32
	wantNewlines := 0
	const room = 300
	for i, m := range blocks {
		if m.quote != 0 || len(want)+endsSpare > room {
			break
		}
		for x := m.delim | m.newline; x != 0; x &= x - 1 {
			want = append(want, uint32(1000+i*blockBits+bits.TrailingZeros64(x)))
		}
		wantNewlines += bits.OnesCount64(m.newline)
	}
	got := make([]uint32, room+1)
	got[room] = 77
	found, newlines := plainEnds(got[:room], text, 1000, delim)
	if !vectors && found == -1 {
		return
	}
	if found != len(want) || newlines != wantNewlines || !slices.Equal(got[:found], want) || got[room] != 77 {
		t.Fatalf("%q has %d ends %v and %d newlines, want %v and %d; behind the room is %d", text, found, got[:max(found, 0)], newlines, want, wantNewlines, got[room])
	}
}

// oddCells are what the cells of a table may hold, the usual ones more often.
var oddCells = []string{
	"1", "-2.5", "12345.678", "0", "-0.0", "1234567890123456", "0.12345678901234567", "77", "a", "2024-01-02", "3.5", "8", "-1", "42",
	"", "NA", "1e5", "x", " 1 ", "\"1\"", "\"-2.5\"", "\"a, b\"", "\"say \"\"so\"\"\"", "\"two\nlines\"", "\"\"", "\"1\"x", "a\"b", "\xff", "\x00", "\r", "\"x\r\"", "\"\"\"\"",
}

func oddTable(random *rand.Rand) []byte {
	columns := 1 + random.IntN(7)
	kinds := []int{8, 14, 22, len(oddCells)}[random.IntN(4)]
	ending := []string{"\n", "\r\n"}[random.IntN(2)]
	oddness := []int{0, 0, 3, 40}[random.IntN(4)] // of 1,000 records
	var b strings.Builder
	for i := range columns {
		fmt.Fprintf(&b, "%sc%d", strings.Repeat(",", min(i, 1)), i)
	}
	b.WriteString("\n")
	for range random.IntN(3000) {
		n := columns
		odd := random.IntN(1000) < oddness
		if odd {
			n = max(1, n+random.IntN(3)-1)
		}
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			if odd {
				b.WriteString(oddCells[random.IntN(len(oddCells))])
			} else {
				b.WriteString(oddCells[random.IntN(kinds)])
			}
		}
		b.WriteString(ending)
		if odd {
			b.WriteString([]string{"", "\n", "\r\n", "\r\r\n"}[random.IntN(4)])
		}
	}
	return []byte(b.String())
}

func TestBatchesGiveWhatRecordsOneByOneGive(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	batched := 0
	for range 60 {
		batched += checkBatches(t, oddTable(random))
	}
	if batched < 1000 {
		t.Errorf("only %d rows came in batches", batched)
	}
}

// FuzzBatches holds records in batches against records one by one, on any bytes.
func FuzzBatches(f *testing.F) {
	for _, seed := range []string{
		"a,b\n1,2\n3,\"4\"\n", "a\n1\n\n2\n\r\n", "a,b,c\n1,\"x\ny\",\"\"\"\"\r\n", "a,b\n1,\"2\"x\n\"1\",2\r\n", "a,b\n,\n1,2,3\n", "a,b\n1,\x002\n", "a\n\"\"\n", "a,b\n1\"2\",\"3\r\"\n",
	} {
		f.Add([]byte(seed), uint8(40))
	}
	f.Fuzz(func(t *testing.T, text []byte, times uint8) {
		// The rest of the text comes up to 256 times.
		hostile.Ceiling(t, len(text), 32<<20, 512<<10, func() {
			head, rest, _ := bytes.Cut(text, []byte{'\n'})
			checkBatches(t, slices.Concat(head, []byte{'\n'}, bytes.Repeat(rest, int(times)+1)))
		})
	})
}

func TestABatchWithABadCellIsFollowedByRecordsOneByOne(t *testing.T) {
	// Every record is bad in its last column: to parse each batch again from its second record would take for ever.
	table := open(t, "t.csv", "a,b\n"+strings.Repeat("1,x\n", 5000))
	table.SetKinds([]dataset.Kind{dataset.Text, dataset.Number})
	r, err := table.Read(context.Background(), 0, table.Rows(), []dataset.Field{{Column: 0, As: dataset.AsText}, {Column: 1, As: dataset.AsNumber}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	reader := r.(*Reader)
	if err := reader.scanner.fill(); err != nil {
		t.Fatal(err)
	}
	rows, size := reader.nextBatch(0, 100)
	if rows != 0 || size != 0 || reader.single != 100 {
		t.Errorf("%d rows of %d bytes, then %d one by one; want none, then 100", rows, size, reader.single)
	}
	if got := len(reader.decoder.builders[0].data); got != 0 {
		t.Errorf("%d bytes of text are left of rows that are read again", got)
	}
}
