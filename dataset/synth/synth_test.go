package synth

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func open(t testing.TB, uri string) dataset.Source {
	t.Helper()
	src, err := Open(uri)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// all asks for every column in its own representation.
func all(src dataset.Source) []dataset.Field {
	var fields []dataset.Field
	for i, c := range src.Schema().Columns {
		as := map[dataset.Kind]dataset.As{dataset.Number: dataset.AsNumber, dataset.Text: dataset.AsText, dataset.Time: dataset.AsTime}[c.Kind]
		fields = append(fields, dataset.Field{Column: i, As: as})
	}
	return fields
}

// cells reads rows as text, one string for each.
func cells(t testing.TB, src dataset.Source, first, rows int64, columns ...int) []string {
	t.Helper()
	var fields []dataset.Field
	for _, c := range columns {
		fields = append(fields, dataset.Field{Column: c, As: dataset.AsText})
	}
	if len(columns) == 0 {
		for c := range src.Schema().Columns {
			fields = append(fields, dataset.Field{Column: c, As: dataset.AsText})
		}
	}
	var out []string
	each(t, src, first, rows, fields, func(b *dataset.Block) {
		for i := range b.Rows {
			var row []string
			for c := range b.Columns {
				row = append(row, string(b.Columns[c].Text.At(i)))
			}
			out = append(out, strings.Join(row, ","))
		}
	})
	return out
}

func each(t testing.TB, src dataset.Source, first, rows int64, fields []dataset.Field, do func(*dataset.Block)) {
	t.Helper()
	r, err := src.Read(context.Background(), first, rows, fields)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	at := first
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.First != at || b.Rows < 1 || b.Rows > dataset.BlockRows {
			t.Fatalf("block of %d rows at %d, want one at %d", b.Rows, b.First, at)
		}
		at += int64(b.Rows)
		do(b)
	}
	if at != first+rows {
		t.Fatalf("reading ended at row %d, want %d", at, first+rows)
	}
}

var addresses = []string{
	"synth://customers?rows=40000&seed=7", "synth://transactions?rows=40000&seed=7", "synth://uniform?rows=40000&seed=7&d=3",
	"synth://blobs?rows=40000&seed=7&d=5&centers=6&spread=0.5", "synth://load?rows=40000&seed=7&d=5",
}

// TestBitsAreTheSameEverywhere holds the digests of the made values. They must not change with processor, instruction
// set or Go version; if they change with the code, every seed means other rows, and CHANGELOG has to say so.
func TestBitsAreTheSameEverywhere(t *testing.T) {
	want := map[string]string{addresses[0]: "5588a9bd674f5d45", addresses[1]: "d7c9f2b67e3080e6", addresses[2]: "b897af099e256452",
		addresses[3]: "ddfa1f0a1e144090", addresses[4]: "c0587dd149e56e4b"}
	for _, address := range addresses {
		src := open(t, address)
		h := sha256.New()
		each(t, src, 0, src.Rows(), all(src), func(b *dataset.Block) {
			for _, v := range b.Columns {
				for _, part := range []any{v.Float64, v.Float32, v.Micros, v.Text.Data, v.Missing} {
					binary.Write(h, binary.LittleEndian, part)
				}
			}
		})
		if got := hex.EncodeToString(h.Sum(nil)[:8]); got != want[address] {
			t.Errorf("%s: got digest %s, want %s", address, got, want[address])
		}
	}
}

