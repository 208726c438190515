package check

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const deploy = ".."

// program is the binary, once.
var program = sync.OnceValues(func() (*Program, error) {
	folder, err := os.MkdirTemp("", "coterie-deploy")
	if err != nil {
		return nil, err
	}
	built = folder
	return NewProgram(filepath.Join(deploy, ".."), folder)
})

var built string // folder to be removed

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

func theProgram(t *testing.T) *Program {
	t.Helper()
	p, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(deploy, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestKustomizationsAreWhole(t *testing.T) {
	for _, folder := range []string{"base", "overlays/production"} {
		text, err := Kustomize(filepath.Join(deploy, "kustomize", folder))
		if err != nil {
			t.Fatal(err)
		}
		objects, err := Decode(text)
		if err != nil {
			t.Fatalf("%s: %v", folder, err)
		}
		if len(objects) < 11 {
			t.Errorf("%s: got %d objects, want all of the cluster: %v", folder, len(objects), objects)
		}
		for _, problem := range Problems(objects, theProgram(t)) {
			t.Errorf("%s: %s", folder, problem)
		}
	}
}

// Each change breaks the manifests in one place, and the check names it: else it would hold nothing.
func TestWhatIsWrongInManifestsIsNamed(t *testing.T) {
	text, err := Kustomize(filepath.Join(deploy, "kustomize", "overlays/production"))
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, from, to, want string }{
		{"a misspelled field", "terminationGracePeriodSeconds:", "terminationGracePeriodSecond:", `unknown field "spec.template.spec.terminationGracePeriodSecond"`},
		{"a wrong type", "replicas: 6", `replicas: "six"`, "StatefulSet/coterie-worker: "},
		{"a key twice", "replicas: 6", "replicas: 6\n  replicas: 5", "replicas"},
		{"an unknown kind", "kind: PodDisruptionBudget", "kind: PodDisruptionBudge", `no kind "PodDisruptionBudge"`},
		{"a selector", "app.kubernetes.io/component: worker\n      app.kubernetes.io/name: coterie\n  serviceName", "app.kubernetes.io/component: wrker\n      app.kubernetes.io/name: coterie\n  serviceName", "its selector matches [], want just its own pods"},
		{"a pod that is stuck", "podManagementPolicy: Parallel", "podManagementPolicy: OrderedReady", "StatefulSet/coterie-coordinator: podManagementPolicy: want Parallel"},
		{"a page for all", "port: 7680\n    targetPort: http\n  selector:\n    app.kubernetes.io/component: coordinator", "port: 7680\n    targetPort: http\n  type: LoadBalancer\n  selector:\n    app.kubernetes.io/component: coordinator", "Service/coterie: shows metrics and the page beyond the cluster"},
		{"a port", "targetPort: gossip-udp", "targetPort: gossip-dup", "leads to gossip-dup"},
		{"a probe's port", "path: /readyz\n            port: http", "path: /readyz\n            port: https", "readinessProbe points to port https"},
		{"UDP", "port: gossip-udp\n      protocol: UDP", "port: gossip-udp\n      protocol: TCP", "no NetworkPolicy admits gossip-udp"},
		{"a flag", "COTERIE_SPILL:", "COTERIE_SPIL:", "coterie worker has no flag --spil"},
		{"a join", "coterie-coordinator:7946", "coterie-head:7946", "--join coterie-head: there is no such Service"},
		{"a secret", "secretName: coterie-gossip", "secretName: other\n      - name: spare\n        secret:\n          secretName: spare", `volume "spare" is not mounted`},
		{"a TLS file", "COTERIE_TLS_KEY: /tls/tls.key", "COTERIE_TLS_KEY: /pki/tls.key", "--tls-key /pki/tls.key is in no Secret"},
		{"memory", "COTERIE_MEMORY: 48GiB", "COTERIE_MEMORY: 60GiB", `--memory "60GiB"`},
		{"the runtime's memory", "GOMEMLIMIT: 58982MiB", "GOMEMLIMIT: 64GiB", `GOMEMLIMIT "64GiB"`},
		{"a variable", "name: COTERIE_NAME", "name: COTERIE_CLUSTER_NAME", "COTERIE_NAME does not stand before it"},
		{"root", "runAsNonRoot: true", "runAsNonRoot: false", "may run as root"},
		{"a writable root", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "may write to its root"},
		{"service links", "enableServiceLinks: false", "enableServiceLinks: true", "would be taken for settings"},
		{"the budget", "  selector:\n    matchLabels:\n      app.kubernetes.io/component: worker\n      app.kubernetes.io/name: coterie\n  unhealthy", "  selector:\n    matchLabels:\n      app.kubernetes.io/component: coordinator\n      app.kubernetes.io/name: coterie\n  unhealthy", "PodDisruptionBudget/coterie-worker: selects"},
	}
	for _, c := range cases {
		broken := strings.ReplaceAll(string(text), c.from, c.to)
		if broken == string(text) {
			t.Errorf("%s: the manifests do not hold %q", c.name, c.from)
			continue
		}
		objects, err := Decode([]byte(broken))
		found := Problems(objects, theProgram(t))
		if err != nil {
			found = append(found, err.Error())
		}
		if got := strings.Join(found, "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q among it", c.name, got, c.want)
		}
	}
}
