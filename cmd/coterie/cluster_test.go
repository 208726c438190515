package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fields are the names in a JSON document, those within others as a.b, of lists those of the first item as a[].b.
func fields(value any, prefix string) []string {
	switch value := value.(type) {
	case map[string]any:
		var names []string
		for name, v := range value {
			names = append(append(names, prefix+name), fields(v, prefix+name+".")...)
		}
		slices.Sort(names)
		return names
	case []any:
		if len(value) > 0 {
			return fields(value[0], strings.TrimSuffix(prefix, ".")+"[].")
		}
	}
	return nil
}

// decoded is the one JSON document that a run printed.
func decoded(t *testing.T, got outcome) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 {
		t.Fatalf("got %+v (%v), want a document", got, err)
	}
	return doc
}

// asked is the document that a command gives of a cluster, named by the environment.
func asked(t *testing.T, cluster string, args ...string) map[string]any {
	t.Helper()
	got := runWith(context.Background(), []string{"COTERIE_CLUSTER=" + cluster}, append(args, "--json")...)
	return decoded(t, got)
}

// waitUntil asks for a job until it is in a state.
func waitUntil(t *testing.T, cluster, job, state string) {
	t.Helper()
	until(t, job+" to be "+state, func() bool { return asked(t, cluster, "jobs", "show", job)["state"] == state })
}

// alike holds that two documents say the same but for how long it took.
func alike(t *testing.T, what string, here, there map[string]any) {
	t.Helper()
	if diff := cmp.Diff(fields(here, ""), fields(there, "")); diff != "" {
		t.Errorf("%s: other fields on the cluster (-here +there):\n%s", what, diff)
	}
	here, there = maps.Clone(here), maps.Clone(there)
	delete(here, "seconds")
	delete(there, "seconds")
	if diff := cmp.Diff(here, there); diff != "" {
		t.Errorf("%s: (-here +there):\n%s", what, diff)
	}
}

func TestTheSameCommandGivesTheSameOnACluster(t *testing.T) {
	enter(t)
	columns := cloud(3000, 4)
	writeCloud(t, columns, "csv", "parquet")
	c := coordinate(t)
	c.join(t)
	c.join(t, "--data-root", ".")
	absolute, err := filepath.Abs("data.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"data.csv", absolute, "synth://blobs?rows=3000&seed=5&d=3&centers=4"} {
		fit := []string{"fit", data, "-k", "5", "-o", "m.json", "--labels", "l.csv", "--json", "--runs", "2"}
		here, labels := decoded(t, coterie(fit...)), text(t, "l.csv")
		write(t, "l.csv", "")
		there := coterie(append(fit, "--cluster", c.rpc, "--min-workers", "2", "--quiet")...)
		if there.stderr != "" {
			t.Errorf("%s: got %q on standard error in spite of --quiet", data, there.stderr)
		}
		alike(t, "fit "+data, here, decoded(t, there))
		if text(t, "l.csv") != labels {
			t.Errorf("fit %s: the labels of the cluster differ", data)
		}
		sum := 0.0
		seconds := decoded(t, there)["seconds"].(map[string]any)
		for _, part := range []string{"read", "seed", "iterate", "write"} {
			sum += seconds[part].(float64)
		}
		if off := sum - seconds["total"].(float64); off > 1e-9 || off < -1e-9 {
			t.Errorf("fit %s: the parts of %v do not add up", data, seconds)
		}
		assign := []string{"assign", data, "--model", "m.json", "-o", "l.csv", "--json", "--detail"}
		here, labels = decoded(t, coterie(assign...)), text(t, "l.csv")
		write(t, "l.csv", "")
		alike(t, "assign "+data, here, decoded(t, coterie(append(assign, "--cluster", c.rpc)...)))
		if text(t, "l.csv") != labels {
			t.Errorf("assign %s: the labels of the cluster differ", data)
		}
	}
}

