package csv

import (
	"bytes"
	"context"
	stdcsv "encoding/csv"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/hostile"
)

// FuzzReader compares with encoding/csv: where both accept a file, they find the same records. It also holds that
// the index pass and the Readers agree, whatever the bytes are.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"a,b\n1,2\n", "a\n\"x\"\"y\"\n", "a,b\r\n\"1\r\n2\",3\r\n\r\n", "a,b\n\"1\"x,2\n\r", "\n\n a;b \n1;\n\"", "a\n\r\r\n\rb\n", "a,b\n1,\"\n\n", "a|b\n\"\"|\"\"\"\"\n",
		"a,b\n1,2\n\x00,3\n", "\xef\xbb\xbfa\n1",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		defer func() {
			// The comparison with the other reader and the scans in small segments are in it too.
			runtime.ReadMemStats(&after)
			if spent, ceiling := after.TotalAlloc-before.TotalAlloc, uint64(allocationRoom+1024*len(text)); spent > ceiling && !packed(text) {
				t.Fatalf("%d bytes of text took %d bytes of memory, want at most %d", len(text), spent, ceiling)
			}
		}()
		table, err := OpenStream(context.Background(), bytes.NewReader(text), Options{Name: "fuzz"})
		if err != nil {
			return
		}
		defer table.Close()
		checkIndex(t, table, text)
		fields := make([]dataset.Field, len(table.Schema().Columns))
		for i := range fields {
			fields[i] = dataset.Field{Column: i, As: dataset.AsText}
		}
		r, err := table.Read(context.Background(), 0, table.Rows(), fields)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var ours [][]string
		bad := false
		for {
			b, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			bad = bad || len(b.Bad) > 0
			for i := range b.Rows {
				record := []string{}
				for c := range b.Columns {
					record = append(record, strings.ReplaceAll(string(b.Columns[c].Text.At(i)), "\r\n", "\n"))
				}
				ours = append(ours, record)
			}
		}
		if int64(len(ours)) != table.Rows() {
			t.Fatalf("%d rows read, %d indexed", len(ours), table.Rows())
		}
		theirs := stdcsv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
		theirs.Comma = rune(table.layout.delim)
		records, err := theirs.ReadAll()
		if err != nil || bad {
			return
		}
		if !slices.EqualFunc(records[1:], ours, slices.Equal[[]string]) {
			t.Fatalf("delimiter %q\nours   %q\ntheirs %q", table.layout.delim, ours, records[1:])
		}
	})
}

// allocationRoom is what reading any file may take: the buffers of the index pass and of one Reader.
const allocationRoom = 8 << 20

// packed says whether the text is a compressed file, whose contents bound the memory.
func packed(text []byte) bool {
	return bytes.HasPrefix(text, []byte("\x1f\x8b")) || bytes.HasPrefix(text, []byte("\x28\xb5\x2f\xfd"))
}

// checkIndex scans the text again in segments of a few bytes, with all the boundaries that large ones seldom have.
func checkIndex(t *testing.T, table *Table, text []byte) {
	if table.content.size() != int64(len(text)) {
		return // was compressed
	}
	for size := 1; size < 12; size++ {
		var rows, newlines int64
		entry := atRecord
		lastStart := -1
		for from := int(table.layout.data); from < len(text); from += size {
			n := min(size, len(text)-from)
			g := scanSegment(text[from:min(from+n+1, len(text))], n, []state{entry}, table.layout.delim)[0]
			slow := scanAny(text[from:min(from+n+1, len(text))], n, entry, table.layout.delim)
			if g != slow {
				t.Fatalf("segment %q entered in state %d: %+v, byte by byte %+v", text[from:from+n], entry, g, slow)
			}
			rows += g.rows
			newlines += g.newlines
			entry = g.exit
			if g.last >= 0 {
				lastStart = from + g.last
			}
		}
		if rows != table.Rows() || (rows > 0) != (lastStart >= 0) {
			t.Fatalf("segments of %d bytes give %d rows, want %d", size, rows, table.Rows())
		}
		if want := int64(bytes.Count(text[table.layout.data:], newline)); newlines != want {
			t.Fatalf("segments of %d bytes give %d newlines, want %d", size, newlines, want)
		}
	}
}

// FuzzTime compares with time.Parse on the forms that both know.
func FuzzTime(f *testing.F) {
	for _, seed := range []string{"2024-02-29", "1969-12-31T23:59:59.5Z", "0001-01-01 00:00:00", "9999-12-31T00:00:00+14:00", "2024-01-01 10:00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hostile.Ceiling(t, len(text), 64<<10, 256, func() {
			got, ok := parseTime([]byte(text))
			for _, form := range []string{time.DateOnly, "2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04"} {
				want, err := time.Parse(form, text)
				if err != nil || len(text) < len(time.DateOnly) {
					continue
				}
				micros := want.Unix()*1e6 + int64(want.Nanosecond())/1000
				if ok && got != micros {
					t.Fatalf("%q is %d, want %d", text, got, micros)
				}
				if !ok && !strings.ContainsAny(text, "+,") && len(text) >= 16 && text[13] == ':' && text[11] != ' ' { // Go takes hours of one digit and zones up to 24 h
					if _, offset := want.Zone(); offset == 0 {
						t.Fatalf("%q is not a time, want %d", text, micros)
					}
				}
			}
		})
	})
}
