package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestTheComposeFileIsWhole(t *testing.T) {
	text := string(read(t, "compose.yaml"))
	for _, problem := range ComposeProblems([]byte(text), theProgram(t)) {
		t.Error(problem)
	}
	for _, c := range []struct{ name, from, to, want string }{
		{"a misspelled key", "stop_grace_period", "stop_graceperiod", `unknown field "stop_graceperiod"`},
		{"a setting", "COTERIE_SPILL", "COTERIE_SPIL", "coterie worker has no flag --spil"},
		{"a secret", "secrets: [worker.crt, worker.key, ca.crt,", "secrets: [worker.crt, ca.crt,", `worker-2: --tls-key "/run/secrets/worker.key" is none of its secrets`},
		{"a name", "hostname: worker-2", "hostname: worker-1", "worker-2: is not called so everywhere"},
		{"a health check", `health, "127.0.0.1:7680"`, `health, "127.0.0.1:7681"`, "asks for its health by"},
	} {
		broken := strings.ReplaceAll(text, c.from, c.to)
		if got := strings.Join(ComposeProblems([]byte(broken), theProgram(t)), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q among it", c.name, got, c.want)
		}
	}
}

func TestRulesAndDashboardAskForWhatIsExported(t *testing.T) {
	metrics, err := ReadMetrics(read(t, "metrics.txt"))
	if err != nil || len(metrics) < 20 {
		t.Fatalf("got %d metrics, want those of coordinator, worker and serve (%v)", len(metrics), err)
	}
	var rules Rules
	if err := yaml.UnmarshalStrict(read(t, "prometheus/coterie.rules.yaml"), &rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			for _, problem := range metrics.Problems(r.Expr) {
				t.Errorf("%s: %s", r.Alert, problem)
			}
			if len(Used(r.Expr)) == 0 || r.Annotations["summary"] == "" || r.Labels["severity"] == "" {
				t.Errorf("%s: has no metric, no summary or no severity", r.Alert)
			}
		}
	}
	panels, err := Expressions(read(t, "grafana/coterie.json"))
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]bool)
	for title, exprs := range panels {
		for _, expr := range exprs {
			for _, problem := range metrics.Problems(expr) {
				t.Errorf("panel %q: %s", title, problem)
			}
			for _, name := range Used(expr) {
				shown[name] = true
			}
		}
	}
	if len(shown) < 30 {
		t.Errorf("the dashboard shows %d metrics, want most of them", len(shown))
	}
	for _, c := range []struct{ expr, want string }{
		{"coterie_wrkers", "coterie_wrkers is not exported"},
		{`coterie_workers{stat="ready"}`, "coterie_workers has no label stat"},
		{"sum by (stat) (coterie_workers)", "has a label stat"},
		{"coterie_epoch_bucket", "is not exported"},
	} {
		if got := strings.Join(metrics.Problems(c.expr), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.expr, got, c.want)
		}
	}
}

var heading = regexp.MustCompile(`(?m)^#+ (\w+)$`)

func TestEveryAlertHasARunbookAndATest(t *testing.T) {
	var rules Rules
	if err := yaml.Unmarshal(read(t, "prometheus/coterie.rules.yaml"), &rules); err != nil {
		t.Fatal(err)
	}
	headings := make(map[string]bool)
	for _, m := range heading.FindAllSubmatch(read(t, "../docs/operations.md"), -1) {
		headings[string(m[1])] = true
	}
	tests := string(read(t, "prometheus/coterie.tests.yaml"))
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if strings.Count(tests, `ALERTS{alertname="`+r.Alert+`",alertstate="firing"}`) < 2 {
				t.Errorf("%s: coterie.tests.yaml does not say when it fires, and when not yet", r.Alert)
			}
			_, anchor, _ := strings.Cut(r.Annotations["runbook_url"], "/docs/operations.md#")
			if anchor != strings.ToLower(r.Alert) || !headings[r.Alert] {
				t.Errorf("%s: its runbook_url is %q, and docs/operations.md has a heading of that name: %v", r.Alert, r.Annotations["runbook_url"], headings[r.Alert])
			}
		}
	}
}

