package main

import (
	"strings"
	"testing"
)

func TestASweepOnAClusterIsTheSameAndCanBeFetchedLater(t *testing.T) {
	enter(t)
	c := coordinate(t)
	c.join(t)
	const data = "synth://blobs?rows=500&d=3&centers=4&spread=0.05&seed=2"
	args := []string{"sweep", data, "-k", "2..4", "--features", "x0,x2"}
	here := decoded(t, coterie(append(args, "--json")...))
	alike(t, "sweep", here, asked(t, c.rpc, args...))

	for _, refused := range [][]string{{"--detach", "-o", "s.html"}, {"--detach", "-o", "-"}} {
		got := coterie(append(append(args, "--cluster", c.rpc), refused...)...)
		if got.code != 2 || !strings.HasPrefix(got.stderr, "coterie: --detach: -o ") {
			t.Errorf("%v: got %+v, want exit code 2 and how to have it later", refused, got)
		}
	}
	handed := coterie(append(args, "--detach", "--cluster", c.rpc)...)
	id := strings.TrimSuffix(handed.stdout, "\n")
	if handed.code != 0 || !strings.HasPrefix(id, "job-") {
		t.Fatalf("got %+v, want the id of a job", handed)
	}
	waitUntil(t, c.rpc, id, "done")
	shown := asked(t, c.rpc, "jobs", "show", id, "-o", "s.html")
	sweep := shown["sweep"].(map[string]any)
	delete(here, "seconds")
	alike(t, "jobs show", here, sweep)
	if page := text(t, "s.html"); !strings.Contains(page, "</html>") || shown["output"] != "s.html" {
		t.Errorf("got %v and a page of %d bytes", shown["output"], len(page))
	}
	if got := coterie("jobs", "show", id, "--cluster", c.rpc); got.code != 0 || !strings.Contains(got.stdout, "silhouette") || !strings.Contains(got.stdout, "→") {
		t.Errorf("got %+v, want the table", got)
	}
	if got := coterie("jobs", "show", id, "--cluster", c.rpc, "-o", "-"); got.code != 0 || !strings.HasPrefix(got.stdout, "k,inertia,") {
		t.Errorf("-o -: got %+v, want the table alone", got)
	}
	if got := coterie("jobs", "show", id, "--cluster", c.rpc, "-o", "-", "--json"); got.code != 2 {
		t.Errorf("-o - --json: got %+v, want exit code 2", got)
	}
	if got := coterie("jobs", "show", id, "--cluster", c.rpc, "-o", "s.parquet"); got.code != 2 {
		t.Errorf("-o s.parquet: got %+v, want exit code 2", got)
	}
	fit := strings.TrimSuffix(coterie("fit", data, "-k", "2", "--detach", "--cluster", c.rpc, "--quiet").stdout, "\n")
	waitUntil(t, c.rpc, fit, "done")
	if got := coterie("jobs", "show", fit, "--cluster", c.rpc, "-o", "m.html"); got.code != 2 || !strings.Contains(got.stderr, "use one of .json") {
		t.Errorf("the page of a fit: got %+v, want exit code 2", got)
	}
}
