package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// s3Service starts an object store with the bucket "box" and gives the environment of those who may use it.
func s3Service(t *testing.T) (env []string) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("box"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": "/nonexistent",
		"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
	return []string{"COTERIE_S3_ENDPOINT=" + server.URL, "COTERIE_S3_PATH_STYLE=true", "COTERIE_QUIET=true"}
}

// TestAMonthInAnObjectStore does with objects what commands do with files, and reads each output by the next command.
func TestAMonthInAnObjectStore(t *testing.T) {
	env := s3Service(t)
	run := func(want string, args ...string) {
		t.Helper()
		if got := runWith(context.Background(), env, args...); got.code != 0 || !strings.Contains(got.stdout, want) {
			t.Fatalf("%s: exit code %d, %q, %q; want 0 and %q", strings.Join(args, " "), got.code, got.stdout, got.stderr, want)
		}
	}
	box := func(name string) string { return "s3://box/may/" + name }
	run("", "synth", "customers", "-n", "3000", "-o", box("customers.parquet"))
	run(`"model":"s3://box/may/model.json"`, "fit", box("customers.parquet"), "-k", "3", "-o", box("model.json"), "--labels", box("labels.parquet"),
		"--report", box("report.html"), "--json")
	run("", "segments", "rename", "--model", box("model.json"), "0=Regulars")
	run("Regulars", "segments", "list", "--model", box("model.json"))
	run("", "sweep", box("customers.parquet"), "-k", "2..3", "-o", box("sweep.json"))
	run("", "profile", "--model", box("model.json"), box("customers.parquet"), "--sweep", box("sweep.json"), "-o", box("profile.html"))
	run("", "profile", "--model", box("model.json"), box("customers.parquet"), "-o", box("profile.json"))
	run("", "fit", box("customers.parquet"), "--from", box("model.json"), "-o", box("next.json"), "--labels", box("next.csv.gz"))
	run("", "fit", box("customers.parquet"), "-k", "3", "--init", box("model.json"), "-o", box("again.json"))
	run(`"moved":`, "migrate", "--from", box("labels.parquet"), "--to", box("next.csv.gz"), "--from-model", box("model.json"), "--to-model", box("next.json"),
		"-o", box("movers.csv"), "--json")
	run("", "export", "--model", box("model.json"), "--labels", box("labels.parquet"), "--segment", "Regulars", "-o", box("list.csv"))
	run("", "export", "--model", box("model.json"), "--as", "sql", "-o", box("model.sql"))
	run("", "assign", box("customers.parquet"), "--model", box("model.json"), "-o", box("x.npy"))
	run("", "lookup", "--model", box("model.json"), "--labels", box("labels.parquet"), "--id", "1")
	run("", "synth", "transactions", "-n", "2000", "-o", box("till.csv.zst"))
	run("", "rfm", box("till.csv.zst"), "-o", box("rfm.parquet"))
}

func TestOutputsThatCannotBeObjectsAreRefusedBeforeTheWork(t *testing.T) {
	env := s3Service(t)
	data := filepath.Join(t.TempDir(), "c.csv")
	write(t, data, "id,x\n1,1\n2,2\n3,9\n")
	fit := func(more ...string) []string { return append([]string{"fit", data, "-k", "2"}, more...) }
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{1, "s3://nowhere/m.json: the bucket s3://nowhere does not exist (check its name", fit("-o", "s3://nowhere/m.json")},
		{1, "the bucket s3://nowhere does not exist", fit("-o", "s3://box/m.json", "--labels", "s3://nowhere/l.csv")},
		{1, "s3://box/folder.json/: names a folder of objects, not an object (name an object inside it)", fit("-o", "s3://box/folder.json/")},
		{2, `"s3://box/m.txt" has no known extension`, fit("-o", "s3://box/m.txt")},
		{2, "is not the name of a bucket", fit("-o", "s3://B/m.json")},
		{2, "two outputs want the file", fit("-o", "s3://box/m.json", "--labels", "s3://box/x.csv", "--bad-rows", "quarantine", "--bad-rows-out", "s3://box/x.csv")},
		{3, "s3://box/no.json: does not exist", []string{"segments", "list", "--model", "s3://box/no.json"}},
		{3, "the bucket s3://nowhere does not exist", []string{"segments", "list", "--model", "s3://nowhere/no.json"}},
		{2, "is neither a folder of this machine nor s3://BUCKET/PREFIX", []string{"coordinator", "--state", "gs://box/state"}},
		{1, "s3://nowhere/state: cannot be read: the bucket s3://nowhere does not exist",
			[]string{"coordinator", "--listen", "127.0.0.1:0", "--gossip", "127.0.0.1:0", "--http", "127.0.0.1:0", "--state", "s3://nowhere/state"}},
	} {
		got := runWith(context.Background(), env, c.args...)
		if got.code != c.code || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%s: exit code %d, %q; want %d and %q", strings.Join(c.args, " "), got.code, got.stderr, c.code, c.want)
		}
	}
	if got := runWith(context.Background(), env, "segments", "list", "--model", "s3://box/m.json"); got.code != 3 {
		t.Errorf("a model was written: %v", fmt.Sprint(got))
	}
}
