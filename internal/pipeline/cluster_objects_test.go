package pipeline

import (
	"os"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/object/objecttest"
	"github.com/coterie-project/coterie/internal/progress"
	"github.com/coterie-project/coterie/internal/secure"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

func TestObjectsAreReadByTheWorkersWhereARootCoversThem(t *testing.T) {
	m := &objecttest.Memory{}
	t.Cleanup(object.Use(m))
	dir := t.TempDir()
	for _, month := range []string{"month=1", "month=2"} {
		text, err := os.ReadFile(writeCustomers(t, dir, month+".csv", 3000))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Put(t.Context(), object.Name{Bucket: "bucket", Key: "base/" + month + "/a.csv"}, text, object.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	r := madeFit()
	r.Runs, r.MaxIter, r.Data.Files, r.Data.Categorical, r.Data.Duplicates = 1, 5, []string{"s3://bucket/base"}, nil, "first"
	r.Data.Features = append(r.Data.Features, "month")
	for name, root := range map[string]string{"below a root": "s3://bucket/base", "below none": "s3://bucket/other"} {
		c := newCamp(t, root)
		c.worker("w0", 1)
		c.worker("w1", 1)
		if here, there := fitTwice(t, c, 2, r, ".csv"); here != there || strings.HasPrefix(here, "error") {
			t.Errorf("%s: got %s, want %s", name, there, here)
		}
	}
	c := newCamp(t, "s3://bucket/base")
	c.worker("w0", 1)
	conn, err := dialPlain(c.address, secure.Coordinator)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	source, err := c.cluster(1).openOnCluster(t.Context(), pb.NewJobsClient(conn), &r.Data, &Engine{Reporter: progress.New(progress.None, nil)})
	if err != nil || source.local {
		t.Fatalf("got %+v, %v, want data that the workers read", source, err)
	}
	for _, p := range source.spec.Pins {
		if p.Etag == "" {
			t.Errorf("%s is pinned without its ETag", p.Path)
		}
	}
	if names := source.source.Schema().Columns; !names[len(names)-1].Partition {
		t.Error("what a worker describes has lost that a folder tells the month")
	}
}
