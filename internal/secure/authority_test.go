package secure

import (
	"bytes"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/internal/cluster"
	"github.com/coterie-project/coterie/internal/fault"
)

const year = 365 * 24 * time.Hour

// names are the files of a full folder.
var names = []string{"ca.crt", "ca.key", "client.crt", "client.key", "coordinator.crt", "coordinator.key", "gossip.key", "worker.crt", "worker.key"}

// made runs NewAuthority and holds that exactly the right files are there.
func made(t *testing.T, o Order, now time.Time) *Authority {
	t.Helper()
	a, err := newAuthority(o, now)
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, path := range a.Files {
		listed = append(listed, filepath.Base(path))
	}
	slices.Sort(listed)
	if diff := cmp.Diff(names, listed); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(names, folder(t, o.Folder)); diff != "" {
		t.Errorf("folder (-want +got):\n%s", diff)
	}
	return a
}

func folder(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// contents are the files of a folder by name.
func contents(t *testing.T, path string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, name := range folder(t, path) {
		data, err := os.ReadFile(filepath.Join(path, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(data)
	}
	return all
}

// changed are the names whose contents differ.
func changed(before, after map[string]string) []string {
	var list []string
	for _, name := range names {
		if before[name] != after[name] {
			list = append(list, name)
		}
	}
	return list
}

func leafOf(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found, err := certificates(path, data)
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

func TestTheCertificatesThatAreMadeWorkTogether(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "pki")
	a := made(t, Order{Folder: dir, Hosts: []string{"node1.example", "10.0.0.7", "*.workers", "10.0.0.7", "2001:DB8::1"}, Valid: year}, time.Now())
	if a.Renewed || !slices.Equal(slices.Sorted(slices.Values(a.Written)), slices.Sorted(slices.Values(a.Files))) {
		t.Errorf("got %+v, want all files new", a)
	}
	own, _ := os.Hostname()
	ids := make(map[Role]*Identity)
	for _, role := range Roles() {
		id, err := Load(Paths(dir, role))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(id.Roles(), []Role{role}) || id.Expires().Sub(a.Expires).Abs() > time.Second {
			t.Errorf("%s: got roles %v until %v, want its own until %v", role, id.Roles(), id.Expires(), a.Expires)
		}
		leaf := leafOf(t, Paths(dir, role).Cert)
		for _, host := range []string{"localhost", "127.0.0.1", "::1", own, "node1.example", "10.0.0.7", "w3.workers", "2001:db8::1"} {
			if err := leaf.VerifyHostname(host); isHost(host) && err != nil {
				t.Errorf("%s: got %v, want it to hold for %s", role, err, host)
			}
		}
		if err := leaf.VerifyHostname("node2.example"); err == nil || leaf.IsCA || len(leaf.IPAddresses) != 4 {
			t.Errorf("%s: holds for node2.example, or signs others, or has addresses %v twice", role, leaf.IPAddresses)
		}
		ids[role] = id
	}
	d := open(t, ids[Coordinator], Limits{})
	if err := listJobs(t, dial(t, d.address, DialOptions(ids[Client], Coordinator, Limits{})...)); status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v, want to reach the handler", err)
	}
	if err := listJobs(t, dial(t, d.address, DialOptions(ids[Worker], Coordinator, Limits{})...)); status.Code(err) != codes.PermissionDenied {
		t.Errorf("got %v, want PermissionDenied", err)
	}
	if key, err := cluster.ReadKey(GossipPath(dir)); err != nil || len(key) != gossipKeyBytes {
		t.Errorf("gossip: got a key of %d bytes, %v", len(key), err)
	}
}

func TestSecretsAreTheOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no such rights")
	}
	dir := filepath.Join(t.TempDir(), "pki")
	for _, order := range []Order{{Folder: dir, Valid: year}, {Folder: dir, Valid: year, NewCA: true}} {
		made(t, order, time.Now())
		for _, name := range names {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if mode := info.Mode().Perm(); strings.HasSuffix(name, ".key") && mode != 0o600 || strings.HasSuffix(name, ".crt") && mode&0o400 == 0 {
				t.Errorf("%s has the rights %o", name, mode)
			}
			if strings.HasSuffix(name, ".key") { // what was opened up is closed again with a new key
				os.Chmod(filepath.Join(dir, name), 0o666)
			}
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the folder: got %v, %v, want rights 700", info.Mode(), err)
		}
	}
}