// TestProgressOfAClusterHasALineForEachIteration reads standard error as a program does.
func TestProgressOfAClusterHasALineForEachIteration(t *testing.T) {
	enter(t)
	c := coordinate(t)
	c.join(t)
	got := coterie("fit", "synth://uniform?rows=20000&d=3", "-k", "7", "-o", "m.json", "--tol", "0", "--json", "--progress", "json", "--cluster", c.rpc)
	iterations := int(decoded(t, outcome{got.code, got.stdout, ""})["iterations"].(float64))
	next := 1
	lines := bufio.NewScanner(strings.NewReader(got.stderr))
	for lines.Scan() {
		var line map[string]any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line["event"] == nil {
			t.Fatalf("%q: %v, want one object with an event", lines.Text(), err)
		}
		if line["event"] != "iteration" {
			continue
		}
		if line["iteration"] != float64(next) || line["phase"] != "iterate" || line["inertia"] == nil {
			t.Errorf("got %s, want iteration %d with its inertia", lines.Text(), next)
		}
		if moved, known := line["moved"].(float64); known && moved < 0 || !known && line["moved"] != nil {
			t.Errorf("got %s, want a count of rows or none", lines.Text())
		}
		next++
	}
	if next != iterations+1 || iterations < 3 {
		t.Errorf("got %d lines for %d iterations, want one for each, and several", next-1, iterations)
	}
}

// The fields that programs rely on, each job's and each worker's alike in every document.
var (
	jobFields = []string{"detached", "ended", "id", "inertia", "iteration", "name", "partitions", "phase", "reassigned", "refused", "rows", "run",
		"speculated", "state", "submitted"}
	workerFields = []string{"address", "cores", "kernel", "memory", "memory_used", "name", "partitions", "silent_seconds", "state", "threads", "version"}
)

func prefixed(prefix string, names []string) []string {
	var list []string
	for _, name := range names {
		list = append(list, prefix+name)
	}
	return list
}

func TestStatusAndJobsDocuments(t *testing.T) {
	enter(t)
	c := coordinate(t)
	empty := asked(t, c.rpc, "status")
	if workers, ok := empty["workers"].([]any); !ok || len(workers) > 0 {
		t.Errorf("got workers %v of an empty cluster, want an empty list", empty["workers"])
	}
	if jobs, ok := empty["jobs"].([]any); !ok || len(jobs) > 0 {
		t.Errorf("got jobs %v of an empty cluster, want an empty list", empty["jobs"])
	}
	w := c.join(t, "--name", "first")
	fit := decoded(t, coterie("fit", "synth://blobs?rows=2000&seed=1&d=2&centers=3", "-k", "3", "-o", "m.json", "--json", "--quiet", "--cluster", c.rpc))
	status := asked(t, c.rpc, "status")
	want := slices.Concat([]string{"workers", "jobs", "epoch", "version"}, prefixed("workers[].", workerFields), prefixed("jobs[].", jobFields))
	slices.Sort(want)
	got := fields(status, "")
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	worker := status["workers"].([]any)[0].(map[string]any)
	if worker["name"] != "first" || worker["address"] != w.rpc || worker["state"] != "ready" || worker["threads"] != 1.0 || worker["cores"].(float64) < 1 ||
		worker["kernel"] == "" || worker["memory"].(float64) < 1 {
		t.Errorf("got the worker %v, want the first, at %s", worker, w.rpc)
	}
	list := asked(t, c.rpc, "jobs", "list")["jobs"].([]any)
	job := list[0].(map[string]any)
	if diff := cmp.Diff(status["jobs"].([]any)[0], list[0]); diff != "" || len(list) != 1 {
		t.Errorf("jobs list has another job than status (-status +list):\n%s", diff)
	}
	if job["state"] != "done" || job["phase"] == "" || job["iteration"] != fit["iterations"] || job["rows"] != fit["rows"] || job["partitions"] != 1.0 ||
		!strings.HasPrefix(job["name"].(string), "fit k=3 synth://") || job["detached"] != false {
		t.Errorf("got the job %v, want the fit %v", job, fit)
	}
	if _, err := time.Parse(time.RFC3339, job["submitted"].(string)); err != nil {
		t.Error(err)
	}
	shown := asked(t, c.rpc, "jobs", "show", job["id"].(string), "-o", "shown.json")
	if diff := cmp.Diff(slices.Sorted(slices.Values(append(slices.Clone(jobFields), "digest", "model"))), fields(shown, "")); diff != "" {
		t.Errorf("jobs show (-want +got):\n%s", diff)
	}
	if m := readModel(t, "shown.json"); shown["digest"] != fit["digest"] || m.Digest() != fit["digest"] || shown["model"] != "shown.json" {
		t.Errorf("got %v and a model %s, want the digest %v", shown, m.Digest(), fit["digest"])
	}
	if cancelled := asked(t, c.rpc, "jobs", "cancel", job["id"].(string)); cancelled["state"] != "done" {
		t.Errorf("cancelling a job that is done: got %v, want it as it was", cancelled)
	}
	if got := coterie("jobs", "resume", job["id"].(string), "--cluster", c.rpc); got.code != 1 || !strings.Contains(got.stderr, "is done already") {
		t.Errorf("resuming a job that is done: got %+v, want exit code 1", got)
	}
	completed := coterie("__complete", "jobs", "show", "--cluster", c.rpc, "")
	if !strings.HasPrefix(completed.stdout, job["id"].(string)+"\tdone: fit k=3") {
		t.Errorf("completing jobs show: got %q, want the job's id", completed.stdout)
	}
	if completed := runWith(context.Background(), []string{"COTERIE_CLUSTER=" + c.rpc}, "__complete", "jobs", "cancel", ""); strings.Contains(completed.stdout, "job-") {
		t.Errorf("completing jobs cancel: got %q, want no job that is over", completed.stdout)
	}
}