func TestSettingsOfUnitsAreFlags(t *testing.T) {
	for file, command := range map[string]string{"coordinator.env": "coordinator", "worker.env": "worker", "worker-a.env": "worker", "worker-b.env": "worker"} {
		for _, problem := range theProgram(t).Problems([]string{command}, settings(t, file)) {
			t.Errorf("%s: %s", file, problem)
		}
	}
	for _, file := range units {
		_, line, _ := strings.Cut(string(read(t, "systemd/"+file)), "ExecStart=/usr/bin/coterie ")
		line, _, _ = strings.Cut(line, "\n")
		for _, problem := range theProgram(t).Problems(strings.Fields(line), nil) {
			t.Errorf("%s: %s", file, problem)
		}
	}
}

// settings are those of a file of the environment.
func settings(t *testing.T, file string) map[string]string {
	t.Helper()
	env := make(map[string]string)
	for line := range strings.Lines(string(read(t, "systemd/"+file))) {
		if name, value, is := strings.Cut(strings.TrimSpace(line), "="); is && !strings.HasPrefix(name, "#") {
			env[name] = value
		}
	}
	return env
}

// Whoever opens a firewall or scrapes a worker has to know its ports; and what is said for all workers of a machine is taken
// by each of them.
func TestWorkersOfOneMachineHavePortsAndMemoryOfTheirOwn(t *testing.T) {
	unit := string(read(t, "systemd/coterie-worker@.service"))
	if !strings.Contains(unit, "\nEnvironmentFile=/etc/coterie/worker.env\nEnvironmentFile=/etc/coterie/worker-%i.env\n") {
		t.Error("coterie-worker@.service does not read worker.env and, after it, worker-%i.env, without which it must not start")
	}
	addresses := []string{"COTERIE_LISTEN", "COTERIE_GOSSIP", "COTERIE_HTTP"}
	common, taken := settings(t, "worker.env"), make(map[string]string)
	for _, name := range append(addresses, "COTERIE_MEMORY", "GOMEMLIMIT", "COTERIE_THREADS") {
		if common[name] != "" {
			t.Errorf("worker.env: %s=%s holds for every worker of the machine", name, common[name])
		}
	}
	for _, file := range []string{"coordinator.env", "worker-a.env", "worker-b.env"} {
		env := settings(t, file)
		for _, name := range addresses {
			_, port, _ := strings.Cut(env[name], ":")
			if other := taken[env[name]]; port == "" || port == "0" || other != "" {
				t.Errorf("%s: %s=%s: want a fixed port that no other has (%s)", file, name, env[name], other)
			}
			taken[env[name]] = file
		}
		if file == "coordinator.env" {
			continue
		}
		own, err := size(env["COTERIE_MEMORY"])
		runtime, wrong := size(env["GOMEMLIMIT"])
		if err != nil || wrong != nil || own <= 0 || runtime <= own {
			t.Errorf("%s: COTERIE_MEMORY=%s and GOMEMLIMIT=%s: want both, the second the larger", file, env["COTERIE_MEMORY"], env["GOMEMLIMIT"])
		}
	}
}

var units = []string{"coterie-coordinator.service", "coterie-worker@.service"}

// exposure is the most that systemd-analyze security may say, in tenths: what is left is the network, which a cluster needs.
const exposure = "15"

func TestUnitsAreWhatSystemdUnderstands(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze here")
	}
	root := t.TempDir()
	put := func(name, text string, mode os.FileMode) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("usr/bin/coterie", "#!/bin/sh\n", 0o755) // a unit whose program is missing is wrong
	for _, name := range []string{"sysinit", "basic", "shutdown", "network-online", "multi-user"} {
		put("usr/lib/systemd/system/"+name+".target", "[Unit]\nDescription="+name+"\n", 0o644)
	}
	for _, unit := range units {
		put("etc/systemd/system/"+unit, string(read(t, "systemd/"+unit)), 0o644)
	}
	for _, unit := range units {
		unit = strings.Replace(unit, "@.", "@a.", 1)
		out, err := exec.Command("systemd-analyze", "verify", "--root="+root, unit).CombinedOutput()
		if err != nil || len(out) > 0 { // unknown keys only warn
			t.Errorf("%s: %v: %s", unit, err, out)
		}
		out, err = exec.Command("systemd-analyze", "security", "--offline=true", "--threshold="+exposure, "--root="+root, unit).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", unit, err, out)
		}
	}
}
