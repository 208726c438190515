package main

import (
	"os"
	"strings"
	"testing"
)

func TestCheckpointsOfAFit(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "a.csv", "id,x,y\n1,2,3\n2,5,4\n3,9,9\n4,8,8\n")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"resume without a folder":              {[]string{"--resume"}, 2, "--resume: there is no --checkpoint"},
		"resume on a cluster":                  {[]string{"--resume", "--cluster", "localhost:1"}, 2, "coterie jobs resume ID --cluster localhost:1"},
		"on a cluster":                         {[]string{"--checkpoint", "c", "--cluster", "localhost:1"}, 2, "on a cluster the coordinator keeps the checkpoints"},
		"in a file":                            {[]string{"--checkpoint", "a.csv"}, 1, "a.csv"},
		"below a file":                         {[]string{"--checkpoint", "a.csv/c"}, 1, "a.csv/c"},
		"what keeps nothing when it is done":   {[]string{"--checkpoint", "c"}, 0, ""},
		"resumed where there is nothing":       {[]string{"--checkpoint", "c", "--resume"}, 0, "no checkpoint in c: the fit begins at its beginning"},
		"a fit of standard input, which flows": {[]string{"--checkpoint", "d", "-"}, 2, "standard input cannot be read once more"},
	} {
		got := coterie(append([]string{"fit", "a.csv", "-k", "2", "-o", "m.json"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%s: got exit code %d and %q, want %d and %q", name, got.code, got.stderr, c.code, c.want)
		}
	}
	if _, err := os.Stat("d"); err == nil {
		t.Error("a fit that is refused leaves a folder")
	}
}
