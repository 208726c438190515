package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/secure"
)

// madeCerts runs coterie certs --json.
func madeCerts(t *testing.T, args ...string) certsDocument {
	t.Helper()
	got := coterie(append([]string{"certs", "--json"}, args...)...)
	var document certsDocument
	if err := json.Unmarshal([]byte(got.stdout), &document); err != nil || got.code != 0 || got.stderr != "" {
		t.Fatalf("got %+v (%v), want a document", got, err)
	}
	return document
}

func TestCertsMakesWhatItLists(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "pki")
	document := madeCerts(t, dir, "--host", "node1,10.0.0.7", "--host", "node2", "--days", "30")
	if len(document.Files) != 9 || len(document.Written) != 9 || document.Renewed {
		t.Errorf("got %+v, want nine new files", document)
	}
	for _, file := range document.Files {
		if _, err := os.Stat(file); err != nil || filepath.Dir(file) != dir {
			t.Errorf("%s: %v, want it in %s", file, err, dir)
		}
	}
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "node1", "10.0.0.7", "node2"} {
		if !strings.Contains(" "+strings.Join(document.Hosts, " ")+" ", " "+host+" ") {
			t.Errorf("the hosts %q lack %s", document.Hosts, host)
		}
	}
	expires, err := time.Parse(time.RFC3339, document.Expires)
	if left := time.Until(expires); err != nil || left > 30*24*time.Hour || left < 29*24*time.Hour {
		t.Errorf("it expires at %q (%v), want 30 days from now", document.Expires, err)
	}
	again := madeCerts(t, dir)
	slices.Sort(document.Hosts)
	slices.Sort(again.Hosts)
	if diff := cmp.Diff(document.Hosts, again.Hosts); diff != "" || !again.Renewed || len(again.Written) != 3 || len(again.Files) != 9 {
		t.Errorf("got %+v, want three certificates renewed; hosts (-want +got):\n%s", again, diff)
	}
	if third := madeCerts(t, dir, "--new-ca"); third.Renewed || len(third.Written) != 9 {
		t.Errorf("got %+v, want all files new", third)
	}
}

func TestCertsSaysHowToStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's mine")
	for _, begin := range []string{"made a new CA, certificates and keys, in ", "renewed the certificates of the CA that is there, in "} {
		got := coterie("certs", dir)
		lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
		if got.code != 0 || got.stderr != "" || lines[0] != begin+dir+":" {
			t.Fatalf("got %+v, want success that begins with %q", got, begin)
		}
		for i, command := range []string{"coterie coordinator ", "coterie worker ", "coterie fit --cluster HOST:PORT "} {
			line := strings.TrimSpace(lines[len(lines)-3+i])
			if !strings.HasPrefix(line, command+"--tls-cert ") || strings.Contains(line, "--gossip-key ") != (i < 2) {
				t.Errorf("got %q, want the flags of %s", line, command)
			}
			startable(t, strings.TrimSuffix(strings.TrimPrefix(line, command), " …"))
		}
	}
}

// startable holds that a shell hands the flags to a program, which can load what they name.
func startable(t *testing.T, flags string) {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell")
	}
	out, err := exec.Command(shell, "-c", `printf '%s\n' `+flags).Output()
	if err != nil {
		t.Fatalf("%s: %v", flags, err)
	}
	withTLSProbe(t)
	args := append([]string{"tls"}, strings.Split(strings.TrimSpace(string(out)), "\n")...)
	if got := coterie(args...); got.code != 0 || !strings.HasPrefix(got.stdout, "roles=") {
		t.Errorf("%q: got %+v, want them loaded", args, got)
	}
}

