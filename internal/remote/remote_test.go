package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/dataset/table"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// connect serves a submitter in memory and dials it.
func connect(t testing.TB, s pb.SubmitterServer) (*grpc.ClientConn, *grpc.Server) {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	pb.RegisterSubmitterServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///submitter:7001", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		<-served
	})
	return conn, server
}

// overNetwork is a Source as a worker sees it: described in bytes, and read through a connection.
func overNetwork(t testing.TB, s dataset.Source) dataset.Source {
	t.Helper()
	conn, _ := connect(t, Serve(s, "token"))
	data, err := proto.Marshal(Describe(s, Pins(s)))
	if err != nil {
		t.Fatal(err)
	}
	d := new(pb.Description)
	if err := proto.Unmarshal(data, d); err != nil {
		t.Fatal(err)
	}
	far, err := Dial(conn, "token", d)
	if err != nil {
		t.Fatal(err)
	}
	return far
}

// found is what a reading gave, with floats as their bits.
type found struct {
	Rows    int64
	Columns [][]string
	Bad     []dataset.BadRow // Index is the row's number in the reading
	Err     string
}

func read(s dataset.Source, first, rows int64, fields []dataset.Field) (f found) {
	f.Columns = make([][]string, len(fields))
	r, err := s.Read(context.Background(), first, rows, fields)
	if err != nil {
		f.Err = err.Error()
		return f
	}
	defer r.Close()
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return f
		}
		if err != nil {
			f.Err = err.Error()
			return f
		}
		if b.First != first+f.Rows {
			f.Err = fmt.Sprintf("block of row %d at row %d", b.First, first+f.Rows)
			return f
		}
		for i := range b.Columns {
			for row := range b.Rows {
				f.Columns[i] = append(f.Columns[i], cell(&b.Columns[i], row))
			}
		}
		for _, bad := range b.Bad {
			bad.Index += int(f.Rows)
			f.Bad = append(f.Bad, bad)
		}
		f.Rows += int64(b.Rows)
	}
}

func cell(v *dataset.Vector, row int) string {
	missing := v.Missing != nil && v.Missing[row]
	switch {
	case v.Float64 != nil:
		return fmt.Sprintf("d%016x", math.Float64bits(v.Float64[row]))
	case v.Float32 != nil:
		return fmt.Sprintf("f%08x", math.Float32bits(v.Float32[row]))
	case v.Int64 != nil:
		return fmt.Sprint("i", v.Int64[row], missing)
	case v.Micros != nil:
		return fmt.Sprint("t", v.Micros[row], missing)
	}
	return fmt.Sprint("s", string(v.Text.At(row)), missing)
}

// csvText has every kind of column, missing values, and rows that are bad in every way.
func csvText(rows int) string {
	var b strings.Builder
	b.WriteString("id,number,text,flag,day,mixed\n")
	for i := range rows {
		switch {
		case i%97 == 13:
			fmt.Fprintf(&b, "%d,1,too few\n", i)
		case i%97 == 29:
			fmt.Fprintf(&b, "%d,abc,\xff\xfe not UTF-8,true,2024-01-02,1\n", i)
		case i%97 == 31:
			fmt.Fprintf(&b, "%d,Inf,x,maybe,yesterday,1\n", i)
		case i%97 == 37:
			fmt.Fprintf(&b, "%d,1,a NUL \x00,true,2024-01-02,1\n", i)
		case i%11 == 5:
			fmt.Fprintf(&b, "%d,,,,,\n", i)
		default:
			fmt.Fprintf(&b, "%03d,%g,\"text, %d\n%s\",%v,2024-01-%02dT03:04:05.678901,%d.5\n", i, float64(i)/7, i, strings.Repeat("ä", i%50), i%2 == 0, 1+i%28, i)
		}
	}
	return b.String()
}