func TestARenewalKeepsTheCAAndTheKeys(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	first := made(t, Order{Folder: dir, Hosts: []string{"node1", "10.0.0.7"}, Valid: 24 * time.Hour}, now)
	before := contents(t, dir)
	id, err := load(Paths(dir, Worker), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	later := now.Add(48 * time.Hour) // the certificates have expired, the CA has not
	second := made(t, Order{Folder: dir, Valid: year}, later)
	if !second.Renewed || first.Renewed {
		t.Errorf("renewed: got %v and then %v, want only the second", first.Renewed, second.Renewed)
	}
	certs := []string{"client.crt", "coordinator.crt", "worker.crt"}
	if diff := cmp.Diff(certs, changed(before, contents(t, dir))); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if len(second.Written) != 3 || !second.Expires.Equal(later.Add(year).Truncate(time.Second)) || !slices.Equal(first.Hosts, second.Hosts) {
		t.Errorf("got %+v, want three files for the hosts %v", second, first.Hosts)
	}
	if now = later; !id.Expires().Equal(leafOf(t, Paths(dir, Worker).Cert).NotAfter) {
		t.Errorf("a running worker has a certificate until %v, want the renewed one", id.Expires())
	}
	// Hosts that are given take the place of the old ones.
	third := made(t, Order{Folder: dir, Hosts: []string{"node2"}, Valid: year}, later)
	if slices.Contains(third.Hosts, "node1") || !slices.Contains(third.Hosts, "node2") || !slices.Contains(third.Hosts, "::1") {
		t.Errorf("got hosts %v, want node2 for node1", third.Hosts)
	}
	// A key that is gone is made anew, and so is what else is missing.
	before = contents(t, dir)
	for _, name := range []string{"worker.key", "worker.crt", "gossip.key"} {
		os.Remove(filepath.Join(dir, name))
	}
	made(t, Order{Folder: dir, Valid: year}, later)
	if diff := cmp.Diff([]string{"client.crt", "coordinator.crt", "gossip.key", "worker.crt", "worker.key"}, changed(before, contents(t, dir))); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

func TestANewCAReplacesEverything(t *testing.T) {
	dir := t.TempDir()
	made(t, Order{Folder: dir, Hosts: []string{"node1"}, Valid: year}, time.Now())
	before := contents(t, dir)
	a := made(t, Order{Folder: dir, Valid: year, NewCA: true}, time.Now())
	if diff := cmp.Diff(names, changed(before, contents(t, dir))); diff != "" || a.Renewed || slices.Contains(a.Hosts, "node1") {
		t.Errorf("got %+v, changed (-want +got):\n%s", a, diff)
	}
}

func TestCertificatesEndWithTheirCA(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	if a := made(t, Order{Folder: dir, Valid: 20 * year}, now); !a.Expires.Equal(now.Add(20 * year).Truncate(time.Second)) {
		t.Errorf("got certificates until %v, want 20 years", a.Expires)
	}
	a := made(t, Order{Folder: dir, Valid: 20 * year}, now.Add(year))
	end := leafOf(t, filepath.Join(dir, caFile)).NotAfter
	if leaf := leafOf(t, Paths(dir, Client).Cert); !a.Expires.Equal(end) || !leaf.NotAfter.Equal(end) {
		t.Errorf("got certificates until %v and said %v, want the end of the CA, %v", leaf.NotAfter, a.Expires, end)
	}
}

func TestAFolderThatIsNotInOrderIsLeftAsItIs(t *testing.T) {
	at := func(o Order, name string) string { return filepath.Join(o.Folder, name) }
	other := newForge(t)
	cases := []struct {
		name   string
		spoil  func(o *Order)
		passed time.Duration
		kind   fault.Kind
		want   string
	}{
		{"no CA", func(o *Order) { os.Remove(at(*o, caFile)) }, 0, fault.Failed, "ca.crt: is missing beside"},
		{"no key of the CA", func(o *Order) { os.Remove(at(*o, caKeyFile)) }, 0, fault.Failed, "(put it back, or replace the CA with --new-ca)"},
		{"another CA's key", func(o *Order) { put(t, at(*o, caKeyFile), encodeKey(other.key)) }, 0, fault.Failed, "does not belong to the CA"},
		{"not a CA", func(o *Order) {
			put(t, at(*o, caFile), certText(leafOf(t, Paths(o.Folder, Worker).Cert)))
		}, 0, fault.Failed, "this is not the certificate of a CA"},
		{"a damaged CA", func(o *Order) { put(t, at(*o, caFile), []byte("x")) }, 0, fault.Failed, "ca.crt: holds no certificate"},
		{"a CA that has expired", func(*Order) {}, 11 * year, fault.Failed, "(replace it with --new-ca)"},
		{"a damaged key", func(o *Order) { put(t, Paths(o.Folder, Client).Key, []byte("x")) }, 0, fault.Failed, "client.key: holds no private key"},
		{"a damaged certificate", func(o *Order) { put(t, Paths(o.Folder, Client).Cert, []byte("x")) }, 0, fault.Failed, "client.crt: is damaged, so the hosts"},
		{"no time", func(o *Order) { o.Valid = 0 }, 0, fault.Usage, "--days: "},
		{"a host with its port", func(o *Order) { o.Hosts = []string{"node1:7600"} }, 0, fault.Usage, `--host: "node1:7600" is neither the name nor the address of a machine (leave out the port: node1)`},
	}
	for _, c := range cases {
		o := Order{Folder: t.TempDir(), Valid: year}
		now := time.Now()
		made(t, o, now)
		c.spoil(&o)
		before := contents(t, o.Folder)
		a, err := newAuthority(o, now.Add(c.passed))
		var known *fault.Error
		if a != nil || !errors.As(err, &known) || known.Kind != c.kind || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v, want a fault: %s", c.name, a, err, c.want)
		}
		after := contents(t, o.Folder)
		for name := range after {
			if before[name] != after[name] {
				t.Errorf("%s: %s was changed", c.name, name)
			}
		}
	}
}

func TestWhatCannotBeWrittenIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	put(t, file, nil)
	blocked := t.TempDir() // a folder stands where the key should go
	if err := os.MkdirAll(filepath.Join(blocked, "ca.key", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{file: "part of its path is a file", blocked: "ca.key: cannot be written"} {
		_, err := NewAuthority(Order{Folder: dir, Valid: year, NewCA: true})
		if fault.Code(err) != int(fault.Failed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a fault: %s", dir, err, want)
		}
	}
	for _, name := range folder(t, blocked) {
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("%s was left", name)
		}
	}
}

func TestHostsAreNamesOrAddresses(t *testing.T) {
	cases := map[string]bool{
		"a": true, "node-1": true, "node_1.example.com": true, "*.workers.svc": true, "10.0.0.1": true, "::1": true, "2001:db8::1": true, "7.example": true,
		"": false, ".": false, "a.": false, ".a": false, "-a": false, "a-": false, "a b": false, "a,b": false, "*": false, "a.*.b": false, "http://a": false, "a/b": false,
		"a:1": false, "[::1]": false, "10.0.0.300": false, "10": false, "1.2.3": false, "fe80::1%eth0": false, "grüße": false, "a\n": false, "a\x00": false,
		strings.Repeat("a", 63) + ".b": true, strings.Repeat("a", 64) + ".b": false,
		strings.Repeat("a.", 126) + "a": true, strings.Repeat("a.", 126) + "ab": false, // 253 and 254
	}
	for host, want := range cases {
		if got := isHost(host); got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}

func TestGossipKeysDiffer(t *testing.T) {
	if a, b := newGossipKey(), newGossipKey(); bytes.Equal(a, b) {
		t.Error("got the same key twice")
	}
}
