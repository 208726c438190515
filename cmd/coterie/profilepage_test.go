package main

import (
	"strings"
	"testing"
)

func TestThePageOfAProfileShowsASweepAndMoves(t *testing.T) {
	enterWith(t, map[string]string{"a.csv": "id,x,y\n1,1,5\n2,2,6\n3,30,9\n4,31,8\n5,60,1\n6,61,2\n", "wrong.json": "{}"})
	fitDone(t, "a.csv", "-k", "3", "-o", "m.json", "--labels", "l.csv")
	for _, args := range [][]string{{"sweep", "a.csv", "-k", "2..4", "-o", "s.json"}, {"profile", "a.csv", "--model", "m.json", "-o", "plain.html"}} {
		if got := coterie(args...); got.code != 0 {
			t.Fatalf("%v: got %+v", args, got)
		}
	}
	moves := coterie("migrate", "--from", "l.csv", "--to", "l.csv", "--json")
	write(t, "moves.json", moves.stdout)
	if got := coterie("profile", "a.csv", "--model", "m.json", "-o", "full.html", "--sweep", "s.json", "--moves", "moves.json"); got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	plain, full := text(t, "plain.html"), text(t, "full.html")
	if strings.Count(full, "<svg") < strings.Count(plain, "<svg")+7 { // six curves and the flows
		t.Errorf("got %d drawings, and %d without sweep and moves", strings.Count(full, "<svg"), strings.Count(plain, "<svg"))
	}
	for _, c := range []struct {
		args []string
		code int
		say  string
	}{
		{[]string{"--sweep", "s.json"}, 2, "add -o report.html"},
		{[]string{"--moves", "moves.json", "-o", "p.json"}, 2, "add -o report.html"},
		{[]string{"--sweep", "none.json", "-o", "p.html"}, 3, "none.json"},
		{[]string{"--sweep", "wrong.json", "-o", "p.html"}, 3, "wrong.json: is not the document of a sweep"},
		{[]string{"--moves", "s.json", "-o", "p.html"}, 3, "s.json: is not the document of a migration"},
	} {
		before := len(listing(t))
		if got := coterie(append([]string{"profile", "a.csv", "--model", "m.json"}, c.args...)...); got.code != c.code || !strings.Contains(got.stderr, c.say) || len(listing(t)) != before {
			t.Errorf("%v: got %+v, want exit %d and %q", c.args, got, c.code, c.say)
		}
	}
}
