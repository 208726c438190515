package rfm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
	"pgregory.net/rapid"
)

// nothingIn holds that a folder is empty.
func nothingIn(t *testing.T, folder string) {
	t.Helper()
	left, err := os.ReadDir(folder)
	if err != nil || len(left) > 0 {
		t.Errorf("the spill folder holds %v (%v), want nothing", left, err)
	}
}

// skewed is lines of which every other belongs to one customer, who has the same invoices again later on.
func skewed(rows int) [][]string {
	cells := many(rows)
	for i := range cells {
		if i%2 == 0 {
			cells[i][0], cells[i][1] = "99999", "hot-invoice-with-a-long-number-"+strconv.Itoa(i/4*37%307)
		}
	}
	return cells
}

func TestWhatIsSpilledChangesNothing(t *testing.T) {
	cells := skewed(4000)
	for i := range 400 { // a customer without a purchase, whose returns lie in several runs
		cells[10*i] = []string{"88888", []string{"C1", "2"}[i%2], cells[10*i][2], "-1", "2.50"}
	}
	for _, returns := range []string{"drop", "net"} {
		source := func() *memory {
			m := table(plainHeader, cells)
			m.block, m.cuts = 100, minRange
			return m
		}
		want := finished(t, source(), Options{Threads: 1, Returns: returns})
		for _, test := range []struct {
			budget int64
			least  int64 // runs
		}{{1, 1000}, {768 << 10, 20}} { // runs of one customer and invoice, merged in several steps; runs of many
			folder := t.TempDir()
			got := finished(t, source(), Options{Threads: 2, Returns: returns, budget: test.budget, Spill: folder})
			same(t, fmt.Sprintf("%s, budget %d", returns, test.budget), want, got)
			if got.spilled < test.least {
				t.Errorf("budget %d: %d runs were spilled, want %d or more", test.budget, got.spilled, test.least)
			}
			nothingIn(t, folder)
		}
	}
}

func TestIDsOfCustomersWithoutAPurchaseDoNotCount(t *testing.T) {
	cells := [][]string{
		{"10", "1", "2011-01-02", "1", "2.50"}, {"nobody", "2", "2011-01-02", "-1", "2.50"}, {"9", "3", "2011-01-02", "1", "2.50"},
	}
	for _, budget := range []int64{0, 1} {
		got := run(t, table(plainHeader, cells), Options{Returns: "net", budget: budget, Spill: t.TempDir()})
		if ids := got.Values[outID].Int64; !slices.Equal(ids, []int64{9, 10}) || got.Dropped.NonpositiveQuantity != 1 {
			t.Errorf("budget %d: got customers %v, %v, want 9 and 10, and one return dropped", budget, ids, got.Dropped)
		}
	}
}

func TestAStoreKeepsToItsBytes(t *testing.T) {
	d := &disk{folder: t.TempDir()}
	defer d.close()
	const budget = 2 << 20
	s, w := newStore(budget, d), &runWriter{disk: d}
	for i := range 60_000 { // first many customers, then many invoices of few
		g := &group{customer: []byte("customer-" + strconv.Itoa(i)), invoice: []byte(strconv.Itoa(i)), purchases: 1, lines: 1}
		if i > 30_000 {
			g.customer = []byte("customer-" + strconv.Itoa(i%7))
		}
		if i%5 == 0 {
			g.money.fine = exact.Int128{Lo: 1}
		}
		if err := s.add(g, w); err != nil {
			t.Fatal(err)
		}
		if i%1000 != 0 {
			continue
		}
		for at := range s.shards {
			if bytes := s.shards[at].bytes(); bytes > budget/shardCount {
				t.Fatalf("after %d lines a shard has %d bytes, want at most %d", i, bytes, budget/shardCount)
			}
		}
	}
	if d.runs.Load() == 0 {
		t.Error("nothing was spilled")
	}
}

