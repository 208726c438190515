package chart

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/deploy/check"
)

const folder = "../../helm/coterie"

func TestEveryWayToInstallIsWhole(t *testing.T) {
	program, err := check.NewProgram("../../..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("values/*.yaml")
	if err != nil || len(files) < 7 {
		t.Fatalf("got %d files of values, want at least 7 (%v)", len(files), err)
	}
	for _, file := range files {
		values, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text, notes, err := Render(folder, values)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		objects, err := check.Decode(text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, problem := range check.Problems(objects, program) {
			t.Errorf("%s: %s", file, problem)
		}
		if !strings.Contains(notes, "coterie fit") {
			t.Errorf("%s: the notes do not say how to go on: %q", file, notes)
		}
	}
}

func TestAWrongValueIsNamed(t *testing.T) {
	for _, c := range []struct{ values, want string }{
		{"worker: {replicas: three}", "at '/worker/replicas': got string, want integer"},
		{"worker: {replicas: -1}", "at '/worker/replicas': minimum: got -1, want 0"},
		{"worker: {replica: 3}", "at '/worker': additional properties 'replica' not allowed"},
		{"workers: {replicas: 3}", "at '': additional properties 'workers' not allowed"},
		{"tls: {mode: on}", "at '/tls/mode': got boolean, want string"},
		{"tls: {mode: mutual}", "at '/tls/mode': value must be one of 'none', 'secret', 'cert-manager'"},
		{"tls: {mode: secret}", "tls.gossipKeySecret: name a Secret with the key gossip.key"},
		{"tls: {mode: cert-manager, gossipKeySecret: g}", "tls.issuer.name: name the Issuer"},
		{"coordinator: {state: {url: /var/lib}}", "at '/coordinator/state/url': '/var/lib' does not match pattern"},
		{"coordinator: {jobs: 0}", "at '/coordinator/jobs': minimum: got 0, want 1"},
		{"worker: {resources: {limits: {memory: 8GB}}}", "at '/worker/resources/limits/memory': '8GB' does not match pattern"},
		{"worker: {resources: {limits: {memory: 8}}}", "at '/worker/resources/limits/memory': got number, want string"},
		{"worker: {data: [{name: a, path: data, source: {}}]}", "at '/worker/data/0/path': 'data' does not match pattern"},
		{"worker: {data: [{name: a, path: /data}]}", "at '/worker/data/0': missing property 'source'"},
		{"worker: {autoscaling: {kind: hpa, minReplicas: 5, maxReplicas: 2}}", "worker.autoscaling.maxReplicas: 2 is less than minReplicas, 5"},
		{"worker: {autoscaling: {kind: hpa}, resources: {requests: {cpu: null}}}", "worker.resources.requests.cpu: worker.autoscaling.kind hpa needs it"},
		{"worker: {terminationGracePeriodSeconds: 5}", "at '/worker/terminationGracePeriodSeconds': minimum: got 5, want 15"},
		{"s3: {pathStyle: 'yes'}", "at '/s3/pathStyle': got string, want boolean"},
	} {
		_, _, err := Render(folder, []byte(c.values))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.values, err, c.want)
		}
	}
}

// The chart can only hold files of its own folder: it has copies.
func TestTheChartHasTheRulesAndTheDashboard(t *testing.T) {
	for _, file := range []string{"prometheus/coterie.rules.yaml", "grafana/coterie.json"} {
		want, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(folder, "files", filepath.Base(file)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("deploy/helm/coterie/files/%s is not deploy/%s: copy it (%v)", filepath.Base(file), file, err)
		}
	}
}
