package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/internal/pipeline"
	"github.com/coterie-project/coterie/internal/secure"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// serving is the line that serve prints.
var serving = regexp.MustCompile(`^ready rpc=(127\.0\.0\.1:[1-9]\d*) http=(127\.0\.0\.1:[1-9]\d*)\n$`)

// startServe begins coterie serve on free ports and waits for its line.
func startServe(t *testing.T, args ...string) *daemon {
	t.Helper()
	d := &daemon{process: begin(t, nil, append([]string{"serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"}, args...)...)}
	until(t, "the line of serve", func() bool {
		select {
		case <-d.done:
			t.Fatalf("coterie serve ended with %d: %s", d.code, d.stderr.String())
		default:
		}
		return strings.Contains(d.stdout.String(), "\n")
	})
	found := serving.FindStringSubmatch(d.stdout.String())
	if found == nil {
		t.Fatalf("got %q, want one line that matches %v", d.stdout.String(), serving)
	}
	d.rpc, d.http = found[1], found[2]
	return d
}

// crowd is a table of customers with all that a feature can be, some of it missing, and the same as rows for serve.
func crowd() (table string, rows []string) {
	var b strings.Builder
	b.WriteString("id,age,spend,education,gender\n")
	for i := range 90 {
		age, spend := strconv.Itoa(18+i*37%60), fmt.Sprintf("%.2f", math.Exp(float64(i%9))/3)
		education, gender := []string{"school", "college", "doctor", ""}[i%4], []string{"f", "m", "x", "", "f"}[i%5]
		if i%11 == 3 {
			spend = ""
		}
		fmt.Fprintf(&b, "%d,%s,%s,%s,%s\n", 100+i, age, spend, education, gender)
		values := []string{`"age": ` + age, `"education": "` + education + `"`, `"gender": "` + gender + `"`}
		if spend != "" {
			values = append(values, `"spend": `+spend)
		}
		rows = append(rows, fmt.Sprintf(`{"id": "%d", "values": {%s}}`, 100+i, strings.Join(values, ", ")))
	}
	return b.String(), rows
}