func TestRowsDoNotDependOnHowTheyAreRead(t *testing.T) {
	for _, address := range addresses {
		src := open(t, address)
		whole := cells(t, src, 0, src.Rows())
		rapid.Check(t, func(rt *rapid.T) {
			first := rapid.Int64Range(0, src.Rows()).Draw(rt, "first")
			rows := rapid.Int64Range(0, min(src.Rows()-first, 9000)).Draw(rt, "rows")
			column := rapid.IntRange(0, len(src.Schema().Columns)-1).Draw(rt, "column")
			got := cells(t, src, first, rows, column)
			for i, row := range got {
				if want := strings.Split(whole[first+int64(i)], ",")[column]; row != want {
					rt.Fatalf("%s: row %d, column %d: got %s, want %s", address, first+int64(i), column, row, want)
				}
			}
		})
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				if got := cells(t, src, 0, src.Rows()); !slices.Equal(whole, got) {
					t.Errorf("%s, read by several at once (-alone):\n%s", address, cmp.Diff(whole, got))
				}
			})
		}
		wait.Wait()
	}
}

func TestSeedsMakeOtherRows(t *testing.T) {
	for _, kind := range Kinds() {
		a, b := open(t, Scheme+kind+"?rows=1000&seed=1"), open(t, Scheme+kind+"?rows=1000&seed=2")
		column := 1
		same, rows, other := 0, cells(t, a, 0, 1000, column), cells(t, b, 0, 1000, column)
		for i := range rows {
			if rows[i] == other[i] {
				same++
			}
		}
		if same > 100 {
			t.Errorf("%s: %d of 1000 values of the second column are the same with another seed", kind, same)
		}
	}
}

func TestNewAndOpenAgree(t *testing.T) {
	for _, test := range []struct {
		kind string
		o    Options
		uri  string
	}{
		{"blobs", Options{Rows: 100, Seed: 3}, "synth://blobs?rows=100&seed=3&d=8&centers=8&spread=1"},
		{"blobs", Options{Rows: 1000, D: 3, Centers: 2, Spread: 0.25}, "synth://blobs?rows=1e3&d=3&centers=2&spread=0.25"},
		{"uniform", Options{Rows: 100}, "synth://uniform?rows=100"},
		{"load", Options{Rows: 100, Seed: 9, D: 3}, "synth://load?rows=100&d=3&seed=9"},
		{"customers", Options{Rows: 100, Seed: 5}, "synth://customers/?seed=5&rows=100"},
		{"transactions", Options{Rows: 100, Seed: 5}, "synth://transactions?rows=100&seed=5"},
		{"transactions", Options{Rows: 1000, Seed: 5, Customers: 300}, "synth://transactions?rows=1000&seed=5&customers=300"},
	} {
		made, err := New(test.kind, test.o)
		if err != nil {
			t.Errorf("%s %+v: %v", test.kind, test.o, err)
			continue
		}
		rows := made.Rows()
		if diff := cmp.Diff(cells(t, made, 0, rows), cells(t, open(t, test.uri), 0, test.o.Rows)); diff != "" {
			t.Errorf("%s (-New +Open):\n%s", test.uri, diff)
		}
		if diff := cmp.Diff(cells(t, made, 0, rows), cells(t, open(t, made.Names()[0]), 0, rows)); diff != "" {
			t.Errorf("%s: its own name %s makes another table:\n%s", test.kind, made.Names()[0], diff)
		}
	}
}

