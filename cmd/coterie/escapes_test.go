package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcgzip "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/internal/hostile"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// guarded is the only column of a file that nobody may read through a cluster.
const guarded = "most_secret_column"

// escapes are the ways of spelling a path that might lead out of ROOT to OUT, a folder beside it.
var escapes = []string{
	"OUT/secret.csv", "ROOT/../outside/secret.csv", "ROOT/./../outside/secret.csv", "ROOT/sub/../../outside/secret.csv", "ROOT//../outside/secret.csv",
	"ROOT/link.csv", "ROOT/linked/secret.csv", "ROOT/linked/*.csv", "ROOT/l*/secret.csv", "ROOT/../*/secret.csv", "OUT", "OUT/", "OUT/*", "/", "/*", "/etc/passwd", "/proc/self/environ",
	"/dev/zero", "/dev/stdin", "../outside/secret.csv", "outside/secret.csv", ".", "..", "", "-", "~", "~root/secret.csv", "$HOME/secret.csv",
	"file://OUT/secret.csv", "file:OUT/secret.csv", "FILE://OUT/secret.csv", "http://127.0.0.1:1/secret.csv", "ftp://127.0.0.1/secret.csv", "s3://bucket/secret.csv", "s3://", "s3:///secret.csv",
	"s3://../secret.csv", "gs://bucket/secret.csv", "ROOT/%2e%2e/outside/secret.csv", "ROOT/..%2foutside%2fsecret.csv", "ROOT/%252e%252e/outside/secret.csv",
	"ROOT/..\\outside\\secret.csv", "\\\\server\\share\\secret.csv", "C:\\secret.csv", "C:/secret.csv", "\\\\?\\C:\\secret.csv", "//server/share/secret.csv", "ROOT/secret.csv::$DATA", "CON", "NUL.csv",
	"OUT/secret.csv\x00.csv", "ROOT/a.csv\x00/../../outside/secret.csv", "ROOT/\u2025/outside/secret.csv", "ROOT/\uff0e\uff0e/outside/secret.csv", "ROOT/..\u2215outside\u2215secret.csv",
	"synth://../OUT/secret.csv", "synth://OUT/secret.csv?rows=1", "ROOTx/secret.csv", "ROOT/a.csv/../../outside/secret.csv", strings.Repeat("../", 2000) + "etc/passwd", "ROOT/" + strings.Repeat("a/", 5000) + "a.csv",
}