func TestServeAnswersWhatAssignWrites(t *testing.T) {
	for _, flags := range []string{"", "--missing indicator", "--missing drop", "--metric cosine"} {
		enter(t)
		table, rows := crowd()
		write(t, "a.csv", table)
		fit := append([]string{"fit", "a.csv", "-k", "4", "-o", "m.json", "--features", "age,spend,education", "--ordinal", "education=school<college<doctor",
			"--categorical", "gender", "--log1p", "spend", "--missing", "mean", "--quiet"}, strings.Fields(flags)...)
		if got := coterie(fit...); got.code != 0 {
			t.Fatalf("%s: %+v", flags, got)
		}
		if got := coterie("assign", "a.csv", "--model", "m.json", "-o", "l.csv", "--detail", "--quiet"); got.code != 0 {
			t.Fatalf("%s: %+v", flags, got)
		}
		want := make(map[string]string)
		for _, line := range readCSV(t, "l.csv")[1:] {
			want[line[0]] = strings.Join(line[1:], " ")
		}
		d := startServe(t, "--model", "m.json")
		reply, err := http.Post("http://"+d.http+"/v1/lookup:batch", "application/json", strings.NewReader(`{"rows": [`+strings.Join(rows, ",")+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ Results []*pipeline.Found }
		if err := json.NewDecoder(reply.Body).Decode(&doc); err != nil || len(doc.Results) != len(rows) {
			t.Fatalf("%s: got %d results of %d, %v", flags, len(doc.Results), len(rows), err)
		}
		reply.Body.Close()
		answered := 0
		for _, r := range doc.Results {
			if r == nil {
				continue
			}
			answered++
			got := fmt.Sprintf("%d %s %d %s", r.Segment, short(r.Distance), *r.SecondSegment, short(*r.SecondDistance))
			if got != want[*r.ID] {
				t.Errorf("%s: customer %s: got %s, want %s", flags, *r.ID, got, want[*r.ID])
			}
		}
		if answered != len(want) || (answered < len(rows)) != strings.Contains(flags, "drop") {
			t.Errorf("%s: %d customers have an answer, %d a label", flags, answered, len(want))
		}
		if got := d.stop(t); got.code != 0 || !strings.Contains(got.stderr, "level=INFO") {
			t.Errorf("%s: got %+v, want exit code 0", flags, got)
		}
	}
}

// short is a distance as a labels file in text has it.
func short(x float64) string { return strconv.FormatFloat(x, 'g', -1, 32) }

func TestServeTakesOnlyClientsOverTLS(t *testing.T) {
	enter(t)
	write(t, "m.json", fitted(t))
	madeCerts(t, "pki")
	d := startServe(t, "--model", "m.json", "--tls-cert", "pki/worker.crt", "--tls-key", "pki/worker.key", "--tls-ca", "pki/ca.crt", "--pprof")
	ask := func(role secure.Role, path, body string) int {
		pool := x509.NewCertPool()
		ca, err := os.ReadFile("pki/ca.crt")
		if err != nil || !pool.AppendCertsFromPEM(ca) {
			t.Fatal(err)
		}
		config := &tls.Config{RootCAs: pool}
		if role != "" {
			own, err := tls.LoadX509KeyPair(filepath.Join("pki", string(role)+".crt"), filepath.Join("pki", string(role)+".key"))
			if err != nil {
				t.Fatal(err)
			}
			config.Certificates = []tls.Certificate{own}
		}
		client := &http.Client{Timeout: patient, Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
		defer client.CloseIdleConnections()
		reply, err := client.Post("https://"+d.http+path, "application/json", strings.NewReader(body))
		if body == "" {
			reply, err = client.Get("https://" + d.http + path)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		io.Copy(io.Discard, reply.Body)
		return reply.StatusCode
	}
	const one = `{"values": {"age": 25, "spend": 99.5}}`
	for _, c := range []struct {
		role       secure.Role
		path, body string
		want       int
	}{
		{"", "/healthz", "", http.StatusOK},
		{"", "/v1/model", "", http.StatusForbidden},
		{"", "/v1/lookup", one, http.StatusForbidden},
		{secure.Worker, "/v1/lookup", one, http.StatusForbidden},
		{secure.Client, "/v1/lookup", one, http.StatusOK},
		{"", "/debug/pprof/heap", "", http.StatusForbidden},
		{secure.Worker, "/debug/pprof/", "", http.StatusForbidden},
		{secure.Client, "/debug/pprof/heap", "", http.StatusOK},
	} {
		if got := ask(c.role, c.path, c.body); got != c.want {
			t.Errorf("%q at %s: got %d, want %d", c.role, c.path, got, c.want)
		}
	}
	for role, want := range map[secure.Role]codes.Code{secure.Client: codes.OK, secure.Coordinator: codes.PermissionDenied} {
		identity, err := secure.Load(secure.Paths("pki", role))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := grpc.NewClient(d.rpc, secure.DialOptions(identity, secure.Worker, secure.Limits{})...)
		if err != nil {
			t.Fatal(err)
		}
		_, err = coteriev1.NewLookupClient(conn).Find(t.Context(), &coteriev1.FindRequest{Numbers: map[string]float64{"age": 25, "spend": 99.5}})
		if conn.Close(); status.Code(err) != want {
			t.Errorf("%s over gRPC: got %v, want %v", role, err, want)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	enter(t)
	write(t, "m.json", fitted(t))
	write(t, "other.json", "{}")
	madeCerts(t, "pki")
	d := startServe(t, "--model", "m.json")
	with := func(args ...string) []string {
		return append([]string{"serve", "--model", "m.json", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"}, args...)
	}
	for _, c := range []struct {
		args []string
		code int
		say  []string // the first begins the line
	}{
		{[]string{"serve"}, 2, []string{"coterie serve needs --model"}},
		{with("here"), 2, []string{`coterie serve does not take the argument "here"`}},
		{with("--model", "no.json"), 3, []string{"no.json: "}},
		{with("--model", "other.json"), 3, []string{"other.json: "}},
		{with("--listen", "0.0.0.0:0"), 2, []string{`--listen: "0.0.0.0:0" can be reached from other machines`, "--insecure"}},
		{with("--http", ":0"), 2, []string{`--http: ":0" can be reached from other machines`, "--insecure"}},
		{with("--listen", d.rpc), 1, []string{"--listen " + d.rpc + ": cannot listen", "in use"}},
		{with("--http", d.http), 1, []string{"--http " + d.http + ": cannot listen", "in use"}},
		{with("--grace", "-1s"), 2, []string{`--grace: "-1s" must be at least 0s`}},
		{with("--threads", "0"), 2, []string{`--threads: "0"`}},
		{with("--tls-cert", "pki/client.crt", "--tls-key", "pki/client.key", "--tls-ca", "pki/ca.crt"), 2, []string{"--tls-cert: pki/client.crt is the certificate of a client", "worker.crt"}},
	} {
		got := coterie(c.args...)
		if got.code != c.code || got.stdout != "" || !strings.HasPrefix(got.stderr, "coterie: "+c.say[0]) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%v: got %+v, want code %d: %s", c.args, got, c.code, c.say[0])
		}
		for _, part := range c.say {
			if !strings.Contains(got.stderr, part) {
				t.Errorf("%v: got %q, want %q in it", c.args, got.stderr, part)
			}
		}
	}
}