func TestWrongRequestsAreUsageErrorsWithTheirName(t *testing.T) {
	for uri, want := range map[string]string{
		"synth://":                                   `synth://: kind "" is unknown (it must be one of customers, transactions, blobs, uniform, load)`,
		"synth://moons?rows=1":                       `synth://moons?rows=1: kind "moons" is unknown`,
		"synth://blobs":                              "synth://blobs: rows is missing",
		"synth://blobs?rows=0":                       "synth://blobs?rows=0: rows 0: it must be from 1 to ",
		"synth://blobs?rows=-1":                      "synth://blobs?rows=-1: rows -1: it must be from 1 to ",
		"synth://blobs?rows=many":                    "synth://blobs?rows=many: rows=many: it is not a number that fits",
		"synth://blobs?rows=1.5":                     "synth://blobs?rows=1.5: rows=1.5: it is not a number that fits",
		"synth://blobs?rows=1e300":                   "synth://blobs?rows=1e300: rows=1e300: it is not",
		"synth://blobs?rows=1e15&d=1":                "",
		"synth://blobs?rows=2e15&d=1":                "synth://blobs?rows=2e15&d=1: rows 2000000000000000: it must",
		"synth://blobs?rows=1&seed=-1":               "synth://blobs?rows=1&seed=-1: seed=-1: it is not",
		"synth://blobs?rows=1&d=0":                   "synth://blobs?rows=1&d=0: d 0: it must be from 1 to 10000",
		"synth://blobs?rows=1&d=10001":               "synth://blobs?rows=1&d=10001: d 10001: it must be from 1 to 10000",
		"synth://blobs?rows=1&centers=0":             "synth://blobs?rows=1&centers=0: centers 0: it must",
		"synth://blobs?rows=1&spread=NaN":            "synth://blobs?rows=1&spread=NaN: spread NaN: it must",
		"synth://blobs?rows=1&spread=-1":             "synth://blobs?rows=1&spread=-1: spread -1: it must",
		"synth://blobs?rows=1&spread=0":              "",
		"synth://blobs?rows=1&k=3":                   "synth://blobs?rows=1&k=3: unknown parameter k (blobs knows rows, seed, d, centers, spread)",
		"synth://blobs?rows=1&rows=2":                "synth://blobs?rows=1&rows=2: rows is given twice",
		"synth://transactions?rows=1&customers=0":    "synth://transactions?rows=1&customers=0: customers 0: it must be from 1 to ",
		"synth://transactions?rows=1&customers=-5":   "synth://transactions?rows=1&customers=-5: customers -5: it must be from 1 to ",
		"synth://transactions?rows=1&customers=2e15": "synth://transactions?rows=1&customers=2e15: customers 2000000000000000: it must be ",
		"synth://blobs?rows=1&customers=3":           "synth://blobs?rows=1&customers=3: unknown parameter customers (",
		"synth://customers?rows=1&d=3":               "synth://customers?rows=1&d=3: unknown parameter d (customers knows rows, seed)",
		"synth://blobs/x?rows=1":                     "synth://blobs/x?rows=1: it must be synth://KIND",
		"synth://u:p@blobs?rows=1":                   "synth://u:p@blobs?rows=1: it must be",
		"synth://blobs?rows=1#x":                     "synth://blobs?rows=1#x: it must be",
		"file:///etc/passwd":                         "file:///etc/passwd: it must be synth://KIND",
		"synth://blobs?rows=1;d=2":                   "synth://blobs?rows=1;d=2: ",
		"synth://blobs?rows=1&d=10000&centers=2000":  "synth://blobs?rows=1&d=10000&centers=2000: centers 2000: with 10000 columns it must be at most 1677",
	} {
		_, err := Open(uri)
		if want == "" && err == nil {
			continue
		}
		if want == "" || fault.Code(err) != 2 || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s…", uri, err, want)
		}
	}
	for _, test := range []struct {
		kind string
		o    Options
		want string
	}{
		{"moons", Options{Rows: 1}, `KIND "moons" is unknown`}, {"blobs", Options{}, "-n 0: it must be from 1"},
		{"customers", Options{Rows: 1, D: 3}, "-d: customers has no such option"},
		{"blobs", Options{Rows: 1, D: -1}, "-d -1: it must be from 1"},
		{"blobs", Options{Rows: 1, Spread: math.Inf(1)}, "--spread +Inf: it must be from 0"},
		{"uniform", Options{Rows: 1, Centers: 3}, "--centers: uniform has no such option"},
		{"load", Options{Rows: 1, Spread: 3}, "--spread: load has no such option"},
	} {
		if _, err := New(test.kind, test.o); fault.Code(err) != 2 || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s %+v: got %v, want %s…", test.kind, test.o, err, test.want)
		}
	}
}

