package open

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

const secret = "id,v\n666,666\n"

// guardedTree is a root with files and links, beside a folder that nobody may read. Links are given as name: target.
func guardedTree(t testing.TB, links map[string]string) (root, outside string) {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root, outside = filepath.Join(base, "root"), filepath.Join(base, "outside")
	for path, text := range map[string]string{
		"root/a.csv": "id,v\n1,10\n", "root/sub/b.csv": "id,v\n2,20\n", "root/sub/deep/c.csv": "id,v\n3,30\n", "outside/secret.csv": secret,
	} {
		full := filepath.Join(base, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range links {
		if err := os.Symlink(strings.ReplaceAll(target, "BASE", base), filepath.Join(base, name)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	return root, outside
}

func TestNothingOutsideOfTheRootsIsRead(t *testing.T) {
	root, outside := guardedTree(t, map[string]string{
		"root/file.csv":     "../outside/secret.csv",
		"root/absolute.csv": "BASE/outside/secret.csv",
		"root/gone.csv":     "../outside/nobody.csv",
		"root/folder":       "../outside",
		"root/chain.csv":    "folder/secret.csv",
		"root/back.csv":     "sub/../../outside/secret.csv",
	})
	mixed := filepath.Join(root, "month=1")
	if err := os.MkdirAll(mixed, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(mixed, "1.csv"), []byte("id,v\n1,1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret.csv"), filepath.Join(mixed, "2.csv")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	for _, name := range []string{
		filepath.Join(outside, "secret.csv"), filepath.Join(outside, "nobody.csv"), outside, outside + "/*.csv", filepath.Dir(root), "/", "/etc/passwd", "/dev/null",
		root + "/../outside/secret.csv", root + "/sub/../a.csv", root + "/./a.csv", root + "//a.csv", root + "/sub/", root + "x/a.csv",
		"a.csv", "./a.csv", "../outside/secret.csv", "*.csv", "-", "file://" + root + "/a.csv", "file://" + outside + "/secret.csv",
		root + "/file.csv", root + "/absolute.csv", root + "/gone.csv", root + "/folder", root + "/folder/secret.csv", root + "/chain.csv", root + "/back.csv",
		root + "/f*.csv", root + "/*.csv", root + "/folder/*.csv", root + "/fol*/secret.csv", root + "/*/*.csv", root + "/../*/secret.csv", filepath.Dir(root) + "/*/secret.csv",
		mixed, root + "/month=*",
	} {
		s, err := Sources(context.Background(), []string{name}, Options{Roots: []string{root}, Stdin: strings.NewReader(secret)})
		if err == nil {
			s.Close()
			t.Errorf("%s was opened: %v", name, s.Names())
			continue
		}
		if fault.Code(err) != int(fault.Input) || !errors.Is(err, ErrOutside) || !strings.Contains(err.Error(), "does not lie within a --data-root of this worker (") {
			t.Errorf("%s: got %v, want that it lies outside", name, err)
		}
	}
}

func TestAMessageDoesNotTellWhetherAFileOutsideExists(t *testing.T) {
	root, outside := guardedTree(t, map[string]string{
		"root/there.csv": "../outside/secret.csv", "root/never.csv": "../outside/nobody.csv", "root/there": "../outside", "root/never": "../nowhere",
	})
	for there, never := range map[string]string{
		outside + "/secret.csv": outside + "/nobody.csv", root + "/there.csv": root + "/never.csv", root + "/there/secret.csv": root + "/never/secret.csv",
		root + "/there/*.csv": root + "/never/*.csv",
	} {
		var messages []string
		for _, name := range []string{there, never} {
			_, err := Sources(context.Background(), []string{name}, Options{Roots: []string{root}})
			if err == nil {
				t.Fatalf("%s was opened", name)
			}
			text := err.Error()
			for _, word := range []string{"there", "never", "secret", "nobody"} {
				text = strings.ReplaceAll(text, word, "NAME")
			}
			messages = append(messages, text)
		}
		if messages[0] != messages[1] {
			t.Errorf("%s: %q, but %s: %q", there, messages[0], never, messages[1])
		}
	}
}

func TestWhatLiesWithinTheRootsIsRead(t *testing.T) {
	root, outside := guardedTree(t, map[string]string{
		"alias":             "root",
		"root/in.csv":       "sub/b.csv",
		"root/absolute.csv": "BASE/root/sub/b.csv",
		"root/aliased.csv":  "../alias/sub/b.csv",
		"root/sub/up":       "..",
		"root/other.csv":    "../second/d.csv",
		"root/deeper":       "sub/deep",
		"root/sub/deep/two": "../../../root/./sub",
	})
	base := filepath.Dir(root)
	second := filepath.Join(base, "second")
	if err := os.MkdirAll(second, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(second, "d.csv"), []byte("id,v\n4,40\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	both := []string{root, second}
	for _, c := range []struct {
		roots []string
		name  string
		want  []string
	}{
		{both, root + "/a.csv", []string{"d1"}},
		{both, root + "/sub", []string{"d2"}},
		{both, root + "/sub/*.csv", []string{"d2"}},
		{both, root + "/su?", []string{"d2"}},
		{both, root + "/[ds]*/[b-c].csv", []string{"d3", "d2"}},
		{both, root + "/in.csv", []string{"d2"}},
		{both, root + "/absolute.csv", []string{"d2"}},
		{both, root + "/sub/up/a.csv", []string{"d1"}},
		{both, root + "/sub/up/sub/up/a.csv", []string{"d1"}},
		{both, root + "/deeper/c.csv", []string{"d3"}},
		{both, root + "/deeper/two/b.csv", []string{"d2"}},
		{both, root + "/other.csv", []string{"d4"}},
		{[]string{base + "/alias", second}, base + "/alias/sub/b.csv", []string{"d2"}},
		{[]string{base + "/alias/"}, root + "/sub/b.csv", []string{"d2"}},
		{[]string{base + "/alias"}, root + "/aliased.csv", []string{"d2"}},
		{[]string{root + "/deeper"}, root + "/deeper/c.csv", []string{"d3"}},
		{[]string{root + "/sub", root}, root + "/sub/deep/c.csv", []string{"d3"}},
		{[]string{"/"}, root + "/sub/b.csv", []string{"d2"}},
		{[]string{}, "synth://uniform?rows=1&d=1", []string{"d0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sources(t, Options{Roots: c.roots}, c.name)
			if diff := cmp.Diff(c.want, rows(t, s, 0, s.Rows(), dataset.AsNumber, "id")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := Sources(context.Background(), []string{root + "/other.csv"}, Options{Roots: []string{root}}); err == nil {
		t.Error("a link to a folder that is no root was followed")
	}
	if _, err := Sources(context.Background(), []string{outside + "/secret.csv"}, Options{Roots: []string{}}); err == nil {
		t.Error("without any root a file was read")
	}
}

func TestALinkThatIsTurnedOutwardsAfterTheOpeningIsRefused(t *testing.T) {
	for _, name := range []string{"x.csv", "x.csv.gz", "x.parquet", "x.npy"} {
		t.Run(name, func(t *testing.T) {
			root, outside := guardedTree(t, map[string]string{"root/link-" + name: "sub/" + name})
			for i, folder := range []string{root + "/sub", outside, root} {
				w, err := table.Create(filepath.Join(folder, name), []table.Column{{Name: "x0", Type: table.Float32}}, table.Options{})
				if err == nil {
					err = w.Write(&table.Batch{Rows: 1, Columns: []any{[]float32{float32(i)}}})
				}
				if err == nil {
					err = w.Commit()
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			link := filepath.Join(root, "link-"+name)
			s := sources(t, Options{Roots: []string{root}}, link)
			for target, want := range map[string]string{"../outside/" + name: "does not lie within a --data-root", name: "changed"} {
				if err := os.Remove(link); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(target, link); err != nil {
					t.Fatal(err)
				}
				r, err := s.Read(t.Context(), 0, 1, []dataset.Field{{}})
				if name == "x.csv.gz" { // it was unpacked when it was opened, and is not opened again
					if err != nil {
						t.Fatal(err)
					}
					b, err := r.Next()
					if err != nil || b.Columns[0].Float64[0] != 0 {
						t.Errorf("got %v, %v, want what was unpacked", b, err)
					}
					r.Close()
					continue
				}
				if err == nil || fault.Code(err) != int(fault.Input) || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: got %v, want %q", target, err, want)
				}
			}
		})
	}
}

func TestALinkThatIsPutIntoTheWayAfterTheCheckIsNotFollowedOut(t *testing.T) {
	root, _ := guardedTree(t, nil)
	list, err := newRoots([]string{root})
	if err != nil {
		t.Fatal(err)
	}
	p, err := list.resolve(root + "/sub/b.csv")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(root + "/sub"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Dir(root)+"/outside/b.csv", []byte(secret), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../outside", root+"/sub"); err != nil {
		t.Fatal(err)
	}
	if file, err := p.open(); err == nil {
		file.Close()
		t.Error("the file outside was opened")
	}
}

func TestAPatternThatMatchesTooMuchIsRefused(t *testing.T) {
	links := map[string]string{}
	for i := range 50 {
		links[fmt.Sprint("root/sub/deep/l", i)] = "."
	}
	root, _ := guardedTree(t, links)
	deep := root + "/sub/deep"
	// 50 links and a file: 51, 51 × 50 …
	sources(t, Options{Roots: []string{root}}, deep+"/*/*.csv")
	_, err := Sources(context.Background(), []string{deep + "/*/*/*/*.csv"}, Options{Roots: []string{root}})
	if err == nil || !strings.Contains(err.Error(), "matches more than 100000 files and folders") {
		t.Errorf("got %v", err)
	}
}

func TestARootThatCannotBeUsedIsNamed(t *testing.T) {
	root, _ := guardedTree(t, nil)
	for _, folder := range []string{"relative", root + "/nobody", root + "/a.csv"} {
		_, err := Sources(context.Background(), []string{root + "/a.csv"}, Options{Roots: []string{folder}})
		if err == nil || !strings.Contains(err.Error(), folder) || !strings.Contains(err.Error(), "--data-root") {
			t.Errorf("%s: got %v", folder, err)
		}
	}
}

func TestAPlaceForAnOutputLiesWithinTheRoots(t *testing.T) {
	root, _ := guardedTree(t, map[string]string{"root/out": "../outside", "root/in": "sub", "root/new": "sub/new", "root/away": "../outside/new"})
	for name, want := range map[string]string{
		"labels": "labels", "sub/labels": "sub/labels", "in/labels": "sub/labels", "new": "sub/new", "sub": "sub",
		"out": "!does not lie", "out/labels": "!does not lie", "away": "!does not lie", "../labels": "!does not lie", "no/labels": "!a folder on its way does not exist",
		"a.csv/labels": "!not a directory",
	} {
		got, err := Within([]string{root}, root+"/"+name)
		if want[0] == '!' {
			if err == nil || !strings.Contains(err.Error(), want[1:]) {
				t.Errorf("%s: got %q, %v, want %q", name, got, err, want[1:])
			}
			continue
		}
		if err != nil || got != filepath.Join(root, want) {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}

func FuzzNoPathReachesOutOfTheRoots(f *testing.F) {
	root, outside := guardedTree(f, map[string]string{
		"root/out": "../outside", "root/file.csv": "../outside/secret.csv", "root/sub/up": "../..", "root/self": "self", "root/in": "sub/deep",
	})
	list, err := newRoots([]string{root})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][2]string{
		{"/a.csv", "x"}, {"/../outside/secret.csv", "../outside"}, {"/out/secret.csv", "sub/../../outside/secret.csv"}, {"/sub/up/outside/secret.csv", outside + "/secret.csv"},
		{"/fuzzed", root + "/a.csv"}, {"/fuzzed/secret.csv", "././../outside"}, {"/in/../../outside/secret.csv", "in/../../../outside"}, {"/*/*", "*"}, {"\x00", "\x00"},
	} {
		f.Add(seed[0], seed[1])
	}
	link := filepath.Join(root, "fuzzed")
	f.Fuzz(func(t *testing.T, path, target string) {
		hostile.Ceiling(t, len(path)+len(target), 1<<20, 4<<10, func() {
			os.Remove(link)
			if err := os.Symlink(target, link); err != nil {
				target = ""
			}
			for _, name := range []string{path, root + path, root + "/fuzzed", root + "/fuzzed" + path} {
				if file, err := list.open(name); err == nil {
					checkInside(t, file, root, outside, name, target)
				}
				for _, list := range [][]string{find(list.glob(name)), entries(list.readDir(name))} {
					for _, found := range list {
						if strings.Contains(found, "secret") {
							t.Fatalf("%q (link to %q) lists %q", name, target, found)
						}
					}
				}
			}
		})
	})
}

// checkInside fails if what is open is the secret or its folder.
func checkInside(t *testing.T, file *os.File, root, outside, name, target string) {
	t.Helper()
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for _, forbidden := range []string{outside, outside + "/secret.csv", filepath.Dir(root), "/"} {
		if other, err := os.Stat(forbidden); err == nil && os.SameFile(info, other) {
			t.Fatalf("%q (link to %q) opened %s", name, target, forbidden)
		}
	}
	text, _ := io.ReadAll(file)
	if string(text) == secret {
		t.Fatalf("%q (link to %q) opened the secret", name, target)
	}
}

func find(list []string, err error) []string { return list }

func entries[T interface{ Name() string }](list []T, err error) (names []string) {
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestFilesAreHeldAgainstThePinsOfTheJob(t *testing.T) {
	dir := folderOf(t, map[string]string{"a.csv": "x0\n1\n", "b.csv.gz": "x0\n2\n"})
	for name := range map[string]bool{"c.parquet": true, "d.npy": true} {
		w, err := table.Create(filepath.Join(dir, name), []table.Column{{Name: "x0", Type: table.Float64}}, table.Options{})
		if err == nil {
			err = errors.Join(w.Write(&table.Batch{Rows: 1, Columns: []any{[]float64{3}}}), w.Commit())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	data := []string{dir + "/a.csv", dir + "/b.csv.gz", dir + "/c.parquet", dir + "/d.npy"}
	pins := dataset.PinsOf(sources(t, Options{}, data...))
	if len(pins) != 4 {
		t.Fatalf("%d pins for four files: %v", len(pins), pins)
	}
	for i, p := range pins {
		info, err := os.Stat(data[i])
		if err != nil || p != (dataset.Pin{Path: data[i], Size: info.Size(), Modified: info.ModTime().UnixNano()}) {
			t.Errorf("pin %+v of %s: %v", p, data[i], err)
		}
	}
	sources(t, Options{Pins: pins, Roots: []string{dir}}, data...)
	if got := dataset.PinsOf(sources(t, Options{}, "synth://uniform?rows=1&d=1")); got != nil {
		t.Errorf("made data has pins: %v", got)
	}
	if got := dataset.PinsOf(sources(t, Options{Stdin: strings.NewReader("x0\n1\n")}, "-")); got != nil {
		t.Errorf("standard input has pins: %v", got)
	}
	refuse := func(what string, data []string, pins []dataset.Pin, want ...string) {
		t.Helper()
		_, err := Sources(context.Background(), data, Options{Pins: pins})
		for _, w := range append(want, "submit the job again") {
			if err == nil || fault.Code(err) != int(fault.Input) || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: got %v, want %q", what, err, w)
			}
		}
	}
	refuse("a file more", data, pins[:3], data[3], "was not there when the job was made")
	refuse("a file less", data[:3], pins, data[3], "is not among the files here")
	refuse("another order", []string{data[1], data[0]}, pins[:2], data[0], "is not among the files here")
	refuse("made data in its place", []string{"synth://uniform?rows=1&d=1"}, pins[:1], data[0])
	later := time.Now().Add(time.Hour).Truncate(time.Second)
	for i, name := range data {
		before, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, time.Time{}, later); err != nil {
			t.Fatal(err)
		}
		refuse("touched "+name, data, pins, name+": has changed since the job was made, or is another file on this worker", fmt.Sprintf("had %d bytes of", pins[i].Size),
			later.UTC().Format(time.RFC3339), before.ModTime().UTC().Format("2006-01-02T15:04:05"))
		if err := os.Chtimes(name, time.Time{}, before.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
}
