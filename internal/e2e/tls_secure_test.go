//go:build unix

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fortress is a cluster on loopback in which everybody shows a certificate.
type fortress struct {
	*testing.T
	pki  string
	head *daemon
}

// papers are the flags of a role's certificate.
func papers(pki, role string) []string {
	file := func(name string) string { return filepath.Join(pki, name) }
	return []string{"--tls-cert", file(role + ".crt"), "--tls-key", file(role + ".key"), "--tls-ca", file("ca.crt")}
}

// certs makes a CA with its certificates, or renews them.
func certs(t *testing.T, folder string) string {
	t.Helper()
	worked(t, nil, "certs", folder)
	return folder
}

func newFortress(t *testing.T, workers int) *fortress {
	t.Helper()
	if testing.Short() {
		t.Skip("real processes and handshakes that run into their limits: not with -short")
	}
	f := &fortress{T: t, pki: certs(t, filepath.Join(t.TempDir(), "pki"))}
	args := []string{"coordinator", "--state", filepath.Join(t.TempDir(), "state"), "--listen", "127.0.0.1:0", "--gossip", "127.0.0.1:0", "--http", "127.0.0.1:0"}
	f.head = serveFrom(t, "coordinator", nil, nil, coteriePath(t), append(args, f.flags("coordinator")...)...)
	for i := range workers {
		f.worker(fmt.Sprintf("w%d", i+1), f.flags("worker"))
	}
	until(t, 20*time.Second, "the workers are ready", func() bool {
		ready := 0
		for _, w := range f.look().Workers {
			if w.State == "ready" {
				ready++
			}
		}
		return ready == workers
	})
	return f
}

// flags are those of a process of the cluster: papers and the key of the gossip.
func (f *fortress) flags(role string) []string {
	return append(papers(f.pki, role), "--gossip-key", filepath.Join(f.pki, "gossip.key"))
}

func (f *fortress) worker(name string, flags []string, env ...string) *daemon {
	f.Helper()
	return serveFrom(f.T, name, nil, env, coteriePath(f.T), append([]string{"worker", "--join", f.head.gossip, "--name", name, "--threads", "1",
		"--memory", "1GiB"}, flags...)...)
}

func (f *fortress) look() view {
	f.Helper()
	return look(f.T, nil, f.head.rpc, papers(f.pki, "client")...)
}

// metric reads one of a process on loopback.
func metric(t *testing.T, d *daemon, name string) float64 {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second}
	reply, err := client.Get("http://" + d.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return metricIn(t, string(text), name)
}

func TestAClusterWithTLSGivesTheSameBits(t *testing.T) {
	t.Parallel()
	f := newFortress(t, 2)
	served := filepath.Join(t.TempDir(), "customers.csv") // the workers have no data root: the fit serves it
	worked(t, nil, "synth", "customers", "-n", "30000", "--seed", "7", "-o", served)
	for name, data := range map[string]string{"made by the workers": "synth://customers?rows=600000&seed=7", "served by the fit": served} {
		job := []string{data, "-k", "5", "--features", "age,income,monetary", "--quiet", "--json"}
		run := func(flags ...string) string {
			dir := t.TempDir()
			labels := filepath.Join(dir, "labels.csv")
			args := append([]string{"fit", "-o", filepath.Join(dir, "model.json"), "--labels", labels}, job...)
			digest := digestOf(t, worked(t, nil, append(args, flags...)...))
			text, err := os.ReadFile(labels)
			if err != nil {
				t.Fatal(err)
			}
			return digest + "\n" + string(text)
		}
		got, want := run(append(papers(f.pki, "client"), "--cluster", f.head.rpc)...), run()
		if got != want {
			t.Errorf("%s: got digest and labels %.100q, want those of one process, %.100q", name, got, want)
		}
	}
	// On a machine that stands still for a while a friend's handshake or exchange runs into its limit, and counts as refused.
	late := float64(strings.Count(f.head.log.String(), "i/o timeout") + strings.Count(f.head.log.String(), "deadline exceeded"))
	for _, refused := range []string{"peers_refused_total", "gossip_refused_total"} {
		if n := metric(t, f.head, refused); n > late {
			t.Errorf("got %v %s among friends, want 0 but for %v that were late", n, refused, late)
		}
	}
}

