package csv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/internal/hostile"
)

// serialIndex is the index by the scanner that Readers use, one record after the other.
func serialIndex(name string, text []byte, l layout, step int64) (index, error) {
	var s scanner
	result := index{end: int64(len(text))}
	s.reset(bytes.NewReader(text), l.data, result.end, l.line, l.delim)
	edge := l.data // the next cut lies here or behind
	var p splitter
	for {
		err := s.next()
		if errors.Is(err, errTooLong) {
			return index{}, tooLong(name, s.recordLine)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return index{}, err
		}
		if s.offset >= edge {
			result.cuts = append(result.cuts, cut{row: result.rows, offset: s.offset, line: s.recordLine})
			edge += (s.offset - edge + step) / step * step
		}
		result.rows++
		if s.quoted {
			if p.split(s.record, l.delim); p.open >= 0 {
				return index{}, unclosed(name, s.recordLine+int64(bytes.Count(s.record[:p.open], newline)))
			}
		}
	}
	if result.rows == 0 {
		result.cuts = []cut{{row: 0, offset: result.end, line: l.line + int64(bytes.Count(text[l.data:], newline))}}
	}
	return result, nil
}

// parallelIndex is the index by segments of step bytes.
func parallelIndex(ctx context.Context, name string, text []byte, l layout, step int64, workers int) (index, error) {
	x := newIndexer(ctx, name, bytes.NewReader(text), l, workers)
	x.step = step
	return x.finish(int64(len(text)))
}

func checkAgainstSerial(t *testing.T, text []byte, l layout, step int64, workers int) {
	t.Helper()
	want, wantErr := serialIndex("t.csv", text, l, step)
	eachWay(func() {
		got, err := parallelIndex(context.Background(), "t.csv", text, l, step, workers)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("segments of %d bytes of %q: error %v, want %v", step, text, err, wantErr)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(index{}, cut{})); err == nil && diff != "" {
			t.Fatalf("segments of %d bytes of %q (-serial +parallel):\n%s", step, text, diff)
		}
	})
}

// FuzzParallelIndexEqualsSerial holds the index by segments, of any size, against the scanner: the same records, cuts
// and errors on any bytes.
func FuzzParallelIndexEqualsSerial(f *testing.F) {
	long := strings.Repeat("\"a,\"\"b\",c\n1,\"x\ny\"\r\n\n", 30)
	for _, seed := range []string{
		"1,2\n3,4\n", "\"x\"\"y\"\n", "\r\n\"1\r\n2\",3\r\n\r\n", "\"1\"x\",2\n\r", "\n\n a;b \n1;\n\"", "\r\r\n\rb\n", "1,\"\n\n", "\"\"|\"\"\"\"\n",
		long, long + "\"", strings.Replace(long, "c", "c\"d", 7), strings.ReplaceAll(long, "\n\n", "\n\r\n"), strings.Repeat("a\"b,\"c\"d\"\n", 40),
		strings.Repeat("x", 200) + "\"" + strings.Repeat("\n", 200), "\"" + strings.Repeat("a,b\n", 50) + "\"\n1,2",
	} {
		for _, step := range []uint8{1, 3, 64, 130} {
			f.Add([]byte(seed), step, byte(','))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, step uint8, delim byte) {
		hostile.Ceiling(t, len(text), 16<<20, 4<<10, func() {
			l := layout{delim: ',', line: 2}
			if bytes.IndexByte(candidates, delim) >= 0 {
				l.delim = delim
			}
			checkAgainstSerial(t, text, l, int64(step)+1, 1+int(step)%3)
		})
	})
}

// grammarText is random text of the characters that matter to the grammar.
func grammarText(random *rand.Rand, n int) []byte {
	alphabets := []string{"\"\n", "\",\n", "\",\n\r", "a\",\n", "abcdefgh\",\n", "abcdefgh,\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa,,\n\"\r\x00\xff"}
	alphabet := alphabets[random.IntN(len(alphabets))]
	text := make([]byte, n)
	for i := range text {
		text[i] = alphabet[random.IntN(len(alphabet))]
	}
	return text
}

func TestTheParallelIndexEqualsTheSerialOne(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	for range 4_000 {
		text := grammarText(random, random.IntN(400))
		l := layout{delim: ',', line: 2, data: int64(random.IntN(1 + len(text)/2))}
		checkAgainstSerial(t, text, l, 1+random.Int64N(200), 1+random.IntN(3))
	}
}

func TestEverySegmentIsScannedFromEveryStateInWhichItMayBeEntered(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	for range 20_000 {
		text := grammarText(random, 2+random.IntN(300))
		at := 1 + random.IntN(len(text)-1)
		before := scanAny(text, at, state(random.IntN(5)), ',')
		n := 1 + random.IntN(len(text)-at)
		list := scanSegment(text[at:], n, entries(text[at-1], ','), ',')
		known := false
		for _, got := range list {
			if want := scanAny(text[at:], n, got.entry, ','); got != want {
				t.Fatalf("%q entered in state %d: %+v, byte by byte %+v", text[at:at+n], got.entry, got, want)
			}
			known = known || got.entry == before.exit
		}
		if !known {
			t.Fatalf("%q ends in state %d, which its last byte is not known for", text[:at], before.exit)
		}
	}
}

func TestTheIndexHoldsFewSegmentsAtATime(t *testing.T) {
	text := bytes.Repeat([]byte("1,2\n"), 5000)
	x := newIndexer(context.Background(), "t.csv", bytes.NewReader(text), layout{delim: ','}, 2)
	x.step = 10
	defer x.stop()
	if err := x.advance(int64(len(text))); err != nil {
		t.Fatal(err)
	}
	if len(x.ahead) != 2*piecesPerWorker || cap(x.jobs) != 2*piecesPerWorker {
		t.Errorf("%d segments are ahead in a channel for %d, want %d", len(x.ahead), cap(x.jobs), 2*piecesPerWorker)
	}
}

// failing is a file that cannot be read behind some byte.
type failing struct {
	text []byte
	from int64
}

var errDisk = errors.New("the disk is gone")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.from {
		return 0, errDisk
	}
	return copy(p, f.text[off:]), nil
}

func TestTheIndexEndsWithItsGoroutinesOnAnError(t *testing.T) {
	text := bytes.Repeat([]byte("1,2\n"), 5000)
	l := layout{delim: ','}
	for _, c := range []struct {
		name string
		src  io.ReaderAt
		want string
	}{
		{"a disk that fails", failing{text, 9000}, errDisk.Error()},
		{"a file that shrank", bytes.NewReader(text[:9000]), "changed while it was read"},
		{"a quote that is never closed", bytes.NewReader(append(bytes.Clone(text[:len(text)-4]), "1,\"\n"...)), "line 5000: a quote opens here"},
	} {
		x := newIndexer(context.Background(), "t.csv", c.src, l, 3)
		x.step, x.seam.line = 100, 1
		_, err := x.finish(int64(len(text)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		x.wg.Wait() // hangs if one were left
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := parallelIndex(ctx, "t.csv", text, l, 100, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
