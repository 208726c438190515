package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// segmentNames are the names and ids of a model's segments as segments list gives them.
func segmentNames(t *testing.T, args ...string) (names []string, doc segmentsDocument) {
	t.Helper()
	got := coterie(append(args, "--json")...)
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 {
		t.Fatalf("coterie %s: got %+v (%v)", strings.Join(args, " "), got, err)
	}
	for _, s := range doc.Segments {
		names = append(names, s.ID+" "+s.Name)
	}
	return names, doc
}

func TestRenamedSegmentsKeepTheirNamesAndTheModelItsDigest(t *testing.T) {
	model := fitted(t)
	enterWith(t, map[string]string{"m.json": model, "a.csv": four})
	_, before := segmentNames(t, "segments", "list", "--model", "m.json")
	if before.Segments[0].Named || before.Segments[0].Size+before.Segments[1].Size != 4 || before.Segments[0].Share+before.Segments[1].Share != 1 {
		t.Errorf("before: got %+v, want automatic names and the sizes", before)
	}
	renamed, said := segmentNames(t, "segments", "rename", "--model", "m.json", `1= Big "spenders" & <co> `, "s1=Été")
	listed, after := segmentNames(t, "segments", "list", "--model", "m.json")
	want := []string{"s1 Été", `s2 Big "spenders" & <co>`}
	if diff := cmp.Diff([][]string{want, want}, [][]string{renamed, listed}); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(said, after); diff != "" || after.Digest != before.Digest || !after.Segments[0].Named {
		t.Errorf("got digest %s, want %s, and names that were given (-rename +list):\n%s", after.Digest, before.Digest, diff)
	}
	if got := coterie("segments", "list", "--model", "m.json"); !strings.Contains(got.stdout, "Été") || !strings.Contains(got.stdout, "given") {
		t.Errorf("got %q, want the names and that they were given", got.stdout)
	}
	// Two names may change places.
	if swapped, _ := segmentNames(t, "segments", "rename", "--model", "m.json", `0=Big "spenders" & <co>`, "1=Été"); swapped[1] != "s2 Été" {
		t.Errorf("got %v, want the names the other way round", swapped)
	}
	if got := coterie("lookup", "--model", "m.json", "--values", "age=50,spend=300"); !strings.Contains(got.stdout, "Été") && !strings.Contains(got.stdout, "spenders") {
		t.Errorf("lookup: got %+v, want a name that was given", got)
	}
}

func TestNamesThatCannotBeGivenChangeNothing(t *testing.T) {
	model := fitted(t)
	for _, c := range []struct {
		name string
		args []string
		code int
		say  string
	}{
		{"no subcommand", []string{"segments"}, 2, "needs one of list and rename"},
		{"no model", []string{"segments", "rename", "0=A"}, 2, "needs --model"},
		{"no name", []string{"segments", "rename", "--model", "m.json"}, 2, "needs SEGMENT=NAME"},
		{"no equals sign", []string{"segments", "rename", "--model", "m.json", "Champions"}, 2, `"Champions" is not SEGMENT=NAME`},
		{"no segment", []string{"segments", "rename", "--model", "m.json", "=Champions"}, 2, `"=Champions" is not SEGMENT=NAME`},
		{"an empty name", []string{"segments", "rename", "--model", "m.json", "1= "}, 2, "gives segment 1 an empty name"},
		{"a name that steers the terminal", []string{"segments", "rename", "--model", "m.json", "1=\x1b[2J"}, 2, "cannot be shown"},
		{"a long name", []string{"segments", "rename", "--model", "m.json", "1=" + strings.Repeat("é", 81)}, 2, "81 characters"},
		{"two names for one", []string{"segments", "rename", "--model", "m.json", "0=A", "s1=B"}, 2, "segment 0 is given two names"},
		{"one name for two", []string{"segments", "rename", "--model", "m.json", "0=A", "1=a"}, 2, "would be that of segments 0 and 1"},
		{"an index beyond", []string{"segments", "rename", "--model", "m.json", "0=A", "2=B"}, 3, `m.json: there is no segment "2"`},
		{"an unknown id", []string{"segments", "rename", "--model", "m.json", "s3=A"}, 3, `there is no segment "s3"`},
		{"a model that is none", []string{"segments", "rename", "--model", "a.csv", "0=A"}, 3, "a.csv: is not a model"},
		{"a model that is missing", []string{"segments", "list", "--model", "n.json"}, 3, "n.json: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			enterWith(t, map[string]string{"m.json": model, "a.csv": four})
			got := coterie(c.args...)
			if got.code != c.code || !strings.Contains(got.stderr, c.say) || got.stdout != "" {
				t.Errorf("got %+v, want exit %d and %q", got, c.code, c.say)
			}
			if text(t, "m.json") != model || text(t, "a.csv") != four {
				t.Error("a file was changed")
			}
		})
	}
	enterWith(t, map[string]string{"m.json": model})
	if got := coterie("segments", "rename", "--model", "m.json", "1="+strings.Repeat("é", 80)); got.code != 0 {
		t.Errorf("a name of 80 characters: got %+v", got)
	}
}