// clientLimit is what a client that cannot be let in may take: ten seconds, and what a loaded machine adds.
const clientLimit = 20 * time.Second

// Strangers knock while a job runs. Each is refused, told so, and counted; the job does not notice.
func TestStrangersAreRefusedAndCounted(t *testing.T) {
	t.Parallel()
	f := newFortress(t, 0)
	snail := "COTERIE_FAILPOINT=iterate:1:sleep=2s" // the job must last longer than all strangers do, also on a slow machine
	f.worker("w1", f.flags("worker"), snail)
	f.worker("slow", f.flags("worker"), snail)
	until(t, 20*time.Second, "both workers are there", func() bool { return len(f.look().Workers) == 2 })
	fit := beginFit(t, nil, append(append([]string{"--cluster", f.head.rpc}, papers(f.pki, "client")...), longJob...)...)
	until(t, 20*time.Second, "the fit iterates", func() bool { return f.look().job().Iteration >= 2 })
	other := certs(t, filepath.Join(t.TempDir(), "other"))
	plain := leadOnLoopback(t)
	key := func(pki string) []string { return []string{"--gossip-key", filepath.Join(pki, "gossip.key")} }

	workers := map[string]struct {
		flags   []string
		counted string // the metric that goes up at the coordinator
		logged  string // in the coordinator's log
	}{
		"a worker of another CA":              {append(papers(other, "worker"), key(f.pki)...), "peers_refused_total", "bad certificate"},
		"a worker with a client's papers":     {append(papers(f.pki, "client"), key(f.pki)...), "peers_refused_total", "Join is for worker; the certificate of the caller has client"},
		"a worker without TLS":                {key(f.pki), "peers_refused_total", "peer refused"},
		"a worker with another key of gossip": {append(papers(f.pki, "worker"), key(other)...), "gossip_refused_total", "could decrypt the message"},
		"a worker without a key of gossip":    {papers(f.pki, "worker"), "gossip_refused_total", "is not encrypted"},
	}
	for name, c := range workers {
		before, said := metric(t, f.head, c.counted), len(f.head.log.String())
		stranger := f.worker(strings.ReplaceAll(name, " ", "-"), c.flags)
		until(t, 20*time.Second, name+" is counted and logged", func() bool {
			return metric(t, f.head, c.counted) > before && strings.Contains(f.head.log.String()[said:], c.logged)
		})
		if metric(t, stranger, "worker_joined") != 0 {
			t.Errorf("%s has joined", name)
		}
		stranger.kill()
	}

	clients := map[string]struct {
		address string
		flags   []string
		code    int
		says    string
	}{
		"a client with a worker's papers":          {f.head.rpc, papers(f.pki, "worker"), 1, "use a certificate with the role client"},
		"a client of another CA":                   {f.head.rpc, papers(other, "client"), 5, "signed by unknown authority"},
		"a client without TLS":                     {f.head.rpc, nil, 5, "TLS"},
		"a client with TLS, a coordinator without": {plain.rpc, papers(f.pki, "client"), 5, "TLS"},
	}
	t.Run("clients", func(t *testing.T) {
		for name, c := range clients {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				o := coterie(t, nil, append([]string{"status", "--cluster", c.address}, c.flags...)...)
				if o.code != c.code || !strings.Contains(o.err, c.says) || strings.Count(o.err, "\n") != 1 {
					t.Errorf("got exit %d and %q, want exit %d and one line with %q", o.code, o.err, c.code, c.says)
				}
				if o.took > clientLimit {
					t.Errorf("it took %v, want at most about ten seconds", o.took)
				}
			})
		}
	})
	if v := f.look(); len(v.Workers) != 2 || v.job().State != "running" || v.job().Reassigned != 0 {
		t.Errorf("got %+v, want the two workers of the cluster and the job under way all the time", v)
	}
	for _, d := range []*daemon{fit.daemon} {
		d.kill()
	}
}