func TestADetachedJobIsHandedInFollowedAndFetched(t *testing.T) {
	enter(t)
	c := coordinate(t)
	writeCloud(t, cloud(50, 2), "csv")
	if got := coterie("fit", "data.csv", "-k", "2", "--detach", "--cluster", c.rpc); got.code != 2 || !strings.Contains(got.stderr, "the data lies only here: data.csv") {
		t.Errorf("got %+v for data that lies here, want exit code 2", got)
	}
	data := "synth://blobs?rows=2000&seed=1&d=2&centers=3"
	if got := coterie("fit", data, "-k", "2", "--detach", "--cluster", c.rpc, "--labels", "l.csv", "--worker-wait", "0s"); got.code != 5 || got.stdout != "" {
		t.Errorf("got %+v without a worker that could look at the data, want exit code 5", got)
	}
	c.join(t)
	if got := coterie("fit", data, "-k", "2", "--detach", "--cluster", c.rpc, "--labels", "l.csv"); got.code != 2 || !strings.Contains(got.stderr, "--detach: labels") {
		t.Errorf("got %+v for labels that would be written here, want exit code 2", got)
	}
	waiting := coterie("fit", data, "-k", "2", "--detach", "--cluster", c.rpc, "--min-workers", "3")
	id := strings.TrimSuffix(waiting.stdout, "\n")
	if waiting.code != 0 || !strings.HasPrefix(id, "job-") || strings.Contains(id, "\n") || !strings.Contains(waiting.stderr, "coterie jobs show "+id+" --cluster "+c.rpc+" -o model.json\n") {
		t.Fatalf("got %+v, want one line with an id, and on standard error how to go on", waiting)
	}
	waitUntil(t, c.rpc, id, "waiting")
	if job := asked(t, c.rpc, "jobs", "show", id); job["detached"] != true || job["reason"] != "1/3 workers" {
		t.Errorf("got %v, want a detached job that says what it waits for", job)
	}
	if got := coterie("jobs", "show", id, "--cluster", c.rpc, "-o", "m.json"); got.code != 1 || !strings.Contains(got.stderr, "has no model yet: it is waiting") {
		t.Errorf("got %+v for the model of a job that waits, want exit code 1", got)
	}
	if got := asked(t, c.rpc, "jobs", "cancel", id); got["state"] != "cancelled" {
		t.Errorf("got %v, want the job cancelled", got)
	}
	if got := coterie("jobs", "show", id, "--cluster", c.rpc, "-o", "m.json"); got.code != 1 || !strings.Contains(got.stderr, "jobs resume "+id) {
		t.Errorf("got %+v for the model of a cancelled job, want exit code 1 and how to resume", got)
	}
	c.join(t)
	c.join(t)
	if got := coterie("jobs", "resume", id, "--cluster", c.rpc); got.code != 0 || !strings.Contains(got.stdout, id) {
		t.Errorf("got %+v, want the job resumed", got)
	}
	waitUntil(t, c.rpc, id, "done")
	fetched := asked(t, c.rpc, "jobs", "show", id, "-o", "m.json")
	if want := decoded(t, coterie("fit", data, "-k", "2", "-o", "here.json", "--json")); fetched["digest"] != want["digest"] {
		t.Errorf("got the digest %v, want %v", fetched["digest"], want["digest"])
	}
	if got := decoded(t, coterie("fit", data, "-k", "2", "--detach", "--json", "--quiet", "--cluster", c.rpc, "-o", "m.json")); !slices.Equal(fields(got, ""), []string{"job"}) {
		t.Errorf("got %v, want the job's id alone", got)
	}
}

