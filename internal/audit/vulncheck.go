package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	officialDatabase = "https://vuln.go.dev"
	// leastModules is how many modules a database tells of, at the least: Go's own had more than 1,000 in 2023. With an empty one
	// or a stump govulncheck finds nothing, and says that there is nothing.
	leastModules = 1000
	// oldestDatabase is when a copy is too old to say that nothing is known; Go's own changes several times a week.
	oldestDatabase = 60 * 24 * time.Hour
	// latestDatabase is how far a date may lie ahead: clocks differ. One that lies farther would never be too old.
	latestDatabase = 24 * time.Hour
	// largestIndex bounds the list of modules; it had 1 MB in 2026.
	largestIndex = 64 << 20
	// databaseWait bounds each request.
	databaseWait = 30 * time.Second
	// vulnerable is how govulncheck ends when it has found something.
	vulnerable = 3
)

// errVulnerable is the answer that nobody wants.
var errVulnerable = errors.New("the program calls functions with known vulnerabilities: raise the modules that are named above")

// vulncheckCommand is audit vulncheck.
func vulncheckCommand(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("vulncheck", flag.ContinueOnError)
	root := set.String("root", filepath.Join("..", ".."), "the top of the module to look at")
	database := set.String("db", officialDatabase, "where the database is: https:// or file://")
	least := set.Int("least", leastModules, "how many modules the database has to tell of")
	packages := set.String("packages", "./...", "the packages to look at")
	if err := parse(set, args, 0); err != nil {
		return err
	}
	if *least < 1 {
		return fmt.Errorf("audit vulncheck: --least %d: an empty database finds nothing, whatever there is\n%w", *least, errUsage)
	}
	said, err := CheckDatabase(ctx, *database, *least, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintln(out, said)
	return govulncheck(ctx, *root, *database, *packages, out)
}

// govulncheck runs the tool of that name, in the version that go.mod pins, and lets it speak.
func govulncheck(ctx context.Context, root, database, packages string, out io.Writer) error {
	var complaints strings.Builder
	where := exec.CommandContext(ctx, "go", "tool", "-n", "govulncheck") // builds it where it has to
	where.Stderr = &complaints
	path, err := where.Output()
	if err != nil {
		return fmt.Errorf("building govulncheck: %w\n%s", err, complaints.String())
	}
	check := exec.CommandContext(ctx, strings.TrimSpace(string(path)), "-C", root, "-db", database, packages)
	check.Stdout, check.Stderr = out, out
	err = check.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == vulnerable {
		return errVulnerable
	}
	if err != nil {
		return fmt.Errorf("govulncheck: %w", err)
	}
	return nil
}

// CheckDatabase tells what is in a database of vulnerabilities. One that is empty, old, or none is an error; one that cannot be reached is
// errUnreachable.
func CheckDatabase(ctx context.Context, database string, least int, now time.Time) (string, error) {
	var about struct{ Modified time.Time }
	if err := fetch(ctx, database, "index/db", &about); err != nil {
		return "", err
	}
	var modules []struct {
		Path  string
		Vulns []struct{ ID string }
	}
	if err := fetch(ctx, database, "index/modules", &modules); err != nil {
		return "", err
	}
	entries := make(map[string]bool)
	named := make([]string, 0, len(modules))
	for _, m := range modules {
		named = append(named, m.Path)
		for _, v := range m.Vulns {
			entries[v.ID] = true
		}
	}
	switch {
	case len(entries) == 0:
		return "", fmt.Errorf("the database at %s is empty: nothing would be found, whatever there is", database)
	case len(modules) < least:
		return "", fmt.Errorf("the database at %s tells of %d modules, a whole one of %d or more", database, len(modules), least)
	case !slices.Contains(named, "stdlib"):
		return "", fmt.Errorf("the database at %s does not tell of the standard library: it is not that of Go, or not whole", database)
	case about.Modified.Sub(now) > latestDatabase:
		return "", fmt.Errorf("the database at %s was last changed on %s, which is yet to come: its age cannot be told, take another copy and look at the clocks", database, about.Modified.Format(time.DateOnly))
	case now.Sub(about.Modified) > oldestDatabase:
		return "", fmt.Errorf("the database at %s was last changed on %s, more than %d days ago: take a newer copy", database, about.Modified.Format(time.DateOnly), oldestDatabase/(24*time.Hour))
	}
	return fmt.Sprintf("database %s: %d vulnerabilities of %d modules, changed on %s", database, len(entries), len(modules), about.Modified.Format(time.DateOnly)), nil
}

// fetch reads one file of a database, as govulncheck does: packed over HTTP, plain from a folder.
func fetch(ctx context.Context, database, name string, to any) error {
	reader, err := open(ctx, database, name)
	if err != nil {
		return err
	}
	defer reader.Close()
	text, err := io.ReadAll(io.LimitReader(reader, largestIndex+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s of the database at %s: %w", name, database, err)
	case len(text) > largestIndex:
		return fmt.Errorf("%s of the database at %s has more than %d MB", name, database, largestIndex>>20)
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("%s of the database at %s: %w", name, database, err)
	}
	return nil
}

// open opens one file of a database.
func open(ctx context.Context, database, name string) (io.ReadCloser, error) {
	if folder, ok := strings.CutPrefix(database, "file://"); ok {
		file, err := os.Open(filepath.Join(filepath.FromSlash(folder), filepath.FromSlash(name)+".json"))
		if err != nil {
			return nil, fmt.Errorf("no database at %s: %w", database, err)
		}
		return file, nil
	}
	ctx, cancel := context.WithTimeout(ctx, databaseWait)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(database, "/")+"/"+name+".json.gz", nil)
	if err != nil {
		cancel()
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("%w: the database of vulnerabilities is out of reach: %w", errUnreachable, err)
	}
	unpacked, err := gzip.NewReader(answer.Body)
	switch {
	case away(answer.StatusCode):
		err = fmt.Errorf("%w: the database of vulnerabilities is out of reach: %s answers %s", errUnreachable, request.URL, answer.Status)
	case answer.StatusCode != http.StatusOK:
		err = fmt.Errorf("no database at %s: %s answers %s", database, request.URL, answer.Status)
	case err != nil:
		err = fmt.Errorf("%s: %w", request.URL, err)
	default:
		return &body{unpacked, answer.Body, cancel}, nil
	}
	answer.Body.Close()
	cancel()
	return nil, err
}

// away says whether an answer is that of something between here and the database, or of a database that rests.
func away(status int) bool {
	return status >= 500 || slices.Contains([]int{http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusTooManyRequests}, status)
}

// body is an unpacked answer that closes what it came from.
type body struct {
	io.Reader
	answer io.Closer
	cancel context.CancelFunc
}

// Close ends the request.
func (b *body) Close() error {
	defer b.cancel()
	return b.answer.Close()
}
