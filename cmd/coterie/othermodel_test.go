package main

import (
	"strings"
	"testing"
)

func TestLabelsOfAnotherModelAreRefused(t *testing.T) {
	enterWith(t, map[string]string{"a.csv": "id,monetary\n1,1\n2,2\n3,30\n4,31\n5,90\n"})
	for _, c := range []struct{ seed, k, model string }{{"0", "2", "m.json"}, {"0", "3", "three.json"}} {
		fitDone(t, "a.csv", "-k", c.k, "--seed", c.seed, "-o", c.model, "--labels", strings.TrimSuffix(c.model, ".json")+".parquet")
	}
	write(t, "start.csv", "monetary\n1\n2\n")
	fitDone(t, "a.csv", "-k", "2", "--init", "start.csv", "--max-iter", "1", "-o", "other.json") // also of two segments
	if got := coterie("assign", "a.csv", "--model", "m.json", "-o", "again.parquet"); got.code != 0 || text(t, "again.parquet") != text(t, "m.parquet") {
		t.Errorf("assign: got %+v, want the file that fit wrote", got)
	}
	if got := coterie("segments", "rename", "--model", "m.json", "0=Friends"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"migrate", []string{"migrate", "--from", "m.parquet", "--to", "m.parquet", "--from-model", "MODEL"}},
		{"migrate to", []string{"migrate", "--from", "m.parquet", "--to", "m.parquet", "--to-model", "MODEL"}},
		{"lookup", []string{"lookup", "--labels", "m.parquet", "--id", "1", "--model", "MODEL"}},
		{"export", []string{"export", "--labels", "m.parquet", "-o", "l.csv", "--model", "MODEL"}},
		{"fit", []string{"fit", "a.csv", "--from-labels", "m.parquet", "-o", "n.json", "--from", "MODEL"}},
	} {
		for model, code := range map[string]int{"m.json": 0, "other.json": 3, "three.json": 3} {
			got := coterie(append(c.args[:len(c.args)-1:len(c.args)-1], model)...)
			if got.code != code || code == 3 && !strings.Contains(got.stderr, "m.parquet: these labels are of another model than "+model) {
				t.Errorf("%s with %s: got %+v, want exit %d", c.name, model, got, code)
			}
		}
	}
}