// FuzzOpen holds that no address crashes, and that what is accepted can be read.
func FuzzOpen(f *testing.F) {
	for _, address := range addresses {
		f.Add(address)
	}
	f.Add("synth://blobs?rows=1e15&d=10000&centers=1677")
	f.Fuzz(func(t *testing.T, uri string) {
		hostile.Ceiling(t, len(uri), 128<<20, 512, func() { // the most centers that may be asked for take half of it
			src, err := Open(uri)
			if err != nil {
				if fault.Code(err) != 2 {
					t.Errorf("%q: got %v, want an error of kind Usage", uri, err)
				}
				return
			}
			last := src.Rows() - 1
			if got := cells(t, src, last, 1, 0); len(got) != 1 {
				t.Errorf("%q: row %d: got %v", uri, last, got)
			}
		})
	})
}

func TestReadingOutsideIsAnError(t *testing.T) {
	src := open(t, "synth://customers?rows=10")
	for _, test := range [][2]int64{{-1, 1}, {0, 11}, {11, 0}, {5, math.MaxInt64}, {0, -1}} {
		if _, err := src.Read(context.Background(), test[0], test[1], nil); err == nil {
			t.Errorf("rows %d from %d: want an error", test[1], test[0])
		}
	}
	for _, f := range []dataset.Field{{Column: 9}, {Column: -1}, {Column: gender, As: dataset.AsNumber}} {
		if _, err := src.Read(context.Background(), 0, 1, []dataset.Field{f}); err == nil {
			t.Errorf("%+v: want an error", f)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, err := src.Read(ctx, 0, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// However many rows there are, the list of cuts stays short enough to travel.
func TestCutsAreBounded(t *testing.T) {
	for rows, want := range map[int64]int{1: 1, 16384: 1, 16385: 2, maxCuts * cutRows: maxCuts, maxCuts*cutRows + 1: maxCuts/2 + 1, 1e12: 65489} {
		src := open(t, fmt.Sprintf("synth://uniform?rows=%d", rows))
		cuts := src.Cuts()
		if len(cuts) != want || len(cuts) > maxCuts || cuts[len(cuts)-1] >= rows {
			t.Errorf("%d rows: got %d cuts, the last at %d, want %d of at most %d", rows, len(cuts), cuts[len(cuts)-1], want, maxCuts)
		}
	}
}

func TestCutsAreEvenAndPlacesAreRows(t *testing.T) {
	src := open(t, "synth://uniform?rows=50000")
	if diff := cmp.Diff([]int64{0, 16384, 32768, 49152}, src.Cuts()); diff != "" {
		t.Error(diff)
	}
	if got, want := src.Locate(17).String(), "synth://uniform?rows=50000: row 17"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRepresentationsSayTheSame(t *testing.T) {
	src := open(t, "synth://blobs?rows=100&d=2")
	fields := []dataset.Field{{Column: 0, As: dataset.AsID}, {Column: 0, As: dataset.AsNumber}, {Column: 0, As: dataset.AsText},
		{Column: 1, As: dataset.AsNumber}, {Column: 1, As: dataset.AsText}, {Column: 1, As: dataset.AsID}}
	each(t, src, 0, 100, fields, func(b *dataset.Block) {
		for i := range b.Rows {
			id, number := b.Columns[0].Int64[i], b.Columns[1].Float64[i]
			if text := string(b.Columns[2].Text.At(i)); number != float64(id) || text != strconv.FormatInt(id, 10) {
				t.Fatalf("id: %d, %v, %s", id, number, text)
			}
			x := b.Columns[3].Float32[i]
			for _, c := range []int{4, 5} {
				if back, err := strconv.ParseFloat(string(b.Columns[c].Text.At(i)), 32); err != nil || float32(back) != x {
					t.Fatalf("x0: %v as text is %s", x, b.Columns[c].Text.At(i))
				}
			}
		}
	})
}
