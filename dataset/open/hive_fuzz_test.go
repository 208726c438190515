package open

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/hostile"
)

// FuzzFolders holds that the columns which folders tell are those that a plain reader finds: the folders right above the file that
// are named NAME=VALUE, decoded where they can be.
func FuzzFolders(f *testing.F) {
	for _, name := range []string{"a/dt=2026-10-01/region=eu/part-0.parquet", "dt=1/x/region=eu/a.csv", "=x/a", "a=b=c/a", "a=%2F/a", "a=%zz/a", "a=/a", "s3://b/a=1/c", "a=1//b", "", "/", "%3D=1/a", "a=1\\b=2/c",
		"a=__HIVE_DEFAULT_PARTITION__/x"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		var got []pair
		hostile.Ceiling(t, len(name), 64<<10, 128, func() { got = pairs(name) })
		var want []pair
		for folder := name; ; {
			at := strings.LastIndexByte(folder, '/')
			if at < 0 {
				break
			}
			folder = folder[:at]
			key, value, ok := strings.Cut(folder[strings.LastIndexByte(folder, '/')+1:], "=")
			if !ok || key == "" {
				break
			}
			want = append([]pair{{decoded(key), decoded(value)}}, want...)
		}
		if len(got) != len(want) {
			t.Fatalf("%q tells %q, want %q", name, got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%q tells %q, want %q", name, got, want)
			}
		}
		if again := path.Join(encoded(got)...); len(got) > 0 {
			if back := pairs(again + "/x"); len(back) == len(got) && back[0] != got[0] {
				t.Fatalf("%q comes back as %q", got, back)
			}
		}
	})
}

func decoded(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// encoded are the names of folders that tell the pairs.
func encoded(list []pair) (names []string) {
	for _, p := range list {
		names = append(names, strings.ReplaceAll(url.QueryEscape(p.name)+"="+url.QueryEscape(p.value), "+", "%20"))
	}
	return names
}