// withTLSProbe adds a command that loads what its tlsFlags name.
func withTLSProbe(t *testing.T) {
	t.Helper()
	old := commands
	commands = append(append([]func(*App) *cobra.Command(nil), old...), func(app *App) *cobra.Command {
		var f tlsFlags
		cmd := &cobra.Command{Use: "tls", Short: "Load the TLS files", RunE: func(*cobra.Command, []string) error {
			id, err := f.identity()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(app.Stdout, "roles=%v tls=%v\n", id.Roles(), id != nil)
			return err
		}}
		f.bind(cmd)
		cmd.Flags().String("gossip-key", "", "the `FILE`")
		return cmd
	})
	t.Cleanup(func() { commands = old })
}

func TestTLSFlagsNameWhatIsWrong(t *testing.T) {
	withTLSProbe(t)
	dir := t.TempDir()
	madeCerts(t, dir)
	worker, client := secure.Paths(dir, secure.Worker), secure.Paths(dir, secure.Client)
	cases := []struct {
		args []string
		want outcome
	}{
		{nil, outcome{0, "roles=[coordinator worker client] tls=false\n", ""}},
		{[]string{"--tls-cert", worker.Cert, "--tls-key", worker.Key, "--tls-ca", worker.CA}, outcome{0, "roles=[worker] tls=true\n", ""}},
		{[]string{"--tls-cert", worker.Cert, "--tls-key", worker.Key}, outcome{2, "",
			"coterie: --tls-cert and --tls-key without --tls-ca (give --tls-cert, --tls-key and --tls-ca, or none of them)\n"}},
		{[]string{"--tls-ca", worker.CA}, outcome{2, "",
			"coterie: --tls-ca without --tls-cert and --tls-key (give --tls-cert, --tls-key and --tls-ca, or none of them)\n"}},
		{[]string{"--tls-cert", worker.Cert, "--tls-key", client.Key, "--tls-ca", worker.CA}, outcome{1, "",
			"coterie: " + client.Key + ": this key does not belong to the certificate " + worker.Cert + " (name the key that was made with it)\n"}},
	}
	for _, c := range cases {
		if diff := cmp.Diff(c.want, coterie(append([]string{"tls"}, c.args...)...), cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.args, diff)
		}
	}
}

func TestCertsSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "")
	half := filepath.Join(dir, "half")
	madeCerts(t, half)
	if err := os.Remove(filepath.Join(half, "ca.key")); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(dir, "fresh")
	cases := []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "coterie certs needs DIR (usage: coterie certs DIR [flags])"},
		{[]string{fresh, "more"}, 2, `coterie certs does not take the argument "more"`},
		{[]string{""}, 2, `DIR: "" is not a folder`},
		{[]string{fresh, "--days", "0"}, 2, `--days: "0" must lie between 1 and 36500`},
		{[]string{fresh, "--days", "36501"}, 2, `--days: "36501" must lie between 1 and 36500`},
		{[]string{fresh, "--host", "node1:7600"}, 2, `--host: "node1:7600" is neither the name nor the address of a machine (leave out the port: node1)`},
		{[]string{fresh, "--host", "a b"}, 2, `--host: "a b" is neither the name nor the address of a machine`},
		{[]string{fresh, "--host", ""}, 2, `--host: ""`},
		{[]string{file}, 1, "part of its path is a file"},
		{[]string{half}, 1, filepath.Join(half, "ca.key") + ": is missing beside " + filepath.Join(half, "ca.crt") + " (put it back, or replace the CA with --new-ca)"},
	}
	for _, c := range cases {
		got := coterie(append([]string{"certs"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.want) || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("certs %v: got %+v, want exit code %d and one line with %q", c.args, got, c.code, c.want)
		}
		if _, err := os.Stat(fresh); err == nil {
			t.Fatalf("certs %v made a folder", c.args)
		}
	}
}

func TestTheLongestCertificatesCanBeMade(t *testing.T) {
	dir := t.TempDir()
	document := madeCerts(t, dir, "--days", fmt.Sprint(mostDays))
	if _, err := secure.Load(secure.Paths(dir, secure.Client)); err != nil {
		t.Errorf("until %s: got %v, want them loaded", document.Expires, err)
	}
}
