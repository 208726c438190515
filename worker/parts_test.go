package worker

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

// contents are the files of a folder, by name.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

// readBack reads a folder of labels as data.
func readBack(t *testing.T, folder string) (rows []string) {
	t.Helper()
	s, err := open.Sources(t.Context(), []string{folder}, open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var fields []dataset.Field
	for c := range s.Schema().Columns {
		fields = append(fields, dataset.Field{Column: c, As: dataset.AsText})
	}
	r, err := s.Read(t.Context(), 0, s.Rows(), fields)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			row := ""
			for c := range b.Columns {
				row += string(b.Columns[c].Text.At(i)) + " "
			}
			rows = append(rows, row)
		}
	}
}

// partsOf are labels of partitions of some sizes; their ids ascend over all of them.
func partsOf(sizes []int, integers, detail bool, id func(i int) string) (list []*Labels) {
	first := 0
	for p, n := range sizes {
		from := first
		var of func(int) string
		if id != nil {
			of = func(i int) string { return id(from + i) }
		}
		list = append(list, labelsOf(p, n, integers, detail, of))
		first += n
	}
	return list
}

func TestAFolderOfPartsReadsBackInTheOrderOfRows(t *testing.T) {
	sizes := []int{40, 1, 0, 7, 25, 3, 1, 1, 1, 1, 1, 2}
	number := func(i int) string { return fmt.Sprint(i * 3) }
	word := func(i int) string { return fmt.Sprintf("id, %d", i) }
	for _, format := range partFormats {
		for name, id := range map[string]func(int) string{"row numbers": nil, "integers": number, "texts": word} {
			if format == ".npy" && name == "texts" {
				continue // an .npy file holds numbers only
			}
			t.Run(name+format, func(t *testing.T) {
				list := partsOf(sizes, name == "integers", true, id)
				options := PartOptions{RowNumbers: id == nil, Detail: true}
				base := t.TempDir()
				folder := filepath.Join(base, "labels")
				if err := PrepareParts(folder, []string{base}, "job-1"); err != nil {
					t.Fatal(err)
				}
				sink, err := NewPartSink(folder, format[1:], []string{base}, options)
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range []int{11, 3, 0, 5, 1, 2, 4, 10, 9, 8, 7, 6} {
					if err := sink.Put(t.Context(), list[i]); err != nil {
						t.Fatal(err)
					}
				}
				var want []int64
				for _, n := range sizes {
					want = append(want, int64(n))
				}
				var counted map[string]string
				for _, rows := range [][]int64{nil, want} {
					os.Remove(filepath.Join(folder, manifestName))
					if err := writeJSON(folder, markerName, &marker{Job: "job-1", Ready: true}); err != nil {
						t.Fatal(err)
					}
					got, err := CommitParts(t.Context(), folder, []string{base}, format, len(sizes), PartsInfo{Job: "job-1", Rows: rows})
					if err != nil || got != 83 {
						t.Fatalf("%d rows, %v", got, err)
					}
					if files := contents(t, folder); counted == nil {
						counted = files
					} else if diff := cmp.Diff(counted, files); diff != "" {
						t.Errorf("counted and told rows give different folders:\n%s", diff)
					}
				}
				whole := filepath.Join(base, "whole"+format)
				w, err := table.Create(whole, options.Columns(name == "integers"), table.Options{})
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range list {
					b, err := options.Batch(l)
					if err = errors.Join(err, w.Write(b)); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Commit(); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(readBack(t, whole), readBack(t, folder)); diff != "" {
					t.Errorf("one file and the parts differ (-file +parts):\n%s", diff)
				}
			})
		}
	}
}

func TestPartsThatAreWrittenAgainStayAsTheyAre(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "labels")
	if err := PrepareParts(folder, nil, "job"); err != nil {
		t.Fatal(err)
	}
	list := partsOf([]int{5000, 300, 1}, false, false, func(i int) string { return fmt.Sprint("x", i) })
	put := func() {
		sink, err := NewPartSink(folder, ".parquet", nil, PartOptions{})
		if err != nil {
			t.Error(err)
			return
		}
		for _, l := range list {
			if err := sink.Put(t.Context(), l); err != nil {
				t.Error(err)
			}
		}
	}
	put()
	want := contents(t, folder)
	if len(want) != 4 {
		t.Fatalf("%d files", len(want))
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(put)
	}
	wait.Wait()
	if diff := cmp.Diff(want, contents(t, folder)); diff != "" {
		t.Errorf("(-once +several workers):\n%s", diff)
	}
}