func TestExitCodesOfACluster(t *testing.T) {
	enter(t)
	write(t, "a.csv", four)
	write(t, "bad.csv", "id,age\n1,20\n2,old\n3,40\n")
	c := coordinate(t)
	env := []string{"COTERIE_CLUSTER=" + c.rpc}
	fit := func(data string, more ...string) []string {
		return append([]string{"fit", data, "-k", "2", "-o", "m.json", "--quiet"}, more...)
	}
	hold := func(when string, code int, say string, args ...string) {
		t.Helper()
		got := runWith(context.Background(), env, args...)
		if got.code != code || got.stdout != "" || !strings.HasPrefix(got.stderr, "coterie: "+say) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%s: coterie %s: got %+v, want exit code %d and one line that begins with %q", when, strings.Join(args, " "), got, code, say)
		}
	}
	hold("no worker", 5, "0/1 workers after waiting for 10ms (start more workers", fit("a.csv", "--worker-wait", "10ms")...)
	hold("no worker", 5, "0/1 workers after waiting for 10ms (start workers", fit("synth://uniform?rows=9&d=2", "--worker-wait", "10ms")...)
	hold("no worker", 5, "the cluster at "+c.rpc+" has no workers to plan for", "plan", "synth://uniform?rows=9&d=2", "-k", "2")
	c.join(t)
	hold("one worker", 5, "1/2 workers after waiting for 10ms", fit("a.csv", "--min-workers", "2", "--worker-wait", "10ms")...)
	hold("one worker", 3, "bad.csv: line 3, column age: ", fit("bad.csv")...)
	hold("one worker", 3, "a.csv: k is above the number of rows", append(fit("a.csv"), "-k", "9")...)
	hold("one worker", 3, "none.csv: does not exist", fit("none.csv")...)
	hold("one worker", 1, "-o none/m.json: the folder none does not exist", append(fit("a.csv"), "-o", "none/m.json")...)
	hold("one worker", 2, "--workers is for the embedded cluster, and COTERIE_CLUSTER names another: "+c.rpc, fit("a.csv", "--workers", "2")...)
	for _, verb := range []string{"show", "cancel", "resume"} {
		hold("no such job", 1, `the coordinator at `+c.rpc+`: there is no job "job-x" (coterie jobs list --cluster `, "jobs", verb, "job-x")
		hold("no id", 2, "coterie jobs "+verb+" needs JOB", "jobs", verb)
	}
	hold("no verb", 2, "coterie jobs needs one of list, show, cancel and resume", "jobs")
	hold("wrong verb", 2, `unknown command "shwo" (did you mean "show"?)`, "jobs", "shwo")
	hold("wrong place", 2, "unknown flag --insecure for coterie status", "status", "--insecure")
	env = nil
	hold("no cluster", 2, "coterie status needs --cluster", "status")
	hold("no cluster", 2, "coterie jobs list needs --cluster", "jobs", "list")
}

