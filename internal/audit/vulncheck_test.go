package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// database are the files of a database that tells of these modules, one vulnerability each, and was changed then.
func database(changed time.Time, modules ...string) map[string]string {
	lines := make([]string, 0, len(modules))
	for i, m := range modules {
		lines = append(lines, fmt.Sprintf(`{"path": %q, "vulns": [{"id": "GO-9999-%04d", "modified": "2026-01-01T00:00:00Z"}]}`, m, i))
	}
	return map[string]string{
		"index/db.json":      fmt.Sprintf(`{"modified": %q}`, changed.Format(time.RFC3339)),
		"index/modules.json": "[" + strings.Join(lines, ",\n") + "]",
		"index/vulns.json":   "[]",
	}
}

func TestADatabaseThatCannotTellIsNoPass(t *testing.T) {
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	old := now.Add(-oldestDatabase)
	with := func(files map[string]string, name, text string) map[string]string {
		files[name] = text
		return files
	}
	cases := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"whole", database(old, "stdlib", "a", "b"), ""},
		{"no modules", database(old), "is empty"},
		{"modules without vulnerabilities", with(database(old), "index/modules.json", `[{"path": "stdlib"}, {"path": "a"}, {"path": "b"}]`), "is empty"},
		{"a stump", database(old, "stdlib", "a"), "tells of 2 modules, a whole one of 3 or more"},
		{"without the standard library", database(old, "a", "b", "c"), "does not tell of the standard library"},
		{"an old copy", database(old.Add(-time.Second), "stdlib", "a", "b"), "last changed on 2026-09-26, more than 60 days ago"},
		{"of a clock that is ahead", database(now.Add(latestDatabase), "stdlib", "a", "b"), ""},
		{"of the future", database(now.Add(latestDatabase+time.Second), "stdlib", "a", "b"), "last changed on 2026-11-27, which is yet to come"},
		{"no JSON", with(database(old), "index/modules.json", "<html>"), "invalid character"},
		{"a folder without it", map[string]string{"README": ""}, "no database at"},
	}
	for _, c := range cases {
		_, err := CheckDatabase(t.Context(), "file://"+filepath.ToSlash(folder(t, c.files)), 3, now)
		holds(t, c.name, err, c.want)
		if errors.Is(err, errUnreachable) {
			t.Errorf("%s: got %v, want it to be wrong and not out of reach", c.name, err)
		}
	}
}

func TestOutOfReachIsToldFromNoDatabase(t *testing.T) {
	now := time.Now()
	cases := []struct {
		status      int
		body        string
		want        string
		unreachable bool
	}{
		{http.StatusOK, `{"modified": "` + now.Format(time.RFC3339) + `"}`, "cannot unmarshal object", false}, // the same for each file
		{http.StatusNotFound, "", "404", false},
		{http.StatusMovedPermanently, "", "", false},
		{http.StatusForbidden, "", "out of reach", true},
		{http.StatusProxyAuthRequired, "", "out of reach", true},
		{http.StatusTooManyRequests, "", "out of reach", true},
		{http.StatusServiceUnavailable, "", "out of reach", true},
	}
	for _, c := range cases {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			var packed bytes.Buffer
			zip := gzip.NewWriter(&packed)
			_, _ = zip.Write([]byte(c.body)) // into memory
			zip.Close()
			w.WriteHeader(c.status)
			_, _ = w.Write(packed.Bytes()) // whoever asked has what it wanted
		}))
		_, err := CheckDatabase(t.Context(), server.URL, 1, now)
		server.Close()
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, errUnreachable) != c.unreachable {
			t.Errorf("%d: got %v, want %q, out of reach = %v", c.status, err, c.want, c.unreachable)
		}
	}
	server := httptest.NewServer(nil)
	server.Close()
	if _, err := CheckDatabase(t.Context(), server.URL, 1, now); !errors.Is(err, errUnreachable) {
		t.Errorf("nobody there: got %v, want out of reach", err)
	}
}

// entry is a vulnerability that nobody has: in all versions of the module, in one function of a package.
func entry(id, module, pkg, function string) string {
	return fmt.Sprintf(`{"schema_version": "1.3.1", "id": %q, "modified": "2026-01-01T00:00:00Z", "published": "2026-01-01T00:00:00Z", "summary": "made up",
"details": "made up for a test", "affected": [{"package": {"name": %q, "ecosystem": "Go"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
"ecosystem_specific": {"imports": [{"path": %q, "symbols": [%q]}]}}], "database_specific": {"url": "https://example.com"}}`, id, module, pkg, function)
}

// internal/progress makes a bar with mpb.New, and nobody has an array of suffixes.
func TestAVulnerabilityInACalledFunctionIsFound(t *testing.T) {
	const module = "github.com/vbauerster/mpb/v8"
	files := database(time.Now(), module, "stdlib")
	files["ID/GO-9999-0000.json"] = entry("GO-9999-0000", module, module, "New")
	files["ID/GO-9999-0001.json"] = entry("GO-9999-0001", "stdlib", "index/suffixarray", "New")
	var out strings.Builder
	code := run(t.Context(), []string{"vulncheck", "-db", "file://" + filepath.ToSlash(folder(t, files)), "-least", "2", "-packages", "./internal/progress"}, &out, &out)
	for _, want := range []string{"Vulnerability #1: GO-9999-0000", "progress.newBar calls mpb.New", "affected by 1 vulnerability", errVulnerable.Error()} {
		if code != 1 || !strings.Contains(out.String(), want) {
			t.Errorf("got %d and %s, want 1 and %q", code, out.String(), want)
		}
	}
	if strings.Contains(out.String(), "#2") {
		t.Errorf("got %s, want nothing of what is not called", out.String())
	}
}