// samples are sources of every format, by name.
func samples(t testing.TB) map[string]dataset.Source {
	t.Helper()
	folder := t.TempDir()
	data := map[string][]string{}
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	data["csv"] = []string{write("a.csv", csvText(2500))}
	data["one row"] = []string{write("b.csv", "id\n7\n")}
	packed := filepath.Join(folder, "c.csv.gz")
	columns := []table.Column{{Name: "id", Type: table.Int64}, {Name: "number", Type: table.Float64, Nullable: true}, {Name: "single", Type: table.Float32, Nullable: true},
		{Name: "text", Type: table.Text, Nullable: true}, {Name: "time", Type: table.Time, Nullable: true}, {Name: "day", Type: table.Date, Nullable: true}, {Name: "flag", Type: table.Bool}}
	typed := filepath.Join(folder, "d.parquet")
	for _, path := range []string{packed, typed} {
		writeTable(t, path, columns, 9000)
	}
	data["csv.gz"], data["parquet"], data["csv.gz and parquet"] = []string{packed}, []string{typed}, []string{packed, typed}
	matrix := filepath.Join(folder, "e.npy")
	writeTable(t, matrix, []table.Column{{Name: "a", Type: table.Float32}, {Name: "b", Type: table.Float32}}, 9000)
	data["npy"] = []string{matrix}
	for _, kind := range []string{"customers", "transactions", "blobs", "uniform", "load"} {
		data["synth "+kind] = []string{"synth://" + kind + "?rows=9000&seed=7"}
	}
	for _, pattern := range []string{"../../dataset/parquet/testdata/*.parquet", "../../dataset/npy/testdata/*.npy"} {
		goldens, err := filepath.Glob(pattern)
		if err != nil || len(goldens) == 0 {
			t.Fatalf("%s: %v, %v", pattern, goldens, err)
		}
		for _, golden := range goldens {
			data[filepath.Base(golden)] = []string{golden}
		}
	}
	all := map[string]dataset.Source{}
	for name, files := range data {
		s, err := open.Sources(t.Context(), files, open.Options{})
		if err != nil && strings.HasSuffix(files[0], ".npy") && files[0] != matrix {
			continue // testdata has files that are to be refused
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		all[name] = s
	}
	return all
}

// writeTable writes rows of which some values are missing; columns of numbers hold a few that are not finite.
func writeTable(t testing.TB, path string, columns []table.Column, rows int) {
	t.Helper()
	w, err := table.Create(path, columns, table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	b := &table.Batch{Rows: rows}
	for _, c := range columns {
		var values any
		switch c.Type {
		case table.Int64:
			values = made(rows, func(i int) int64 { return int64(i) * 1_000_003 })
		case table.Float64:
			values = made(rows, func(i int) float64 { return []float64{math.NaN(), math.Copysign(0, -1), 1 / 3.0, float64(i)}[i%4] })
		case table.Float32:
			values = made(rows, func(i int) float32 { return []float32{float32(math.NaN()), 1.5, float32(i) / 3, 1e-40}[i%4] })
			if strings.HasSuffix(path, ".parquet") {
				values.([]float32)[7] = float32(math.Inf(1))
			}
		case table.Text:
			values = made(rows, func(i int) string { return strings.Repeat("x", i%7) })
		case table.Time:
			values = made(rows, func(i int) int64 { return []int64{table.NoTime, int64(i) * 86_400_000_001}[i%2] })
		case table.Date:
			values = made(rows, func(i int) int32 { return []int32{table.NoDate, int32(i)}[min(i%3, 1)] })
		case table.Bool:
			values = made(rows, func(i int) bool { return i%3 == 0 })
		}
		b.Columns = append(b.Columns, values)
	}
	if err := errors.Join(w.Write(b), w.Commit()); err != nil {
		t.Fatal(err)
	}
}

func made[T any](n int, value func(i int) T) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = value(i)
	}
	return list
}

func TestRowsOverTheNetworkAreTheSameToTheBit(t *testing.T) {
	near, far := samples(t), map[string]dataset.Source{}
	names := slices.Sorted(maps.Keys(near))
	readings, failures, bads := 0, 0, 0
	same := func(fail func(string, ...any), name string, first, rows int64, fields []dataset.Field) {
		want, got := read(near[name], first, rows, fields), read(far[name], first, rows, fields)
		readings, bads = readings+1, bads+len(want.Bad)
		if want.Err != "" {
			failures++
			// What was read before the error may be less over the network, never other.
			want, got = found{Err: want.Err}, found{Err: got.Err}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			fail("%s: rows %d+%d of %v (-near +far):\n%s", name, first, rows, fields, diff)
		}
	}
	for _, name := range names {
		n := near[name]
		f := overNetwork(t, n)
		far[name] = f
		if diff := cmp.Diff(n.Schema(), f.Schema()); diff != "" {
			t.Errorf("%s: schema (-near +far):\n%s", name, diff)
		}
		if f.Rows() != n.Rows() || f.Bytes() != n.Bytes() || !slices.Equal(f.Cuts(), n.Cuts()) || !slices.Equal(f.Names(), n.Names()) {
			t.Errorf("%s: rows %d, bytes %d, cuts %v, names %v; want %d, %d, %v, %v", name, f.Rows(), f.Bytes(), f.Cuts(), f.Names(),
				n.Rows(), n.Bytes(), n.Cuts(), n.Names())
		}
		for as := dataset.AsNumber; as <= dataset.AsTime; as++ {
			for c := range n.Schema().Columns {
				same(t.Fatalf, name, 0, min(n.Rows(), 5000), []dataset.Field{{Column: c, As: as}})
			}
		}
		for row := int64(0); row < n.Rows(); row += 1 + n.Rows()/5 {
			if want, got := n.Locate(row), f.Locate(row); want != got {
				t.Errorf("%s: row %d is at %v, want %v", name, row, got, want)
			}
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		name := rapid.SampledFrom(names).Draw(r, "source")
		n := near[name]
		first := rapid.Int64Range(0, n.Rows()).Draw(r, "first")
		rows := rapid.Int64Range(0, min(n.Rows()-first, 9000)).Draw(r, "rows")
		fields := make([]dataset.Field, rapid.IntRange(0, 6).Draw(r, "fields"))
		for i := range fields {
			fields[i].Column = rapid.IntRange(0, len(n.Schema().Columns)-1).Draw(r, "column")
			fields[i].As = dataset.As(rapid.IntRange(0, int(dataset.AsTime)).Draw(r, "as"))
		}
		same(r.Fatalf, name, first, rows, fields)
	})
	if failures == 0 || bads == 0 || failures*2 > readings {
		t.Errorf("%d readings, %d of them refused, %d bad rows: the samples should have some of each", readings, failures, bads)
	}
}