// leafAt is the serial number of the certificate that a server shows.
func (f *fortress) leafAt(address string) string {
	f.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(f.pki, "client.crt"), filepath.Join(f.pki, "client.key"))
	if err != nil {
		f.Fatal(err)
	}
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(f.pki, "ca.crt"))
	if err != nil || !roots.AppendCertsFromPEM(ca) {
		f.Fatalf("no CA: %v", err)
	}
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}, ServerName: "localhost"})
	if err != nil {
		f.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// leafIn is the serial number of the certificate in a file.
func (f *fortress) leafIn(role string) string {
	f.Helper()
	text, err := os.ReadFile(filepath.Join(f.pki, role+".crt"))
	if err != nil {
		f.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		f.Fatalf("no certificate in %q", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		f.Fatal(err)
	}
	return cert.SerialNumber.String()
}

func TestRenewedCertificatesAreTakenUpWithoutARestart(t *testing.T) {
	t.Parallel()
	f := newFortress(t, 1)
	old := f.leafIn("coordinator")
	if got := f.leafAt(f.head.rpc); got != old {
		t.Fatalf("the coordinator shows the certificate %s, want that of its file, %s", got, old)
	}
	certs(t, f.pki)
	renewed := f.leafIn("coordinator")
	if renewed == old {
		t.Fatal("the certificate was not renewed")
	}
	until(t, 20*time.Second, "the coordinator shows the renewed certificate", func() bool { return f.leafAt(f.head.rpc) == renewed })
	f.worker("new", f.flags("worker"))
	until(t, 20*time.Second, "the worker with the renewed certificate is ready", func() bool { return f.look().worker("new") == "ready" })
	if state := f.look().worker("w1"); state != "ready" {
		t.Errorf("the worker that was there is %s, want ready", state)
	}
	job := []string{"synth://uniform?rows=600000&seed=9&d=2", "-k", "4"}
	fit := beginFit(t, nil, append(append([]string{"--cluster", f.head.rpc, "--min-workers", "2"}, papers(f.pki, "client")...), job...)...)
	if got, want := fit.digest(), digestHere(t, job...); got != want {
		t.Errorf("got digest %s, want that of one process, %s", got, want)
	}
}

func TestListeningBeyondLoopbackTakesTLSOrAWord(t *testing.T) {
	t.Parallel()
	pki := certs(t, filepath.Join(t.TempDir(), "pki"))
	local := "127.0.0.1:0"
	for _, role := range []string{"coordinator", "worker"} {
		base := []string{role, "--state", filepath.Join(t.TempDir(), "state")}
		if role == "worker" {
			base = []string{role, "--join", "127.0.0.1:1", "--memory", "1GiB"}
		}
		for _, beyond := range []string{"--listen", "--gossip", "--http"} {
			args := append([]string(nil), base...)
			for _, flag := range []string{"--listen", "--gossip", "--http"} {
				address := local
				if flag == beyond {
					address = "0.0.0.0:0"
				}
				args = append(args, flag, address)
			}
			o := coterie(t, nil, args...)
			if o.code != 2 || !strings.Contains(o.err, beyond) || !strings.Contains(o.err, "--insecure") || o.out != "" {
				t.Errorf("%s with %s 0.0.0.0:0: got exit %d, %q and %q, want exit 2 and a message that names %s and --insecure", role, beyond, o.code, o.out, o.err, beyond)
			}
			if beyond == "--gossip" { // TLS does not cover it
				o = coterie(t, nil, append(args, papers(pki, role)...)...)
				if o.code != 2 || !strings.Contains(o.err, "--gossip") {
					t.Errorf("%s with TLS, and gossip without a key: got exit %d and %q, want exit 2 and a message that names --gossip", role, o.code, o.err)
				}
			}
			serveFrom(t, role+" that may", nil, nil, coteriePath(t), append(args, "--insecure", "--advertise", "127.0.0.1")...).kill()
		}
	}
}