func TestRowsComeInTheOrderOfTheirIDs(t *testing.T) {
	d := &disk{folder: t.TempDir()}
	defer d.close()
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Map(rapid.Int64(), func(v int64) string { return strconv.FormatInt(v, 10) })
		long := rapid.StringMatching(`-?[1-9][0-9]{18,22}`)
		text := rapid.StringMatching(`[a-c]{1,12}`)
		ids := rapid.SliceOfNDistinct(rapid.OneOf(number, long, rapid.SampledFrom([]string{"7.0", "12.0"}), text), 1, 60, rapid.ID).Draw(t, "ids")
		if rapid.Bool().Draw(t, "numbers alone") {
			ids = slices.DeleteFunc(ids, func(id string) bool { return !isWhole([]byte(id)) })
		}
		seen := anySpelling
		for _, id := range ids {
			seen.see([]byte(id))
		}
		o := seen.order()
		r := newRows(o, d, 0)
		r.limit = rapid.Int64Range(1, 400).Draw(t, "bytes of a heap")
		r.room.Store(rapid.Int64Range(0, 4000).Draw(t, "room"))
		c := r.collector()
		for i, id := range ids {
			if err := c.add(&row{id: []byte(id), frequency: int64(i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(c.seal(), r.settle(context.Background())); err != nil {
			t.Fatal(err)
		}
		if len(r.runs) > maxFanIn {
			t.Fatalf("%d runs are left, want at most %d", len(r.runs), maxFanIn)
		}
		var got []string
		if err := r.sorted(context.Background(), true, func(row *row) error {
			got = append(got, string(row.id))
			if ids[row.frequency] != string(row.id) {
				t.Fatalf("row %s has the values of %s", row.id, ids[row.frequency])
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		want := slices.Clone(ids)
		slices.SortFunc(want, func(a, b string) int { return o.compare([]byte(a), []byte(b)) })
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

// vanishing is a source that does something before it is read.
type vanishing struct {
	*memory
	before func()
}

func (v vanishing) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	v.before()
	return v.memory.Read(ctx, first, rows, fields)
}

func TestAFolderThatCannotBeSpilledToIsNamed(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "scratch")
	_, err := Run(context.Background(), table(plainHeader, many(100)), Options{Spill: folder})
	if want := "--spill " + folder + ": there is no such folder"; fault.Code(err) != 1 || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("missing: got %v, want %s…", err, want)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	gone := vanishing{table(plainHeader, many(100)), func() { os.Remove(folder) }}
	_, err = Run(context.Background(), gone, Options{Spill: folder, budget: 1, Threads: 1})
	if fault.Code(err) != 1 || !strings.Contains(err.Error(), folder) || !strings.Contains(err.Error(), "--spill") {
		t.Errorf("gone: got %v, want an error of kind Failed with the folder", err)
	}
	d := &disk{why: "it lies in memory itself", memory: 1 << 30}
	if _, err := d.open(); fault.Code(err) != 1 || !strings.Contains(err.Error(), "--memory 1024 MiB") || !strings.Contains(err.Error(), d.why) {
		t.Errorf("none: got %v, want an error of kind Failed with the reason", err)
	}
}

func TestNothingStaysInTheFolderOfARunThatWasCancelledOrFailed(t *testing.T) {
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	m := table(plainHeader, many(2000))
	m.block = 100
	_, err := Run(ctx, m, Options{Spill: folder, budget: 1, Threads: 1, Progress: func(rows int64) {
		if rows > 1000 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	nothingIn(t, folder)
	m.bad = map[int64]string{1999: "6 fields"}
	if _, err := Run(context.Background(), m, Options{Spill: folder, budget: 1}); fault.Code(err) != 3 {
		t.Errorf("got %v, want an error of kind Input", err)
	}
	nothingIn(t, folder)
}

func TestTheLeastMemoryIsNamed(t *testing.T) {
	m := table(plainHeader, [][]string{{"7", "1", "2011-01-02", "1", "2.50"}})
	least := LeastMemory(3)
	_, err := Run(context.Background(), m, Options{Threads: 3, Memory: least - 1})
	if want := fmt.Sprintf("it must be %d MiB or more", (least+1<<20-1)>>20); fault.Code(err) != 2 || !strings.Contains(err.Error(), want) {
		t.Errorf("one byte less: got %v, want …%s…", err, want)
	}
	if got := run(t, m, Options{Threads: 3, Memory: least}); got.Customers != 1 {
		t.Errorf("got %d customers, want 1", got.Customers)
	}
}

func TestTheLongestTextsAreTaken(t *testing.T) {
	id, invoice := strings.Repeat("7", maxText), strings.Repeat("i", maxText)
	for _, budget := range []int64{0, 1} {
		o := Options{budget: budget, Spill: t.TempDir()}
		got := run(t, table(plainHeader, [][]string{{id, invoice, "2011-01-02", "1", "2.50"}, {"b", "1", "2011-01-02", "1", "2.50"}}), o)
		if got.Customers != 2 || string(got.Values[outID].Text.At(0)) != id {
			t.Errorf("budget %d: got %d customers, want the long one and another", budget, got.Customers)
		}
		for column, cell := range []string{id + "7", invoice + "i"} {
			line := []string{"7", "1", "2011-01-02", "1", "2.50"}
			line[column] = cell
			_, err := Run(context.Background(), table(plainHeader, [][]string{line}), o)
			if want := "has 4097 bytes; at most 4096 are taken"; fault.Code(err) != 3 || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want …%s…", plainHeader[column], err, want)
			}
		}
	}
}

func TestShortDecimalsAreThoseOfTheirTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Int64Range(-1e15, 1e15), func(v int64) float64 { return float64(v) / 100 }),
			rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1e12, 999_999_999_999.99, 0.1 + 0.2, math.NaN(), 1.005, -2.55})).Draw(t, "x")
		r := reader{vector: &dataset.Vector{Float64: []float64{x}}}
		got, ok := r.short(0)
		if !ok {
			return
		}
		text, _ := r.text(0)
		if want, problem := parseDecimal(text); problem != "" || got != want {
			t.Fatalf("%v: got %+v, want %+v %s, of %s", x, got, want, problem, text)
		}
		v := rapid.Int64().Draw(t, "v")
		r = reader{vector: &dataset.Vector{Int64: []int64{v}}}
		if got, ok = r.short(0); !ok {
			return
		}
		text, _ = r.text(0)
		if want, problem := parseDecimal(text); problem != "" || got != want {
			t.Fatalf("%v: got %+v, want %+v %s", v, got, want, problem)
		}
	})
}

// FuzzRecordsTakeAnyBytes gives the decoders of runs what no run holds: they may refuse, but not panic or read beyond it.
func FuzzRecordsTakeAnyBytes(f *testing.F) {
	p := partial{hash: 7, id: []byte("12346"), bought: true, first: 1, last: 2, money: amount{fine: exact.Int128{Lo: 1}}, returned: returned{1, 2}}
	f.Add(p.appendHead(nil))
	f.Add(appendKey(nil, keyOf([]byte("536365"))))
	f.Add((&row{id: []byte("12346"), frequency: 3, money: 2.5}).append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		hostile.Ceiling(t, len(data), 64<<10, 64, func() {
			var back, again partial
			if n, err := back.parse(data); err == nil { // a flag may stand for a zero, which is left out again
				if m, err := again.parse(back.appendHead(nil)); err != nil || m > n || !reflect.DeepEqual(back, again) {
					t.Errorf("a head comes back as %+v (%v), want %+v", again, err, back)
				}
			}
			if key, n, end, err := parseKey(data); err == nil && (n > len(data) || !end && n != len(appendKey(nil, key))) {
				t.Errorf("an invoice of %d bytes among %d", n, len(data))
			}
			var r row
			if n, err := r.parse(data); err == nil && string(r.append(nil)) != string(data[:n]) {
				t.Errorf("a customer does not come back: %x", data[:n])
			}
		})
	})
}