// TestACoordinatorThatDoesNotAnswerIsExitFive waits for as long as the program does.
func TestACoordinatorThatDoesNotAnswerIsExitFive(t *testing.T) {
	if testing.Short() {
		t.Skip("this waits for ten seconds")
	}
	began := time.Now()
	got := coterie("status", "--cluster", "127.0.0.1:1")
	if got.code != 5 || !strings.HasPrefix(got.stderr, "coterie: the coordinator at 127.0.0.1:1 does not answer: ") || !strings.Contains(got.stderr, "refused (") {
		t.Errorf("got %+v after %v, want exit code 5 and why", got, time.Since(began))
	}
}

func TestAnInterruptedSubmitterSaysHowToGoOn(t *testing.T) {
	enter(t)
	write(t, "a.csv", four)
	c := coordinate(t)
	c.join(t)
	for data, say := range map[string]string{"a.csv": "coterie: interrupted (run it again: ", "synth://uniform?rows=9&d=2": "coterie: interrupted (coterie jobs resume job-"} {
		p := begin(t, nil, "fit", data, "-k", "2", "-o", "m.json", "--min-workers", "2", "--cluster", c.rpc)
		until(t, "the job to wait", func() bool { return strings.Contains(p.stderr.String(), "waiting: 1/2 workers\n") })
		if got := p.stop(t); got.code != 130 || got.stdout != "" || !strings.Contains(got.stderr, say) {
			t.Errorf("%s: got %+v, want exit code 130 and %q", data, got, say)
		}
	}
	for _, job := range asked(t, c.rpc, "jobs", "list")["jobs"].([]any) {
		waitUntil(t, c.rpc, job.(map[string]any)["id"].(string), "cancelled")
	}
}

func TestFlagsOfTheOtherPlaceAreRefused(t *testing.T) {
	enter(t)
	write(t, "a.csv", four)
	write(t, "here.yaml", "workers: 2\n")
	write(t, "there.yaml", "cluster: 127.0.0.1:1\nworkers: 2\n")
	write(t, "detach.yaml", "detach: true\n")
	fit := []string{"fit", "a.csv", "-k", "2", "-o", "m.json", "--json", "--quiet"}
	for _, c := range []struct {
		env  []string
		args []string
		want string // empty: it runs here
	}{
		{nil, []string{"--detach"}, "--detach is for jobs on a cluster (name the coordinator with --cluster HOST:PORT, or leave it out)"},
		{nil, []string{"--min-workers", "2"}, "--min-workers is for jobs on a cluster"},
		{nil, []string{"--worker-wait", "1s"}, "--worker-wait is for jobs on a cluster"},
		{nil, []string{"--insecure"}, "--insecure is for jobs on a cluster"},
		{nil, []string{"--tls-ca", "ca.crt"}, "--tls-ca is for jobs on a cluster"},
		{nil, []string{"--config", "detach.yaml"}, "--detach is for jobs on a cluster"},
		{nil, []string{"--cluster", "127.0.0.1:1", "--workers", "2"}, "--workers is for the embedded cluster, and --cluster names another: 127.0.0.1:1"},
		{nil, []string{"--cluster", "127.0.0.1:1", "--threads", "2"}, "--threads is for the embedded cluster"},
		{[]string{"COTERIE_CLUSTER=127.0.0.1:1"}, []string{"--workers", "2"}, "--workers is for the embedded cluster, and COTERIE_CLUSTER names another"},
		{nil, []string{"--config", "there.yaml"}, "--workers is for the embedded cluster, and --cluster names another"},
		{[]string{"COTERIE_CLUSTER=somewhere"}, nil, `--cluster (COTERIE_CLUSTER): "somewhere" is not an address`},
		{[]string{"COTERIE_TLS_CERT=x", "COTERIE_DETACH=true", "COTERIE_MIN_WORKERS=3", "COTERIE_INSECURE=true", "COTERIE_CLUSTER="}, nil, ""},
		{[]string{"COTERIE_STATE=x", "COTERIE_JOIN=y", "COTERIE_LISTEN=z"}, []string{"--config", "here.yaml"}, ""},
	} {
		got := runWith(context.Background(), c.env, append(fit, c.args...)...)
		if c.want == "" {
			decoded(t, got)
		} else if got.code != 2 || !strings.HasPrefix(got.stderr, "coterie: "+c.want) || got.stdout != "" {
			t.Errorf("%v %v: got %+v, want exit code 2 and %q", c.env, c.args, got, c.want)
		}
	}
	// What is for one place gives way, where the environment or a file says it and the command line names the other.
	c := coordinate(t)
	c.join(t)
	for _, env := range [][]string{nil, {"COTERIE_WORKERS=2", "COTERIE_THREADS=1"}} {
		decoded(t, runWith(context.Background(), env, append(fit, "--config", "here.yaml", "--cluster", c.rpc)...))
	}
	for _, args := range [][]string{{"check", "a.csv"}, {"version"}, {"synth", "blobs", "-n", "5", "-d", "2", "-o", "s.csv"}} {
		if got := runWith(context.Background(), []string{"COTERIE_CLUSTER=127.0.0.1:1", "COTERIE_TLS_CERT=x"}, args...); got.code != 0 {
			t.Errorf("coterie %v: got %+v, want the environment not to matter", args, got)
		}
	}
}

