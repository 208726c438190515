package chart

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/yaml"

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

// Both autoscalers wait as long as calmSeconds says, and then take workers away one by one. KEDA's cooldownPeriod is none of
// this: it counts on the way to zero alone.
func TestWorkersAreTakenAwayWhenItHasBeenCalm(t *testing.T) {
	for _, kind := range []string{"hpa", "keda"} {
		objects := rendered(t, "worker: {autoscaling: {kind: "+kind+", calmSeconds: 1234}}")
		var got *autoscalingv2.HPAScalingRules
		for _, o := range objects {
			switch v := o.Value.(type) {
			case *autoscalingv2.HorizontalPodAutoscaler:
				got = v.Spec.Behavior.ScaleDown
			case *check.ScaledObject:
				got = v.Spec.Advanced.HorizontalPodAutoscalerConfig.Behavior.ScaleDown
			}
		}
		if got == nil || *got.StabilizationWindowSeconds != 1234 || len(got.Policies) != 1 || got.Policies[0].Value != 1 {
			t.Errorf("%s: got %+v, want a window of 1234 s and then one worker a minute", kind, got)
		}
	}
}

// Each release watches its own coordinator: that of another one, in another namespace or in the same, does not satisfy it.
func TestARuleOfAReleaseWatchesItsOwnCoordinator(t *testing.T) {
	for _, o := range rendered(t, "monitoring: {rules: {enabled: true}}") {
		rule, is := o.Value.(*check.PrometheusRule)
		if !is {
			continue
		}
		got := make(map[string]string)
		for _, g := range rule.Spec.Groups {
			for _, r := range g.Rules {
				got[r.Alert] = r.Expr
			}
		}
		if want := `absent(coterie_epoch{namespace="crm",pod="shop-coterie-coordinator-0"})`; got["CoterieCoordinatorAbsent"] != want {
			t.Errorf("got %s, want %s", got["CoterieCoordinatorAbsent"], want)
		}
		firesForItsOwn(t, rule.Spec)
		return
	}
	t.Error("there is no PrometheusRule")
}

// firesForItsOwn asks promtool, where make deploy-check has built it.
func firesForItsOwn(t *testing.T, rules check.Rules) {
	promtool := cmp.Or(os.Getenv("PROMTOOL"), "../../../bin/tools/promtool")
	if _, err := os.Stat(promtool); err != nil {
		t.Skip("no promtool here")
	}
	text, err := yaml.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	if err := os.WriteFile(filepath.Join(work, "rules.yaml"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	asked, err := os.ReadFile("testdata/absent.tests.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, "tests.yaml"), asked, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(promtool, "test", "rules", filepath.Join(work, "tests.yaml")).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestTheNotesSayWhoDoesNotReachTheMetrics(t *testing.T) {
	for values, want := range map[string]bool{
		"monitoring: {podMonitor: {enabled: true}}":                                                           true,
		"monitoring: {podMonitor: {enabled: false}}":                                                          false,
		"{monitoring: {podMonitor: {enabled: true}}, networkPolicy: {enabled: false}}":                        false,
		"{monitoring: {podMonitor: {enabled: true}}, networkPolicy: {monitoring: [{namespaceSelector: {}}]}}": false,
	} {
		_, notes, err := Render(folder, []byte(values))
		if got := strings.Contains(notes, "networkPolicy.monitoring is empty"); err != nil || got != want {
			t.Errorf("%s: the notes warn: %v, want %v (%v)", values, got, want, err)
		}
	}
}

// rendered are the objects of the chart with values.
func rendered(t *testing.T, values string) []*check.Object {
	t.Helper()
	text, _, err := Render(folder, []byte(values))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := check.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return objects
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