// estate makes the two folders, with links from the one into the other.
func estate(t *testing.T) (root, out string) {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root, out = filepath.Join(base, "root"), filepath.Join(base, "outside")
	for _, dir := range []string{root, filepath.Join(root, "sub"), out, root + "x"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{root + "/a.csv": "a\n1\n2\n3\n", out + "/secret.csv": guarded + "\n1\n2\n3\n", root + "x/secret.csv": guarded + "\n1\n2\n3\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"link.csv": "../outside/secret.csv", "linked": "../outside"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	return root, out
}

// tree is all files and folders below one.
func tree(t *testing.T, folder string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A client that speaks to the coordinator itself, and not through this program, which would have read such files by itself.
func TestNoSpellingLeadsAClusterOutOfItsRoots(t *testing.T) {
	enter(t)
	root, out := estate(t)
	head := coordinate(t)
	head.join(t, append([]string{"--data-root", root}, anywhere...)...)
	conn, err := grpc.NewClient(head.rpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	jobs := coteriev1.NewJobsClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	describe := func(path string) (*coteriev1.Description, error) {
		return jobs.Describe(ctx, &coteriev1.DescribeRequest{Files: []string{path}})
	}
	if d, err := describe(filepath.Join(root, "a.csv")); err != nil || d.GetRows() != 3 {
		t.Fatalf("a file within the root: got %v, %v", d, err)
	}
	before := slices.Concat(tree(t, filepath.Dir(root)), tree(t, "."))
	for _, spelling := range escapes {
		path := strings.NewReplacer("ROOT", root, "OUT", out).Replace(spelling)
		d, err := describe(path)
		if err == nil || strings.Contains(fmt.Sprint(d, err), guarded) || status.Code(err) == codes.DeadlineExceeded {
			t.Errorf("%.200q: got %v, %.300v, want it refused, and nothing told of the file", spelling, d, err)
		}
		id := path
		calls := map[string]func() error{
			"Show":   func() error { _, err := jobs.Show(ctx, &coteriev1.ShowRequest{Job: id}); return err },
			"Cancel": func() error { _, err := jobs.Cancel(ctx, &coteriev1.CancelRequest{Job: id}); return err },
			"Resume": func() error { _, err := jobs.Resume(ctx, &coteriev1.ResumeRequest{Job: id}); return err },
			"Result": func() error { return drained(jobs.Result(ctx, &coteriev1.JobRef{Job: id})) },
			"Spec":   func() error { return drained(jobs.Spec(ctx, &coteriev1.JobRef{Job: id})) },
		}
		for name, call := range calls {
			if code := status.Code(call()); code != codes.NotFound && code != codes.InvalidArgument && code != codes.Internal {
				t.Errorf("%s of the job %.100q: got %v, want it not found", name, spelling, code)
			}
		}
	}
	if after := slices.Concat(tree(t, filepath.Dir(root)), tree(t, ".")); !slices.Equal(before, after) {
		t.Errorf("got files %q, want none to come or go", after)
	}
}

// drained reads a stream to its end.
func drained(stream grpc.ServerStreamingClient[coteriev1.Chunk], err error) error {
	for err == nil {
		_, err = stream.Recv()
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// swollen are size bytes that begin like head, and the same byte again and again, packed.
func swollen(t *testing.T, kind, head string, fill byte, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if kind == "zst" {
		var err error
		if w, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1)); err != nil {
			t.Fatal(err)
		}
	}
	io.WriteString(w, head)
	for block := bytes.Repeat([]byte{fill}, 1<<20); size > 0; size -= len(block) {
		w.Write(block)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Each way in for something that unpacks, or says that it has, much more than it is: it is refused, and costs no more memory
// than a bound of its own.
func TestBombsAreRefusedAtEveryEntry(t *testing.T) {
	enter(t)
	const huge = 24 << 20 // what a bomb of text has in one record, which may have 16 MiB
	put := func(name string, data []byte) string {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	put("c.csv", []byte("a,b\n1,2\n3,4\n5,6\n7,9\n"))
	if o := coterie("fit", "c.csv", "-k", "2", "-o", "m.json", "--quiet"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	laughs := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		laughs += fmt.Sprintf("%c: &%[1]c [%s]\n", 'b'+i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", 'a'+i), 9), ","))
	}
	deep := strings.Repeat("[", 1<<20)
	npy := "\x93NUMPY\x01\x00v\x00" + fmt.Sprintf("%-117s\n", "{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976, 2), }")
	const record = "longer than 16 MiB"
	files := map[string]struct {
		data []byte
		says string
	}{
		"one line.csv.gz":        {swollen(t, "gz", "a,b\n", '1', huge), record},
		"one line.csv.zst":       {swollen(t, "zst", "a,b\n", '1', huge), record},
		"one quoted cell.csv.gz": {swollen(t, "gz", "a,b\n\"", '\n', huge), "never closed"},
		"one header.csv.gz":      {swollen(t, "gz", "", ',', huge), record},
		"half.csv.gz":            {swollen(t, "gz", "a,b\n", '1', huge)[:10000], ""},
		"lying.npy":              {[]byte(npy), ""},
		"eight bytes.parquet":    {[]byte("PAR1\xff\xff\xff\x7fPAR1"), ""},
	}
	for name, f := range files {
		put(name, f.data)
		t.Run(name, func(t *testing.T) {
			o := coterie("fit", name, "-k", "2", "-o", "x.json", "--quiet")
			if want := f.says; o.code != 3 || !strings.Contains(o.stderr, want) {
				t.Errorf("got exit %d and %.200q, want 3 and %q", o.code, o.stderr, want)
			}
		})
	}
	for name, c := range map[string]struct {
		args []string
		file string
		data string
		code int
	}{
		"a configuration of aliases":   {[]string{"fit", "c.csv", "-k", "2", "-o", "x.json", "--config", "l.yaml"}, "l.yaml", laughs, 2},
		"a deep configuration":         {[]string{"fit", "c.csv", "-k", "2", "-o", "x.json", "--config", "d.yaml"}, "d.yaml", "k: " + deep, 2},
		"a month of aliases":           {[]string{"run", "r.yaml"}, "r.yaml", laughs, 2},
		"a deep month":                 {[]string{"run", "s.yaml"}, "s.yaml", "fit: " + deep, 3},
		"a deep model":                 {[]string{"assign", "c.csv", "--model", "e.json", "-o", "y.csv"}, "e.json", `{"format":` + deep, 3},
		"a model of many centroids":    {[]string{"assign", "c.csv", "--model", "f.json", "-o", "y.csv"}, "f.json", `{"k":1000000000,"centroids":[[` + strings.Repeat("0,", 100000) + `0]]}`, 3},
		"a rule of parentheses":        {[]string{"export", "--model", "m.json", "--labels", "c.csv", "--where", strings.Repeat("(", 1<<16) + "a", "-o", "z.csv"}, "", "", 2},
		"a table of too much":          {[]string{"synth", "uniform", "-d", "1000000000", "-n", "9000000000000000000", "-o", "u.csv"}, "", "", 2},
		"data made up, and too much":   {[]string{"fit", "synth://uniform?rows=9000000000000000000&d=9", "-k", "2", "-o", "x.json"}, "", "", 0},
		"numbers of segments in lists": {[]string{"sweep", "c.csv", "-k", "1..1000000000"}, "", "", 2},
	} {
		if c.file != "" {
			put(c.file, []byte(c.data))
		}
		t.Run(name, func(t *testing.T) {
			hostile.Ceiling(t, len(c.data), 64<<20, 64, func() {
				if o := coterie(append(c.args, "--quiet")...); o.code == 0 || c.code != 0 && o.code != c.code {
					t.Errorf("got exit %d and %.200q, want %d", o.code, o.stderr, c.code)
				}
			})
		})
	}
	t.Run("servers", atServers)
}

// atServers sends bombs to a server over HTTP and gRPC. Both sides are in this process, and the bombs are made before.
func atServers(t *testing.T) {
	const unpacked = 64 << 20
	d := startServe(t, "--model", "m.json")
	conn, err := grpc.NewClient(d.rpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// gRPC packs by itself: the client holds the whole, the server must not. 64 MiB become the message, and that a string.
	request := &coteriev1.FindRequest{Texts: map[string]string{"a": strings.Repeat("a", unpacked)}}
	hostile.Ceiling(t, 0, unpacked+48<<20, 0, func() {
		_, err := coteriev1.NewLookupClient(conn).Find(ctx, request, grpc.UseCompressor(grpcgzip.Name))
		if code := status.Code(err); code != codes.ResourceExhausted && code != codes.Unimplemented {
			t.Errorf("a packed message of %d bytes: got %v, want it refused", unpacked, err)
		}
	})
	body := swollen(t, "gz", `{"values": {"`, 'a', unpacked)
	hostile.Ceiling(t, 0, 8<<20, 0, func() {
		q, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.http+"/v1/lookup", bytes.NewReader(body))
		q.Header.Set("Content-Encoding", "gzip")
		reply, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		if reply.StatusCode != http.StatusBadRequest && reply.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("a packed body: got %d, want it refused, as packed", reply.StatusCode)
		}
	})
}