func TestAPlanForAClusterSaysWhoHoldsWhat(t *testing.T) {
	enter(t)
	writeCloud(t, cloud(500, 3), "csv")
	c := coordinate(t)
	c.join(t, "--name", "one")
	c.join(t, "--name", "two", "--memory", "64MiB")
	doc := asked(t, c.rpc, "plan", "synth://uniform?rows=3000000&d=3", "-k", "4")
	placement := doc["placement"].(map[string]any)
	rows := 0.0
	for i, h := range placement["workers"].([]any) {
		holding := h.(map[string]any)
		rows += holding["rows"].(float64)
		if holding["worker"] != []string{"one", "two"}[i] || holding["partitions"].(float64) < 1 {
			t.Errorf("got %v, want partitions for both workers, by name", holding)
		}
	}
	if doc["workers"] != 2.0 || doc["rows"] != 3e6 || rows != 3e6 || placement["partitions"] != doc["partitions"] {
		t.Errorf("got %v, want all rows held", doc)
	}
	text := runWith(context.Background(), []string{"COTERIE_CLUSTER=" + c.rpc}, "plan", "data.csv", "-k", "4")
	for _, want := range []string{"workers                2 × 1 thread\n", "worker  weight  partitions", "one ", "two ", "all "} {
		if text.code != 0 || !strings.Contains(text.stdout, want) {
			t.Errorf("got %+v, want a plan with %q", text, want)
		}
	}
	if got := coterie("plan", "synth://uniform?rows=30000000000&d=3", "-k", "4", "--cluster", c.rpc); got.code != 5 || !strings.Contains(got.stderr, "does not fit the workers") {
		t.Errorf("got %+v for more rows than memory holds, want exit code 5", got)
	}
	if list := asked(t, c.rpc, "jobs", "list")["jobs"].([]any); len(list) != 0 {
		t.Errorf("planning left the jobs %v", list)
	}
	if got := coterie("check", "data.csv", "--cluster", c.rpc); got.code != 2 || !strings.Contains(got.stderr, "unknown flag --cluster for coterie check") {
		t.Errorf("check --cluster: got %+v, want exit code 2", got)
	}
	if got := fmt.Sprint(asked(t, c.rpc, "status")["workers"].([]any)[1].(map[string]any)["memory"]); got != "6.7108864e+07" {
		t.Errorf("got a memory of %s, want 64 MiB", got)
	}
}