func TestAFolderIsPreparedOnlyWhereNothingIsLost(t *testing.T) {
	part := "id,segment,distance\n1,0,0.5\n"
	whole := `{"kind":"coterie labels","version":1,"job":"old","extension":".csv","rows":1,"parts":[{"name":"part-000000.csv","rows":1}]}`
	for name, c := range map[string]struct {
		files map[string]string
		want  string // an error, or the files that stay
	}{
		"empty":                       {nil, "_unfinished.json"},
		"left over":                   {map[string]string{".coterie-00ff.tmp": "half"}, "_unfinished.json"},
		"an earlier job's":            {map[string]string{"_manifest.json": whole, "part-000000.csv": part, "part-000001.parquet": "x", ".coterie-1.tmp": ""}, "_unfinished.json"},
		"this job's":                  {map[string]string{"_unfinished.json": `{"job":"new","ready":true}`, "part-000000.csv": part}, "_unfinished.json part-000000.csv"},
		"this job's, half prepared":   {map[string]string{"_unfinished.json": `{"job":"new"}`, "part-000000.csv": part}, "_unfinished.json"},
		"this job's, committed":       {map[string]string{"_manifest.json": strings.Replace(whole, "old", "new", 1), "part-000000.csv": part}, "_manifest.json part-000000.csv"},
		"committed, marker left":      {map[string]string{"_manifest.json": whole, "_unfinished.json": `{"job":"old","ready":true}`, "part-000000.csv": part}, "_unfinished.json"},
		"another job's":               {map[string]string{"_unfinished.json": `{"job":"old","ready":true}`, "part-000000.csv": part}, "!holds parts of the labels of job old, which has not ended"},
		"parts of nobody":             {map[string]string{"part-000000.csv": part}, "!holds parts of labels without a manifest (part-000000.csv)"},
		"a foreign file":              {map[string]string{"customers.csv": part}, `!holds "customers.csv", which is no part of labels`},
		"a foreign file beside parts": {map[string]string{"_manifest.json": whole, "part-000000.csv": part, "notes.txt": ""}, `!holds "notes.txt", which is no part of labels`},
		"a part of another name":      {map[string]string{"_manifest.json": whole, "part-00000.csv": part}, `!holds "part-00000.csv", which is no part of labels`},
		"a hidden file":               {map[string]string{".profile": ""}, `!holds ".profile", which is no part of labels`},
		"a folder":                    {map[string]string{"part-000000.csv/x": ""}, `!holds "part-000000.csv", which is no file`},
		"a manifest of another kind":  {map[string]string{"_manifest.json": `{"kind":"dbt"}`}, `!is of kind "dbt" and version 0`},
		"a torn manifest":             {map[string]string{"_manifest.json": whole[:40]}, "!is damaged: unexpected end of JSON input"},
		"a wrong manifest":            {map[string]string{"_manifest.json": strings.Replace(whole, `"rows":1,`, `"rows":2,`, 1)}, "!is damaged: 2 rows in parts of 1"},
		"a torn marker":               {map[string]string{"_unfinished.json": "{"}, "!is damaged"},
	} {
		folder := filepath.Join(t.TempDir(), "labels")
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, text := range c.files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, file)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		err := PrepareParts(folder, nil, "new")
		if problem, refused := strings.CutPrefix(c.want, "!"); refused {
			var e *fault.Error
			if !errors.As(err, &e) || e.Kind != fault.Failed || !strings.Contains(err.Error(), problem) || e.Remedy == "" || !strings.HasPrefix(e.Place.File, folder) {
				t.Errorf("%s: got %v, want %q", name, err, problem)
			}
			for file, text := range c.files {
				if got, err := os.ReadFile(filepath.Join(folder, file)); err != nil || string(got) != text {
					t.Errorf("%s: refused, but %s has changed: %v", name, file, err)
				}
			}
			continue
		}
		var names []string
		for file := range contents(t, folder) {
			names = append(names, file)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
		if err := PrepareParts(folder, nil, "new"); err != nil {
			t.Errorf("%s: prepared again: %v", name, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "no", "labels")
	if err := PrepareParts(missing, nil, "new"); fault.Code(err) != int(fault.Failed) || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a folder in none: got %v", err)
	}
}

func TestPartsAreCommittedOnlyWhole(t *testing.T) {
	base := t.TempDir()
	folder := filepath.Join(base, "labels")
	commit := func(job string, parts int, rows ...int64) error {
		_, err := CommitParts(t.Context(), folder, nil, ".csv", parts, PartsInfo{Job: job, Rows: rows})
		return err
	}
	refused := func(what string, err error, want string) {
		t.Helper()
		if fault.Code(err) != int(fault.Failed) || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", what, err, want)
		}
		if _, err := os.Stat(filepath.Join(folder, manifestName)); err == nil {
			t.Errorf("%s: there is a manifest", what)
		}
	}
	if err := PrepareParts(folder, nil, "job"); err != nil {
		t.Fatal(err)
	}
	sink, err := NewPartSink(folder, ".csv", nil, PartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list := partsOf([]int{3, 4, 5}, true, false, func(i int) string { return fmt.Sprint(i) })
	for _, i := range []int{0, 2} {
		if err := sink.Put(t.Context(), list[i]); err != nil {
			t.Fatal(err)
		}
	}
	refused("a part is missing", commit("job", 3, 3, 4, 5), "lacks part-000001.csv")
	refused("the last is missing", commit("job", 4, 3, 4, 5, 6), "lacks part-000001.csv")
	if err := sink.Put(t.Context(), list[1]); err != nil {
		t.Fatal(err)
	}
	refused("the last is missing", commit("job", 4, 3, 4, 5, 6), "lacks part-000003.csv")
	refused("a part too many", commit("job", 2, 3, 4), "holds part-000002.csv, one part too many")
	refused("another job", commit("other", 3, 3, 4, 5), "was not prepared for the labels of job other")
	refused("rows of other parts", commit("job", 3, 3, 4), "the rows of 2 parts are told of 3")
	refused("too many parts", commit("job", maxParts+1), "1000001 parts are more than 1000000")
	if err := commit("job", 3, 3, 4, 5); err != nil {
		t.Fatal(err)
	}
	want := contents(t, folder)
	if err := commit("job", 3, 3, 4, 5); err != nil {
		t.Errorf("committed again: %v", err)
	}
	if diff := cmp.Diff(want, contents(t, folder)); diff != "" || len(want) != 4 || want[manifestName] == "" {
		t.Errorf("committed again (-before +after):\n%s", diff)
	}
}

func TestPartsDoNotLeaveTheRoots(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root, outside := filepath.Join(base, "root"), filepath.Join(base, "outside")
	if err := errors.Join(os.MkdirAll(root+"/labels", 0o755), os.Mkdir(outside, 0o755), os.WriteFile(outside+"/kept.csv", []byte("kept"), 0o644),
		os.Symlink("../outside", root+"/out")); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{outside, outside + "/labels", root + "/out", root + "/out/labels", root + "/../outside/labels", "labels"} {
		if err := PrepareParts(folder, []string{root}, "job"); !errors.Is(err, open.ErrOutside) {
			t.Errorf("%s: prepared: %v", folder, err)
		}
		if _, err := NewPartSink(folder, ".csv", []string{root}, PartOptions{}); !errors.Is(err, open.ErrOutside) {
			t.Errorf("%s: a sink: %v", folder, err)
		}
		if _, err := CommitParts(t.Context(), folder, []string{root}, ".csv", 0, PartsInfo{Job: "job"}); !errors.Is(err, open.ErrOutside) {
			t.Errorf("%s: committed: %v", folder, err)
		}
	}
	sink, err := NewPartSink(root+"/labels", ".csv", []string{root}, PartOptions{RowNumbers: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside+"/kept.csv", root+"/labels/part-000000.csv"); err != nil {
		t.Fatal(err)
	}
	if err := sink.Put(t.Context(), labelsOf(0, 3, false, false, nil)); err == nil || !strings.Contains(err.Error(), "is no ordinary file") {
		t.Errorf("a link in the part's place: %v", err)
	}
	if err := errors.Join(os.Rename(root+"/labels", root+"/moved"), os.Symlink("../outside", root+"/labels")); err != nil {
		t.Fatal(err)
	}
	if err := sink.Put(t.Context(), labelsOf(1, 3, false, false, nil)); !errors.Is(err, open.ErrOutside) {
		t.Errorf("a link in the folder's place: %v", err)
	}
	if diff := cmp.Diff(map[string]string{"kept.csv": "kept"}, contents(t, outside)); diff != "" {
		t.Errorf("outside has changed:\n%s", diff)
	}
}

func TestPartsOfAWrongKindAreRefused(t *testing.T) {
	for _, format := range []string{"", ".", "json", ".csv.bz2", "../x.csv"} {
		if _, err := NewPartSink(t.TempDir(), format, nil, PartOptions{}); fault.Code(err) != int(fault.Usage) {
			t.Errorf("format %q: got %v", format, err)
		}
	}
	sink, err := NewPartSink(t.TempDir(), ".csv", nil, PartOptions{RowNumbers: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []int{-1, maxParts} {
		if err := sink.Put(t.Context(), labelsOf(p, 1, false, false, nil)); err == nil {
			t.Errorf("partition %d was written", p)
		}
	}
	if err := sink.Put(t.Context(), labelsOf(maxParts-1, 1, false, false, nil)); err != nil {
		t.Error(err)
	}
	for name, l := range map[string]*Labels{
		"texts as integers": labelsOf(0, 2, true, false, func(int) string { return "x" }),
		"no ids":            labelsOf(0, 2, false, false, nil),
	} {
		if _, err := (LabelTable{}).Batch(l); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzManifestsOfPartsAreRightOrRefused(f *testing.F) {
	f.Add([]byte(`{"kind":"coterie labels","version":1,"job":"old","extension":".csv","rows":1,"parts":[{"name":"part-000000.csv","rows":1}]}`))
	f.Add([]byte(`{"kind":"coterie labels","version":1,"rows":0,"parts":[{"name":"../x","rows":9223372036854775807},{"rows":1}]}`))
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		hostile.Ceiling(t, len(data), 1<<20, 128, func() {
			if err := os.WriteFile(filepath.Join(folder, manifestName), data, 0o644); err != nil {
				t.Fatal(err)
			}
			found, err := lookAt(folder)
			if err != nil {
				return
			}
			sum := int64(0)
			for _, p := range found.manifest.Parts {
				if p.Rows < 0 || filepath.Base(p.Name) != p.Name {
					t.Fatalf("accepted %+v", p)
				}
				sum += p.Rows
			}
			if sum != found.manifest.Rows {
				t.Fatalf("accepted %d rows in parts of %d", found.manifest.Rows, sum)
			}
		})
	})
}
